# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The numbers kept in every tick agree with those of the whole log."""

from chunk_scenarios import ARMS, DT, Policy, run, sines
import numpy as np
import pytest

from vla_control.actions.quality import QualityMeter
from vla_control.core.messages import Reference


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
    assert quality.delay_p50 == pytest.approx(0.15 + DT, abs=DT)
    assert 0.15 < quality.age_p50 < 0.15 + 0.4
    assert quality.idle_ratio == 0.0
    assert quality.accepted == len(result.seams)
    assert quality.seam_velocity_jump < 1e-3
    assert quality.seam_velocity_gap > quality.seam_velocity_jump


def test_starving_shows_as_idle():
    result = run(Policy(sines(2), horizon=15), seconds=8.0, replan=1.0, delay=0.1)
    assert 0.3 < result.executor.quality(8.0).idle_ratio < 0.8


def test_a_step_at_a_seam_would_show():
    meter = QualityMeter(np.array([True, False]))
    zero = np.zeros(2)
    for k, (v, start) in enumerate([(0.0, 0.0), (0.0, 0.0), (0.5, 0.2), (0.5, 0.2)]):
        row = Reference(stamp=k * DT, q=zero, v=np.array([v, 9.0 * k]), a=zero)
        meter.tick(row, 0.0, False, start)
    assert meter.snapshot(1.0).seam_velocity_jump == pytest.approx(0.5)
