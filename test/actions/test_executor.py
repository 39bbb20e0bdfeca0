# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""A reference comes out whatever arrives: late, early, broken, twice, or not at all."""

from dataclasses import replace
import threading

from chunk_scenarios import ARMS, chunk_of, DT, HOME, Policy, Run, run, sines, SPEC, steady_chunk
from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest
from test_splice import assert_smooth, limited_by_gate

from vla_control.actions.executor import ChunkExecutor
from vla_control.core.errors import VlaControlError

TIMEOUT = SPEC.safety.chunk_timeout


def aligned(now=0.0, q=HOME):
    executor = ChunkExecutor(SPEC)
    executor.align(now, q)
    return executor


def ticks(executor, begin, end):
    """Tick at control rate; the bounds are period counts."""
    times = np.arange(begin, end) * DT
    rows = [executor.tick(t) for t in times]
    q, v, a = (np.array([getattr(r, name) for r in rows]) for name in 'qva')
    return Run(q[0], times, q, v, a, [], [], executor)


def joined(first, second):
    return Run(
        first.start,
        *(
            np.concatenate([getattr(r, name) for r in (first, second)])
            for name in ('times', *'qva')
        ),
        [],
        [],
        second.executor,
    )


def in_motion(seed=0, periods=150, horizon=50):
    """Return an executor half way through a chunk, and what it did so far."""
    policy = Policy(sines(seed, low=0.3, high=0.5, amplitude=1.0), horizon=horizon)
    executor = aligned(q=policy.motion(np.array([0.0]))[0])
    assert executor.offer(policy.chunk(0.0), 0.0).accepted
    return executor, ticks(executor, 1, periods), policy


def test_before_it_has_a_pose_it_says_so():
    executor = ChunkExecutor(SPEC)
    with pytest.raises(VlaControlError, match='call align'):
        executor.tick(0.0)
    verdict = executor.offer(steady_chunk(), 0.0)
    assert not verdict.accepted
    assert 'not aligned' in verdict.reason


@pytest.mark.parametrize('pose', [np.full(8, np.nan), np.zeros(7)])
def test_a_pose_that_is_none_is_refused(pose):
    with pytest.raises(VlaControlError, match='cannot align'):
        ChunkExecutor(SPEC).align(0.0, pose)


def test_aligned_it_rests_bit_for_bit():
    result = ticks(aligned(), 0, 500)
    assert np.all(result.q == HOME)
    assert not result.v.any()
    assert not result.a.any()


def test_a_reference_is_read_only():
    with pytest.raises(ValueError, match='read-only'):
        aligned().tick(0.1).q[0] = 1.0


def test_the_verdict_tells_of_the_seam():
    executor, _, policy = in_motion()
    verdict = executor.offer(policy.chunk(0.4), 0.5)
    assert verdict.accepted
    assert (verdict.reason, verdict.note) == ('', '')
    assert verdict.seam.delay == pytest.approx(0.596 - 0.4)  # the newest tick
    assert verdict.seam.skipped == 5


class Interrupted(ChunkExecutor):
    """Ticks while its first splices are being made, as the loop's thread may."""

    ticks_between = 0

    def _join(self, chunk, now, plan, last, lead):
        found = super()._join(chunk, now, plan, last, lead)
        if self.ticks_between:
            self.ticks_between -= 1
            self.tick(last.stamp + DT)
        return found


@pytest.mark.parametrize('between', [1, 2, 3])
def test_a_tick_while_a_splice_is_made_loses_nothing(between):
    policy = Policy(sines(3, low=0.3, high=0.5, amplitude=1.0), horizon=50)
    executor = Interrupted(SPEC)
    executor.align(0.0, policy.motion(np.array([0.0]))[0])
    assert executor.offer(policy.chunk(0.0), 0.0).accepted
    before = ticks(executor, 1, 150)
    executor.ticks_between = between
    seam = executor.offer(policy.chunk(0.4), 0.5).seam
    newest = 149 + between
    assert seam.time >= executor._last.stamp - 1e-12
    assert executor._last.stamp == pytest.approx(newest * DT)
    after = ticks(executor, newest + 1, 250)
    step = after.a[0] - before.a[-1]
    assert np.abs(step[ARMS] / SPEC.jerk[ARMS]).max() <= (1 + between) * DT * (1 + 1e-6)


def test_what_was_seen_at_rest_is_not_past_when_it_comes():
    executor = aligned()
    ticks(executor, 0, 50)
    verdict = executor.offer(steady_chunk(stamp=0.1, dt=0.02), 0.2)
    assert verdict.seam.delay == pytest.approx(0.1)
    assert verdict.seam.skipped == 0


def test_a_refused_chunk_leaves_the_motion_as_it_was():
    executor, _, policy = in_motion()
    twin, _, _ = in_motion()
    bad = policy.chunk(0.5)
    broken = bad.positions.copy()
    broken[3, 3] = np.nan
    verdict = executor.offer(replace(bad, positions=broken), 0.6)
    assert not verdict.accepted
    assert 'not finite' in verdict.reason
    np.testing.assert_array_equal(ticks(executor, 150, 300).q, ticks(twin, 150, 300).q)
    assert executor.quality(1.2).rejected == 1
    assert 'not finite' in executor.quality(1.2).last_rejection


def test_late_chunks_out_of_order_and_duplicates_are_refused():
    executor, _, policy = in_motion()
    assert executor.offer(policy.chunk(0.5), 0.6).accepted
    late = executor.offer(policy.chunk(0.4), 0.62)
    assert 'out of order' in late.reason
    assert 'duplicate' in executor.offer(policy.chunk(0.5), 0.62).reason
    assert 'entirely past' in aligned().offer(policy.chunk(0.0), 5.0).reason


@given(
    stop_at=st.integers(5, 600),
    seed=st.integers(0, 50),
    steps=st.integers(1, 50),
)
@settings(max_examples=40, deadline=None)
def test_starved_at_any_time_it_comes_to_rest_and_does_not_creep(stop_at, seed, steps):
    policy = Policy(sines(seed, low=0.3, high=0.6, amplitude=1.0), horizon=steps, seed=seed)
    seconds = stop_at * DT
    captures = np.arange(0, seconds, 0.3)
    executor = aligned(q=policy.motion(np.array([0.0]))[0])
    rows = []
    pending = list(captures)
    for k in range(1, stop_at + 1500):
        now = k * DT
        while pending and pending[0] <= now:
            executor.offer(policy.chunk(pending.pop(0)), now)
        rows.append(executor.tick(now))
    q, v, a = (np.array([getattr(r, name) for r in rows]) for name in 'qva')
    result = Run(
        policy.motion(np.array([0.0]))[0],
        np.arange(1, stop_at + 1500) * DT,
        q,
        v,
        a,
        [],
        [],
        executor,
    )
    if steps not in (2, 3):  # too few to smooth: their noise alone may ask for too much
        assert_smooth(result)
        assert limited_by_gate(result) == (0, '')
    rest = result.q[-250:]
    assert np.all(rest == rest[0]), 'it creeps'
    assert not result.v[-250:].any()
    assert executor.starved
    assert 'safety.chunk_timeout' in executor.held


def test_at_the_last_due_point_it_brakes_and_ends_close_by():
    executor, _, policy = in_motion(horizon=20)
    result = ticks(executor, 150, 500)
    last_due = policy.chunk(0.0)
    at_due = result.q[round(20 / 30 / DT) - 150]
    assert np.abs(result.q[-1] - at_due)[ARMS].max() < 0.08
    assert last_due.stamp == 0.0
    assert executor.at_rest


def test_a_chunk_in_time_after_starving_goes_on_without_resume():
    executor, before, policy = in_motion(horizon=20)
    pause = ticks(executor, 150, 220)
    assert executor.starved
    assert executor.held == ''
    assert executor.offer(policy.chunk(219 * DT), 219 * DT).accepted
    after = ticks(executor, 220, 300)
    assert not executor.starved
    assert_smooth(joined(joined(before, pause), after))


def test_too_long_without_a_chunk_latches_until_resume():
    executor, _, _ = in_motion(horizon=20)
    end = int((20 / 30 + TIMEOUT) / DT)  # the last due point, and as long again as is allowed
    ticks(executor, 150, end - 2)
    assert executor.held == ''
    ticks(executor, end - 2, 500)
    assert 'no action chunk for' in executor.held
    held = ticks(executor, 500, 550)
    verdict = executor.offer(steady_chunk(stamp=2.2, pose=held.q[-1]), 2.2)
    assert 'held: no action chunk' in verdict.reason
    executor.resume(2.2)
    np.testing.assert_array_equal(ticks(executor, 550, 560).q[0], held.q[-1])
    early = executor.offer(steady_chunk(stamp=2.1, pose=held.q[-1]), 2.24)
    assert 'before the robot was aligned or resumed' in early.reason
    assert executor.offer(steady_chunk(stamp=2.22, pose=held.q[-1]), 2.24).accepted


def test_a_long_chunk_may_be_executed_to_its_end():
    executor = aligned()
    executor.offer(steady_chunk(steps=100, dt=0.1), 0.0)
    ticks(executor, 1, 2400)
    assert executor.held == ''


def test_hold_stops_at_once_within_the_limits_and_stays():
    executor, before, policy = in_motion()
    executor.hold(150 * DT, 'operator')
    after = ticks(executor, 150, 500)
    whole = joined(before, after)
    assert_smooth(whole)
    assert limited_by_gate(replace(whole, start=policy.motion(np.array([0.0]))[0])) == (0, '')
    still = np.flatnonzero(~after.v.any(axis=1))
    assert 0 < still[0] < 100
    assert np.all(after.q[still[0] :] == after.q[-1])
    assert executor.held == 'operator'
    assert 'held: operator' in executor.offer(policy.chunk(0.62), 0.62).reason


def test_hold_twice_does_not_move_the_hold():
    executor, _, _ = in_motion()
    executor.hold(150 * DT, 'first')
    ticks(executor, 150, 160)
    executor.hold(160 * DT, 'second')
    assert executor.held == 'first'


def test_aligning_again_forgets_the_plan():
    executor, _, policy = in_motion()
    pose = HOME + np.where(ARMS, 0.01, 0.0)
    executor.align(0.6, pose)
    assert np.all(ticks(executor, 150, 300).q == pose)
    assert 'before the robot was aligned' in executor.offer(policy.chunk(0.5), 0.7).reason


@pytest.mark.parametrize('jump', [-3600.0, -0.2, 0.2, 3600.0])
def test_a_clock_that_jumps_ends_in_a_hold_without_a_step(jump):
    executor, before, _ = in_motion()
    shifted = [executor.tick(150 * DT + jump + k * DT) for k in range(400)]
    q, v, a = (np.array([getattr(r, name) for r in shifted]) for name in 'qva')
    after = Run(q[0], (150 + np.arange(400)) * DT, q, v, a, [], [], executor)
    assert_smooth(joined(before, after))
    assert f'the clock jumped by {jump + DT:.3f} s' in executor.held
    assert not after.v[-1].any()
    now = 150 * DT + jump + 400 * DT
    executor.resume(now)
    assert executor.offer(steady_chunk(stamp=now, pose=q[-1]), now).accepted


@pytest.mark.parametrize('factor', [0.1, 1.0, 5.0])
def test_ticks_at_another_pace_are_no_jump(factor):
    executor = aligned()
    executor.offer(steady_chunk(), 0.0)
    for k in range(1, 50):
        executor.tick(k * DT * factor)
    assert executor.held == ''


def test_a_time_that_is_none_is_an_error_and_no_motion():
    executor = aligned()
    with pytest.raises(VlaControlError, match='finite time'):
        executor.tick(float('nan'))
    assert 'finite time' in executor.offer(steady_chunk(), float('nan')).reason


def test_late_ticks_follow_time_and_not_count():
    def rows(periods):
        executor = aligned()
        executor.offer(Policy(sines(0)).chunk(0.0), 0.0)
        return {k: executor.tick(k * DT).q for k in periods}

    every, few = rows(range(1, 200)), rows(range(1, 200, 7))
    for k, q in few.items():
        np.testing.assert_array_equal(q, every[k])


def test_chunks_may_be_offered_from_another_thread():
    executor, _, policy = in_motion()
    chunks = [policy.chunk(0.55 + DT * k) for k in range(60)]
    pace = threading.Barrier(2)
    verdicts = []

    def offer():
        for chunk in chunks:
            pace.wait()
            verdicts.append(executor.offer(chunk, chunk.stamp + 0.05))

    thread = threading.Thread(target=offer)
    thread.start()
    rows = []
    for k in range(150, 150 + len(chunks)):
        pace.wait()  # the offer of this period may end before, during or after its tick
        rows.append(executor.tick(k * DT))
    thread.join()
    rows += [executor.tick(k * DT) for k in range(150 + len(chunks), 300)]
    assert all(v.accepted for v in verdicts), [v.reason for v in verdicts if not v.accepted]
    q = np.array([r.q for r in rows])
    steps = np.abs(np.diff(q, n=2, axis=0)) / DT**2
    assert np.all(steps <= SPEC.acceleration)


def test_old_plans_are_let_go():
    executor, _, policy = in_motion()
    for k in range(150, 400):
        executor.offer(policy.chunk(k * DT), k * DT)
        executor.tick(k * DT)
    depth, plan = 0, executor._plan
    while plan is not None:
        depth, plan = depth + 1, plan.previous
    assert depth <= 4


def test_the_same_log_gives_the_same_motion():
    one = run(Policy(sines(4)), seconds=3.0)
    other = run(Policy(sines(4)), seconds=3.0)
    assert one.q.tobytes() == other.q.tobytes()


def test_chunks_with_their_own_joint_order_move_the_right_joints():
    executor = aligned()
    order = list(range(len(HOME)))[::-1]
    moved = HOME + np.where(np.arange(8) == 2, 0.1, 0.0)
    chunk = chunk_of(np.tile(moved, (50, 1))[:, order], joints=tuple(SPEC.names[i] for i in order))
    assert executor.offer(chunk, 0.0).accepted
    end = ticks(executor, 1, 500).q[-1]
    np.testing.assert_allclose(end, moved, atol=1e-9)
