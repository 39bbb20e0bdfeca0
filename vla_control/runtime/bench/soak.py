# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
``bench soak``: hours of virtual time with faults, resets and resumes; nothing may break or grow.

Two robots share the hours, each without a pause, so the result does not depend on the number of
processes.
"""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
import multiprocessing
import time
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from vla_control.core.errors import ConfigError
from vla_control.core.spec import load_robot
from vla_control.runtime.bench.safety_ledger import merged
from vla_control.runtime.bench.soak_run import Soak, SoakOutcome

ROBOTS = 2  # that share the hours
LOOKS = 60  # at the memory
WARM_UP = (0.2, 60.0)  # share of the time, and [s] at least, before memory counts
GROWTH = 8.0  # [MB] from the end of the warm-up that allocation may take

Progress = Callable[[float], None]  # [h] done by one robot


@dataclass(frozen=True, slots=True, kw_only=True)
class SoakBench:
    """What to live through."""

    robot: str = 'openarm'  # a name in config/robots, or a YAML file
    hours: float = 8.0  # of virtual time, all robots together
    seed: int = 0
    per_minute: float = 1.0  # faults, while it moves
    processes: int = 2

    def __post_init__(self) -> None:
        """Check what no type can."""
        for name in ('hours', 'per_minute', 'processes'):
            if not getattr(self, name) > 0.0:
                raise ConfigError(f'{name} is {getattr(self, name)}, must be > 0')
        if self.seed < 0:
            raise ConfigError(f'seed is {self.seed}, must be >= 0')


def bench_soak(config: SoakBench, progress: Progress | None = None) -> dict[str, Any]:
    """
    Live through the hours.

    :param progress: told the hours done by a robot; only where one process does it all.
    :returns: plain data: hours, faults, latches, breaches, growth of memory, invariants.
    """
    load_robot(config.robot)
    started = time.monotonic()
    if config.processes == 1:
        results = [soak_part(config, part, progress) for part in range(ROBOTS)]
    else:
        context = multiprocessing.get_context('spawn')
        with ProcessPoolExecutor(ROBOTS, context) as pool:
            results = list(pool.map(partial(soak_part, config), range(ROBOTS)))
    return _report(config, results, time.monotonic() - started)


def soak_part(
    config: SoakBench, part: int, progress: Progress | None = None
) -> tuple[SoakOutcome, float]:
    """Let one robot live through its share; return what it showed and the time [s] it took."""
    began = time.process_time()
    seconds = config.hours * 3600.0 / ROBOTS
    soak = Soak(load_robot(config.robot), config.seed, part, config.per_minute)

    def say(now: float) -> None:
        if progress:
            progress(now / 3600.0)

    outcome = soak.run(seconds, seconds / LOOKS, say)
    return outcome, time.process_time() - began


def growth(memory: list[tuple[float, float]]) -> tuple[float, float]:
    """
    Return how much memory grew after the warm-up [MB], and how fast [MB/h], by least squares.

    :param memory: [s] and [MB] of each look.
    """
    times, sizes = np.array(memory).T
    share, least = WARM_UP
    warm = times >= max(share * times[-1], least)
    if warm.sum() < 2:
        return 0.0, 0.0
    slope = float(np.polyfit(times[warm] / 3600.0, sizes[warm], 1)[0])
    return float(sizes[-1] - sizes[warm][0]), slope


def _report(
    config: SoakBench, results: list[tuple[SoakOutcome, float]], seconds: float
) -> dict[str, Any]:
    outcomes = [o for o, _ in results]
    ledger = merged(o.ledger for o in outcomes)
    rows = [row for row in ledger.rows() if row['measures']]
    broken = ledger.broken()
    faults, latches, unanswered = Counter[str](), Counter[str](), Counter[str]()
    for o in outcomes:
        faults.update(o.faults)
        latches.update(o.latches)
        unanswered.update(o.unanswered)
    unreasoned, stuck = sum(o.unreasoned for o in outcomes), sum(o.stuck for o in outcomes)
    grown = [growth(o.memory) for o in outcomes]
    breaches = len(broken) + unreasoned + stuck + sum(unanswered.values())
    ticks, cpu = sum(o.ticks for o in outcomes), sum(t for _, t in results)
    worst_growth = max(g for g, _ in grown)
    return {
        'robot': config.robot,
        'hours': round(sum(o.virtual for o in outcomes) / 3600.0, 4),
        'seed': config.seed,
        'faults': sum(faults.values()),
        'latches': sum(latches.values()),
        'breaches': breaches,
        'rss_growth_mb': round(worst_growth, 3),
        'rss_slope_mb_per_hour': round(max(s for _, s in grown), 3),
        'holds': breaches == 0 and worst_growth <= GROWTH,
        'broken': broken,
        'unreasoned': unreasoned,
        'unanswered': dict(unanswered),
        'stuck': stuck,
        'by_fault': dict(faults),
        'by_reason': dict(latches.most_common()),
        'chunks': sum(o.chunks for o in outcomes),
        'moving': round(sum(o.moving for o in outcomes) / max(ticks, 1), 4),
        'ticks': ticks,
        'seconds': round(seconds, 1),
        'ticks_per_cpu_second': round(ticks / cpu, 1),
        'invariants': rows,
    }


def print_soak(report: dict[str, Any], console: Console) -> None:
    """Print the verdict, what broke how often, and why the robot stopped."""
    verdict = 'holds' if report['holds'] else '[red]BROKEN[/red]'
    console.print(
        f'{report["robot"]}: {report["hours"]:.2f} h of virtual time, {report["faults"]} faults, '
        f'{report["latches"]} latches, {report["breaches"]} breaches, memory '
        f'{report["rss_growth_mb"]:+.2f} MB, {report["rss_slope_mb_per_hour"]:+.2f} MB/h: '
        f'{verdict}'
    )
    table = Table(title='why it stopped')
    table.add_column('reason')
    table.add_column('times', justify='right')
    for reason, count in report['by_reason'].items():
        table.add_row(reason, str(count))
    console.print(table)
    worst = Table(title='invariants')
    for heading in ('#', 'invariant', 'worst', 'limit', 'samples', 'holds'):
        worst.add_column(heading, justify='left' if heading == 'invariant' else 'right')
    for row in report['invariants']:
        worst.add_row(
            str(row['id']),
            row['name'],
            f'{row["worst"]:.9g}',
            f'{row["limit"]:.9g}',
            str(row['samples']),
            'yes' if row['holds'] else '[red]NO[/red]',
        )
    console.print(worst)
