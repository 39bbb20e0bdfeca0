# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
``bench safety``: chunks no policy should send, and the worst that came of them on the bus.

The work is dealt out in parts of fixed size with seeds of their own, so the result does not
depend on the number of processes. A million chunks take most of an hour; one who does not wait
for the end (Ctrl-C) gets the report of what is done.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
import hashlib
import multiprocessing
import signal
import time
from typing import Any

from rich.console import Console
from rich.table import Table

from vla_control.core.errors import ConfigError
from vla_control.core.spec import load_robot
from vla_control.runtime.bench.safety_attack import Outcome, Siege
from vla_control.runtime.bench.safety_ledger import Ledger, merged
from vla_control.runtime.bench.safety_probes import probe

PART = 2000  # chunks one robot is attacked with
REPLAYED = 300  # chunks attacked with twice, to compare every byte


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetyBench:
    """What to attack, and how long."""

    robot: str = 'openarm'  # a name in config/robots, or a YAML file
    chunks: int = 10_000
    seed: int = 0
    trials: int = 1000  # e-stops at random ticks; of slower reactions a tenth
    processes: int = 2

    def __post_init__(self) -> None:
        """Check what no type can."""
        for name in ('chunks', 'trials', 'processes'):
            if getattr(self, name) < 1:
                raise ConfigError(f'{name} is {getattr(self, name)}, must be >= 1')
        if self.seed < 0:
            raise ConfigError(f'seed is {self.seed}, must be >= 0')


@dataclass(slots=True)
class PartResult:
    """One part of the work, done."""

    outcome: Outcome
    cpu: float  # [s] it took


Progress = Callable[[int, int], None]  # parts done, of all


def bench_safety(config: SafetyBench, progress: Progress | None = None) -> dict[str, Any]:
    """
    Attack a robot and measure the invariants.

    :param progress: called after each part.
    :returns: plain data: ``invariants`` (one entry for each of the 27), ``holds`` (false also
        where one that applies was not measured), ``families`` (chunks offered and accepted), and
        what it took.
    """
    load_robot(config.robot)
    started = time.monotonic()
    parts = -(-config.chunks // PART)
    jobs: list[int] = [-1, *range(parts)]
    results: list[PartResult] = []
    try:
        for result in _deal(partial(run_part, config), jobs, config.processes):
            results.append(result)
            if progress:
                progress(len(results), len(jobs))
    except KeyboardInterrupt:
        if len(results) < 2:
            raise  # nothing was attacked yet
    return _report(config, results, time.monotonic() - started)


def run_part(config: SafetyBench, part: int) -> PartResult:
    """Do one part: an attack, or for -1 the probes and the replay."""
    began = time.process_time()
    spec = load_robot(config.robot)
    if part < 0:
        outcome = Outcome(ledger=probe(spec, config.trials, config.seed))
        digests = {
            Siege(spec, config.seed, 0).run(min(REPLAYED, config.chunks)).digest for _ in range(2)
        }
        outcome.ledger.count('replay', len(digests) != 1)
    else:
        count = min(PART, config.chunks - part * PART)
        outcome = Siege(spec, config.seed, part).run(count)
    return PartResult(outcome, time.process_time() - began)


def _deal(
    work: Callable[[int], PartResult], jobs: list[int], processes: int
) -> Iterable[PartResult]:
    """Do the jobs, results in their order."""
    workers = min(processes, len(jobs))
    if workers == 1:
        yield from map(work, jobs)
        return
    context = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(workers, context, _let_finish) as pool:
        yield from pool.map(work, jobs)


def _let_finish() -> None:
    """Let the process that deals out the work decide what an interrupt ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _report(config: SafetyBench, results: list[PartResult], seconds: float) -> dict[str, Any]:
    outcomes = [r.outcome for r in results]
    ledger: Ledger = merged(o.ledger for o in outcomes)
    rows = ledger.rows()
    ticks = sum(o.ticks for o in outcomes)
    cpu = sum(r.cpu for r in results)
    offered, accepted = _sum(o.families for o in outcomes), _sum(o.accepted for o in outcomes)
    digest = hashlib.sha256(' '.join(o.digest for o in outcomes).encode()).hexdigest()
    return {
        'robot': config.robot,
        'chunks': sum(offered.values()),
        'complete': sum(offered.values()) == config.chunks,
        'accepted': sum(accepted.values()),
        'seed': config.seed,
        'ticks': ticks,
        'seconds': round(seconds, 1),
        'cpu_seconds': round(cpu, 1),
        'ticks_per_cpu_second': round(ticks / sum(r.cpu for r in results[1:]), 1),
        'virtual_seconds': round(sum(o.virtual for o in outcomes), 1),
        'processes': config.processes,
        'invariants': rows,
        'broken': [row['id'] for row in rows if row['holds'] is False],
        # To look at one alone: run_part(config, part).
        'broken_parts': {
            part: broken
            for part, o in enumerate(outcomes, start=-1)
            if (broken := o.ledger.broken())
        },
        'holds': all(row['holds'] is not False for row in rows),
        'families': {k: {'offered': v, 'accepted': accepted[k]} for k, v in offered.items()},
        'troubles': dict(_sum(o.troubles for o in outcomes)),
        'mode_ticks': dict(_sum(o.modes for o in outcomes)),
        'gate_ticks': {
            'passed': sum(o.passed for o in outcomes),
            'limited': sum(o.limited for o in outcomes),
        },
        'digest': digest,
    }


def _sum(counters: Iterable[Counter[str]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for counter in counters:
        total.update(counter)
    return total


def print_safety(report: dict[str, Any], console: Console) -> None:
    """Print every invariant with its worst value, and what was done to the robot."""
    table = Table(
        title=f'{report["robot"]}: {report["chunks"]} adversarial chunks'
        f'{"" if report["complete"] else " until it was interrupted"}, seed {report["seed"]}, '
        f'{report["ticks"]} ticks in {report["seconds"]:.0f} s'
    )
    for heading in ('#', 'invariant', 'measured', 'worst', 'limit', 'unit', 'samples', 'holds'):
        right = heading in ('#', 'worst', 'limit', 'samples')
        table.add_column(heading, justify='right' if right else 'left')
    for row in report['invariants']:
        if row['holds'] is None:
            reason = f'not applicable: {row["not_applicable"]}'
            table.add_row(str(row['id']), row['name'], reason, style='dim')
        elif not row['measures']:
            table.add_row(str(row['id']), row['name'], '[red]nothing was measured[/red]')
        for k, measure in enumerate(row['measures']):
            table.add_row(
                str(row['id']) if k == 0 else '',
                row['name'] if k == 0 else '',
                measure['what'],
                f'{measure["worst"]:.9g}',
                f'{measure["limit"]:.9g}',
                measure['unit'],
                str(measure['samples']),
                'yes' if measure['holds'] else '[red]NO[/red]',
            )
        if 'proof' in row:
            table.add_row('', '', f'the rest is proven by {row["proof"]}', style='dim')
    console.print(table)
    families = ', '.join(
        f'{k} {v["accepted"]}/{v["offered"]}' for k, v in sorted(report['families'].items())
    )
    console.print(f'accepted/offered: {families}')
    console.print(f'troubles: {report["troubles"]}')
    console.print(f'ticks by mode: {report["mode_ticks"]}, at the gate: {report["gate_ticks"]}')
