# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Invariant 22: however the process of the driver ends, the robot does not go on moving.

Asked to end (SIGTERM) it comes to rest, damps and switches off. Killed (SIGKILL) it can do
nothing, so the motors' own watchdog, set and read back before enabling, switches them off.

The driver runs in real time in a process of its own; the electronics are served here.
"""

import itertools
import select
import signal
import time

from benches import BusBench
from driver_process import free_port, private, start
import numpy as np
import pytest

from vla_control.buses.damiao import Reg
from vla_control.core.errors import ConfigError, RobotError
from vla_control.robots.damiao_motors import motors_of
from vla_control.sim.devices import open_device

LOST_COMMUNICATION, DISABLED = 0xD, 0x0
TRIES = 3  # starts: a busy machine keeps two processes apart longer than a motor watchdog
PATIENCE = 20.0  # [s] before a process that hangs fails the test


def emulated_motors(device):
    """Return the emulated motors behind a device, joint by joint."""
    parts = getattr(device, 'devices', [device])
    if not all(hasattr(part, 'motors') for part in parts):
        device.close()
        pytest.skip('a G1 has no watchdog of its own; its guard is proven in test_g1_guard.py')
    return [motor for part in parts for motor in part.motors.motors]


class Cell:
    """A robot's electronics on their bus, its ideal joints, and a driver in another process."""

    def __init__(self, robot, folder):
        port = free_port()
        self.spec = private(robot, folder, port)
        try:
            self.device = open_device(self.spec)
        except ConfigError as error:
            pytest.skip(f'no emulated electronics yet: {error}')
        self.motors = emulated_motors(self.device)
        self.q, self.v = np.array(self.spec.home), np.zeros(len(self.spec.home))
        parts = self.spec.parts.values() or [self.spec]
        self.turns = [(m.scale, m.offset) for part in parts for m in motors_of(part)]
        self.log = []  # (time, moves, statuses)
        self.process = start(robot.name, folder, port, 'drive')
        self.words = []

    def live(self, seconds):
        """Serve for a while; stiff joints are where they are told to be, others stand still."""
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            self.device.measure(now, self.q, self.v)
            self.device.serve(now, 0.002)
            self.device.torques(time.monotonic())
            stiff = self.follow()
            self.log.append((time.monotonic(), stiff, {m.status for m in self.motors}))

    def follow(self):
        """Move the joints as commanded; return whether any motor has stiffness."""
        stiff = False
        for i, (motor, (scale, offset)) in enumerate(zip(self.motors, self.turns, strict=True)):
            command, self.v[i] = motor._command, 0.0
            if len(command) == 5 and command[2] > 0.0 and motor.enabled:
                stiff = True
                self.q[i], self.v[i] = (command[0] - offset) / scale, command[1] / scale
        return stiff

    def until(self, condition, what):
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, f'never happened: {what}; said {self.words}'
            self.live(0.01)

    def moves(self):
        """Wait until the process drives; return whether every motor still does."""
        self.until(lambda: self.said('moving') or self.process.poll() is not None, 'moving')
        assert self.process.poll() is None, self.process.stderr.read()
        return self.log[-1][1:] == (True, {1})

    def said(self, word):
        """Take in what the process said, without waiting."""
        while select.select([self.process.stdout], [], [], 0.0)[0]:
            line = self.process.stdout.readline()
            if not line:
                break
            self.words.append(line.strip())
        return word in self.words

    def first(self, since, condition):
        """Return how long after an instant something was first so [s]."""
        return next(t for t, *row in self.log if t >= since and condition(*row)) - since


@pytest.fixture
def cell(robot, tmp_path):
    if robot.name == 'openarm_left':
        pytest.skip('driven like the right arm')
    for attempt in range(TRIES):
        cell = Cell(robot, tmp_path / str(attempt))
        try:
            moves = cell.moves()
            assert moves or attempt < TRIES - 1, cell.log[-1]
            if moves:
                yield cell
                return
        finally:
            cell.process.kill()
            cell.process.wait()
            cell.device.close()


def test_asked_to_end_it_rests_damps_within_a_second_and_switches_off(cell):
    asked = time.monotonic()
    cell.process.send_signal(signal.SIGTERM)
    cell.until(lambda: cell.process.poll() is not None, 'the end')
    cell.live(0.05)
    assert cell.process.returncode == 0, cell.process.stderr.read()
    cell.said('')
    assert cell.words == ['moving', 'HOLD: hold requested', 'ended']
    damped = cell.first(asked, lambda stiff, statuses: not stiff)
    off = cell.first(asked, lambda stiff, statuses: statuses == {DISABLED})
    assert damped <= 1.0, 'from the signal to the first frame of the safe action'
    assert off >= damped
    assert all(LOST_COMMUNICATION not in s for _, _, s in cell.log), 'fed to the end'


def test_killed_the_motors_notice_by_themselves(cell):
    killed = time.monotonic()
    cell.process.kill()
    cell.process.wait()
    cell.until(lambda: cell.log[-1][2] == {LOST_COMMUNICATION}, 'D from every motor')
    took = cell.first(killed, lambda stiff, statuses: statuses == {LOST_COMMUNICATION})
    watchdog = cell.spec.safety.motor_watchdog
    assert took > 0.5 * watchdog, 'by the watchdog and by nothing else'
    assert all(m.applied == 0.0 for m in cell.motors)
    for motor in cell.motors:
        counts = motor.memory[Reg.TIMEOUT]
        assert counts * 50e-6 == pytest.approx(watchdog, abs=0.002)


def test_the_watchdog_of_every_motor_is_read_back_before_any_is_enabled(robot, arm_joint):
    bench = BusBench.__new__(BusBench)
    motors = []
    make = bench.make_driver

    def deaf():
        driver = make()
        motors.extend(emulated_motors(bench.device))
        memory = motors[arm_joint].memory
        write = memory.write
        memory.write = lambda rid, raw: rid != Reg.TIMEOUT and write(rid, raw)
        return driver

    bench.make_driver = deaf
    with pytest.raises(RobotError, match=robot.names[arm_joint]):
        bench.__init__(robot)
    assert not any(m.enabled for m in motors)


def test_without_commands_the_motors_stop_after_their_watchdog_and_not_before(robot):
    bench = BusBench(robot)
    bench.activate()
    motors = emulated_motors(bench.device)
    assert all(m.enabled for m in motors)
    watchdog, started = robot.safety.motor_watchdog, bench.now
    for _ in itertools.takewhile(lambda _: any(m.enabled for m in motors), range(1000)):
        bench.live(0.001)
    assert {m.status for m in motors} == {LOST_COMMUNICATION}
    assert bench.now - started == pytest.approx(watchdog, abs=0.006)
