# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Invariant 25: no frame carries more stiffness, damping, torque or force than the spec allows.

Whatever the command says; judged by decoding the frames that were sent, as a motor does. A spec
that asks for what cannot be, or cannot be encoded, is refused before a bus is opened.
"""

from dataclasses import replace

from benches import BusBench
import numpy as np
import pytest

from vla_control.core.errors import CodecError, ConfigError, VlaControlError
from vla_control.core.messages import JointCommand
from vla_control.robots.factory import make_driver


@pytest.fixture
def bench(robot):
    bench = BusBench(robot)
    bench.activate()
    bench.told()
    return bench


def judge(bench):
    """Assert that everything sent since is within the spec, to a code; return how near it came."""
    told, worst = bench.told(), 0.0
    assert told
    for sent in told:
        joint, motor = sent.joint, sent.motor
        slack = 1.0 + 1e-9
        if sent.mit:
            assert -1e-9 <= sent.kp <= joint.kp + 500.0 / 4095
            assert -1e-9 <= sent.kd <= joint.kd + 5.0 / 4095
        else:
            force = motor.current * motor.full_torque * abs(motor.scale)
            assert sent.tau <= min(force, joint.effort) * slack + sent.lsb
            assert 0.0 <= sent.v <= motor.speed / abs(motor.scale) * slack
        assert abs(sent.tau) <= joint.effort + sent.lsb
        assert abs(sent.q) < 1e3 and np.isfinite(sent[3:]).all()
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
    write(bench, command(bench, gain=gain))
    told = bench.told()
    for sent in told:
        wanted = min(max(gain, 0.0), 1.0)
        if sent.mit:
            assert sent.kp == pytest.approx(wanted * sent.joint.kp, abs=0.5 * 500 / 4095 + 1e-9)
            assert sent.kd == pytest.approx(wanted * sent.joint.kd, abs=0.5 * 5 / 4095 + 1e-9)
    assert len(told) == len(bench.spec.joints)


@pytest.mark.parametrize('size', [1.0, 1e2, 1e4, 1e9])
def test_an_acceleration_of_any_size_never_asks_for_more_than_the_effort(bench, size):
    rng, n = np.random.default_rng(25), len(bench.spec.joints)
    for _ in range(20):
        a, v = size * rng.choice([-1.0, 1.0], (2, n))
        write(bench, command(bench, a=a, v=v, gain=rng.uniform(-2, 5)))
    worst = judge(bench)
    if size >= 1e4:
        assert worst > 0.9, 'the bound was reached, so it is the bound that held'


def test_positions_and_speeds_of_any_size_stay_what_a_motor_can_read(bench):
    rng, n = np.random.default_rng(26), len(bench.spec.joints)
    for size in (1.0, 10.0, 1e3, 1e6):
        q, v, a = size * rng.normal(size=(3, n))
        write(bench, command(bench, q=q, v=v, a=a))
        for sent in bench.told():
            limit = sent.motor.ranges.position / abs(sent.motor.scale)
            assert abs(sent.tau) <= sent.joint.effort + sent.lsb
            if sent.mit:
                assert abs(sent.q) <= limit + abs(sent.motor.offset)


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
    for _ in range(20):
        bench.pass_time()
        bench.driver.read(bench.now)
        bench.driver.safe_action(bench.now)
    told = bench.told()
    assert told
    for sent in told:
        assert not sent.mit or sent.kp == 0.0
        assert sent.kd <= sent.joint.kd + 5.0 / 4095
        assert abs(sent.tau) <= sent.joint.effort + sent.lsb


def test_under_control_the_bounds_hold_from_the_first_frame(robot):
    bench = BusBench(robot)
    swing = bench.run()
    bench.tick(100, swing)
    judge(bench)


WRONG = {
    'kp': [-1.0, np.nan, np.inf, 500.5],
    'kd': [-0.1, 0.0, np.nan, np.inf, 5.1],
    'effort': [0.0, -1.0, np.nan, np.inf, 54.5],
    'velocity': [0.0, -1.0, np.nan, np.inf],
    'acceleration': [0.0, np.nan, np.inf],
    'jerk': [0.0, np.nan, np.inf],
}


@pytest.mark.parametrize(('key', 'value'), [(k, v) for k, rows in WRONG.items() for v in rows])
def test_a_spec_that_asks_for_what_cannot_be_is_refused(robot, key, value):
    if robot.parts:
        pytest.skip('made of robots that are judged by themselves')
    if 'ranges' not in robot.bus and value in (500.5, 5.1, 54.5):
        pytest.skip('its frames carry any number')
    i = int(np.argmax(robot.kp > 0.0))
    with pytest.raises(ConfigError, match=f'{robot.names[i]}.*{key}|{key}.*{robot.names[i]}'):
        joints = list(robot.joints)
        joints[i] = replace(joints[i], **{key: value})
        try:
            make_driver(replace(robot, joints=tuple(joints)), 'sim', bus=object())
        except VlaControlError:
            raise
        except (AttributeError, TypeError) as error:
            pytest.skip(f'{robot.driver} cannot be made without its bus: {error}')
