# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Seams nobody can feel, at any delay, step and method; and motion that arrives unharmed."""

from chunk_scenarios import (
    ARMS,
    chunk_of,
    DT,
    HOME,
    play,
    Policy,
    rmse,
    Run,
    run,
    seam_velocity_jump,
    sines,
    SPEC,
    steady_chunk,
)
from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest

from vla_control.actions.blend import BlendConfig, BlendMethod, smooth
from vla_control.actions.executor import ChunkExecutor
from vla_control.actions.spline import interpolate
from vla_control.core.messages import Reference
from vla_control.safety.checker import worst_ratios
from vla_control.safety.gate import Gate

METHODS = [BlendMethod.SPLICE, BlendMethod.ENSEMBLE, BlendMethod.REPLACE]
RATES = {'10 Hz': (0.1, 16), '30 Hz': (1 / 30, 50), '50 Hz': (0.02, 100)}


def limited_by_gate(result):
    """Count the ticks the gate would not let pass bit for bit."""
    gate = Gate(SPEC)
    gate.reset(result.start)
    for row in zip(result.times, result.q, result.v, result.a, strict=True):
        sent = gate.step(Reference(stamp=row[0], q=row[1], v=row[2], a=row[3]))
        if not np.array_equal(sent.q, row[1]):
            return gate.limited + gate.stopped, gate.reason
    return 0, ''


def assert_smooth(result):
    """Hold q, v and a against each other from tick to tick; a step in any breaks one of them."""
    h = np.diff(result.times)[:, None]
    jerk = SPEC.jerk * h
    da = np.abs(np.diff(result.a, axis=0))
    assert np.all(da <= jerk * (1 + 1e-6) + 1e-9), (da / jerk).max()
    dv = np.diff(result.v, axis=0) - 0.5 * h * (result.a[1:] + result.a[:-1])
    assert np.all(np.abs(dv) <= jerk * h / 4), 'a step in velocity'
    dq = np.diff(result.q, axis=0) - h * result.v[:-1] - 0.5 * h * h * result.a[:-1]
    assert np.all(np.abs(dq) <= jerk * h * h / 2 + 1e-12), 'a step in position'


@pytest.mark.parametrize('method', METHODS)
@given(
    rate=st.sampled_from(sorted(RATES)),
    seed=st.integers(0, 10**6),
    replan=st.floats(0.05, 0.8),
    jitter=st.floats(0.0, 1.0),
    start=st.sampled_from([0.0, 1000.3]),
)
@settings(max_examples=12, deadline=None)
def test_every_seam_is_c2_whatever_the_delay(method, rate, seed, replan, jitter, start):
    dt, horizon = RATES[rate]
    rng = np.random.default_rng(seed)
    captures = np.arange(0, 3.0, replan)
    delays = rng.uniform(0.0, 0.5 * jitter, len(captures))
    policy = Policy(sines(seed), dt=dt, horizon=horizon, seed=seed)
    result = run(
        policy, BlendConfig(method=method), seconds=3.0, replan=replan, delays=delays, start=start
    )
    assert len(result.seams) > 1
    assert_smooth(result)
    assert limited_by_gate(result) == (0, '')


@given(
    now=st.floats(0.8, 1.2),
    stamp=st.floats(-0.3, 0.04),
    method=st.sampled_from(METHODS),
    seed=st.integers(0, 99),
)
@settings(max_examples=60, deadline=None)
def test_the_new_plan_leaves_the_old_one_exactly(now, stamp, method, seed):
    policy = Policy(sines(seed), seed=seed)
    moving, alone = (
        ChunkExecutor(SPEC, BlendConfig(method=method)),
        ChunkExecutor(SPEC, BlendConfig(method=method)),
    )
    first = policy.chunk(0.0)
    for executor in (moving, alone):
        executor.align(0.0, policy.motion(np.array([0.0]))[0])
        executor.offer(first, 0.05)
    verdict = moving.offer(policy.chunk(now + stamp), now)
    assert verdict.accepted, verdict.reason
    seam = verdict.seam.time
    for executor in (moving, alone):
        executor.tick(seam - 0.05)
    one, other = moving.tick(seam), alone.tick(seam)
    scale = max(1.0, np.abs(other.a).max())
    np.testing.assert_allclose(one.q, other.q, atol=1e-12)
    np.testing.assert_allclose(one.v, other.v, atol=1e-11)
    np.testing.assert_allclose(one.a, other.a, atol=1e-9 * scale)
    before, after = moving.tick(seam - 1e-6), alone.tick(seam - 1e-6)
    np.testing.assert_array_equal(before.q, after.q, 'before the seam the old plan rules')


@pytest.mark.parametrize('rate', sorted(RATES))
@pytest.mark.parametrize('phase', [0.0, 1.0, 2.5])
def test_smoothing_keeps_half_a_hertz_within_one_percent_to_the_ends(rate, phase):
    dt, horizon = RATES[rate]
    times = dt * np.arange(1, horizon + 1)
    curve = interpolate(dt, dt, smooth(np.sin(np.pi * times + phase)[:, None], dt, 3.0))
    fine = np.linspace(times[0], times[-1], 500)
    assert np.abs(curve.positions(fine)[:, 0] - np.sin(np.pi * fine + phase)).max() < 0.01


@pytest.mark.parametrize('rate', sorted(RATES))
@pytest.mark.parametrize('phase', [0.0, 1.0, 2.5])
def test_half_a_hertz_arrives_within_two_percent_through_all_seams(rate, phase):
    dt, horizon = RATES[rate]
    size = 0.1

    def motion(t):
        wave = size * (np.sin(np.pi * np.atleast_1d(t) + phase) - np.sin(phase))
        return HOME + np.where(ARMS, wave[:, None], 0.0)

    result = run(Policy(motion, dt=dt, horizon=horizon, bias=0.0, noise=0.0), seconds=8.0)
    settled = result.times > 2.5  # the robot starts at rest, the motion does not
    error = (result.q - motion(result.times))[settled][:, ARMS]
    assert np.abs(error).max() < 0.02 * size


@pytest.mark.parametrize('rate', ['10 Hz', '30 Hz'])
@pytest.mark.parametrize('delay', [0.1, 0.3])
def test_noisy_chunks_come_out_smoother_than_switching_and_fading(rate, delay):
    dt, horizon = RATES[rate]
    motion = sines(0, low=0.1, high=0.3)
    ours = run(Policy(motion, dt=dt, horizon=horizon), seconds=12.0, delay=delay)
    for baseline in ('switch', 'linear'):
        q = play(ours.times, Policy(motion, dt=dt, horizon=horizon), 0.4, delay, baseline)
        other = Run(ours.start, ours.times, q, None, None, ours.seams, [], ours.executor)
        assert seam_velocity_jump(ours, dt) < 0.6 * seam_velocity_jump(other, dt)
        assert np.std(ours.jerk()[:, ARMS]) < 0.02 * np.std(other.jerk()[:, ARMS])
        assert rmse(ours, motion) < 1.1 * rmse(other, motion)


def test_the_published_bars_are_met_at_thirty_hertz():
    motion = sines(3, low=0.05, high=0.35, amplitude=1.0)
    result = run(Policy(motion), seconds=20.0, delay=0.1)
    result.seams.pop(0)  # the motion did not wait for the arm to start
    assert seam_velocity_jump(result, 1 / 30) < 2.5e-3
    assert np.sqrt(np.mean(result.jerk()[500:, ARMS] ** 2)) < 5.0
    assert rmse(result, motion) < 25e-3


@pytest.mark.parametrize('jump', [0.05, 0.2, 0.45])
@pytest.mark.parametrize('steps', [1, 3, 16])
def test_a_distant_pose_is_reached_within_the_limits(jump, steps):
    executor = ChunkExecutor(SPEC)
    executor.align(0.0, HOME)
    target = HOME + np.where(ARMS, jump, 0.0)
    target = np.clip(target, SPEC.lower + 0.01, SPEC.upper - 0.01)
    assert executor.offer(chunk_of(np.tile(target, (steps, 1)), dt=0.1), 0.01).accepted
    times = np.arange(0.01, 3.0, DT)
    q = np.array([executor.tick(t).q for t in times])
    worst = worst_ratios(times, q, SPEC)
    assert max(worst.velocity, worst.acceleration, worst.jerk) < 0.9
    np.testing.assert_allclose(q[-1], target, atol=1e-12)


def test_a_policy_that_rests_on_a_limit_stays_inside_the_soft_limits():
    def motion(t):
        t = np.atleast_1d(t)[:, None]
        centre = HOME + np.where(ARMS, 0.8 * (SPEC.upper - HOME) * np.sin(1.2 * t), 0.0)
        return np.clip(centre + np.where(ARMS, 0.4 * np.sin(1.2 * t), 0.0), SPEC.lower, SPEC.upper)

    result = run(Policy(motion, noise=0.001, bias=0.005), seconds=8.0)
    assert (result.q - SPEC.upper).max() > -0.02, 'it does go to the limit'
    assert (result.q - SPEC.upper).max() <= 2e-3


def test_a_plan_in_full_swing_meets_a_still_chunk_without_wandering_off():
    executor = ChunkExecutor(SPEC)
    executor.align(0.0, HOME)
    ramp = HOME + np.where(ARMS, -0.8, 0.0) * (np.arange(1, 51)[:, None] / 30)
    executor.offer(chunk_of(ramp), 0.01)
    times = np.arange(0.01, 0.5, DT)
    for t in times:
        last = executor.tick(t)
    assert executor.offer(steady_chunk(stamp=0.45, pose=last.q), 0.5).accepted
    q = np.array([executor.tick(t).q for t in np.arange(0.5, 2.5, DT)])
    assert np.abs(q - last.q).max() < 0.12
    np.testing.assert_allclose(q[-1], last.q, atol=2e-3)


def test_the_old_plan_counts_in_the_average_as_much_as_configured():
    def gap_after(average):
        executor = ChunkExecutor(SPEC, BlendConfig(average=average))
        executor.align(0.0, HOME)
        executor.offer(steady_chunk(), 0.01)
        executor.tick(0.2)
        moved = HOME + np.where(ARMS, 0.1, 0.0)
        return executor.offer(steady_chunk(stamp=0.2, pose=moved), 0.2).seam.position_gap

    assert gap_after(0.0) == pytest.approx(0.1, rel=1e-3)
    assert gap_after(0.5) == pytest.approx(0.05, rel=0.05)
