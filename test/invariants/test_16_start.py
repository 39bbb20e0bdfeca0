# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Invariant 16: motion starts from the measured pose at rest, and slowly.

Outside the soft limits a joint may only move inward; the velocity limit ramps up from 20 %.
"""

from motions import middle, reference, Swing, Wild
import numpy as np
import pytest

from vla_control.safety.checker import worst_ratios
from vla_control.safety.gate import Gate


def test_the_first_command_is_the_measured_pose(robot):
    rng = np.random.default_rng(0)
    for _ in range(50):
        pose = rng.uniform(robot.lower, robot.upper)
        gate = Gate(robot)
        gate.reset(pose)
        assert np.array_equal(gate.step(None).q, pose)
        assert gate.at_rest


@pytest.mark.parametrize('seed', range(3))
def test_a_joint_found_outside_its_limits_moves_inward_only(robot, thorough, seed):
    rng = np.random.default_rng(seed)
    gap = robot.upper - robot.lower
    pose = np.where(rng.random(len(gap)) < 0.5, robot.lower - 0.05 * gap, robot.upper + 0.05 * gap)
    gate, wild = Gate(robot), Wild(robot, 1, rng)
    gate.reset(pose)
    log = [pose]
    for k in range(600 if thorough else 250):
        log.append(gate.step(wild.next(k, gate.state)).q)
    q = np.array(log)
    outside = np.maximum(np.maximum(robot.lower - q, q - robot.upper), 0.0)
    assert (np.diff(outside, axis=0) <= 1e-9).all()
    assert (outside[-1] < outside[0]).all()
    worst = worst_ratios(np.arange(len(q)) * robot.dt, q, robot, from_rest=True)
    assert max(worst.velocity, worst.acceleration, worst.jerk) <= 1 + 1e-6


def test_a_joint_outside_may_stand_where_it_is(robot):
    pose = robot.upper + 0.05
    gate = Gate(robot)
    gate.reset(pose)
    for _ in range(100):
        assert np.array_equal(gate.step(reference(pose)).q, pose)
    assert np.array_equal(gate.step(reference(pose + 0.1)).q, pose)


def test_once_inside_a_joint_does_not_get_out_again(robot):
    gate = Gate(robot)
    gate.reset(robot.upper + 0.05)
    inside = reference(middle(robot))
    while gate.step(inside) is not inside:
        pass
    outside = reference(robot.upper + 1.0)
    for _ in range(50):
        sent = gate.step(outside)
    while not gate.at_rest:
        sent = gate.step(outside)
    assert np.array_equal(sent.q, robot.upper)


def test_speed_is_capped_while_the_authority_ramps_up(robot):
    swing = Swing(robot, 0.8)
    gate = Gate(robot)
    gate.reset(swing.at(0.0).q)
    log, joined = [gate.state.q], False
    for k in range(1, 1000):
        t = k * robot.dt
        gate.velocity_scale = 0.2 + 0.8 * min(1.0, t / 2.0)
        asked = swing.at(t)
        sent = gate.step(asked)
        log.append(sent.q)
        joined = sent is asked
        assert (np.abs(sent.v) <= gate.velocity_scale * robot.velocity * (1 + 1e-9)).all()
    assert joined
    times = np.arange(len(log)) * robot.dt
    assert worst_ratios(times, np.array(log), robot, from_rest=True).kept()


def test_the_cap_is_kept_between_two_samples_too(robot):
    """Legal by all else, a sample may lie a little ahead of where its speed would bring it."""
    swing, gate, peak = Swing(robot, 0.5), Gate(robot), 1000
    speed = swing.w * swing.amplitude
    joint = int(np.argmax(speed / robot.velocity))
    cap = speed[joint] / robot.velocity[joint]
    gate.reset(swing.at(-peak * robot.dt).q)
    for k in range(1 - peak, 0):
        if k == -10:
            gate.velocity_scale = cap
        asked = swing.at(k * robot.dt)
        assert (gate.step(asked) is asked) or k < -10
    before, fastest = gate.state.q[joint], swing.at(0.0)
    q = fastest.q.copy()
    q[joint] += 0.12 * robot.jerk[joint] * robot.dt**3
    assert (q[joint] - before) > (1 + 1e-5) * speed[joint] * robot.dt
    sent = gate.step(reference(q, fastest.v, fastest.a))
    assert (sent.q[joint] - before) <= (1 + 1e-6) * speed[joint] * robot.dt
