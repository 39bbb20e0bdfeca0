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


@pytest.mark.parametrize('times', [2.0, 10.0])
def test_a_reference_that_is_too_fast_is_followed_at_the_limit(spec, times):
    gate = Gate(spec)
    start = spec.lower + 0.05 * (spec.upper - spec.lower)
    gate.reset(start)
    log = [start]
    for k in range(1, 1500):
        t = k * spec.dt
        v = times * spec.velocity
        log.append(gate.step(reference(start + v * t, v)).q)
    worst = worst_ratios(np.arange(len(log)) * spec.dt, np.array(log), spec, from_rest=True)
    assert worst.kept()
    assert worst.velocity > 0.99
    assert np.allclose(log[-1], spec.upper, atol=1e-9)


def test_lowering_the_velocity_scale_slows_a_motion_without_breaking_a_limit(spec):
    gate = Gate(spec)
    gate.reset(middle(spec))
    log = [gate.state.q]
    far = reference(spec.upper)
    while np.abs(gate.state.v[:7] / spec.velocity[:7]).max() < 0.7:
        log.append(gate.step(far).q)
    gate.velocity_scale = 0.2
    faster = np.abs(gate.state.v) > 0.2 * spec.velocity
    for _ in range(100):
        log.append(gate.step(far).q)
    assert faster.any()
    assert (np.abs(gate.state.v) <= 0.2 * spec.velocity * (1 + 1e-9)).all()
    assert gate.stopped == 0
    times = np.arange(len(log)) * spec.dt
    assert worst_ratios(times, np.array(log), spec, from_rest=True).kept()
