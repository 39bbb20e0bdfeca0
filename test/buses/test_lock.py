# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""One writer per bus and machine, whoever comes second."""

import os
import subprocess
import sys

import pytest

from vla_control.buses.lock import BusLock
from vla_control.core.errors import BusError

HOLDER = """
import sys
from pathlib import Path
from vla_control.buses.lock import BusLock
BusLock('socketcan can0', Path(sys.argv[1])).acquire()
sys.stdout.write('held\\n')
sys.stdout.flush()
sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    script = tmp_path / 'holder.py'
    script.write_text(HOLDER)
    process = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {'PYTHONPATH': os.pathsep.join(p for p in sys.path if p)},
    )
    assert process.stdout.readline() == 'held\n'
    yield process
    process.kill()
    process.wait()


def test_a_second_process_is_refused_and_told_who_holds_the_bus(tmp_path, holder):
    with pytest.raises(BusError, match='one writer') as refused:
        BusLock('socketcan can0', tmp_path).acquire()
    assert f'process {holder.pid} (holder.py ' in str(refused.value)
    assert 'socketcan can0' in str(refused.value)


def test_a_killed_holder_leaves_the_bus_free(tmp_path, holder):
    holder.kill()
    holder.wait()
    lock = BusLock('socketcan can0', tmp_path)
    lock.acquire()
    lock.release()


def test_another_bus_is_not_held(tmp_path, holder):
    lock = BusLock('socketcan can1', tmp_path)
    lock.acquire()
    lock.release()


def test_the_same_process_cannot_take_a_bus_twice(tmp_path):
    first, second = BusLock('can0', tmp_path), BusLock('can0', tmp_path)
    first.acquire()
    with pytest.raises(BusError, match=f'process {os.getpid()} '):
        second.acquire()
    first.release()
    first.release()
    second.acquire()
    second.release()


def test_a_lock_file_that_cannot_be_opened_says_which(tmp_path):
    (tmp_path / 'vla_control-can0.lock').mkdir()
    with pytest.raises(BusError, match=r'vla_control-can0\.lock'):
        BusLock('can0', tmp_path).acquire()


def test_names_become_file_names(tmp_path):
    lock = BusLock('udp_multicast 239.1.2.3:4000 driver', tmp_path)
    assert lock.path == tmp_path / 'vla_control-udp-multicast-239.1.2.3-4000-driver.lock'
