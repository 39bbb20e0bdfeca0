# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The delay bench plays every method in the same episodes and judges ours by success."""

import json

import numpy as np
import pytest

from vla_control.core.errors import ConfigError
from vla_control.runtime.bench.delay import (
    bench_delay,
    DelayBench,
    METHODS,
    Played,
    summarise,
    worst_seam,
)
from vla_control.runtime.bench.delay_report import COLOURS, Teller


def played(method, delay, wins, of=20):
    return [
        Played(
            method=method,
            delay_ms=delay,
            verdict='success' if k < wins else 'timeout',
            seconds=1.0,
            rms_jerk=2.0,
            seam=float('nan'),
            rejected=0,
        )
        for k in range(of)
    ]


def report(ours, other):
    config = DelayBench(methods=('ours', 'splice'), delays_ms=(0, 300), episodes=20)
    rows = []
    for name, wins in (('ours', ours), ('splice', other)):
        for delay, count in zip((0, 300), wins, strict=True):
            rows += played(name, delay, count)
    return summarise(config, rows)


def test_rates_and_their_intervals_are_found_by_method_and_delay():
    result = report((20, 19), (18, 10))
    cell = result['methods']['splice']['delays']['300']
    assert cell['success_rate'] == 0.5
    assert cell['interval'][0] < 0.5 < cell['interval'][1]
    assert (cell['seconds_p50'], cell['seam_velocity_jump_mrad']) == (1.0, None)
    json.dumps(result, allow_nan=False)


@pytest.mark.parametrize(
    ('ours', 'other', 'kept'),
    [
        ((20, 20), (20, 20), [True, True]),
        ((20, 19), (20, 10), [False, True]),
        ((15, 15), (20, 20), [True, False]),
    ],
)
def test_ours_may_lose_three_points_to_the_delay_and_none_to_another_method(ours, other, kept):
    assert [bar['kept'] for bar in report(ours, other)['bars']] == kept


def test_a_jump_of_speed_shows_at_the_seam_where_it_is_and_nowhere_else():
    times = np.arange(0.0, 2.0, 0.004)
    kinked = np.maximum(times - 1.0, 0.0)[:, None] * 0.3
    assert worst_seam(times, kinked, [1.0]) == pytest.approx(0.3 / 30, rel=0.1)
    assert worst_seam(times, kinked, [0.5, 1.5]) < 1e-9
    assert np.isnan(worst_seam(times, kinked, [1.99]))


def test_ours_and_one_peer_play_an_episode_alike_twice():
    config = DelayBench(
        methods=('ours', 'index_switch'),
        delays_ms=(300,),
        episodes=1,
        seed=600_001,
        time_limit=3.0,
    )
    told = []
    first = bench_delay(config, Teller(config, told.append))
    assert first == bench_delay(config)
    assert [t.split(':')[0] for t in told] == ['ours 300 ms', 'index_switch 300 ms']
    assert first['bars'] == []


def test_every_method_has_a_colour():
    assert set(COLOURS) == set(METHODS)


def test_a_bench_of_unknown_methods_or_without_ours_is_refused():
    for methods in (('ours', 'magic'), ('splice',)):
        with pytest.raises(ConfigError, match='are compared'):
            DelayBench(methods=methods)
