# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Invariant 3: the acceleration of the sent positions, by backward differences, to 1e-6."""

from motions import middle, reference
import numpy as np
import pytest

from vla_control.core.motion import jerk_step, Motion
from vla_control.safety.checker import worst_ratios
from vla_control.safety.gate import Gate


def test_no_abuse_makes_a_joint_accelerate_too_hard(abuse):
    assert abuse.worst.acceleration <= 1.0 + 1e-6


def test_no_chunk_makes_a_joint_accelerate_too_hard(siege):
    assert 0.999 < siege.worst['acceleration'] <= 1.0 + 1e-6, 'it came to the limit and no further'
    assert siege.worst['acceleration_frames'] <= 1.0 + 1e-6, 'rounding allowed'


@pytest.mark.parametrize('period', [2, 7, 25, 100])
def test_square_waves_use_the_acceleration_and_no_more(robot, period):
    gate = Gate(robot)
    start = middle(robot)
    gate.reset(start)
    log = [start]
    for k in range(800):
        side = 0.4 if (k // period) % 2 else -0.4
        log.append(gate.step(reference(start + side * (robot.upper - robot.lower))).q)
    worst = worst_ratios(np.arange(len(log)) * robot.dt, np.array(log), robot, from_rest=True)
    assert worst.kept()
    assert worst.acceleration > 0.2


@pytest.mark.parametrize('lie', [0.01, 0.05, 0.12])
def test_a_position_ahead_of_its_own_state_cannot_make_the_stop_brake_too_hard(robot, lie):
    """At full braking the stop goes on at full braking, and must also undo the lie."""
    gate = Gate(robot)
    start = robot.lower + 0.1 * (robot.upper - robot.lower)
    gate.reset(start)
    log, state = [start], Motion(start, 0 * start, 0 * start)
    ramp = int(np.ceil(robot.acceleration / (robot.jerk * robot.dt)).max())
    jerk = (1 - 1e-12) * robot.acceleration / (ramp * robot.dt)  # rounding must not break a limit
    for k in range(3 * ramp + 4):
        sign = np.select([k < ramp, k < ramp + 2, k < 3 * ramp + 2], [1.0, 0.0, -1.0], 0.0)
        state = jerk_step(*state, sign * jerk, robot.dt)
        log.append(gate.step(reference(*state)).q)
    assert gate.passed == len(log) - 1
    assert np.allclose(state.a, -robot.acceleration) and (state.v > 0.0).all()
    state = jerk_step(*state, 0.0, robot.dt)
    ahead = state.q + lie * robot.jerk * robot.dt**3
    log.append(gate.step(reference(ahead, state.v, state.a)).q)
    for _ in range(100):
        log.append(gate.step(None).q)
    assert worst_ratios(
        np.arange(len(log)) * robot.dt, np.array(log), robot, from_rest=True
    ).kept()
