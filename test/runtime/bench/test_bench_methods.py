# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The peers of the chunk bench do what their sources do."""

import numpy as np
import pytest

from vla_control.runtime.bench import methods
from vla_control.runtime.bench.chunks import ChunkBench, METHODS, run_method
from vla_control.runtime.bench.faults import Fault, trouble
from vla_control.runtime.bench.lipo import lipo_available
from vla_control.runtime.bench.methods import Queue
from vla_control.runtime.bench.setting import bench_spec, Setting, Step

SENT = np.zeros((3, 1))
AVAILABLE = [m for m in METHODS if m != 'lipo' or lipo_available()]


def queue(first, *values):
    return Queue(first, np.array(values, dtype=float)[:, None])


def targets(joined, numbers):
    return [float(joined.target(k)[0]) for k in numbers]


def test_stop_and_wait_begins_at_index_zero_however_late():
    joined = methods.stop_and_wait(SENT, None, queue(1, 10, 11, 12), 3)
    assert targets(joined, [3, 4, 5]) == [10, 11, 12]


def test_a_switch_drops_what_is_past_by_count():
    joined = methods.switch(SENT, queue(0, 0, 0, 0, 0), queue(1, 10, 11, 12), 3)
    assert targets(joined, [3]) == [12]
    assert joined.target(4) is None


def test_the_weighted_average_is_seven_tenths_new_where_both_speak():
    joined = methods.weighted_average(SENT, queue(0, 0, 0, 0, 0), queue(2, 10, 10, 10), 3)
    assert targets(joined, [3, 4]) == pytest.approx([7.0, 10.0])


def test_the_ensemble_weighs_chunks_by_rank_oldest_first():
    ensemble = methods.Ensemble()
    first = ensemble(SENT, None, queue(0, 0, 0, 0, 0), 0)
    joined = ensemble(SENT, first, queue(2, 1, 1, 1), 2)
    share = np.exp(-0.01) / (1.0 + np.exp(-0.01))
    assert targets(joined, [2, 3, 4]) == pytest.approx([share, share, 1.0])


def test_the_linear_fade_reaches_the_new_chunk_after_its_steps():
    joined = methods.linear_fade(SENT, queue(0, *[0] * 30), queue(3, *[15] * 27), 3)
    assert targets(joined, [3, 4, 17, 20]) == pytest.approx([1.0, 2.0, 15.0, 15.0])


def test_the_offset_fade_begins_where_the_old_queue_would_be():
    joined = methods.offset_fade(SENT, queue(0, *[0] * 60), queue(3, *[30] * 50), 3)
    assert targets(joined, [3, 4, 18, 33]) == pytest.approx([0.0, 1.0, 15.0, 30.0])


def test_the_offset_fade_begins_at_the_last_target_when_the_queue_ran_out():
    joined = methods.offset_fade(SENT + 2.0, queue(0, 0, 0, 0), queue(3, *[30] * 50), 3)
    assert targets(joined, [3]) == pytest.approx([2.0])


@pytest.mark.skipif(not lipo_available(), reason='needs action-lipo')
@pytest.mark.peer
def test_lipo_keeps_what_is_in_execution_and_ends_near_the_chunk():
    from vla_control.runtime.bench.lipo import Lipo

    lipo = Lipo(1 / 30)
    old, new = queue(0, *[0.0] * 60), queue(10, *[0.03] * 50)
    lipo.prepare(new, 13)
    joined = lipo(np.zeros((13, 1)), old, new, 13)
    assert targets(joined, [13]) == pytest.approx([0.0], abs=2e-3)
    assert targets(joined, [59]) == pytest.approx([0.03], abs=4e-3)
    assert lipo.failed == 0


@pytest.mark.parametrize('delay_ms', [0.0, 100.0, 500.0])
@pytest.mark.parametrize('name', AVAILABLE)
def test_a_constant_chunk_is_followed_exactly(name, delay_ms):
    setting = Setting(seconds=3.0, warm_up=0.0, bias=0.0, noise=0.0)
    spec = bench_spec(setting)
    still = Step(time=-1.0, size=0.3, joints=len(spec.joints))
    bad = trouble(Fault.NONE, setting.seconds, 0)
    trace = run_method(ChunkBench(), spec, name, setting, still, delay_ms, bad)
    assert len(trace.seams) >= 3
    np.testing.assert_allclose(trace.smooth, 0.3, atol=1e-6)
    np.testing.assert_allclose(trace.linear, 0.3, atol=1e-6)


@pytest.mark.parametrize('name', [m for m in AVAILABLE if m not in ('stop_and_wait', 'splice')])
def test_a_peer_is_not_a_step_early_or_late(name):
    """Follow exact chunks of a ramp: an index off by one would show as a constant error."""
    setting = Setting(seconds=8.0, warm_up=0.0, bias=0.0, noise=0.0)
    spec = bench_spec(setting)
    bad = trouble(Fault.NONE, setting.seconds, 0)
    for delay_ms in (0.0, 33.0, 100.0):
        trace = run_method(
            ChunkBench(), spec, name, setting, Ramp(len(spec.joints)), delay_ms, bad
        )
        late = setting.control_times > 6.0  # the first chunk began late, by its delay
        error = trace.linear[late] - Ramp(len(spec.joints)).at(setting.control_times)[late]
        # LiPo may stay off by the 3 mrad its path bound allows; a step is 6.7 mrad.
        assert np.abs(error).max() < 0.3 * Ramp.SPEED * setting.dt


class Ramp:
    SPEED = 0.2  # rad/s

    def __init__(self, joints):
        self.joints = joints

    def at(self, times):
        return np.repeat(self.SPEED * np.asarray(times)[:, None], self.joints, axis=1)

    def foreseen(self, captured, times):
        return self.at(times)
