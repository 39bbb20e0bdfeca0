# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Invariant 8, at the gate: a reference with one bad number is refused whole.

The robot follows its verified stop, and what comes after is judged as if it had never been.
"""

import copy

from motions import reference, Swing
import numpy as np
import pytest

from vla_control.core.messages import Reference
from vla_control.safety.gate import Gate


def moving_gate(spec):
    swing = Swing(spec, 0.5)
    gate = Gate(spec)
    gate.reset(swing.at(0.0).q)
    for k in range(1, 200):
        gate.step(swing.at(k * spec.dt))
    return gate, swing.at(200 * spec.dt)


@pytest.mark.parametrize('bad', [np.nan, np.inf, -np.inf, 1e12])
def test_one_bad_number_anywhere_stops_every_joint(spec, bad):
    gate, good = moving_gate(spec)
    expected = copy.deepcopy(gate).step(None)
    for name in 'qva':
        for joint in range(len(spec.joints)):
            values = {x: getattr(good, x).copy() for x in 'qva'}
            values[name][joint] = bad
            twin = copy.deepcopy(gate)
            sent = twin.step(reference(**values))
            assert np.array_equal(sent.q, expected.q)
            assert np.isfinite([sent.q, sent.v, sent.a]).all()
            assert spec.names[joint] in twin.reason
            assert 'refused' in twin.reason


@pytest.mark.parametrize(
    'bad',
    [
        None,
        [0.0] * 8,
        np.zeros(7),
        np.zeros((1, 8)),
        np.zeros(1),
        np.float64(0.0),
        np.zeros(8, dtype=complex),
        np.zeros(8, dtype=object),
        np.zeros(8, dtype=np.float32),
        np.zeros(8, dtype=int),
        'zeros',
    ],
    ids=lambda x: f'{type(x).__name__}{np.shape(x)}{getattr(x, "dtype", "")}',
)
def test_another_shape_or_type_is_refused_not_broadcast(spec, bad):
    gate, good = moving_gate(spec)
    expected = copy.deepcopy(gate).step(None)
    sent = gate.step(Reference(stamp=0.0, q=bad, v=good.v, a=good.a))
    assert np.array_equal(sent.q, expected.q)
    assert 'refused' in gate.reason and 'float64' in gate.reason
