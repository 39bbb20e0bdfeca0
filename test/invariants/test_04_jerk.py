# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Invariant 4: the jerk of the sent positions, by backward differences, to 1e-6."""

from motions import middle, reference, Swing
import numpy as np

from vla_control.core.motion import jerk_step
from vla_control.safety.checker import worst_ratios
from vla_control.safety.gate import Gate


def judge(log, spec):
    return worst_ratios(np.arange(len(log)) * spec.dt, np.array(log), spec, from_rest=True)


def test_no_abuse_makes_a_joint_jerk(abuse):
    assert abuse.worst.jerk <= 1.0 + 1e-6


def test_no_chunk_makes_a_joint_jerk(siege):
    assert 0.999 < siege.worst['jerk'] <= 1.0 + 1e-6, 'it came to the limit and no further'
    assert siege.worst['jerk_frames'] <= 1.0 + 1e-6, 'rounding allowed'


def test_every_single_jump_is_taken_within_the_jerk_limit(robot):
    log = []
    for scale in 10.0 ** np.arange(-9, 1):
        gate = Gate(robot)
        gate.reset(middle(robot))
        log = [gate.state.q]
        for _ in range(60):
            log.append(gate.step(reference(middle(robot) + scale * robot.velocity)).q)
        assert judge(log, robot).kept()


def test_a_reference_whose_state_lies_about_its_positions_cannot_smuggle_in_jerk(robot):
    """Each sample is within every tolerance of the last; only their differences break limits."""
    rng = np.random.default_rng(3)
    gate = Gate(robot)
    gate.reset(middle(robot))
    log = [gate.state.q]
    swing = Swing(robot, 0.5)
    lie = 0.12 * robot.jerk * robot.dt**3
    for k in range(2000):
        clean = swing.at(k * robot.dt)
        side = rng.choice([-1.0, 1.0], len(robot.joints))
        log.append(gate.step(reference(clean.q + side * lie, clean.v, clean.a)).q)
    assert judge(log, robot).kept()
    assert gate.passed < 2000


def test_full_jerk_to_and_fro_passes_untouched(robot):
    """A motion exactly at the limit is legal: the gate costs nothing of what is allowed."""
    gate = Gate(robot)
    start = middle(robot)
    gate.reset(start)
    state = (start, 0 * start, 0 * start)
    for k in range(160):
        sign = 1.0 if (k // 2) % 4 in (0, 3) else -1.0
        state = jerk_step(*state, sign * robot.jerk, robot.dt)
        asked = reference(*state)
        assert gate.step(asked) is asked
