# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Invariant 25: no frame carries more stiffness, damping, torque or force than the spec allows.

Whatever the command says; judged by decoding the frames that were sent, as a motor does. A spec
that asks for what cannot be, or cannot be encoded, is refused before a bus is opened.
"""

from dataclasses import replace

from benches import BusBench, hung
import numpy as np
import pytest

from vla_control.core.errors import CodecError, ConfigError
from vla_control.core.messages import JointCommand
from vla_control.core.spec import JointKind
from vla_control.robots.factory import make_driver

RAMP = 0.1  # [s] of the weight of a robot that blends commands in; no bound depends on it
PACE = 3  # ticks in which every motor is told something; hands have a pace of their own


@pytest.fixture
def bench(robot):
    """A robot that does wholly what it is told."""
    arm = robot.bus.get('arm_sdk')
    if arm:
        robot = replace(robot, bus=robot.bus | {'arm_sdk': arm | {'weight_ramp': RAMP}})
    bench = BusBench(robot)
    bench.activate()
    if arm:
        write(bench, *[command(bench)] * round(RAMP / robot.dt))
    bench.told()
    return bench


def judge(bench):
    """Assert that everything sent since is within the spec, to a code; return how near it came."""
    told, worst = bench.told(), 0.0
    assert {sent.joint.name for sent in told} == set(bench.spec.names)
    for sent in told:
        joint, motor, code = sent.joint, sent.motor, sent.code
        slack = 1.0 + 1e-9
        if sent.impedance:
            # A command that counts in part may carry no more than one that counts in full.
            assert -1e-9 <= sent.kp <= sent.weight * joint.kp + code.kp
            assert -1e-9 <= sent.kd <= sent.weight * max(joint.kd, bench.damping) + code.kd
        else:
            force = motor.current * motor.full_torque * abs(motor.scale)
            assert sent.tau <= min(force, joint.effort) * slack + code.tau
            assert 0.0 <= sent.v <= motor.speed / abs(motor.scale) * slack
        assert abs(sent.tau) <= sent.weight * joint.effort + code.tau
        assert (
            abs(sent.q) < 1e3 and np.isfinite([sent.q, sent.v, sent.kp, sent.kd, sent.tau]).all()
        )
        worst = max(worst, abs(sent.tau) / joint.effort)
    return worst


def command(bench, **change):
    n = len(bench.spec.joints)
    fields = {'q': bench.home.copy(), 'v': np.zeros(n), 'a': np.zeros(n), 'gain': 1.0}
    return JointCommand(**(fields | change))


def write(bench, *commands):
    for each in commands:
        bench.pass_time()
        bench.driver.read(bench.now)
        bench.driver.write(each, bench.now)


@pytest.mark.parametrize('gain', [1.0, 1.0 + 1e-9, 5.0, 1e12, -1.0, -1e12])
def test_a_gain_beyond_0_to_1_is_held_to_it(bench, gain):
    wanted = min(max(gain, 0.0), 1.0)
    ticks = round(RAMP / bench.spec.dt) if bench.blends else 0  # the weight follows in its time
    write(bench, *[command(bench, gain=gain)] * (ticks + PACE))
    told = {sent.joint.name: sent for sent in bench.told()}  # the newest of each
    for sent in told.values():
        joint, code = sent.joint, sent.code
        if sent.impedance:
            damping = wanted * joint.kd + (1.0 - wanted) * bench.damping
            assert sent.kp == pytest.approx(wanted * joint.kp, abs=0.5 * code.kp + 1e-9)
            assert sent.kd == pytest.approx(damping, abs=0.5 * code.kd + 1e-9)
    assert set(told) == set(bench.spec.names)


@pytest.mark.parametrize('size', [1.0, 1e2, 1e4, 1e9])
def test_an_acceleration_of_any_size_never_asks_for_more_than_the_effort(bench, size):
    rng, n = np.random.default_rng(25), len(bench.spec.joints)
    for _ in range(20):
        a, v = size * rng.choice([-1.0, 1.0], (2, n))
        write(bench, command(bench, a=a, v=v, gain=rng.uniform(-2, 5)))
    worst = judge(bench)
    if not bench.fed:
        assert worst == 0.0
    elif size >= 1e4:
        assert worst > 0.9, 'the bound was reached, so it is the bound that held'


def test_positions_and_speeds_of_any_size_stay_what_a_motor_can_read(bench):
    rng, n = np.random.default_rng(26), len(bench.spec.joints)
    for size in (1.0, 10.0, 1e3, 1e6):
        q, v, a = size * rng.normal(size=(3, n))
        write(bench, *[command(bench, q=q, v=v, a=a)] * PACE)
        told = bench.told()
        assert {sent.joint.name for sent in told} == set(bench.spec.names)
        for sent in told:
            assert abs(sent.tau) <= sent.joint.effort + sent.code.tau
            assert np.isfinite([sent.q, sent.v]).all()
            if sent.impedance:
                assert abs(sent.q) <= sent.reach


@pytest.mark.parametrize('field', ['q', 'v', 'a', 'gain'])
@pytest.mark.parametrize('bad', [np.nan, np.inf, -np.inf])
def test_a_command_that_is_not_finite_puts_nothing_on_the_bus(bench, field, bad):
    value = bad
    if field != 'gain':
        value = np.array(getattr(command(bench), field))
        value[-1] = bad
    with pytest.raises(CodecError, match=f'{field}'):
        write(bench, command(bench, **{field: value}))
    assert bench.told() == []


def test_the_safe_action_is_bounded_too(bench):
    seconds = 0.0
    if bench.blends:  # it holds, then hands the arms back, the pose held by less and less
        seconds = bench.spec.bus['arm_sdk']['release_hold'] + RAMP
    for _ in range(20 + round(seconds / bench.spec.dt)):
        bench.pass_time()
        bench.driver.read(bench.now)
        bench.driver.safe_action(bench.now)
    told = bench.told()
    assert {sent.joint.name for sent in told} == set(bench.spec.names)
    for sent in told:
        joint, code = sent.joint, sent.code
        assert not sent.impedance or sent.v == pytest.approx(0.0, abs=0.02)
        if bench.blends:
            assert sent.kp <= sent.weight * joint.kp + code.kp
        else:
            assert not sent.impedance or sent.kp == 0.0
        assert sent.kd <= sent.weight * max(joint.kd, bench.damping) + code.kd
        assert abs(sent.tau) <= sent.weight * joint.effort + code.tau
    last = {sent.joint.name: sent for sent in told}
    for sent in last.values():  # a grip is kept, arms are let go
        grip = sent.joint.kind is JointKind.GRIPPER
        assert grip or sent.kp == 0.0


def test_under_control_the_bounds_hold_from_the_first_frame(robot):
    bench = BusBench(robot)
    swing = bench.run()
    bench.tick(100, swing)
    judge(bench)


WRONG = {
    'kp': [-1.0, np.nan, np.inf, 500.5],
    'kd': [-0.1, 0.0, np.nan, np.inf, 5.1],
    'effort': [0.0, -1.0, np.nan, np.inf, 139.5],  # more than any motor has
    'velocity': [0.0, -1.0, np.nan, np.inf],
    'acceleration': [0.0, np.nan, np.inf],
    'jerk': [0.0, np.nan, np.inf],
}


BEYOND_CODES = {'kp': 500.5, 'kd': 5.1}  # what no frame of a Damiao motor can carry


def asking(robot, i, **change):
    """Return the robot, and the part of it that has the joint, with one joint changed."""
    joints = list(robot.joints)
    joints[i] = replace(joints[i], **change)
    parts = {
        side: replace(part, joints=tuple(joints[share]))
        for (side, part), share in zip(robot.parts.items(), robot.shares, strict=True)
    }
    return replace(robot, joints=tuple(joints), parts=parts)


@pytest.mark.parametrize(('key', 'value'), [(k, v) for k, rows in WRONG.items() for v in rows])
def test_a_spec_that_asks_for_what_cannot_be_is_refused(robot, key, value):
    robot = hung(robot)
    buses = [object()] * len(robot.parts) if robot.parts else object()
    stiff = np.flatnonzero((robot.kp > 0.0) & ~robot.gripper)
    for i in (stiff[0], stiff[-1]):  # of a robot of parts, one in the first and one in the last
        if robot.driver == 'g1' and value == BEYOND_CODES.get(key):
            # Its fields are floats, so any stiffness can be sent; only the spec bounds it.
            make_driver(asking(robot, i, **{key: value}), 'sim', bus=buses)
            continue
        with pytest.raises(ConfigError, match=f'{robot.names[i]}.*{key}|{key}.*{robot.names[i]}'):
            make_driver(asking(robot, i, **{key: value}), 'sim', bus=buses)
