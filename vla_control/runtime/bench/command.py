# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The subjects of ``vla-control bench``: each gives a report, a way to show it, and a verdict."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
import json
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from rich.console import Console

Subject = Literal['chunks', 'delay', 'loop', 'safety', 'soak']
Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class BenchOptions:
    """What may be chosen, by subject."""

    robot: str = 'openarm'
    """loop, safety, soak: a name in config/robots, or a YAML file."""
    seconds: float = 10.0
    """loop, spin: how long."""
    rate: float = 0.0
    """loop: of the control loop in Hz; the robot's own if 0."""
    chunks: int = 10_000
    """safety: how many to attack with."""
    hours: float = 8.0
    """soak: of virtual time."""
    seed: int = 0
    """delay, safety, soak: of everything that is drawn."""
    processes: int = 2
    """delay, safety, soak: how many share the work; the result is the same."""
    episodes: int = 40
    """delay: of each method at each delay."""
    task: Literal['touch', 'pick', 'place'] = 'touch'
    """delay: what is asked for."""
    methods: tuple[str, ...] = ()
    """chunks, delay: which ways of joining chunks; all if empty."""
    delays: tuple[int, ...] = ()
    """delay: [ms] from capture to arrival; 0, 100, 200, 300 and 500 if empty."""
    calls: int = 1000
    """estop: how many."""
    seeds: int = 12
    """chunks: how many motions."""
    policy: str = ''
    """chunks: a name in config/policies or a YAML file; its blend is shown beside the default."""
    quick: bool = False
    """chunks: only the headline table, without the grid of delays and faults."""
    output: Path = Path('output')
    """chunks, delay: where the plots go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchResult:
    """What a subject gave."""

    report: dict[str, Any]  # plain data
    show: Callable[[Console], None]  # for people
    kept: bool  # whether every bar was kept


def run_bench(subject: Subject, options: BenchOptions, say: Say) -> BenchResult:
    """
    Run one subject.

    :param say: told about progress.
    """
    return SUBJECTS[subject](options, say)


def _chunks(options: BenchOptions, say: Say) -> BenchResult:
    from vla_control.runtime.bench.chunks import bench_chunks, ChunkBench, METHODS
    from vla_control.runtime.bench.report import plot_chunks, print_chunks

    config = ChunkBench(
        methods=options.methods or METHODS,
        seeds=options.seeds,
        grid_seeds=0 if options.quick else 4,
        policy=options.policy,
    )
    report = bench_chunks(config)
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / 'chunks.json').write_text(json.dumps(report, allow_nan=False))
    plot_chunks(report, config, options.output)
    return BenchResult(
        report=report,
        show=lambda console: print_chunks(report, console),
        kept=all(bar['kept'] for bar in report['bars']),
    )


def _delay(options: BenchOptions, say: Say) -> BenchResult:
    from vla_control.runtime.bench.delay import bench_delay, DelayBench, DELAYS_MS, METHODS
    from vla_control.runtime.bench.delay_report import plot_delay, print_delay, Teller

    config = DelayBench(
        robot=options.robot,
        task=options.task,
        methods=options.methods or tuple(METHODS),
        delays_ms=options.delays or DELAYS_MS,
        episodes=options.episodes,
        seed=options.seed,
        processes=options.processes,
    )
    report = bench_delay(config, Teller(config, say))
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / 'delay.json').write_text(json.dumps(report, allow_nan=False))
    plot_delay(report, options.output / 'delay.png')
    return BenchResult(
        report=report,
        show=lambda console: print_delay(report, console),
        kept=all(bar['kept'] for bar in report['bars']),
    )


def _loop(options: BenchOptions, say: Say) -> BenchResult:
    from vla_control.runtime.bench.loop import bench_loop, LoopBench
    from vla_control.runtime.bench.loop_report import summary

    report = bench_loop(LoopBench(robot=options.robot, seconds=options.seconds, rate=options.rate))
    return BenchResult(
        report=report,
        show=lambda console: console.print(summary(report)),
        kept=all(bar['kept'] for bar in report['bars']),
    )


def _safety(options: BenchOptions, say: Say) -> BenchResult:
    from vla_control.runtime.bench.safety import bench_safety, print_safety, SafetyBench

    config = SafetyBench(
        robot=options.robot,
        chunks=options.chunks,
        seed=options.seed,
        trials=min(1000, max(options.chunks // 10, 10)),
        processes=options.processes,
    )
    report = bench_safety(config, lambda done, of: say(f'part {done} of {of}'))
    return BenchResult(
        report=report, show=lambda console: print_safety(report, console), kept=report['holds']
    )


def _soak(options: BenchOptions, say: Say) -> BenchResult:
    from vla_control.runtime.bench.soak import bench_soak, print_soak, SoakBench

    config = SoakBench(
        robot=options.robot,
        hours=options.hours,
        seed=options.seed,
        processes=options.processes,
    )
    report = bench_soak(config, lambda hours: say(f'{hours:.2f} h'))
    return BenchResult(
        report=report, show=lambda console: print_soak(report, console), kept=report['holds']
    )


SUBJECTS: Mapping[str, Callable[[BenchOptions, Say], BenchResult]] = MappingProxyType(
    {
        'chunks': _chunks,
        'delay': _delay,
        'loop': _loop,
        'safety': _safety,
        'soak': _soak,
    }
)
