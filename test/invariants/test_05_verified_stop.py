# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Invariant 5: a verified stop is in hand at every tick.

Whatever fails at whatever tick of a move, the robot rests inside its limits after the time of
its fastest stop plus one tick. Silence is tried at every tick on OpenArm, at about a hundred
ticks on every other robot.
"""

import copy

from motions import Move, reference
import numpy as np
import pytest

from vla_control.core.messages import Reference
from vla_control.core.motion import stop
from vla_control.safety.checker import worst_ratios
from vla_control.safety.gate import Gate

FAILURES = {
    'silence': lambda n: None,
    'not a number': lambda n: reference(np.full(n, np.nan)),
    'infinite velocity': lambda n: reference(np.zeros(n), np.full(n, np.inf)),
    'wrong size': lambda n: reference(np.zeros(n + 1)),
    'one number for all': lambda n: reference(np.zeros(1)),
    'words': lambda n: Reference(stamp=0.0, q=['a'] * n, v=[0.0] * n, a=[0.0] * n),
}


def trajectory(spec):
    """Run a move from near one end of the ranges to the other, close to every limit."""
    gap = spec.upper - spec.lower
    return Move(spec, spec.lower + 0.02 * gap, spec.upper - 0.001 * gap, share=0.95)


@pytest.mark.parametrize('name', FAILURES)
def test_a_failure_at_any_tick_of_a_move_ends_at_rest_inside_the_limits(robot, thorough, name):
    move = trajectory(robot)
    ticks = int(move.duration / robot.dt)
    failure = FAILURES[name](len(robot.joints))
    tried = 10 if failure is not None else ticks if thorough else 100
    every = max(1, ticks // tried)
    gate = Gate(robot)
    gate.reset(move.at(0.0).q)
    sent = [gate.state.q] * 4
    for k in range(1, ticks):
        asked = move.at(k * robot.dt)
        assert gate.step(asked) is asked
        sent = [*sent[1:], asked.q]
        if k % every == 0:
            assert_stops(robot, copy.deepcopy(gate), failure, list(sent))


def assert_stops(spec, gate, failure, log):
    state = gate.state
    way = stop(state.q, state.v, state.a, spec.acceleration, spec.jerk)
    for _ in range(int(np.ceil(way.duration.max() / spec.dt)) + 1):
        log.append(gate.step(failure).q)
    assert gate.at_rest
    assert gate.reason
    assert worst_ratios(np.arange(len(log)) * spec.dt, np.array(log), spec).kept()


def test_a_rest_that_was_reached_is_kept_to_the_bit(robot):
    move = trajectory(robot)
    gate = Gate(robot)
    gate.reset(move.at(0.0).q)
    for i in range(1, 60):
        gate.step(move.at(i * robot.dt))
    while not gate.at_rest:
        gate.step(None)
    rest = gate.state.q
    for _ in range(2000):
        assert np.array_equal(gate.step(None).q, rest)
