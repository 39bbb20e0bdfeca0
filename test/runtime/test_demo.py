# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The figures and pictures of the demo, on records made by hand."""

import json

import av
import numpy as np
import pytest

from vla_control.core.spec import load_robot
from vla_control.runtime import demo
from vla_control.runtime.tick_log import TickRecord
from vla_control.runtime.video import Caption, draw_frames, encode, Trace
from vla_control.sim.world import World


@pytest.fixture(scope='module')
def spec():
    return load_robot('openarm')


def record(spec, sent, time=None, mode=None, source=None):
    count = len(sent)
    return TickRecord(
        joints=spec.names,
        dt=spec.dt,
        time=spec.dt * np.arange(float(count)) if time is None else time,
        sent=sent,
        measured=sent,
        source=np.full(count, np.nan) if source is None else source,
        mode=np.array(['RUN'] * count if mode is None else mode),
    )


def still(spec, count):
    return np.tile(np.array(spec.home), (count, 1))


def test_standing_still_exceeds_nothing(spec):
    report = demo.limits_report(record(spec, still(spec, 50)), spec)
    assert report['limits_exceeded'] == 0
    assert report['worst_ratio'] == {'velocity': 0.0, 'acceleration': 0.0, 'jerk': 0.0}


def test_a_jump_is_found_in_every_derivative(spec):
    sent = still(spec, 50)
    sent[25:, 0] += 0.2
    report = demo.limits_report(record(spec, sent), spec)
    assert report['limits_exceeded'] == 3
    assert report['worst_ratio']['velocity'] == pytest.approx(0.2 / spec.dt / 2.0)


def test_a_position_outside_the_soft_limits_is_found(spec):
    sent = still(spec, 20)
    sent[:, 5] = np.linspace(spec.upper[5] - 0.01, spec.upper[5] + 0.01, 20)
    report = demo.limits_report(record(spec, sent), spec)
    assert report['limits_exceeded'] == 1
    assert report['worst_position_excess'] == pytest.approx(0.01)


def test_a_joint_found_outside_may_stay_or_come_in_but_not_go_further(spec):
    sent = still(spec, 40)
    sent[:, 5] = spec.upper[5] + np.linspace(0.01, 0.009, 40)
    assert demo.limits_report(record(spec, sent), spec)['worst_position_excess'] <= 0.0
    sent[20:, 5] += np.linspace(0.0, 0.002, 20)
    assert demo.limits_report(record(spec, sent), spec)['worst_position_excess'] > 1e-5


def test_a_joint_that_came_in_is_held_to_its_limit_again(spec):
    sent = still(spec, 30)
    sent[:, 5] = spec.upper[5] + 0.01 * np.cos(np.linspace(0.0, 2.0 * np.pi, 30))
    excess = demo.limits_report(record(spec, sent), spec)['worst_position_excess']
    assert excess == pytest.approx(0.01)


def test_after_a_fault_the_robot_begins_anew_where_it_was_found(spec):
    sent = still(spec, 60)
    sent[40:, 0] += 0.5  # it fell while nothing was driven
    modes = ['RUN'] * 20 + ['FAULT'] * 20 + ['HOLD'] * 20
    report = demo.limits_report(record(spec, sent, mode=modes), spec)
    assert (report['limits_exceeded'], report['samples']) == (0, 40)


def test_what_is_logged_in_fault_is_not_judged(spec):
    sent = still(spec, 20)
    sent[10:, 0] += 1.0
    modes = ['RUN'] * 10 + ['FAULT'] * 10
    assert demo.limits_report(record(spec, sent, mode=modes), spec)['limits_exceeded'] == 0


def test_lateness_is_counted_against_the_grid_not_the_last_tick(spec):
    time = spec.dt * np.arange(1000.0)
    time[::4] += 1.5e-3  # one in four starts 1.5 ms late
    found = demo.punctuality(record(spec, still(spec, 1000), time=time))
    assert found['within_1ms'] == pytest.approx(0.75, abs=0.01)
    assert found['jitter_p99_ms'] == pytest.approx(1.5, abs=0.05)
    assert found['command_rate_hz'] == pytest.approx(250.0, rel=1e-3)


def test_a_tick_three_of_four_milliseconds_late_is_late_and_not_early(spec):
    time = spec.dt * np.arange(1000.0)
    time[::4] += 3e-3
    found = demo.punctuality(record(spec, still(spec, 1000), time=time))
    assert found['within_1ms'] == pytest.approx(0.75)
    assert found['jitter_p99_ms'] == pytest.approx(3.0)


def test_deadlines_without_a_tick_are_late(spec):
    kept = np.arange(999.0)[np.arange(999) % 3 != 1]  # a third of all is missed
    found = demo.punctuality(record(spec, still(spec, len(kept)), time=spec.dt * kept))
    assert found['within_1ms'] == pytest.approx(2 / 3, abs=1e-3)
    assert found['jitter_p99_ms'] == pytest.approx(1e3 * spec.dt)


def test_a_tick_later_than_a_period_leaves_its_own_deadline_without_one(spec):
    time = spec.dt * np.arange(100.0)
    time[50] += 1.1 * spec.dt
    found = demo.punctuality(record(spec, still(spec, 99), time=np.delete(time, 51)))
    assert found['within_1ms'] == pytest.approx(0.99)


def test_a_clock_that_has_run_for_weeks_gives_the_same_figures(spec):
    time = np.cumsum(np.full(100_000, spec.dt) + 2e6 * (np.arange(100_000) == 0))  # as loops add
    found = demo.punctuality(record(spec, still(spec, len(time)), time=time))
    assert found['within_1ms'] == 1.0


def test_stop_latency_runs_from_the_call_to_the_end_of_the_first_tick_in_fault(spec):
    modes = ['RUN'] * 60 + ['FAULT'] * 40
    log = record(spec, still(spec, 100), mode=modes)
    assert demo.stop_latency_ms(log, 59.5 * spec.dt, 0.0005) == pytest.approx(2.5)


def test_reaction_runs_from_capture_to_first_frame_out_less_the_policy(spec):
    source = np.full(100, np.nan)
    source[30:] = 0.05  # captured at 0.05 s, followed from tick 30 at 0.12 s
    chunks = [
        demo.ChunkSeen(captured=0.05, arrived=0.1, inference=0.03),
        demo.ChunkSeen(captured=0.07, arrived=0.12, inference=0.03),  # never followed
    ]
    pictures = np.array([[0.01, 0.02], [0.05, 0.057]])
    found = demo.reaction(record(spec, still(spec, 100), source=source), chunks, pictures, 0.0005)
    assert found['shutter_to_motor_p50_ms'] == pytest.approx(40.5)
    parts = {'shutter_to_picture': 7.0, 'picture_to_chunk': 13.0, 'chunk_to_motor': 20.5}
    for name, value in parts.items():
        assert found[f'{name}_p50_ms'] == found[f'{name}_p99_ms'] == pytest.approx(value)
    assert found['chunks_traced'] == 1


def test_without_a_chunk_there_is_no_reaction(spec):
    found = demo.reaction(record(spec, still(spec, 100)), [], np.empty((0, 2)), 0.0005)
    assert found['chunks_traced'] == 0
    assert np.isnan(found['shutter_to_motor_p50_ms'])


def test_a_trace_becomes_a_video_of_its_length(spec, tmp_path):
    with World(spec) as world:
        snapshot = world.snapshot()
    trace = Trace(time=np.array([0.0, 0.2]), snapshots=np.stack([snapshot, snapshot]))
    path = tmp_path / 'short.mp4'
    count = encode(path, draw_frames(spec, trace, [Caption(start=0.0, title='x')], 1.0))
    with av.open(str(path)) as video:
        frames = [f.to_ndarray(format='rgb24') for f in video.decode(video=0)]
    assert len(frames) == count == 5
    assert frames[0].shape == (480, 880, 3)
    assert frames[0].std() > 10.0


def test_a_figure_that_was_not_measured_is_null_in_json():
    report = demo.summary([], {'limits_exceeded': 0, 'e_stop_ms': float('nan')}, {})
    assert json.loads(json.dumps(report, allow_nan=False))['figures']['e_stop_ms'] is None
