# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
How long after a call of the emergency stop the motors hear the first frame that only damps.

Over ROS a call has to get there first. How long that takes is measured in the same run, by calls
of a service that does nothing, served by the same thread: two control periods beyond the slowest
of them is what the slowest stop may take.
"""

from collections.abc import Sequence
from dataclasses import dataclass
import math
from typing import Any

import numpy as np
from rich.table import Table

from vla_control.core.errors import SimulationError
from vla_control.runtime.bench.bench_robot import bench_robot
from vla_control.runtime.bench.safety_bench import Bench
from vla_control.runtime.bench.safety_ledger import Ledger
from vla_control.runtime.bench.safety_probes import e_stops
from vla_control.runtime.statistics import percentile
from vla_control.runtime.tick_log import TickRecord
from vla_control.safety.supervisor import Mode

ALLOWED = 2  # [control periods] over ROS, beyond the transport
ALLOWED_IN_PROCESS = 1  # [control periods]


@dataclass(frozen=True, slots=True, kw_only=True)
class StopBench:
    """What to measure."""

    robot: str = 'openarm'
    calls: int = 1000
    seed: int = 0  # of the instants of the calls


def in_process(config: StopBench) -> dict[str, Any]:
    """
    Ask the controller itself, in virtual time, at as many random ticks.

    :returns: how many ticks later, at worst, the decoded frames ask for no motion any more.
    """
    ledger = Ledger()
    rng = np.random.default_rng((config.seed, 1_000_003))
    e_stops(Bench(bench_robot(config.robot), rng, ledger), config.calls)
    worst, samples = ledger.worst['e_stop']
    return {'in_process_calls': samples, 'in_process_worst_ticks': worst}


def figures(
    record: TickRecord, called: Sequence[float], work: float, transport: Sequence[float]
) -> dict[str, Any]:
    """
    Return the latencies from the calls to the first tick that commanded no motion any more.

    A tick is logged by the time it began; its frames are out when its work is done.

    :param called: [s] steady clock, just before each call.
    :param work: [s] a tick takes at its 99th percentile, added to every latency.
    :param transport: [s] each round trip of a call that does nothing, not empty.
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
    limit = ALLOWED * record.dt + max(transport)
    ticks = [x / record.dt for x in latencies]
    return {
        'calls': len(latencies),
        'in_motion': moving,
        **_percentiles('', 'ms', [1e3 * x for x in latencies]),
        **_percentiles('', 'ticks', ticks),
        'round_trips': len(transport),
        **_percentiles('transport_', 'ms', [1e3 * x for x in transport]),
        'limit_ms': 1e3 * limit,
        'control_period_ms': record.dt * 1e3,
        'tick_work_p99_ms': work * 1e3,
        'holds': max(latencies) <= limit,
    }


def combined(over_ros: dict[str, Any], inside: dict[str, Any]) -> dict[str, Any]:
    """Return one report; it holds where both do."""
    kept = inside['in_process_worst_ticks'] <= ALLOWED_IN_PROCESS
    return {**over_ros, **inside, 'holds': bool(over_ros['holds'] and kept)}


def _percentiles(prefix: str, unit: str, values: Sequence[float]) -> dict[str, float]:
    return {
        f'{prefix}p50_{unit}': percentile(values, 50),
        f'{prefix}p99_{unit}': percentile(values, 99),
        f'{prefix}worst_{unit}': max(values),
    }


def summary(report: dict[str, Any]) -> Table:
    """Return the figures as a table."""
    table = Table('emergency stop', 'ms', 'ticks', title=f'{report["calls"]} calls over ROS')
    period = report['control_period_ms']
    for name in ('p50', 'p99', 'worst'):
        row = (f'{report[f"{name}_ms"]:.2f}', f'{report[f"{name}_ticks"]:.2f}')
        table.add_row(f'call to first damping frame, {name}', *row)
    for name in ('p50', 'p99', 'worst'):
        took = report[f'transport_{name}_ms']
        table.add_row(
            f'round trip of a call that does nothing, {name}',
            f'{took:.2f}',
            f'{took / period:.2f}',
        )
    verdict = 'kept' if report['holds'] else 'MISSED'
    table.add_row(
        f'allowed: {ALLOWED} ticks + the slowest round trip',
        f'{report["limit_ms"]:.2f}',
        f'{report["limit_ms"] / period:.2f}',
    )
    table.add_row(
        f'in process, worst of {report["in_process_calls"]} (at most {ALLOWED_IN_PROCESS})',
        '',
        f'{report["in_process_worst_ticks"]:.0f}',
    )
    table.add_row('verdict', verdict, '')
    return table
