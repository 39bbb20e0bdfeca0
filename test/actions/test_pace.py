# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""A plan lasts until the next chunk, however late that is, and says when it plays slowly."""

from chunk_scenarios import ARMS, chunk_of, DT, HOME, SPEC
import numpy as np
import pytest

from vla_control.actions.blend import BlendConfig
from vla_control.actions.executor import ChunkExecutor
from vla_control.actions.pace import fitting_rate, Pace, Rhythm, SLACK, SLOWEST
from vla_control.core.errors import ChunkRejected

HORIZON, STEP = 16, 0.1  # steps, [s]
SPEED = 0.2  # [rad/s] the policy moves at


class Chase:
    """
    A policy that goes on at a steady speed from wherever the robot is when it looks.

    It is asked one question at a time, and answers a stated delay later.
    """

    def __init__(self, delays, blend=None, seconds=14.0, replan=0.25):
        self.executor = ChunkExecutor(SPEC, blend or BlendConfig(fade=0.25, f_cut=5.0))
        self.executor.align(0.0, HOME)
        self.verdicts, rows = [], []
        pending, asked, pose, count = None, 0.0, HOME, 0
        for k in range(1, round(seconds / DT)):
            now = k * DT
            if pending and now >= pending[0]:
                self.verdicts.append(self.executor.offer(pending[1], now))
                pending = None
            if pending is None and now >= asked:
                delay = delays[count % len(delays)]
                pending, asked, count = (
                    (now + delay, self.chunk(pose, now)),
                    now + replan,
                    count + 1,
                )
            reference = self.executor.tick(now)
            pose = reference.q
            rows.append((reference.q, reference.v, reference.a))
        self.q, self.v, self.a = (np.array(r) for r in zip(*rows, strict=True))

    @staticmethod
    def chunk(pose, stamp):
        positions = np.tile(pose, (HORIZON, 1))
        positions[:, 0] += SPEED * STEP * np.arange(1.0, HORIZON + 1.0)
        return chunk_of(positions, stamp=stamp, dt=STEP)

    @property
    def starts(self):
        """How often it set off from rest."""
        return int((np.diff((np.abs(self.v[:, 0]) > 1e-6).astype(int)) == 1).sum())

    @property
    def reversals(self):
        """How often its speed changed sign."""
        speed = self.v[np.abs(self.v[:, 0]) > 1e-6, 0]
        return int((np.diff(np.sign(speed)) != 0).sum())


@pytest.mark.parametrize('delay', [0.0, 0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 1.0, 1.2, 1.4, 1.55])
def test_no_steady_delay_makes_it_stop_and_go_or_turn_back(delay):
    result = Chase([delay], seconds=8.0)  # until then no joint limit is near
    assert all(v.accepted for v in result.verdicts)
    assert result.starts == 1
    assert result.reversals == 0
    assert result.executor.held == ''
    jump = np.diff(result.v, axis=0) - 0.5 * DT * (result.a[1:] + result.a[:-1])
    assert np.abs(jump[:, ARMS]).max() < 1e-3


@pytest.mark.parametrize('delay', [1.65, 2.0])
def test_a_delay_longer_than_the_chunk_leaves_it_at_rest_and_says_so(delay):
    result = Chase([delay])
    assert not any(v.accepted for v in result.verdicts)
    assert all('entirely past' in v.reason for v in result.verdicts)
    assert (result.q == HOME).all()


def test_slow_play_is_told_in_the_verdict_and_in_the_quality():
    result = Chase([1.2])
    assert 'full pace: 1.44 s of steps have to last 2.4' in result.verdicts[-1].note
    assert result.executor.note == result.verdicts[-1].note
    assert result.executor.quality(14.0).pace == pytest.approx(1.44 / 2.4, abs=0.02)
    quick = Chase([0.3], seconds=4.0)
    assert (quick.verdicts[-1].note, quick.executor.quality(4.0).pace) == ('', 1.0)


def test_delays_that_vary_do_not_make_the_pace_hunt():
    result = Chase([0.9, 1.0, 0.95, 1.05], seconds=20.0)
    paces = {v.note.split()[2] for v in result.verdicts if v.note}
    assert len(paces) <= 3, paces
    assert result.starts == 1
    assert result.reversals == 0


def test_a_delay_that_rises_stops_it_at_most_twice_and_one_that_falls_frees_it():
    result = Chase([0.1] * 12 + [1.2] * 4 + [0.1] * 100, seconds=20.0)
    assert result.starts <= 3
    # Each stop overshoots its last due point, and the next chunk knows nothing of that.
    assert -DT * np.minimum(result.v[:, 0], 0.0).sum() < 0.01
    assert result.executor.quality(20.0).pace == 1.0


def test_a_reach_slows_late_chunks_and_leaves_timely_ones_alone():
    blend = BlendConfig(fade=0.25, f_cut=5.0, reach=0.45)
    late = Chase([0.3], blend)
    assert late.executor.quality(14.0).pace == pytest.approx(0.45 / 0.61, abs=0.02)
    assert (late.starts, late.reversals) == (1, 0)
    timely = Chase([0.1], blend, seconds=4.0)
    assert timely.executor.quality(4.0).pace == 1.0


def test_a_hold_at_slow_pace_stops_as_fast_as_at_full():
    result = Chase([1.2], seconds=8.0)
    executor, now = result.executor, 8.0
    executor.hold(now, 'operator')
    rows = [executor.tick(now + k * DT) for k in range(250)]
    v, a = (np.array([getattr(r, n) for r in rows]) for n in 'va')
    assert not v[-1].any()
    assert (np.abs(a) <= SPEC.acceleration).all()
    full = Chase([0.1], seconds=4.0)
    full.executor.hold(4.0, 'operator')
    quick = np.array([full.executor.tick(4.0 + k * DT).v for k in range(250)])
    assert np.flatnonzero(v.any(axis=1))[-1] <= np.flatnonzero(quick.any(axis=1))[-1]


def test_the_clock_of_a_plan_is_smooth_and_runs_on():
    pace = Pace().changed(1.0, 0.5, at_rest=False).changed(3.0, 0.9, at_rest=False)
    times = np.arange(0.0, 5.0, 1e-4)
    clock, rate, change = np.array([pace.at(t) for t in times]).T
    np.testing.assert_allclose(np.diff(clock) / 1e-4, 0.5 * (rate[1:] + rate[:-1]), atol=1e-6)
    np.testing.assert_allclose(np.diff(rate) / 1e-4, 0.5 * (change[1:] + change[:-1]), atol=1e-3)
    assert np.abs(np.diff(change)).max() < 0.01
    assert (clock[times < 1.0] == times[times < 1.0]).all()
    assert rate[-1] == 0.9


def test_a_change_under_way_is_finished_first():
    pace = Pace().changed(1.0, 0.5, at_rest=False)
    assert pace.changed(1.2, 0.8, at_rest=False) is pace


def test_the_clock_stands_while_nothing_moves():
    pace = Pace().resumed(5.0, rest=2.0)
    assert [pace.clock(t) for t in (1.0, 2.0, 3.0, 5.0, 6.5)] == [1.0, 2.0, 2.0, 2.0, 3.5]
    assert pace.resumed(6.0, rest=9.0) is pace


def test_the_rate_follows_from_times_alone_and_rises_only_past_the_slack():
    assert fitting_rate(need=1.0, usable=1.5, rate=1.0) == 1.0
    assert fitting_rate(need=2.0, usable=1.0, rate=1.0) == 0.5
    assert fitting_rate(need=2.0, usable=1.0 + SLACK, rate=0.5) == 0.5
    assert fitting_rate(need=2.0, usable=1.5, rate=0.5) == 0.75


def test_a_chunk_no_rate_suffices_for_is_refused_and_one_lost_chunk_slows_nothing():
    with pytest.raises(ChunkRejected, match=f'at least {SLOWEST:.0%} is played'):
        Rhythm().fit(length=0.5, steps=5, age=1.0, rate=1.0, reach=None)
    rhythm = Rhythm()
    for now in (0.0, 0.3, 0.6, 3.0):
        rhythm.arrived(now)
    assert rhythm.need(0.1) == pytest.approx(0.4)
