# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The latency of an emergency stop is read from the log of the ticks."""

import io

import numpy as np
import pytest
from rich.console import Console

from vla_control.core.errors import SimulationError
from vla_control.runtime.bench.estop import combined, figures, in_process, StopBench, summary
from vla_control.runtime.tick_log import TickRecord

DT = 0.004


def record(*faults, moving=True, ticks=300):
    """Return ticks that are in FAULT between pairs of rows."""
    mode = np.full(ticks, 'RUN', dtype='<U12')
    for first, last in faults:
        mode[first:last] = 'FAULT'
    sent = np.arange(ticks)[:, None] * 1e-3 if moving else np.zeros((ticks, 1))
    time = DT * np.arange(ticks)
    source = np.full(ticks, np.nan)
    return TickRecord(
        joints=('a',), dt=DT, time=time, sent=sent, measured=sent, source=source, mode=mode
    )


def report_of(log, called, work=0.0, transport=(0.001,)):
    return figures(log, called, work, transport)


def test_a_latency_is_from_the_call_to_the_end_of_the_first_tick_in_fault():
    log = record((50, 60), (100, 110))
    report = report_of(log, [50 * DT - 0.003, 100 * DT - 0.007], 0.0005)
    assert report['worst_ms'] == pytest.approx(7.5)
    assert report['worst_ticks'] == pytest.approx(7.5 / 4.0)
    assert report['p50_ms'] == pytest.approx(5.5)
    assert (report['calls'], report['in_motion'], report['holds']) == (2, 2, True)


def test_an_arm_that_stands_is_told_apart():
    assert report_of(record((50, 60), moving=False), [50 * DT - 0.003])['in_motion'] == 0


def test_the_worst_call_may_take_two_ticks_and_the_slowest_round_trip():
    faults, called = (
        [(50 * k, 50 * k + 9) for k in range(1, 5)],
        [50 * k * DT for k in range(1, 5)],
    )
    called[2] -= 2.5 * DT  # one of four is slow
    for slowest, holds in ((0.6 * DT, True), (0.4 * DT, False)):
        report = report_of(record(*faults), called, transport=[0.0, slowest, 0.0])
        assert report['holds'] is holds
        assert report['transport_worst_ms'] == pytest.approx(1e3 * slowest)
        assert report['limit_ms'] == pytest.approx(1e3 * (2.0 * DT + slowest))
    assert report['p50_ms'] < 1e-6 and report['round_trips'] == 3


def test_a_call_that_was_not_obeyed_is_an_error_and_not_a_number():
    with pytest.raises(SimulationError, match='was not obeyed'):
        report_of(record((50, 60)), [49 * DT, 100 * DT])


def test_in_process_the_next_tick_obeys():
    inside = in_process(StopBench(robot='openarm', calls=20))
    assert inside == {'in_process_calls': 20, 'in_process_worst_ticks': 1.0}


@pytest.mark.parametrize(('worst', 'holds'), [(1.0, True), (2.0, False)])
def test_both_ways_to_call_it_must_hold(worst, holds):
    over_ros = report_of(record((50, 60)), [50 * DT - 0.003])
    inside = {'in_process_calls': 9, 'in_process_worst_ticks': worst}
    report = combined(over_ros, inside)
    assert report['holds'] is holds
    text = io.StringIO()
    Console(file=text, width=120).print(summary(report))
    assert ('kept' if holds else 'MISSED') in text.getvalue()
    assert combined({**over_ros, 'holds': False}, inside)['holds'] is False
