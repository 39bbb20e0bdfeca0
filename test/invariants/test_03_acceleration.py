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


@pytest.mark.parametrize('period', [2, 7, 25, 100])
def test_square_waves_use_the_acceleration_and_no_more(spec, period):
    gate = Gate(spec)
    start = middle(spec)
    gate.reset(start)
    log = [start]
    for k in range(800):
        side = 0.4 if (k // period) % 2 else -0.4
        log.append(gate.step(reference(start + side * (spec.upper - spec.lower))).q)
    worst = worst_ratios(np.arange(len(log)) * spec.dt, np.array(log), spec, from_rest=True)
    assert worst.kept()
    assert worst.acceleration > 0.2


@pytest.mark.parametrize('lie', [0.01, 0.05, 0.12])
def test_a_position_ahead_of_its_own_state_cannot_make_the_stop_brake_too_hard(spec, lie):
    """At full braking the stop goes on at full braking, and must also undo the lie."""
    gate = Gate(spec)
    start = spec.lower + 0.1 * (spec.upper - spec.lower)
    gate.reset(start)
    log, state = [start], Motion(start, 0 * start, 0 * start)
    ramp = int(np.ceil(spec.acceleration / (spec.jerk * spec.dt)).max())
    jerk = spec.acceleration / (ramp * spec.dt)
    for k in range(3 * ramp + 4):
        sign = np.select([k < ramp, k < ramp + 2, k < 3 * ramp + 2], [1.0, 0.0, -1.0], 0.0)
        state = jerk_step(*state, sign * jerk, spec.dt)
        log.append(gate.step(reference(*state)).q)
    assert gate.passed == len(log) - 1
    assert np.allclose(state.a, -spec.acceleration) and (state.v > 0.0).all()
    state = jerk_step(*state, 0.0, spec.dt)
    ahead = state.q + lie * spec.jerk * spec.dt**3
    log.append(gate.step(reference(ahead, state.v, state.a)).q)
    for _ in range(100):
        log.append(gate.step(None).q)
    assert worst_ratios(np.arange(len(log)) * spec.dt, np.array(log), spec, from_rest=True).kept()
