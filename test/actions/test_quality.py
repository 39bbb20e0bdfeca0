# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The numbers kept in every tick agree with those of the whole log."""

from chunk_scenarios import ARMS, DT, Policy, run, sines
import numpy as np
import pytest

from vla_control.actions.quality import complaints, QualityBars, QualityMeter
from vla_control.actions.splice import Seam
from vla_control.core.messages import ActionChunk, Reference


def test_before_any_chunk_there_is_nothing_to_tell():
    quality = QualityMeter(np.array([True])).snapshot(1.0)
    assert quality.ticks == 0
    assert np.isnan(quality.idle_ratio)
    assert np.isnan(quality.age_p95)


def test_jerk_and_ages_are_those_of_the_log():
    result = run(Policy(sines(2)), seconds=8.0, delay=0.15)
    quality = result.executor.quality(8.0)
    moving = result.times > result.seams[0].time
    jerk = np.diff(result.a[moving], axis=0)[:, ARMS] / DT
    assert quality.rms_jerk == pytest.approx(np.sqrt(np.mean(jerk**2)), rel=0.02)
    assert quality.peak_jerk == pytest.approx(np.abs(jerk).max(), rel=0.02)
    assert quality.delay_true_p50 == pytest.approx(0.15, abs=DT)
    assert quality.delay_used_p50 == pytest.approx(quality.delay_true_p50 + DT, abs=DT)
    assert 0.15 < quality.age_p50 < 0.15 + 0.4
    assert quality.idle_ratio == 0.0
    assert quality.accepted == len(result.seams)
    assert quality.seam_velocity_jump < 1e-3
    assert quality.seam_velocity_gap > quality.seam_velocity_jump


def test_starving_shows_as_idle():
    result = run(Policy(sines(2), horizon=3), seconds=8.0, replan=0.4, delay=0.0)
    assert 0.3 < result.executor.quality(8.0).idle_ratio < 0.8


def test_a_step_at_a_seam_would_show():
    meter = QualityMeter(np.array([True, False]))
    zero = np.zeros(2)
    for k, (v, start) in enumerate([(0.0, 0.0), (0.0, 0.0), (0.5, 0.2), (0.5, 0.2)]):
        row = Reference(stamp=k * DT, q=zero, v=np.array([v, 9.0 * k]), a=zero)
        meter.tick(row, 0.0, False, start)
    assert meter.snapshot(1.0).seam_velocity_jump == pytest.approx(0.5)


def chunk(stamp, inference=0.05):
    return ActionChunk(
        stamp=stamp, dt=0.1, joints=('a', 'b'), positions=np.zeros((4, 2)), inference=inference
    )


def seam(delay):
    return Seam(
        time=0.0, delay=delay, skipped=0, clipped=0, position_gap=0.0, velocity_gap=0.0, fade=0.1
    )


@pytest.fixture
def meter():
    return QualityMeter(np.array([True, True]))


def live(meter, seconds, late=0.05, used=0.055, idle=0.0, inference=0.04):
    """Tick at 100 Hz at rest, a chunk ten times a second; return the end [s]."""
    zero = np.zeros(2)
    for k in range(round(100 * seconds)):
        now = 0.01 * k
        if k % 10 == 0:
            meter.accept(chunk(now - late, inference), seam(used), now)
        row = Reference(stamp=now, q=zero, v=zero, a=zero)
        meter.tick(row, now - late, k % 100 < 100 * idle, 0.0)
    return seconds


def test_a_good_motion_gives_no_reason_to_complain(meter):
    quality = meter.snapshot(live(meter, 5.0))
    assert complaints(quality) == ()
    assert quality.inference_p95 == pytest.approx(0.04)
    assert quality.rejected_ratio == 0.0


def test_before_any_chunk_there_is_nothing_to_complain_about(meter):
    assert complaints(meter.snapshot(0.0)) == ()


def test_late_chunks_and_a_plan_that_runs_out_are_named_with_their_numbers(meter):
    quality = meter.snapshot(live(meter, 5.0, late=0.42, used=0.43, idle=0.12, inference=0.4))
    assert complaints(quality) == (
        'chunks arrive 0.42 s after their images, 0.40 s of it inference',
        'the plan ran out for 12 % of the time',
    )


def test_skipping_more_than_a_chunk_is_late_is_named(meter):
    (text,) = complaints(meter.snapshot(live(meter, 5.0, late=0.1, used=0.25)))
    assert text == '0.25 s of each chunk are skipped, though it is only 0.10 s late'


def test_refused_chunks_are_named_with_the_last_reason_and_forgotten_after_a_while(meter):
    end = live(meter, 5.0)
    for k in range(50):
        meter.reject(f'reason {k}', end)
    (text,) = complaints(meter.snapshot(end))
    assert text == '50 % of the chunks were refused, the last one because: reason 49'
    later = meter.snapshot(end + 11.0)
    assert complaints(later) == ()
    assert (later.rejected, later.last_rejection) == (50, 'reason 49')


def test_a_slow_pace_a_rough_motion_and_jumps_are_named(meter):
    quality = meter.snapshot(live(meter, 1.0), pace=0.6)
    assert complaints(quality) == ('the plan is played at 60 % of full pace',)
    strict = QualityBars(pace=0.5, rms_jerk=-1.0, seam_velocity_jump=-1.0)
    assert len(complaints(quality, strict)) == 2


def test_only_the_last_ten_seconds_count(meter):
    zero = np.zeros(2)
    for k in range(3000):
        rough = np.full(2, 5.0 * (k % 2 and k < 1000))
        meter.tick(Reference(stamp=0.01 * k, q=zero, v=zero, a=rough), 0.0, k < 1000, 0.0)
    assert meter.snapshot(9.9).rms_jerk > 100.0
    quality = meter.snapshot(30.0)
    assert (quality.rms_jerk, quality.idle_ratio) == (0.0, 0.0)
    assert quality.ticks == 3000
