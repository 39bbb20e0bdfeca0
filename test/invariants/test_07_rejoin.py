# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Invariant 7, at the gate: after a disagreement the moving reference is rejoined exactly.

A jump of 0.1 rad is made good within 0.5 s, and from then on the gate is transparent again.
"""

from motions import reference, Swing
import numpy as np
import pytest

from vla_control.safety.checker import worst_ratios
from vla_control.safety.gate import Gate


def rejoin_time(spec, gate, swing, k, offset, log):
    for i in range(k + 1, k + 1000):
        asked = swing.at(i * spec.dt, offset)
        sent = gate.step(asked)
        log.append(sent.q)
        if sent is asked:
            return (i - k) * spec.dt, i
    return np.inf, i


@pytest.mark.parametrize(('jump', 'within'), [(0.02, 0.25), (0.1, 0.5), (0.3, 1.0)])
def test_a_jump_of_the_reference_is_made_good_in_time_and_then_forgotten(spec, jump, within):
    swing = Swing(spec, 0.5)
    side = np.where(np.arange(len(spec.joints)) % 2, 1.0, -1.0)
    room = 0.9 * ((spec.upper - spec.lower) / 2 - swing.amplitude)
    offset = np.minimum(np.where(spec.gripper, 0.1 * jump, jump), room) * side
    for phase in range(0, 400, 41):
        gate = Gate(spec)
        gate.reset(swing.at(0.0).q)
        log = [gate.state.q]
        for k in range(1, 250 + phase):
            log.append(gate.step(swing.at(k * spec.dt)).q)
        took, i = rejoin_time(spec, gate, swing, k, offset, log)
        assert took <= within
        for k in range(i + 1, i + 100):
            asked = swing.at(k * spec.dt, offset)
            assert gate.step(asked) is asked
            log.append(asked.q)
        times = np.arange(len(log)) * spec.dt
        assert worst_ratios(times, np.array(log), spec, from_rest=True).kept()


def test_a_stop_in_the_middle_of_a_motion_is_made_good_too(spec):
    swing = Swing(spec, 0.5)
    gate = Gate(spec)
    gate.reset(swing.at(0.0).q)
    for k in range(1, 300):
        gate.step(swing.at(k * spec.dt))
    while not gate.at_rest:
        k += 1
        gate.step(None)
    took, _ = rejoin_time(spec, gate, swing, k, 0.0, [])
    assert took <= 0.5


def test_a_skipped_tick_is_made_good_smoothly(spec):
    swing = Swing(spec, 0.5)
    gate = Gate(spec)
    gate.reset(swing.at(0.0).q)
    for k in range(1, 300):
        gate.step(swing.at(k * spec.dt))
    took, _ = rejoin_time(spec, gate, swing, k + 1, 0.0, [])
    assert took <= 0.25


def test_a_reference_read_with_jitter_is_still_followed_within_a_milliradian(spec):
    rng = np.random.default_rng(5)
    swing = Swing(spec, 0.5)
    gate = Gate(spec)
    gate.reset(swing.at(0.0).q)
    error = []
    for k in range(1, 1500):
        sent = gate.step(swing.at(k * spec.dt + rng.normal(0.0, 1e-4)))
        error.append(np.abs(sent.q - swing.at(k * spec.dt).q).max())
    assert max(error[250:]) < 1e-3
    assert gate.stopped == 0


def test_a_step_to_a_pose_arrives_exactly(spec):
    gate = Gate(spec)
    gate.reset(spec.lower)
    asked = reference((spec.lower + spec.upper) / 2)
    for _ in range(1000):
        sent = gate.step(asked)
    assert sent is asked
    assert gate.at_rest
