# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The judge of the chunk bench, on signals whose numbers are known by hand."""

import numpy as np
import pytest

from vla_control.core.errors import VlaControlError
from vla_control.runtime.bench.metrics import (
    longest_run,
    measure,
    measure_truth,
    peak,
    rms_jerk,
    rmse,
    seam_numbers,
)
from vla_control.runtime.bench.reaction import rise, SIZE
from vla_control.runtime.bench.run import Trace
from vla_control.runtime.bench.setting import bench_spec, Setting

SETTING = Setting(seconds=3.0, warm_up=1.0)
SPEC = bench_spec(SETTING)
TIMES = SETTING.control_times
N = len(SPEC.joints)


def columns(signal):
    return np.repeat(np.asarray(signal, dtype=float)[:, None], N, axis=1)


def trace(q, **changes):
    values = {
        'smooth': q,
        'linear': q,
        'seams': np.array([45]),
        'idle': np.zeros(len(q), dtype=bool),
        'ages': np.zeros(len(q)),
        'cpu': np.zeros(1),
        'wall': np.zeros(1),
    }
    return Trace(**{**values, **changes})


def test_a_step_at_a_seam_is_its_size_in_step_and_velocity_jump():
    q = np.zeros((20, 2))
    q[10:, 1] = 0.1
    assert seam_numbers(q, np.zeros_like(q), [10]) == pytest.approx((0.1, 0.1))


def test_a_step_away_from_a_seam_is_none_of_its_business():
    q = np.zeros((20, 1))
    q[15:] = 0.1
    assert seam_numbers(q, np.zeros_like(q), [10]) == (0.0, 0.0)


def test_the_seam_step_is_beyond_the_true_motion_and_the_velocity_jump_is_not():
    truth = 0.01 * np.arange(20.0)[:, None] ** 2
    step, jump = seam_numbers(truth, truth, [10])
    assert step == 0.0
    assert jump == pytest.approx(0.02)


@pytest.mark.parametrize('kink', [9, 10, 11])
def test_a_kink_within_one_step_of_the_seam_counts(kink):
    q = np.maximum(0.0, np.arange(20.0) - (kink - 1))[:, None]
    expected = 1.0 if kink - 1 in (9, 10, 11) else 0.0
    assert seam_numbers(q, q, [10])[1] == expected


def test_without_a_seam_there_is_no_number():
    assert np.isnan(seam_numbers(np.zeros((9, 1)), np.zeros((9, 1)), [])).all()


def test_derivatives_of_a_cubic_are_exact():
    t = np.arange(50) * 0.01
    q = (0.5 * t**3)[:, None]
    assert rms_jerk(q, 0.01) == pytest.approx(3.0)
    assert peak(q, 3, 0.01) == pytest.approx(3.0)
    assert peak(2.0 * t[:, None], 1, 0.01) == pytest.approx(2.0)


def test_the_error_is_a_root_mean_square():
    assert rmse(np.array([[3.0, 4.0]]), np.zeros((1, 2))) == pytest.approx(np.sqrt(12.5))


@pytest.mark.parametrize(
    ('mask', 'length'), [([], 0), ([0, 0], 0), ([1, 1, 0, 1], 2), ([0, 1, 1, 1], 3)]
)
def test_the_longest_gap(mask, length):
    assert longest_run(np.array(mask, dtype=bool)) == length


def test_a_perfect_run_has_only_the_true_motions_own_numbers():
    truth = columns(np.sin(TIMES))
    numbers = measure(trace(truth), truth, SETTING, SPEC)
    floor = measure_truth(truth, SETTING)
    assert numbers['rmse_mrad'] == numbers['seam_step_mrad'] == numbers['idle_ratio'] == 0.0
    assert numbers['rms_jerk'] == floor['rms_jerk'] == pytest.approx(0.57, abs=0.2)
    assert numbers['v_max'] == floor['v_max'] == pytest.approx(0.99, abs=0.01)
    assert numbers['seam_velocity_jump_mrad'] <= floor['seam_velocity_jump_mrad']
    assert not numbers['ends_at_rest']
    assert not numbers['held']


def test_nothing_of_the_warm_up_counts():
    q = columns(np.zeros(len(TIMES)))
    wild = q.copy()
    wild[: len(wild) // 5] = 1.0
    assert measure(trace(wild), q, SETTING, SPEC) == measure(trace(q), q, SETTING, SPEC)


def test_idle_time_age_and_rest_are_counted():
    q = columns(np.zeros(len(TIMES)))
    idle = TIMES >= 2.5
    numbers = measure(trace(q, idle=idle, ages=TIMES), q, SETTING, SPEC)
    assert numbers['idle_ratio'] == pytest.approx(0.5, abs=0.01)
    assert numbers['longest_gap_s'] == pytest.approx(1.5, abs=0.01)
    assert numbers['age_p50_ms'] == pytest.approx(2500.0, abs=5.0)
    assert numbers['ends_at_rest']


def test_limits_are_judged_by_differences():
    limit = SPEC.velocity.min()
    q = columns(1.5 * limit * (TIMES - 2.0))
    assert measure(trace(q), q, SETTING, SPEC)['limit_ratio'] == pytest.approx(1.5)


def test_the_error_after_the_end_of_a_followable_motion_is_nobodys_fault():
    truth = columns(np.where(TIMES < 2.0, 0.0, 1.0))
    numbers = measure(trace(np.zeros_like(truth)), truth, SETTING, SPEC, until=2.0)
    assert numbers['rmse_mrad'] == 0.0


def test_a_log_of_another_length_is_refused():
    with pytest.raises(VlaControlError, match='need the same'):
        measure(trace(np.zeros((10, N))), np.zeros((11, N)), SETTING, SPEC)


def test_a_rise_is_timed_from_the_step():
    q = columns(np.clip(TIMES - 2.0, 0.0, 1.0) * SIZE)
    assert rise(q, 2.0, SETTING) == pytest.approx((100.0, 900.0), abs=5.0)
    assert rise(0.0 * q, 2.0, SETTING) == (np.inf, np.inf)
