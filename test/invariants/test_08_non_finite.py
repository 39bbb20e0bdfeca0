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


def moving_gate(robot):
    swing = Swing(robot, 0.5)
    gate = Gate(robot)
    gate.reset(swing.at(0.0).q)
    for k in range(1, 200):
        gate.step(swing.at(k * robot.dt))
    return gate, swing.at(200 * robot.dt)


@pytest.mark.parametrize('bad', [np.nan, np.inf, -np.inf, 1e12])
def test_one_bad_number_anywhere_stops_every_joint(robot, bad):
    gate, good = moving_gate(robot)
    expected = copy.deepcopy(gate).step(None)
    for name in 'qva':
        for joint in range(len(robot.joints)):
            values = {x: getattr(good, x).copy() for x in 'qva'}
            values[name][joint] = bad
            twin = copy.deepcopy(gate)
            sent = twin.step(reference(**values))
            assert np.array_equal(sent.q, expected.q)
            assert np.isfinite([sent.q, sent.v, sent.a]).all()
            assert robot.names[joint] in twin.reason
            assert 'refused' in twin.reason


WRONG = {  # instead of n float64
    'nothing': lambda n: None,
    'a list': lambda n: [0.0] * n,
    'one too few': lambda n: np.zeros(n - 1),
    'one too many': lambda n: np.zeros(n + 1),
    'a row of a matrix': lambda n: np.zeros((1, n)),
    'one for all': lambda n: np.zeros(1),
    'a scalar': lambda n: np.float64(0.0),
    'complex': lambda n: np.zeros(n, dtype=complex),
    'objects': lambda n: np.zeros(n, dtype=object),
    'half as exact': lambda n: np.zeros(n, dtype=np.float32),
    'integers': lambda n: np.zeros(n, dtype=int),
    'words': lambda n: 'zeros',
}


@pytest.mark.parametrize('wrong', WRONG)
def test_another_shape_or_type_is_refused_not_broadcast(robot, wrong):
    bad = WRONG[wrong](len(robot.joints))
    gate, good = moving_gate(robot)
    expected = copy.deepcopy(gate).step(None)
    sent = gate.step(Reference(stamp=0.0, q=bad, v=good.v, a=good.a))
    assert np.array_equal(sent.q, expected.q)
    assert 'refused' in gate.reason and 'float64' in gate.reason
