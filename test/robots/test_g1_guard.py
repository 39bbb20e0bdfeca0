# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
However the process of a G1's driver ends, its arms go back to the robot without a step.

The emulated board lives here; the driver is this file as a process of its own.
"""

from dataclasses import replace
import json
import os
from pathlib import Path
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

pytest.importorskip('cyclonedds')

from vla_control.buses.unitree import ARM_COMMAND
from vla_control.core.clock import SteadyClock
from vla_control.core.errors import RobotError
from vla_control.core.messages import JointCommand
from vla_control.core.spec import load_robot
from vla_control.robots.factory import make_driver
from vla_control.robots.g1_guard import G1Guard, GuardJob
from vla_control.sim.devices import open_device

DOMAIN = 190 + os.getpid() % 30  # other runs on this machine have another
RAMP, HOLD = 2.0, 0.5  # [s] of config/robots/g1.yaml
PATIENCE = 30.0  # [s] before what hangs fails the test


def robot(domain):
    spec = load_robot('g1')
    # A busy machine is late; what counts here is how the arms are handed back.
    safety = replace(spec.safety, feedback_stop=0.5, feedback_fault=1.0)
    bus = {**spec.bus, 'domain': {'sim': domain}, 'wait': 10.0}
    return replace(spec, bus=bus, safety=safety)


def drive(domain):
    """Take the arms, say so, and keep them until asked to end."""
    spec, clock = robot(domain), SteadyClock()
    asked = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: asked.set())
    driver = make_driver(spec, 'sim', clock)
    driver.connect(clock.now())
    state = driver.enable(clock.now())
    zero, full = np.zeros(len(state.q)), False
    while not asked.is_set():
        clock.sleep_until(clock.now() + spec.dt)
        state = driver.read(clock.now())
        driver.write(JointCommand(q=np.array(spec.home), v=zero, a=zero), clock.now())
        if driver.weight == 1.0 and not full:
            full = True
            sys.stdout.write(json.dumps({'faults': state.faults, 'warnings': state.warnings}))
            sys.stdout.write('\n')
            sys.stdout.flush()
    driver.close(clock.now())


class Cell:
    """The board in a thread, what it was told, and the driver in a process."""

    def __init__(self):
        self.clock = SteadyClock()
        self.spec = robot(DOMAIN)
        self.board = open_device(self.spec)
        self.door = self.board.doors[ARM_COMMAND]
        self.told = []  # (time, weight, q, speed asked for)
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()
        self.process = subprocess.Popen(
            [sys.executable, __file__, str(DOMAIN)],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # as in a terminal of its own
            env=os.environ | {'PYTHONPATH': os.pathsep.join(p for p in sys.path if p)},
        )

    def serve(self):
        home, still, taken = np.array(self.spec.home), np.zeros(len(self.spec.home)), 0
        while not self.done.is_set():
            self.board.measure(self.clock.now(), home, still)
            self.board.serve(self.clock.now(), 0.001)
            if self.door.taken != taken:
                taken = self.door.taken
                motors = self.door.message['motor_cmd']
                told = self.door.weight, motors['q'][15:29].copy(), np.abs(motors['dq']).max()
                self.told.append((self.clock.now(), *told))

    def until(self, condition, what):
        end = self.clock.now() + PATIENCE
        while not condition():
            assert self.clock.now() < end, f'never happened: {what}'
            self.clock.sleep_until(self.clock.now() + 0.01)

    def close(self):
        self.process.kill()
        self.process.wait()
        self.until(lambda: not guards(), 'the end of the guard')
        self.done.set()
        self.thread.join()
        self.board.close()


def guards():
    """Return the guards of this test's domain that live."""
    found = []
    for path in Path('/proc').glob('[0-9]*/cmdline'):
        try:
            words = path.read_bytes().split(b'\0')
        except OSError:
            continue
        if (
            b'vla_control.robots.g1_guard' in words
            and f'"domain": {DOMAIN},'.encode() in words[-2]
        ):
            found.append(int(path.parent.name))
    return found


@pytest.fixture
def cell():
    cell = Cell()
    yield cell
    cell.close()


def records():
    return list(Path('/dev/shm').glob(f'vla_control-*g1-lo-{DOMAIN}-*'))


def test_a_driver_that_is_killed_leaves_a_guard_that_hands_the_arms_back(cell):
    said = json.loads(cell.process.stdout.readline())
    assert said == {'faults': [], 'warnings': []}
    (guard,) = guards()
    assert len(cell.board._bus.peers(ARM_COMMAND).writers) == 1  # nobody beside the driver
    os.killpg(guard, signal.SIGTERM)  # only the end of the driver ends it
    before = len(cell.told)
    killed = cell.clock.now()
    os.killpg(cell.process.pid, signal.SIGKILL)
    cell.process.wait()
    cell.until(lambda: cell.told[-1][1] == 0.0, 'no weight')
    cell.until(lambda: not guards(), 'the end of the guard')
    assert records() == []

    told = cell.told[before:]
    times = np.array([t for t, *_ in told])
    weights = np.array([w for _, w, *_ in told])
    assert weights[0] == 1.0
    assert (np.diff(weights) <= 0.0).all()
    late = np.diff(times).max()  # a busy machine; the weight must not make up for it
    assert -np.diff(weights).min() < 0.1, f'a step; longest pause {late:.3f} s'
    began, ended = times[weights == 1.0][-1], times[weights == 0.0][0]
    assert ended - began == pytest.approx(RAMP, rel=0.5)
    assert began - killed > HOLD
    home = np.array(cell.spec.home)[:14]
    for _, _, q, speed in told:
        np.testing.assert_allclose(q, home, atol=1e-6)
        assert speed == 0.0


def test_a_driver_that_ends_in_order_leaves_no_guard(cell):
    cell.process.stdout.readline()
    assert len(guards()) == 1
    cell.process.send_signal(signal.SIGTERM)
    cell.until(lambda: cell.process.poll() is not None, 'the end of the driver')
    assert cell.process.returncode == 0
    assert guards() == []
    assert records() == []
    assert cell.told[-1][1] == 0.0


def test_a_guard_that_is_gone_is_told():
    where = {'interface': 'lo', 'domain': DOMAIN, 'multicast': None}
    job = GuardJob(network=where, hold=HOLD, ramp=RAMP, period=0.004, wait=1.0)
    guard = G1Guard(job)
    guard.start()
    guard.await_ready()
    assert guard.problem() == ''
    (process,) = guards()
    os.kill(process, signal.SIGKILL)
    while not guard.problem():
        pass
    assert 'the arms would stay as told' in guard.problem()
    guard.end(released=True)
    assert records() == []


def test_a_guard_that_does_not_start_is_an_error(monkeypatch):
    monkeypatch.setattr(sys, 'executable', '/bin/false')
    driver = make_driver(robot(DOMAIN), 'sim')
    driver._guard.start()
    with pytest.raises(RobotError, match=r'did not start within 10\.0 s'):
        driver._guard.await_ready()
    driver._guard.end(released=True)


if __name__ == '__main__':
    drive(int(sys.argv[1]))
