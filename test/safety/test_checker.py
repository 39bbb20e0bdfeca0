# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The judge must see what is wrong, and only that."""

import ast
import inspect

from motions import middle
import numpy as np
import pytest

from vla_control.core.errors import VlaControlError
from vla_control.core.spec import load_robot
from vla_control.safety import checker
from vla_control.safety.checker import worst_ratios

SPEC = load_robot('openarm')
T = np.arange(400) * SPEC.dt


def log(curve, joint=2):
    q = np.tile(middle(SPEC), (len(curve), 1))
    q[:, joint] += curve
    return q


def test_it_knows_nothing_of_what_it_judges():
    tree = ast.parse(inspect.getsource(checker))
    modules = [n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
    assert not [m for m in modules if 'safety' in m or 'motion' in m]


def test_it_measures_the_share_of_each_limit():
    speed, pull, jerk = 1.3, 7.0, 210.0
    steady = worst_ratios(T, log(speed * T * 0.1), SPEC)
    assert steady.velocity == pytest.approx(0.1 * speed / SPEC.velocity[2])
    assert steady.acceleration < 1e-6
    curved = worst_ratios(T[:50], log(pull * T[:50] ** 2 / 2), SPEC)
    assert curved.acceleration == pytest.approx(pull / SPEC.acceleration[2])
    thrown = worst_ratios(T[:50], log(jerk * T[:50] ** 3 / 6), SPEC)
    assert thrown.jerk == pytest.approx(jerk / SPEC.jerk[2])


def test_it_measures_how_far_outside_a_position_is():
    q = log(0 * T)
    q[7, 3] = SPEC.lower[3] - 0.25
    assert worst_ratios(T, q, SPEC).position == pytest.approx(0.25)
    assert worst_ratios(T, log(0 * T), SPEC).position < 0


@pytest.mark.parametrize('step', [1e-6, 1e-4, 1e-2])
def test_a_step_of_one_sample_is_a_jerk_of_step_over_dt_cubed(step):
    worst = worst_ratios(T, log(step * (T > 0.5)), SPEC)
    assert worst.jerk == pytest.approx(2 * step / SPEC.dt**3 / SPEC.jerk[2], rel=1e-6)


def test_a_start_at_speed_counts_only_where_the_robot_stood_before():
    q = log(0.5 * T)
    assert worst_ratios(T, q, SPEC).kept()
    q = log(0.5 * (T + SPEC.dt))
    q[0] = middle(SPEC)
    assert not worst_ratios(T, q, SPEC, from_rest=True).kept()


def test_the_error_of_a_wall_clock_is_not_taken_for_jerk():
    q = log(0.3 * np.sin(3 * T))
    exact = worst_ratios(T, q, SPEC)
    rng = np.random.default_rng(0)
    read = 1.7e9 + T + rng.uniform(-1e-4, 1e-4, len(T))
    assert worst_ratios(read, q, SPEC).jerk == pytest.approx(exact.jerk)


def test_a_skipped_tick_is_judged_by_the_time_it_took():
    keep = np.delete(np.arange(len(T)), [50, 200, 201])
    q = log(0.3 * np.sin(3 * T))
    whole, gaps = worst_ratios(T, q, SPEC), worst_ratios(T[keep], q[keep], SPEC)
    assert gaps.jerk == pytest.approx(whole.jerk, rel=0.05)


@pytest.mark.parametrize(
    ('times', 'q'),
    [
        (T, log(0 * T)[:, :5]),
        (T[:10], log(0 * T)),
        (T[::-1], log(0 * T)),
        (T, np.full((len(T), 8), np.nan)),
        (T[:0], log(0 * T)[:0]),
    ],
)
def test_a_log_that_cannot_be_judged_is_refused(times, q):
    with pytest.raises(VlaControlError):
        worst_ratios(times, q, SPEC)
