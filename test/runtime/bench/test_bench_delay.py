# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The delay bench plays every method in the same episodes and judges ours by success."""

from dataclasses import replace
import json

import numpy as np
import pytest

from vla_control.actions.blend import BlendConfig
from vla_control.core.errors import ConfigError
from vla_control.core.spec import load_robot
from vla_control.policies.config import load_policy_config
from vla_control.policies.factory import make_policy
from vla_control.runtime.bench import delay
from vla_control.runtime.bench.command import BenchOptions, run_bench
from vla_control.runtime.bench.delay import (
    bench_delay,
    DelayBench,
    METHODS,
    Played,
    summarise,
    worst_seam,
)
from vla_control.runtime.bench.delay_loops import WeightedAverage
from vla_control.runtime.bench.delay_report import COLOURS, Teller
from vla_control.runtime.bench.lipo import lipo_available
from vla_control.runtime.bench.methods import Queue
from vla_control.runtime.bench.run import Peer
from vla_control.runtime.lockstep import Timing
from vla_control.runtime.tick_log import TickLog
from vla_control.safety.checker import worst_ratios
from vla_control.sim.layout import sample_layout
from vla_control.sim.world import World


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
        for late, count in zip((0, 300), wins, strict=True):
            rows += played(name, late, count)
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


def test_ours_alone_is_judged_by_what_it_loses():
    config = DelayBench(methods=('ours',), delays_ms=(0, 300), episodes=20)
    bars = summarise(config, played('ours', 0, 20) + played('ours', 300, 19))['bars']
    assert [bar['metric'] for bar in bars] == ['success_lost']


def test_methods_and_delays_are_chosen_on_the_command_line(tmp_path, monkeypatch):
    seen = []

    def note(config, progress):
        seen.append(config)
        return report((1, 1), (1, 1))

    monkeypatch.setattr(delay, 'bench_delay', note)
    options = BenchOptions(methods=('ours', 'lipo'), delays=(0, 300), output=tmp_path)
    run_bench('delay', options, print)
    run_bench('delay', replace(options, methods=(), delays=()), print)
    assert [c.methods for c in seen] == [('ours', 'lipo'), tuple(METHODS)]
    assert [c.delays_ms for c in seen] == [(0, 300), DelayBench().delays_ms]


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


def test_every_peer_drives_the_closed_loop_in_its_own_way():
    peers = ('weighted_average', 'linear_fade', 'offset_fade')
    config = DelayBench(
        methods=('ours', *peers), delays_ms=(300,), episodes=1, seed=600_001, time_limit=3.0
    )
    found = {p.method: p for p in _played(config)}
    assert set(found) == {'ours', *peers}
    assert all(found[name].rms_jerk > 0.0 and found[name].rejected == 0 for name in peers)
    assert len({p.rms_jerk for p in found.values()}) == len(found), 'no two moved alike'


def _played(config):
    told = []
    bench_delay(config, told.append)
    return told


@pytest.mark.skipif(not lipo_available(), reason='needs action-lipo')
@pytest.mark.peer
def test_lipo_drives_the_closed_loop():
    config = DelayBench(
        methods=('ours', 'lipo'), delays_ms=(300,), episodes=1, seed=600_001, time_limit=3.0
    )
    ours, lipo = _played(config)
    assert (lipo.method, lipo.rejected) == ('lipo', 0)
    assert 0.0 < lipo.rms_jerk != ours.rms_jerk


def test_the_queue_is_what_moves_the_robot_and_the_gate_limits_it():
    """A peer that sends one far target: the robot goes there, within its limits."""

    class Far(WeightedAverage):
        def make(self, dt):
            return Peer(lambda sent, old, new, now: Queue(now, sent[-1:] + np.full((9, 1), 0.3)))

    spec = load_robot('openarm')
    with World(spec) as world:
        log = TickLog(spec.names, spec.dt, 1000)
        policy = make_policy('hold', load_policy_config('hold'), spec)
        loop = Far(spec, world, policy, BlendConfig(), Timing(), log)
        loop.reset(sample_layout(world.scene, np.random.default_rng(0)), np.array(spec.home), '')
        for _ in range(250):
            loop.tick()
    record = log.record()
    arm = int(np.argmin(spec.gripper))
    assert np.ptp(record.sent[:, arm]) > 0.25
    assert worst_ratios(spec.dt * np.arange(len(record.sent)), record.sent, spec).kept()
    assert loop.seams and loop.controller.gate.limited > 0


@pytest.mark.parametrize('installed', [True, False])
def test_a_missing_peer_is_left_out_and_named_with_its_remedy(monkeypatch, installed):
    monkeypatch.setattr(delay, 'lipo_available', lambda: installed)
    config = DelayBench(methods=('ours', 'lipo'), delays_ms=(0, 300), episodes=20)
    assert config.names == (('ours', 'lipo') if installed else ('ours',))
    rows = [p for name in config.names for d in (0, 300) for p in played(name, d, 20)]
    result = summarise(config, rows)
    assert ('lipo' in result['unavailable']) is not installed
    assert ('lipo' in result['methods']) is installed


def test_every_method_has_a_colour():
    assert set(COLOURS) == set(METHODS)


def test_a_bench_of_unknown_methods_or_without_ours_is_refused():
    for methods in (('ours', 'magic'), ('splice',)):
        with pytest.raises(ConfigError, match='are compared'):
            DelayBench(methods=methods)
