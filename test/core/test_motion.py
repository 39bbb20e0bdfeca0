# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The fastest stop against an outside solver and against its own sampling, and quintics."""

import numpy as np
import pytest

from vla_control.core.motion import jerk_step, Motion, quintic, stop


def random_states(count, seed=0):
    rng = np.random.default_rng(seed)
    velocity = 10 ** rng.uniform(-1.0, 1.0, count)
    acceleration = 10 ** rng.uniform(-1.0, 2.0, count)
    jerk = acceleration * 10 ** rng.uniform(0.3, 2.3, count)
    q = rng.uniform(-3.0, 3.0, count)
    v = rng.uniform(-1.0, 1.0, count) * velocity
    a = rng.uniform(-1.0, 1.0, count) * acceleration
    return q, v, a, acceleration, jerk


@pytest.mark.peer
def test_the_stop_is_the_one_ruckig_finds():
    ruckig = pytest.importorskip('ruckig')
    q, v, a, acceleration, jerk = random_states(3000)
    ours = stop(q, v, a, acceleration, jerk)
    otg = ruckig.Ruckig(1)
    shares = np.array([0.1, 0.33, 0.5, 0.77, 1.0])
    theirs, durations = np.zeros((len(shares), len(q), 3)), np.zeros(len(q))
    for i in range(len(q)):
        problem = ruckig.InputParameter(1)
        problem.control_interface = ruckig.ControlInterface.Velocity
        problem.current_position = [q[i]]
        problem.current_velocity = [v[i]]
        problem.current_acceleration = [a[i]]
        problem.target_velocity = [0.0]
        problem.target_acceleration = [0.0]
        problem.max_velocity = [100.0]
        problem.max_acceleration = [acceleration[i]]
        problem.max_jerk = [jerk[i]]
        way = ruckig.Trajectory(1)
        otg.calculate(problem, way)
        durations[i] = way.duration
        # Not its position_extrema: with the velocity interface they always include 0.
        theirs[:, i] = [np.ravel(way.at_time(s * way.duration)) for s in shares]
    sampled = ours.sample(shares[:, None] * durations)
    assert np.allclose(ours.duration, durations, rtol=1e-12, atol=1e-12)
    assert np.allclose(sampled.q, theirs[:, :, 0], rtol=1e-12, atol=1e-12)
    scale = np.maximum(1.0, np.abs(theirs[:-1, :, 1:]))
    moving = np.stack([sampled.v, sampled.a], axis=-1)[:-1]
    assert (np.abs(moving - theirs[:-1, :, 1:]) / scale).max() < 1e-10


def test_a_stop_keeps_its_limits_and_ends_at_rest_where_it_says():
    q, v, a, acceleration, jerk = random_states(2000, seed=1)
    way = stop(q, v, a, acceleration, jerk)
    end = way.sample(way.duration)
    assert np.allclose(end.q, way.end, rtol=0, atol=1e-12)
    assert not end.v.any() and not end.a.any()
    just_before = way.sample(way.duration * (1.0 - 1e-9))
    assert np.abs(just_before.v / np.maximum(np.abs(v), 1.0)).max() < 1e-6
    for share in np.linspace(0.0, 1.0, 50):
        assert (np.abs(way.sample(share * way.duration).a) <= acceleration * (1 + 1e-12)).all()


def test_extrema_hold_every_sample_and_are_reached():
    q, v, a, acceleration, jerk = random_states(2000, seed=2)
    way = stop(q, v, a, acceleration, jerk)
    low, high = way.extrema(way.end)
    samples = way.sample(np.linspace(0.0, 1.0, 2001)[:, None] * way.duration).q
    assert (samples >= low - 1e-12).all() and (samples <= high + 1e-12).all()
    reach = high - low
    assert (samples.min(axis=0) - low <= 1e-3 * reach + 1e-12).all()
    assert (high - samples.max(axis=0) <= 1e-3 * reach + 1e-12).all()


def test_the_rest_of_a_stop_is_the_stop_of_its_rest():
    q, v, a, acceleration, jerk = random_states(2000, seed=3)
    way = stop(q, v, a, acceleration, jerk)
    half = way.sample(0.4 * way.duration)
    again = stop(*half, acceleration, jerk)
    assert np.allclose(again.end, way.end, rtol=0, atol=1e-10)
    assert np.allclose(again.duration, 0.6 * way.duration, rtol=1e-6, atol=1e-6)


def test_a_stop_from_rest_takes_no_time():
    zero = np.zeros(3)
    way = stop(np.array([1.0, 0.0, -2.0]), zero, zero, zero + 1.0, zero + 10.0)
    assert not way.duration.any()
    assert np.array_equal(way.sample(0.004).q, [1.0, 0.0, -2.0])


def test_a_jerk_step_can_be_taken_back():
    q, v, a, _, jerk = random_states(100, seed=4)
    there = jerk_step(q, v, a, jerk, 0.1)
    back = jerk_step(*there, jerk, -0.1)
    assert np.allclose(np.array(back), np.array(Motion(q, v, a)), rtol=1e-9, atol=1e-9)


def test_a_quintic_meets_both_ends():
    rng = np.random.default_rng(5)
    ends = rng.normal(size=(6, 8))
    duration = rng.uniform(0.1, 2.0, 8)
    path = quintic(*ends, duration)
    assert np.allclose(np.array(path.sample(0.0)), ends[:3], rtol=0, atol=0)
    assert np.allclose(np.array(path.sample(duration)), ends[3:], rtol=1e-9, atol=1e-9)


def test_the_derivatives_of_a_quintic_are_those_of_its_position():
    rng = np.random.default_rng(6)
    path = quintic(*rng.normal(size=(6, 4)), 0.7)
    t, h = np.linspace(0.1, 0.6, 11)[:, None], 1e-5
    before, at, after = path.sample(t - h), path.sample(t), path.sample(t + h)
    assert np.allclose(at.v, (after.q - before.q) / (2 * h), rtol=1e-6, atol=1e-6)
    assert np.allclose(at.a, (after.v - before.v) / (2 * h), rtol=1e-6, atol=1e-5)
    assert np.allclose(path.jerk(t), (after.a - before.a) / (2 * h), rtol=1e-6, atol=1e-4)
