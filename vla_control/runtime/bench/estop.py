# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""How long after a call of the emergency stop the motors hear the first frame that only damps."""

from collections.abc import Sequence
from dataclasses import dataclass
import math
from typing import Any

import numpy as np
from rich.table import Table

from vla_control.core.errors import SimulationError
from vla_control.runtime.statistics import percentile
from vla_control.runtime.tick_log import TickRecord
from vla_control.safety.supervisor import Mode

TICKS_ALLOWED = 3  # [control periods] in 99 of 100 calls: two of the loop, one of the transport


@dataclass(frozen=True, slots=True, kw_only=True)
class StopBench:
    """What to measure."""

    robot: str = 'openarm'
    calls: int = 1000
    seed: int = 0  # of the instants of the calls


def figures(record: TickRecord, called: Sequence[float], work: float) -> dict[str, Any]:
    """
    Return the latencies from the calls to the first tick that commanded no motion any more.

    A tick is logged by the time it began; its frames are out when its work is done.

    :param called: [s] steady clock, just before each call.
    :param work: [s] a tick takes at its 99th percentile, added to every latency.
    :raises SimulationError: when a call was not obeyed before the next one. One that came when
        the robot had stopped by itself is left out.
    """
    faulted = record.mode == Mode.FAULT.value
    began = record.time[1:][faulted[1:] & ~faulted[:-1]]
    latencies, moving = [], 0
    for call, following in zip(called, [*called[1:], math.inf], strict=True):
        row = int(np.searchsorted(record.time, call)) - 1  # the last tick before the call
        if faulted[row]:
            continue
        obeyed = began[(began >= call) & (began < following)]
        if not len(obeyed):
            raise SimulationError(f'the emergency stop called at {call:.3f} s was not obeyed')
        latencies.append(float(obeyed[0]) - call + work)
        moving += bool(np.any(record.sent[row] != record.sent[max(row - 1, 0)]))
    ticks = [x / record.dt for x in latencies]
    return {
        'calls': len(latencies),
        'in_motion': moving,
        'p50_ms': percentile(latencies, 50) * 1e3,
        'p99_ms': percentile(latencies, 99) * 1e3,
        'worst_ms': max(latencies) * 1e3,
        'p50_ticks': percentile(ticks, 50),
        'p99_ticks': percentile(ticks, 99),
        'worst_ticks': max(ticks),
        'control_period_ms': record.dt * 1e3,
        'tick_work_p99_ms': work * 1e3,
        'holds': percentile(ticks, 99) <= TICKS_ALLOWED,
    }


def summary(report: dict[str, Any]) -> Table:
    """Return the figures as a table."""
    table = Table('emergency stop over ROS', 'ms', 'ticks', title=f'{report["calls"]} calls')
    for name in ('p50', 'p99', 'worst'):
        row = (f'{report[f"{name}_ms"]:.2f}', f'{report[f"{name}_ticks"]:.2f}')
        table.add_row(f'call to first damping frame, {name}', *row)
    return table
