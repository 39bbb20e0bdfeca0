# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""What a control loop may cost and how late it may be, and the bench of it for people."""

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Cost:
    """What a driver's process may take."""

    percent: float  # of a core
    rate: float  # [Hz] of the loop; a slower one may not take more either


COST = {  # of each arm, by driver
    'dk1': Cost(12.0, 250.0),
    'openarm': Cost(12.0, 250.0),
    'g1': Cost(15.0, 500.0),
}
GATE = Cost(10.0, 500.0)
LATE = 0.01  # share of the deadlines without a tick within 1 ms


def judge(driver: str, report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """
    Return each bar with its value; those of a slower rate than was run are left out.

    :param driver: of the robot, or of its arms.
    :param report: of the bench.
    """
    cost, rate = COST.get(driver), report['rate_hz']
    bars = [_bar('late_share', 1.0 - report['within_1ms'], LATE)]
    if cost is not None and rate <= cost.rate:
        bars.append(_bar('cpu_per_arm_percent', report['cpu_per_arm_percent'], *astuple(cost)))
    if rate <= GATE.rate:
        for kind in ('gate_passed_percent', 'gate_limited_percent'):
            bars.append(_bar(kind, report[kind], *astuple(GATE)))
    return bars


def _bar(metric: str, value: float, most: float, at_hz: float | None = None) -> dict[str, Any]:
    kept = bool(value <= most + 1e-9)
    return {'metric': metric, 'value': value, 'most': most, 'at_hz': at_hz, 'kept': kept}


def summary(report: Mapping[str, Any]) -> str:
    """Return the report for people."""
    lines = [
        f'{report["robot"]}: {report["cycles"]} cycles at {report["rate_hz"]:g} Hz, '
        f'{report["scheduling"]}: the process took {report["cpu_percent"]:.1f} % of a core '
        f'({report["cpu_per_cycle_us"]:.0f} us a cycle), the thread of the loop alone '
        f'{report["loop_cpu_percent"]:.1f} %'
    ]
    if report['arms'] > 1:
        lines.append(
            f'each of {report["arms"]} arms: {report["cpu_per_arm_percent"]:.1f} %, '
            f'{report["loop_cpu_per_arm_percent"]:.1f} % in the loop'
        )
    lines += [
        f'{100.0 * report["within_1ms"]:.2f} % of the deadlines within 1 ms: '
        f'{report["late_cycles"]} late, of them {report["missed_cycles"]} missed; late by p50 '
        f'{report["late_p50_us"]:.0f} us, p99 {report["late_p99_us"]:.0f} us; intervals off by '
        f'p50 {report["jitter_p50_us"]:.0f} us, p99 {report["jitter_p99_us"]:.0f} us',
        f'all motors answered in time for {report["answered_cycles"]}',
        f'the gate takes {report["gate_passed_percent"]:.1f} %, where it limits every tick '
        f'{report["gate_limited_percent"]:.1f} %',
    ]
    if 'stock_cpu_percent' in report:
        lines.append(
            "the same loop through cyclonedds' own serializer: "
            f'{report["stock_cpu_percent"]:.1f} % of a core, '
            f'{report["stock_loop_cpu_percent"]:.1f} % in the loop, '
            f'{100.0 * report["stock_within_1ms"]:.2f} % of the deadlines within 1 ms'
        )
    for bar in report['bars']:
        verdict = 'kept' if bar['kept'] else '[red]MISSED[/red]'
        at = f' at {bar["at_hz"]:g} Hz' if bar['at_hz'] else ''
        lines.append(
            f'{bar["metric"]}: {bar["value"]:.3g}, at most {bar["most"]:g}{at}: {verdict}'
        )
    return '\n'.join(lines)
