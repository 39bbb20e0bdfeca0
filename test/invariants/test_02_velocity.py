# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Invariant 2: the velocity of the sent positions, by backward differences, to 1e-6."""

from motions import middle, reference
import numpy as np
import pytest

from vla_control.safety.checker import worst_ratios
from vla_control.safety.gate import Gate


def test_no_abuse_makes_a_joint_too_fast(abuse):
    assert abuse.worst.velocity <= 1.0 + 1e-6


def test_no_chunk_makes_a_joint_too_fast(siege):
    assert 0.5 < siege.worst['velocity'] <= 1.0 + 1e-6
    assert siege.worst['velocity_frames'] <= 1.0 + 1e-6, 'rounding allowed'


@pytest.mark.parametrize('times', [2.0, 10.0])
def test_a_reference_that_is_too_fast_is_followed_at_the_limit(robot, times):
    gate = Gate(robot)
    start = robot.lower + 0.05 * (robot.upper - robot.lower)
    gate.reset(start)
    log = [start]
    longest = float(((robot.upper - robot.lower) / robot.velocity).max()) + 1.5
    for k in range(1, int(longest / robot.dt)):
        t = k * robot.dt
        v = times * robot.velocity
        log.append(gate.step(reference(start + v * t, v)).q)
    worst = worst_ratios(np.arange(len(log)) * robot.dt, np.array(log), robot, from_rest=True)
    assert worst.kept()
    assert worst.velocity > 0.99
    assert np.allclose(log[-1], robot.upper, atol=1e-9)


def test_lowering_the_velocity_scale_slows_a_motion_without_breaking_a_limit(robot, thorough):
    """A joint above the new share is not cut off; on a short way it may arrive above it."""
    gate = Gate(robot)
    gate.reset(middle(robot))
    log = [gate.state.q]
    far = reference(robot.upper)
    arm = ~robot.gripper
    while np.abs(gate.state.v / robot.velocity)[arm].max() < 0.7:
        log.append(gate.step(far).q)
    gate.velocity_scale = 0.2
    before, cap = np.abs(gate.state.v), 0.2 * robot.velocity * (1 + 1e-9)
    for _ in range(int(0.4 / robot.dt)):
        log.append(gate.step(far).q)
    after = np.abs(gate.state.v)
    assert (before > cap)[arm].any()
    assert (after <= (cap if thorough else np.maximum(cap, 0.8 * before))).all()
    assert gate.stopped == 0
    times = np.arange(len(log)) * robot.dt
    assert worst_ratios(times, np.array(log), robot, from_rest=True).kept()
