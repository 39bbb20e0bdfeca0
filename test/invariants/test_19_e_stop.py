# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Invariant 19: an e-stop latches from every mode, and the next tick already obeys.

At the supervisor, and at the tick that owns the bus, whatever else is going wrong: from the call
to the first frame that is no motion there is one tick.
"""

import itertools

from benches import Bench, BusBench
import numpy as np
import pytest

from vla_control.core.messages import Reference
from vla_control.core.spec import JointKind
from vla_control.robots.mock import FaultKind, MockFault
from vla_control.safety.supervisor import Event, Mode, Supervisor

OTHERS = [event for event in Event if event is not Event.RESET]


@pytest.mark.parametrize('before', list(itertools.product(OTHERS, repeat=2)), ids=str)
def test_an_e_stop_after_anything_is_a_fault_at_once(before):
    supervisor = Supervisor()
    for event in before:
        supervisor.handle(event, 0.0)
    assert supervisor.handle(Event.E_STOP, 1.0, 'button') is Mode.FAULT


def test_nothing_but_a_healthy_reset_ends_it_and_that_does_not_move(spec):
    rng = np.random.default_rng(0)
    for _ in range(300):
        supervisor = Supervisor()
        for event in (Event.ALIGNED, Event.RESUME, Event.FRESH_COMMAND, Event.E_STOP):
            supervisor.handle(event, 0.0, event.value)
        for i in rng.integers(len(OTHERS), size=30):
            assert supervisor.handle(OTHERS[i], 1.0) is Mode.FAULT
        assert supervisor.handle(Event.RESET, 2.0, healthy=False) is Mode.FAULT
        assert supervisor.fault.reason == 'e-stop'
        assert supervisor.handle(Event.RESET, 3.0, healthy=True) is Mode.HOLD
        assert supervisor.handle(Event.FRESH_COMMAND, 4.0) is Mode.HOLD


def ticks_to_safety(bench, feed=None, longest=10):
    """Press the button and return after how many ticks nothing but the safe action is sent."""
    bench.driver.log.clear()
    bench.controller.request(Event.E_STOP)
    for tick in range(1, longest):
        bench.tick(1, feed)
        if bench.driver.log and bench.driver.log[-1] == 'safe':
            assert bench.mode is Mode.FAULT
            assert bench.driver.log == ['write'] * (tick - 1) + ['safe']
            return tick
    return longest


def nonsense(bench, rng):
    """Feed what no interpreter of chunks should: anything at all."""

    def at(now):
        n = len(bench.spec.joints)
        q, v, a = rng.normal(size=(3, n)) * 10 ** rng.uniform(-2, 2)
        if rng.random() < 0.2:
            q[rng.integers(n)] = rng.choice([np.nan, np.inf])
        return Reference(stamp=now + rng.normal() * 0.01, q=bench.home + q, v=v, a=a)

    return at


TROUBLES = ['none', 'policy blocked', 'executor starved', 'nonsense', 'motor silent', 'released']


@pytest.mark.parametrize('mode', [m for m in Mode if m is not Mode.UNCONFIGURED], ids=str)
@pytest.mark.parametrize('trouble', TROUBLES)
def test_the_next_tick_obeys_from_every_mode_whatever_goes_wrong(robot, mode, trouble):
    rng = np.random.default_rng(19)
    worst = 0
    for repeat in range(3):
        bench = Bench(robot, require_enable=True)
        bench.held = True
        bench.bring(mode)
        feed = bench.swing()
        if trouble in ('policy blocked', 'executor starved'):
            feed = None  # no chunk becomes no reference, and nobody hands one over
        if trouble == 'nonsense':
            feed = nonsense(bench, rng)
        if trouble == 'motor silent':
            fault = MockFault(kind=FaultKind.SILENT, joint=robot.names[0], start=bench.now)
            bench.driver.inject(fault)
        if trouble == 'released':
            bench.held = False
        if repeat:
            bench.tick(int(rng.integers(1, 8)), feed)
        worst = max(worst, ticks_to_safety(bench, feed))
        before = len(bench.driver.log)
        for event in (Event.RESUME, Event.HOLD, Event.FRESH_COMMAND, Event.STOPPED):
            bench.controller.request(event)
            bench.tick(3, feed)
        assert set(bench.driver.log[before:]) == {'safe'}, 'it latches'
    assert worst == 1


def test_at_any_of_a_thousand_ticks_of_a_rough_life_it_takes_one_tick(robot):
    rng = np.random.default_rng(1919)
    bench = Bench(robot)
    bench.activate()
    worst, modes, pressed = 0, set(), 0
    feed = None
    while pressed < 1000:
        luck = rng.random()
        if luck < 0.2:
            bench.controller.request(rng.choice([Event.RESUME, Event.HOLD, Event.RESET]))
        elif luck < 0.3:
            feed = None
        elif luck < 0.5:
            feed = nonsense(bench, rng) if rng.random() < 0.3 else bench.still
        bench.tick(int(rng.integers(0, 4)), feed)
        modes.add(bench.mode)
        worst = max(worst, ticks_to_safety(bench, feed))
        pressed += 1
        bench.controller.request(Event.RESET)
        bench.tick(1)
        if rng.random() < 0.7:
            bench.resume()
            bench.tick(int(rng.integers(1, 6)), bench.still)
    assert worst == 1
    assert modes >= {Mode.HOLD, Mode.READY, Mode.RUN}


def test_pressed_before_the_motors_are_enabled_it_latches_too(robot):
    bench = Bench(robot)
    bench.controller.request(Event.E_STOP)
    bench.controller.activate(bench.now)
    bench.tick(50, bench.still)
    assert bench.mode is Mode.FAULT
    assert set(bench.driver.log) == {'safe'}


def test_pressed_and_reset_at_once_it_was_still_pressed(robot):
    bench = Bench(robot)
    swing = bench.run()
    bench.tick(60, swing)
    bench.controller.request(Event.E_STOP)
    bench.controller.request(Event.RESET)
    bench.tick(1, swing)
    assert bench.mode in (Mode.HOLD, Mode.FAULT)
    rest = bench.sent.copy()
    bench.tick(100, swing)
    assert np.array_equal(bench.sent, rest), 'motion takes a fresh resume'


@pytest.fixture
def swaying(robot):
    """A robot that sways with all its stiffness, and the feed that makes it."""
    bench = BusBench(robot)
    bench.run()
    bench.tick(round(1.1 * robot.safety.gain_ramp / robot.dt), bench.still)
    swing = bench.swing()
    bench.tick(20, swing)
    newest = bench.told()[-len(robot.joints) :]
    moving = [s for s in newest if s.impedance and abs(s.v) > 0.02]
    assert moving and all(sent.kp > 0.9 * sent.joint.kp for sent in moving)
    return bench, swing


def press(bench, feed):
    """Press the button and return what the motors are told in the next tick."""
    bench.controller.request(Event.E_STOP)
    bench.tick(1, feed)
    assert bench.mode is Mode.FAULT
    return bench.told()


def test_on_the_wire_the_first_frame_after_it_is_no_motion(robot, swaying):
    bench, feed = swaying
    told = press(bench, feed)
    paced = {j.name for j in robot.joints if 'hand' in j.motor}  # told in one tick or two
    names = [sent.joint.name for sent in told]
    assert sorted([*names, *paced - set(names)]) == sorted(robot.names), 'every motor, once'
    bench.tick(1, feed)
    told += bench.told()
    assert {sent.joint.name for sent in told} == set(robot.names)
    for sent in told:
        if sent.impedance:
            assert sent.v == pytest.approx(0.0, abs=0.02)
            assert sent.kd > 0.0
            assert sent.kp == 0.0 or bench.blends


def test_on_the_wire_arms_are_held_where_they_were_and_then_given_back(robot, swaying):
    bench, feed = swaying
    told = press(bench, feed)
    if not bench.blends:
        assert all(sent.kp == 0.0 for sent in told), 'nothing is held'
        return
    arm = robot.bus['arm_sdk']
    bench.tick(round((arm['release_hold'] + arm['weight_ramp']) / robot.dt) + 2, feed)
    told += bench.told()
    for joint in robot.joints:
        mine = [sent for sent in told if sent.joint is joint]
        assert len({sent.q for sent in mine}) == 1, 'one pose, to the bit'
        assert not any(sent.v for sent in mine)
        stiffness = np.array([sent.kp for sent in mine])
        assert (np.diff(stiffness) <= 0.0).all()
        fastest = joint.kp * 2.0 * robot.dt / arm['weight_ramp']  # given back, not dropped
        assert np.diff(stiffness).min() >= -fastest
        grip = joint.kind is JointKind.GRIPPER
        assert stiffness[-1] == (stiffness[0] if grip else 0.0), 'only a grip is kept'
    assert mine[0].kp > 0.0
