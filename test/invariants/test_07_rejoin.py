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


def rejoin_time(robot, gate, swing, k, offset, log):
    for i in range(k + 1, k + 1000):
        asked = swing.at(i * robot.dt, offset)
        sent = gate.step(asked)
        log.append(sent.q)
        if sent is asked:
            return (i - k) * robot.dt, i
    return np.inf, i


@pytest.mark.parametrize(('jump', 'within'), [(0.02, 0.25), (0.1, 0.5), (0.3, 1.0)])
def test_a_jump_is_made_good_in_time_and_then_forgotten(robot, thorough, jump, within):
    swing = Swing(robot, 0.5)
    side = np.where(np.arange(len(robot.joints)) % 2, 1.0, -1.0)
    room = 0.9 * ((robot.upper - robot.lower) / 2 - swing.amplitude)
    offset = np.minimum(np.where(robot.jaw, 0.1 * jump, jump), room) * side
    for phase in range(0, 400, 41 if thorough else 173):
        gate = Gate(robot)
        gate.reset(swing.at(0.0).q)
        log = [gate.state.q]
        for k in range(1, 250 + phase):
            log.append(gate.step(swing.at(k * robot.dt)).q)
        took, i = rejoin_time(robot, gate, swing, k, offset, log)
        assert took <= within
        for k in range(i + 1, i + 100):
            asked = swing.at(k * robot.dt, offset)
            assert gate.step(asked) is asked
            log.append(asked.q)
        times = np.arange(len(log)) * robot.dt
        assert worst_ratios(times, np.array(log), robot, from_rest=True).kept()


def test_a_stop_in_the_middle_of_a_motion_is_made_good_too(robot):
    swing = Swing(robot, 0.5)
    gate = Gate(robot)
    gate.reset(swing.at(0.0).q)
    for k in range(1, 300):
        gate.step(swing.at(k * robot.dt))
    while not gate.at_rest:
        k += 1
        gate.step(None)
    took, _ = rejoin_time(robot, gate, swing, k, 0.0, [])
    assert took <= 0.5


def test_a_skipped_tick_is_made_good_smoothly(robot):
    swing = Swing(robot, 0.5)
    gate = Gate(robot)
    gate.reset(swing.at(0.0).q)
    for k in range(1, 300):
        gate.step(swing.at(k * robot.dt))
    took, _ = rejoin_time(robot, gate, swing, k + 1, 0.0, [])
    assert took <= 0.25


def test_a_reference_read_with_jitter_is_still_followed_within_a_milliradian(robot):
    """Fingers sway three times as fast here, and are followed within two."""
    rng = np.random.default_rng(5)
    swing = Swing(robot, 0.5)
    gate = Gate(robot)
    gate.reset(swing.at(0.0).q)
    error = []
    for k in range(1, 750):
        sent = gate.step(swing.at(k * robot.dt + rng.normal(0.0, 1e-4)))
        error.append(np.abs(sent.q - swing.at(k * robot.dt).q))
    assert (np.max(error[250:], axis=0) < np.where(robot.gripper, 2e-3, 1e-3)).all()
    assert gate.stopped == 0


def test_a_step_to_a_pose_arrives_exactly(robot):
    gate = Gate(robot)
    gate.reset(robot.lower)
    asked = reference((robot.lower + robot.upper) / 2)
    for _ in range(1000):
        sent = gate.step(asked)
    assert sent is asked
    assert gate.at_rest
