# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Curves meet their points, and their derivatives are derivatives."""

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest

from vla_control.actions.spline import brake_from, fade_out, interpolate


def assert_consistent(curve, times):
    """Compare v and a with differences of q and v."""
    h = 1e-5
    for t in times:
        before, here, after = curve.at(t - h), curve.at(t), curve.at(t + h)
        np.testing.assert_allclose((after[0] - before[0]) / (2 * h), here[1], atol=2e-4)
        np.testing.assert_allclose((after[1] - before[1]) / (2 * h), here[2], atol=5e-3)


@given(st.integers(1, 60), st.sampled_from([0.02, 1 / 30, 0.1]), st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_the_spline_meets_its_points_with_continuous_acceleration(count, step, seed):
    points = np.random.default_rng(seed).normal(0, 0.05, (count, 3))
    curve = interpolate(5.0, step, points)
    for i, point in enumerate(points):
        knot = 5.0 + i * step
        np.testing.assert_allclose(curve.at(knot)[0], point, atol=1e-12)
        before, after = curve.at(knot - 1e-9), curve.at(knot + 1e-9)
        np.testing.assert_allclose(before, after, atol=1e-3)


def test_speed_and_acceleration_are_those_of_the_position():
    points = np.random.default_rng(0).normal(0, 0.05, (12, 2))
    assert_consistent(interpolate(0.0, 0.1, points), [-0.05, 0.013, 0.55, 1.08, 1.3])


@pytest.mark.parametrize('count', [3, 4, 20])
def test_a_quadratic_is_met_everywhere_even_outside(count):
    def parabola(t):
        return np.stack([1.0 + 0.5 * t - 0.3 * t * t, 2.0 * t * t], axis=-1)

    curve = interpolate(0.0, 0.1, parabola(0.1 * np.arange(count)))
    times = np.linspace(-0.2, 0.1 * count + 0.2, 50)
    np.testing.assert_allclose(curve.positions(times), parabola(times), atol=1e-12)
    np.testing.assert_allclose(curve.at(-0.1)[2], [-0.6, 4.0], atol=1e-9)


@pytest.mark.parametrize('count', [1, 2, 3, 30])
def test_many_instants_at_once_agree_with_one_at_a_time(count):
    curve = interpolate(1.0, 0.1, np.random.default_rng(1).normal(size=(count, 4)))
    times = np.linspace(0.8, 1.4 + 0.1 * count, 77)
    one_by_one = np.array([curve.at(t)[0] for t in times])
    np.testing.assert_allclose(curve.positions(times), one_by_one, atol=1e-12)


def test_a_fade_leaves_with_its_gap_and_ends_at_rest_at_zero():
    gap = np.array([[0.1, -0.2], [0.5, 0.0], [-3.0, 1.0]])
    fade = fade_out(2.0, 0.7, gap)
    np.testing.assert_allclose(fade.at(2.0), gap, atol=1e-12)
    np.testing.assert_allclose(fade.at(2.7), 0.0, atol=1e-12)
    assert_consistent(fade, [2.1, 2.35, 2.6])
    times = np.linspace(1.9, 2.9, 31)
    np.testing.assert_allclose(
        fade.positions(times), np.array([fade.at(t)[0] for t in times]), atol=1e-12
    )


@given(
    v=st.floats(-2, 2),
    a=st.floats(-14, 14),
)
@settings(max_examples=60, deadline=None)
def test_a_brake_ends_at_rest_for_good_and_within_its_limits(v, a):
    state = np.array([[0.3], [v], [a]])
    brake = brake_from(1.0, state, np.array([10.0]), np.array([300.0]))
    np.testing.assert_allclose(brake.at(1.0), state, atol=1e-12)
    times = np.arange(1.0, brake.end + 2e-3, 1e-3)
    rows = np.array([brake.at(t) for t in times])[:, :, 0].reshape(-1, 3)
    assert np.abs(rows[:, 2]).max() <= max(10.0, abs(a)) + 1e-9
    assert np.abs(np.diff(rows[:, 2])).max(initial=0.0) <= 0.3 + 1e-9
    rest = brake.at(brake.end)
    assert np.all(rest[1:] == 0.0)
    np.testing.assert_array_equal(brake.at(brake.end + 100.0), rest)
    np.testing.assert_allclose(brake.at(brake.end - 1e-9)[0], rest[0], atol=1e-6)
