# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The bench of a driver's cycle measures what it says, on the bus of the robot it is asked for."""

import socket
import time

import numpy as np
import pytest

from vla_control.core.errors import ConfigError, VlaControlError
from vla_control.core.spec import load_robot
from vla_control.runtime.bench import loop
from vla_control.runtime.bench.bench_robot import bench_robot
from vla_control.runtime.bench.command import BenchOptions, run_bench
from vla_control.runtime.bench.loop import bench_loop, LoopBench, PRIORITY
from vla_control.runtime.bench.loop_report import judge, summary
from vla_control.runtime.parameters import PARAMETERS

G1 = ('g1', 'g1_lowlevel')
GOOD = {
    'rate_hz': 250.0,
    'within_1ms': 0.99,
    'cpu_per_arm_percent': 12.0,
    'gate_passed_percent': 1.0,
    'gate_limited_percent': 10.0,
}


@pytest.fixture
def private(tmp_path):
    """Return the file of a robot whose emulated bus nobody else on this machine uses."""

    def make(name):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(('127.0.0.1', 0))
            port = probe.getsockname()[1]
        bus = {
            'dk1': f'{{channel: {{sim: {tmp_path}/adapter}}}}',
            'openarm': f'{{port: {port}}}',
            **dict.fromkeys(G1, f'{{domain: {{sim: {50 + port % 180}}}}}'),
        }
        path = tmp_path / 'robot.yaml'
        path.write_text(f'extends: {name}\nbus: {bus[name]}\n')
        return str(path)

    return make


@pytest.mark.parametrize('name', ['dk1', 'openarm'])
def test_every_cycle_is_counted_and_answered(private, name):
    report = bench_loop(LoopBench(robot=private(name), seconds=0.4))
    assert report['cycles'] == 100
    assert report['answered_cycles'] > 0
    assert 0.0 < report['loop_cpu_percent'] <= report['cpu_percent']
    assert report['cpu_per_arm_percent'] == report['cpu_percent']
    assert report['missed_cycles'] <= report['late_cycles']
    assert report['jitter_p50_us'] <= report['jitter_p99_us']
    assert '% of a core' in summary(report)


@pytest.mark.parametrize('name', G1)
def test_a_g1_runs_at_500_hz_and_beside_it_through_the_stock_serializer(private, name):
    pytest.importorskip('cyclonedds')
    report = bench_loop(LoopBench(robot=private(name), seconds=0.4, rate=500.0))
    assert (report['rate_hz'], report['cycles']) == (500.0, 200)
    assert report['answered_cycles'] > 0
    assert report['stock_loop_cpu_percent'] > report['loop_cpu_percent']
    assert "cyclonedds' own serializer" in summary(report)
    assert [bar['at_hz'] for bar in report['bars']] == [None, 500.0, 500.0, 500.0]


def test_the_rate_is_that_of_every_arm_and_a_bad_one_is_refused():
    spec = bench_robot('openarm_bimanual', 100.0)
    assert {p.control_rate for p in (spec, *spec.parts.values())} == {100.0}
    for rate in (-1.0, float('nan')):
        with pytest.raises(ConfigError, match='rate'):
            bench_robot('openarm', rate)


def test_only_a_robot_that_asks_for_a_harness_is_hung_in_one():
    assert bench_robot('g1_lowlevel').bus['low_level']['harness'] is True
    assert load_robot('g1_lowlevel').bus['low_level']['harness'] is False
    assert bench_robot('g1') == load_robot('g1')


class Idle:
    """A driver that does nothing, beside a thread that does."""

    def __init__(self, spec):
        self.age = np.zeros(len(spec.joints))

    def connect(self, now):
        pass

    enable = safe_action = close = connect

    def read(self, now):
        return self

    def write(self, command, now):
        end = time.process_time() + 0.002  # until any thread has worked for so long
        while time.process_time() < end:
            pass


def test_the_thread_of_the_loop_is_told_apart_from_the_process(monkeypatch):
    import threading

    spec, stop = load_robot('openarm'), threading.Event()

    def busy():
        while not stop.is_set():
            sum(range(1000))

    monkeypatch.setattr(loop, 'make_driver', lambda spec, *_, **__: Idle(spec))
    thread = threading.Thread(target=busy)
    thread.start()
    try:
        run = loop._drive(spec, 50)
    finally:
        stop.set()
        thread.join()
    assert run.process > 1.5 * run.thread > 0.0


def test_a_pair_is_judged_by_the_arm(monkeypatch):
    run = loop.Run(
        times=0.004 * np.arange(10.0), complete=10, process=0.2, thread=0.1, scheduling='x'
    )
    config = LoopBench(robot='openarm_bimanual')
    report = loop._report(config, load_robot('openarm_bimanual'), run)
    assert (report['cpu_percent'], report['cpu_per_arm_percent']) == (20.0, 10.0)
    assert (report['loop_cpu_percent'], report['loop_cpu_per_arm_percent']) == (10.0, 5.0)
    assert 'each of 2 arms' in summary(report | {'bars': []})


def missed(driver, **changes):
    return [bar['metric'] for bar in judge(driver, GOOD | changes) if not bar['kept']]


def test_every_bar_is_judged():
    assert missed('openarm') == missed('dk1') == []
    assert missed('openarm', cpu_per_arm_percent=12.1) == ['cpu_per_arm_percent']
    assert missed('g1', rate_hz=500.0, cpu_per_arm_percent=15.0) == []
    assert missed('g1', rate_hz=500.0, cpu_per_arm_percent=15.1) == ['cpu_per_arm_percent']
    assert missed('g1', gate_passed_percent=10.1) == ['gate_passed_percent']
    assert missed('g1', gate_limited_percent=10.1) == ['gate_limited_percent']
    assert missed('dk1', within_1ms=0.98) == ['late_share']


def test_a_loop_faster_than_its_bar_is_not_judged_by_it():
    assert missed('openarm', rate_hz=500.0, cpu_per_arm_percent=20.0) == []
    assert missed('openarm', rate_hz=100.0, cpu_per_arm_percent=20.0) == ['cpu_per_arm_percent']


@pytest.mark.parametrize('kept', [True, False])
def test_a_missed_bar_fails_the_bench(monkeypatch, kept):
    report = {'bars': [{'kept': True}, {'kept': kept}]}
    monkeypatch.setattr(loop, 'bench_loop', lambda config: report)
    assert run_bench('loop', BenchOptions(), print).kept is kept


def test_the_loop_is_scheduled_as_in_the_node():
    (parameter,) = (p for p in PARAMETERS['driver_node'] if p.name == 'realtime_priority')
    assert parameter.default == PRIORITY


def test_electronics_that_do_not_start_are_reported(tmp_path):
    path = tmp_path / 'robot.yaml'
    (tmp_path / 'adapter').write_text('no link')
    path.write_text(f'extends: dk1\nbus: {{channel: {{sim: {tmp_path}/adapter}}}}\n')
    with pytest.raises(VlaControlError, match='no link'):
        bench_loop(LoopBench(robot=str(path), seconds=0.1))
