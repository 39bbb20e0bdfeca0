# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""One tick of a robot, over the ideal mirror: who may move it, and what stops it."""

from dataclasses import replace

import numpy as np
import pytest

from vla_control.core.messages import Reference
from vla_control.core.spec import load_robot
from vla_control.robots.mock import FaultKind, Mock, MockFault
from vla_control.runtime.control import RobotController
from vla_control.runtime.tick_log import load_tick_log, TickLog
from vla_control.safety.checker import worst_ratios
from vla_control.safety.supervisor import Event, Mode


class Bench:
    """A controller on a mirror, and a hand-wound clock."""

    def __init__(self):
        self.spec = load_robot('openarm')
        self.driver = Mock(self.spec, q=np.array(self.spec.home))
        self.log = TickLog(self.spec.names, self.spec.dt, 20_000)
        self.controller = RobotController(self.spec, self.driver, self.log)
        self.now = 100.0
        self.controller.configure(self.now)
        self.controller.activate(self.now)

    def tick(self, count=1, feed=None):
        for _ in range(count):
            self.now += self.spec.dt
            if feed is not None:
                self.controller.put(feed(self.now))
            self.controller.tick(self.now)

    def still(self, now):
        zero = np.zeros(len(self.spec.joints))
        return Reference(stamp=now, q=np.array(self.spec.home), v=zero, a=zero)

    def swing(self, start):
        """Give a gentle sine on every arm joint that begins at rest."""
        size = np.where(self.spec.gripper, 0.0, 0.05)
        w = 3.0

        def at(now):
            # 1 - cos keeps position and speed continuous; the gate rounds the first jerk.
            t = now - start
            home = np.array(self.spec.home)
            return Reference(
                stamp=now,
                q=home + size * (1 - np.cos(w * t)),
                v=size * w * np.sin(w * t),
                a=size * w * w * np.cos(w * t),
            )

        return at

    def run(self):
        self.tick(10)
        self.controller.request(Event.RESUME)
        self.tick(1)
        self.tick(20, feed=self.still)
        assert self.controller.mode is Mode.RUN


@pytest.fixture
def bench():
    return Bench()


def commanded(bench):
    return bench.controller.snapshot.commanded.q


def test_it_holds_the_measured_pose_and_ignores_commands_until_resumed(bench):
    bench.tick(300, feed=bench.swing(bench.now))
    assert bench.controller.mode is Mode.HOLD
    np.testing.assert_array_equal(commanded(bench), bench.spec.home)


def test_a_command_made_before_the_resume_does_not_move_it(bench):
    bench.controller.put(bench.still(bench.now + bench.spec.dt))
    bench.tick(1)
    bench.now += 0.004
    bench.controller.request(Event.RESUME)
    bench.tick(1)
    assert bench.controller.mode is Mode.READY


def test_it_follows_legal_references_bit_for_bit_once_it_runs(bench):
    bench.run()
    motion = bench.swing(bench.now)
    bench.tick(700, feed=motion)
    before = bench.controller.gate.passed
    bench.tick(100, feed=motion)
    assert bench.controller.gate.passed == before + 100
    np.testing.assert_array_equal(commanded(bench), motion(bench.now).q)


def test_silence_brakes_at_once_and_changes_the_mode_after_its_timeout(bench):
    bench.run()
    bench.tick(400, feed=bench.swing(bench.now))
    bench.tick(10)
    assert bench.controller.mode is Mode.RUN
    bench.tick(100)
    assert bench.controller.mode is Mode.HOLD
    assert 'no joint command for 0.1 s' in bench.controller.snapshot.reason
    rest = commanded(bench).copy()
    bench.tick(500)
    np.testing.assert_array_equal(commanded(bench), rest)


@pytest.mark.parametrize('mode', ['hold', 'run'])
def test_the_emergency_stop_acts_in_the_next_tick_and_latches(bench, mode):
    if mode == 'run':
        bench.run()
    bench.controller.request(Event.E_STOP)
    bench.tick(1)
    assert bench.controller.mode is Mode.FAULT
    bench.controller.request(Event.RESUME)
    bench.tick(50, feed=bench.still)
    assert bench.controller.mode is Mode.FAULT


def test_reset_never_moves_and_needs_healthy_feedback(bench):
    bench.run()
    bench.driver.inject(
        MockFault(kind=FaultKind.SILENT, joint=bench.spec.names[2], start=bench.now)
    )
    bench.tick(60)
    assert bench.controller.mode is Mode.FAULT
    assert bench.spec.names[2] in bench.controller.snapshot.reason
    bench.controller.request(Event.RESET)
    bench.tick(2)
    assert bench.controller.mode is Mode.FAULT
    assert 'reset refused' in bench.controller.snapshot.reason


def test_reset_after_an_emergency_stop_holds_where_it_is(bench):
    bench.run()
    bench.controller.request(Event.E_STOP)
    bench.tick(20)
    bench.controller.request(Event.RESET)
    bench.tick(2)
    assert bench.controller.mode is Mode.HOLD
    np.testing.assert_allclose(commanded(bench), bench.spec.home, atol=1e-9)


def test_a_bus_that_dies_in_motion_is_a_fault_and_never_an_exception(bench):
    bench.run()
    bench.driver.inject(MockFault(kind=FaultKind.BUS, start=bench.now))
    bench.tick(10, feed=bench.still)
    assert bench.controller.mode is Mode.FAULT


def test_whatever_is_put_in_what_is_sent_keeps_the_limits(bench):
    bench.run()
    rng = np.random.default_rng(5)

    def nonsense(now):
        n = len(bench.spec.joints)
        q = np.array(bench.spec.home) + rng.normal(0.0, 1.0, n)
        if rng.random() < 0.05:
            q[rng.integers(n)] = np.nan
        return Reference(stamp=now, q=q, v=rng.normal(0, 9, n), a=rng.normal(0, 99, n))

    bench.tick(800, feed=nonsense)
    record = bench.log.record()
    rows = record.mode != Mode.FAULT.value
    worst = worst_ratios(
        bench.spec.dt * np.arange(float(rows.sum())), record.sent[rows], bench.spec
    )
    assert worst.kept(), worst


def test_the_log_survives_a_round_trip(bench, tmp_path):
    bench.run()
    path = tmp_path / 'ticks.npz'
    bench.log.save(path)
    record, loaded = bench.log.record(), load_tick_log(path)
    assert loaded.joints == bench.spec.names
    np.testing.assert_array_equal(loaded.sent, record.sent)
    np.testing.assert_array_equal(loaded.mode, record.mode)


def test_a_full_log_keeps_the_newest_ticks():
    log = TickLog(('a',), 0.1, capacity=3)
    for i in range(5):
        log.add(float(i), np.array([i]), np.array([i]), 'RUN')
    assert log.record().time.tolist() == [2.0, 3.0, 4.0]


class Laden(Mock):
    """A mirror whose first joint carries a torque."""

    torque = 0.0  # [N·m]

    def read(self, now):
        state = super().read(now)
        effort = state.effort.copy()
        effort[0] = self.torque
        return replace(state, effort=effort)


def test_an_overload_stops_in_any_mode_and_its_heat_is_counted_on_in_fault():
    spec = load_robot('openarm')
    driver = Laden(spec, q=np.array(spec.home))
    controller = RobotController(spec, driver)
    controller.configure(0.0)
    controller.activate(0.0)
    now, second = 0.0, 1.0  # [s] a tick: heat takes its time

    def ticks(count, torque):
        nonlocal now
        driver.torque = torque
        for _ in range(count):
            now += second
            controller.tick(now)

    ticks(60, spec.rated[0])
    assert controller.mode is Mode.HOLD
    assert controller.snapshot.warnings == ()
    ticks(60, spec.effort[0])
    assert controller.mode is Mode.FAULT
    assert spec.names[0] in controller.snapshot.reason
    ticks(60, spec.effort[0])  # the safe action carries the weight, which goes on heating
    controller.request(Event.RESET)
    ticks(100, 0.0)
    assert controller.mode is Mode.FAULT
    assert 'reset refused: overloaded for too long' in controller.snapshot.reason
    ticks(300, 0.0)
    controller.request(Event.RESET)
    ticks(1, 0.0)
    assert controller.mode is Mode.HOLD
