# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The bench of a driver's cycle measures what it says, on the bus of the robot it is asked for."""

import socket

import pytest

from vla_control.core.errors import VlaControlError
from vla_control.runtime.bench.loop import bench_loop, LoopBench, summary


@pytest.fixture(params=['dk1', 'openarm'])
def robot(request, tmp_path):
    """A robot whose emulated bus nobody else on this machine uses."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    channel = {'dk1': f'channel: {{sim: {tmp_path}/adapter}}', 'openarm': f'port: {port}'}
    path = tmp_path / 'robot.yaml'
    path.write_text(f'extends: {request.param}\nbus: {{{channel[request.param]}}}\n')
    return str(path)


def test_every_cycle_is_counted_and_answered(robot):
    report = bench_loop(LoopBench(robot=robot, seconds=0.4))
    assert report['cycles'] == 100
    assert report['answered_cycles'] > 0
    assert report['cpu_percent'] > 0.0
    assert report['jitter_p50_us'] <= report['jitter_p99_us']
    assert '% of a core' in summary(report)


def test_electronics_that_do_not_start_are_reported(tmp_path):
    path = tmp_path / 'robot.yaml'
    (tmp_path / 'adapter').write_text('no link')
    path.write_text(f'extends: dk1\nbus: {{channel: {{sim: {tmp_path}/adapter}}}}\n')
    with pytest.raises(VlaControlError, match='no link'):
        bench_loop(LoopBench(robot=str(path), seconds=0.1))
