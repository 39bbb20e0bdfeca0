# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Grippers do what the chunk says, as fast as fingers may, and never beyond."""

from chunk_scenarios import DT, Policy, run, sines, SPEC
from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest

from vla_control.actions.grippers import resting_grippers, slew

GRIPPER = int(np.flatnonzero(SPEC.gripper)[0])


def walk(path, times):
    return np.array([path.at(t)[:, 0] for t in times])


@given(
    targets=st.lists(st.floats(0.0, 0.044), min_size=1, max_size=40),
    step=st.sampled_from([0.02, 1 / 30, 0.1]),
    second=st.lists(st.floats(0.0, 0.044), min_size=1, max_size=40),
    at=st.floats(0.01, 1.0),
)
@settings(max_examples=60, deadline=None)
def test_any_targets_stay_within_limits_and_range_over_a_splice(targets, step, second, at):
    path = resting_grippers(SPEC, 0.0, np.array([0.02]))
    first = slew(
        path, 0.01, step * np.arange(1, len(targets) + 1), np.array(targets)[:, None], SPEC
    )
    due = at + step * np.arange(1, len(second) + 1)
    joined = slew(first, at, due, np.array(second)[:, None], SPEC)
    np.testing.assert_allclose(joined.at(at), first.at(at), atol=1e-9)
    rows = walk(joined, np.arange(at, joined.rest_time + 0.1, 1e-3))
    assert rows[:, 0].min() >= -1e-12
    assert rows[:, 0].max() <= 0.044 + 1e-12
    assert np.abs(rows[:, 1]).max() <= SPEC.velocity[GRIPPER]
    assert np.abs(rows[:, 2]).max() <= SPEC.acceleration[GRIPPER]
    assert np.abs(np.diff(rows[:, 2])).max() <= SPEC.jerk[GRIPPER] * 1e-3 * (1 + 1e-9)
    assert rows[-1, 0] == pytest.approx(second[-1], abs=1e-9)


@pytest.mark.parametrize('dt', [1 / 30, 0.1])
def test_a_grasp_happens_when_the_policy_says_so(dt):
    def motion(t):
        q = sines(1)(t)
        q[:, GRIPPER] = np.where(np.atleast_1d(t) % 2.0 < 1.0, 0.04, 0.0)
        return q

    result = run(Policy(motion, dt=dt, horizon=round(1.6 / dt)), seconds=6.0)
    q = result.q[:, GRIPPER]
    crossings = result.times[:-1][np.diff((q > 0.02).astype(int)) != 0]
    np.testing.assert_allclose(crossings[:5], [1.0, 2.0, 3.0, 4.0, 5.0], atol=0.06)
    shut = (result.times % 2.0 > 1.22) & (result.times % 2.0 < 1.8)
    np.testing.assert_allclose(q[shut], 0.0, atol=1e-9)


def test_a_halt_ends_soon_and_inside_the_range():
    path = resting_grippers(SPEC, 0.0, np.array([0.04]))
    closing = slew(path, 0.0, np.array([0.1, 1.0]), np.zeros((2, 1)), SPEC)
    halted = closing.halted(0.1)
    np.testing.assert_allclose(halted.at(0.1), closing.at(0.1), atol=1e-12)
    rows = walk(halted, np.arange(0.1, 1.0, DT))
    assert rows[:, 0].min() > 0.0
    still = np.flatnonzero(np.abs(rows[:, 1]) < 1e-12)
    assert still[0] * DT < 0.2
    assert np.ptp(rows[still, 0]) < 1e-12
