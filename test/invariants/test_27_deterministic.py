# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Invariant 27, at the gate: the same references give the same commands, byte for byte."""

from motions import Wild
import numpy as np

from vla_control.safety.gate import Gate


def run(spec):
    rng = np.random.default_rng(9)
    gate, wild = Gate(spec), Wild(spec, 1, rng)
    gate.reset(rng.uniform(spec.lower, spec.upper))
    sent = [gate.step(wild.next(k, gate.state)) for k in range(800)]
    return np.array([[s.q, s.v, s.a] for s in sent]).tobytes()


def test_two_runs_are_the_same_bytes(spec):
    assert run(spec) == run(spec)
