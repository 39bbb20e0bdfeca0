# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Invariant 17, at the gate: a hold latches its pose once; its target never drifts."""

from motions import reference, Swing
import numpy as np

from vla_control.safety.gate import Gate


def test_the_target_of_a_hold_is_the_same_to_the_bit_for_a_minute(spec):
    swing = Swing(spec, 0.5)
    gate = Gate(spec)
    gate.reset(swing.at(0.0).q)
    for k in range(1, 333):
        gate.step(swing.at(k * spec.dt))
    while not gate.at_rest:
        gate.step(None)
    held = gate.state.q.copy()
    for _ in range(int(60.0 / spec.dt)):
        sent = gate.step(None)
    assert np.array_equal(sent.q, held)
    assert not sent.v.any() and not sent.a.any()


def test_standing_on_a_reference_and_then_on_the_stop_is_the_same_pose(spec):
    gate = Gate(spec)
    gate.reset(np.array(spec.home))
    asked = reference(np.array(spec.home))
    for k in range(100):
        assert np.array_equal(gate.step(asked if k % 3 else None).q, asked.q)
