# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The latency of an emergency stop is read from the log of the ticks."""

import numpy as np
import pytest

from vla_control.core.errors import SimulationError
from vla_control.runtime.bench.estop import figures, summary
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


def test_a_latency_is_from_the_call_to_the_end_of_the_first_tick_in_fault():
    report = figures(record((50, 60), (100, 110)), [50 * DT - 0.003, 100 * DT - 0.007], 0.0005)
    assert report['worst_ms'] == pytest.approx(7.5)
    assert report['worst_ticks'] == pytest.approx(7.5 / 4.0)
    assert report['p50_ms'] == pytest.approx(5.5)
    assert (report['calls'], report['in_motion'], report['holds']) == (2, 2, True)
    assert summary(report).row_count == 3


def test_an_arm_that_stands_is_told_apart():
    assert figures(record((50, 60), moving=False), [50 * DT - 0.003], 0.0)['in_motion'] == 0


def test_a_slow_stop_does_not_hold():
    assert not figures(record((50, 60)), [40 * DT], 0.0)['holds']


def test_a_call_that_was_not_obeyed_is_an_error_and_not_a_number():
    with pytest.raises(SimulationError, match='was not obeyed'):
        figures(record((50, 60)), [49 * DT, 100 * DT], 0.0)
