# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Invariant 6: a legal reference leaves the gate as it came, bit for bit."""

from motions import middle, Move, reference, Swing
import numpy as np
import pytest

from vla_control.core.motion import quintic
from vla_control.safety.gate import Gate


def entered(robot, swing):
    """Return a gate that has joined a swing, and the tick at which it did."""
    gate = Gate(robot)
    gate.reset(swing.at(0.0).q)
    for k in range(1, 1000):
        asked = swing.at(k * robot.dt)
        if gate.step(asked) is asked:
            return gate, k
    raise LookupError('never joined')


@pytest.mark.parametrize('dt', [0.002, 0.004, 0.01])
def test_smooth_references_at_half_the_limits_pass_untouched(robot, dt):
    swing = Swing(robot, 0.5)
    gate = Gate(robot, dt)
    gate.reset(swing.at(0.0).q)
    k, joined = 0, False
    while not joined:
        k += 1
        asked = swing.at(k * dt)
        joined = gate.step(asked) is asked
    error = 0.0
    for i in range(k + 1, k + 2000):
        asked = swing.at(i * dt)
        sent = gate.step(asked)
        error = max(error, float(np.abs(np.array([sent.q - asked.q, sent.v - asked.v])).max()))
        assert sent is asked
    assert error == 0.0


@pytest.mark.parametrize('share', [0.1, 0.5, 0.9, 0.99])
def test_a_whole_move_from_rest_to_rest_passes_untouched(robot, share):
    gap = robot.upper - robot.lower
    move = Move(robot, robot.lower + 0.1 * gap, robot.upper, share)
    gate = Gate(robot)
    gate.reset(move.at(0.0).q)
    for k in range(1, int(move.duration / robot.dt) + 50):
        asked = move.at(k * robot.dt)
        assert gate.step(asked) is asked, gate.reason
    assert gate.at_rest
    assert gate.reason == ''


@pytest.mark.parametrize('phase', [0.0, 0.13, 0.5, 0.77])
def test_a_spline_resampled_at_another_phase_passes_untouched(robot, phase):
    """
    Jerk jumps at knots between ticks, and again where the receiver's quintics meet.

    A spline with knots each 33 ms is sampled each period, and read back between its samples.
    """
    dt, knot = robot.dt, 1.0 / 30.0
    swing = Swing(robot, 0.35)

    def spline(t):
        i = np.floor(t / knot)
        ends = [swing.at(i * knot), swing.at((i + 1) * knot)]
        return quintic(*(getattr(e, x) for e in ends for x in 'qva'), knot).sample(t - i * knot)

    def buffered(t):
        i = np.floor(t / dt)
        return reference(
            *quintic(*spline(i * dt), *spline((i + 1) * dt), dt).sample(t - i * dt), stamp=t
        )

    gate = Gate(robot)
    gate.reset(buffered(phase * dt).q)
    passed = [
        gate.step(asked) is asked for asked in (buffered((k + phase) * dt) for k in range(1000))
    ]
    assert all(passed[300:])


def test_stamps_kept_as_unix_time_do_not_break_transparency(robot):
    """A double holds today's time to 0.24 us, which moves a sample by that times its speed."""
    swing = Swing(robot, 0.5)
    gate, k = entered(robot, swing)
    for i in range(k + 1, k + 1500):
        asked = swing.at((1.7e9 + i * robot.dt) - 1.7e9)
        assert gate.step(asked) is asked, gate.reason


def test_joints_that_are_legal_pass_while_another_is_limited(robot):
    swing = Swing(robot, 0.3)
    gate, k = entered(robot, swing)
    for i in range(k + 1, k + 20):
        offset = np.zeros(len(robot.joints))
        offset[2] = 0.2
        asked = swing.at(i * robot.dt, offset)
        sent = gate.step(asked)
        others = np.arange(len(offset)) != 2
        assert np.array_equal(sent.q[others], asked.q[others])
        assert sent.q[2] != asked.q[2]
    assert robot.names[2] in gate.reason


def test_standing_still_passes(robot):
    gate = Gate(robot)
    gate.reset(middle(robot))
    asked = reference(middle(robot))
    assert gate.step(asked) is asked
