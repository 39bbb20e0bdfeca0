# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""A process leaves its control thread alone, and is put back as it was."""

import gc
import subprocess
import sys

import pytest

from vla_control.core.realtime import hurry_process, quiet_process


def test_a_quiet_process_collects_no_garbage_and_comes_back_as_it_was():
    before = sys.getswitchinterval(), gc.isenabled()
    with quiet_process():
        assert not gc.isenabled()
        assert gc.get_freeze_count() > 0
        assert sys.getswitchinterval() == pytest.approx(1e-4)
    assert (sys.getswitchinterval(), gc.isenabled()) == before


def test_no_priority_changes_nothing():
    assert hurry_process(0) == 'default scheduling'


def test_a_hurried_process_does_not_hurry_its_children():
    # In a process of its own, as the tests are not to run in real time.
    code = (
        'import os, subprocess, sys\n'
        'from vla_control.core.realtime import hurry_process\n'
        'said = hurry_process(5)\n'
        'child = subprocess.run([sys.executable, "-c", "import os; '
        'print(os.sched_getscheduler(0))"], capture_output=True, text=True)\n'
        'policy = os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK\n'
        'print(said.split()[0], policy, child.stdout.strip())'
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    said, policy, child = done.stdout.split()
    assert (said, policy) in (('SCHED_FIFO', '1'), ('no', '0'))
    assert child == '0'


def test_haste_ends_where_the_long_work_begins_and_no_thread_inherits_it():
    code = (
        'import os, threading\n'
        'from vla_control.core.realtime import Haste\n'
        'now = lambda: os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK\n'
        'haste, seen = Haste(5), []\n'
        'haste.resume(); seen.append(now())\n'
        'thread = threading.Thread(target=lambda: seen.append(now()))\n'
        'thread.start(); thread.join()\n'
        'haste.rest(); seen.append(now())\n'
        'haste.resume(); seen.append(now())\n'
        'print(*seen)'
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert done.stdout.split() in (['1', '0', '0', '1'], ['0'] * 4)  # permitted, or not
