# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Success rates of a policy over fresh seeds, in lockstep virtual time."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
import multiprocessing
import os
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from vla_control.core.errors import VlaControlError
from vla_control.core.spec import load_robot
from vla_control.policies.config import policy_of
from vla_control.policies.factory import load_policy, load_policy_config
from vla_control.runtime.lockstep import LockstepLoop, Timing
from vla_control.runtime.statistics import percentile, wilson_interval
from vla_control.runtime.tick_log import TickLog
from vla_control.safety.checker import worst_ratios
from vla_control.safety.supervisor import Mode
from vla_control.sim.kinematics import hand_solvers
from vla_control.sim.layout import COLOURS
from vla_control.sim.starts import sample_start
from vla_control.sim.tasks import Goal, Judge, load_tasks, Task, Verdict
from vla_control.sim.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What to measure. Episode i uses seed ``seed + i`` for everything random in it."""

    robot: str = 'openarm'
    policy: str = ''  # the robot's own if empty
    task: str = 'touch'
    phrasing: str = 'seen'  # seen: as in training; unseen: held-out wordings
    episodes: int = 200
    seed: int = 1000
    time_limit: float = 20.0  # [s] of an episode
    delay: float = 0.06  # [s] from image capture to the chunk's arrival
    replan: float = 0.25  # [s] between requests
    processes: int = 0  # 0: one a core

    def __post_init__(self) -> None:
        """Name the policy, and check what no type can."""
        object.__setattr__(self, 'policy', self.policy or policy_of(self.robot))
        tasks = [t.value for t in Task]
        if self.task not in tasks:
            raise VlaControlError(f'unknown task {self.task!r}; there are {tasks}')
        if self.phrasing not in ('seen', 'unseen'):
            raise VlaControlError(f"phrasing is 'seen' or 'unseen', got {self.phrasing!r}")
        if self.episodes < 1:
            raise VlaControlError(f'episodes must be >= 1, got {self.episodes}')


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeResult:
    """How one episode went."""

    seed: int
    instruction: str
    verdict: str  # success, wrong_object, timeout, or fault
    seconds: float  # [s] of virtual time until the verdict
    worst: dict[str, float]  # largest ratio to each limit, position as excess [rad]
    rejected: int  # chunks refused
    detail: str = ''


def evaluate(
    config: Evaluation, progress: Callable[[EpisodeResult], None] | None = None
) -> dict[str, Any]:
    """
    Run all episodes and summarise them.

    :param progress: called after each episode, in the order they end.
    :returns: plain data, ready for JSON.
    """
    seeds = range(config.seed, config.seed + config.episodes)
    workers = min(config.processes or os.cpu_count() or 1, config.episodes)
    if workers == 1:
        results = run_episodes(config, seeds, progress)
    else:
        results = []
        context = multiprocessing.get_context('spawn')
        with ProcessPoolExecutor(workers, context, _start_worker, (config,)) as pool:
            for result in pool.map(_run_in_worker, seeds):
                results.append(result)
                if progress:
                    progress(result)
    return summarise(config, results)


def summarise(config: Evaluation, results: Sequence[EpisodeResult]) -> dict[str, Any]:
    """Turn episodes into rates with 95 % Wilson intervals."""
    count = len(results)
    wins = [r for r in results if r.verdict == Verdict.SUCCESS.value]
    low, high = wilson_interval(len(wins), count)
    wrong = sum(r.verdict == Verdict.WRONG_OBJECT.value for r in results)
    limits = {key: max(r.worst[key] for r in results) for key in results[0].worst}
    return {
        **asdict(config),
        'success_rate': len(wins) / count,
        'interval': [low, high],
        'wrong_object_rate': wrong / count,
        'fault_rate': sum(r.verdict == 'fault' for r in results) / count,
        'seconds_p50': percentile([r.seconds for r in wins], 50) if wins else None,
        'worst_limit_ratio': limits,
        'chunks_rejected': sum(r.rejected for r in results),
        'failures': [asdict(r) for r in results if r.verdict != Verdict.SUCCESS.value],
    }


class Evaluator:
    """Everything that is built once and used for many episodes."""

    def __init__(self, config: Evaluation) -> None:
        """Load the robot, its world and the policy."""
        self.config = config
        self.spec = load_robot(config.robot)
        self.world = World(self.spec)
        self.solvers = hand_solvers(self.spec, self.world.scene)
        self.tasks = load_tasks()
        self.policy = load_policy(config.policy, self.spec)
        self.blend = load_policy_config(config.policy).blend
        self.loop = LockstepLoop  # a bench puts its own way of executing here
        self.played: LockstepLoop | None = None  # the newest episode's

    def run(self, seed: int) -> EpisodeResult:
        """Run one episode to its verdict, the time limit, or a fault."""
        config = self.config
        rng = np.random.default_rng(seed)
        goal = Goal(task=Task(config.task), target=COLOURS[int(rng.integers(len(COLOURS)))])
        instruction = self.tasks.instruction(goal, rng, unseen=config.phrasing == 'unseen')
        start = sample_start(self.spec, self.world.scene, self.solvers, rng)
        log = TickLog(
            self.spec.names, self.spec.dt, round(config.time_limit * self.spec.control_rate) + 1
        )
        timing = Timing(replan=config.replan, delay=config.delay)
        loop = self.loop(self.spec, self.world, self.policy, self.blend, timing, log)
        self.played = loop
        loop.reset(start.layout, start.q, instruction)
        judge = Judge(self.world, goal)
        began = loop.clock.now()
        while judge.update() is Verdict.RUNNING and loop.controller.mode is not Mode.FAULT:
            if loop.clock.now() - began >= config.time_limit:
                break
            loop.tick()
        verdict = judge.verdict.value
        if judge.verdict is Verdict.RUNNING:
            verdict = 'fault' if loop.controller.mode is Mode.FAULT else 'timeout'
        record = log.record()
        driven = record.sent[record.mode != Mode.FAULT.value]
        times = self.spec.dt * np.arange(len(driven), dtype=np.float64)
        return EpisodeResult(
            seed=seed,
            instruction=instruction,
            verdict=verdict,
            seconds=round(loop.clock.now() - began, 3),
            worst=asdict(worst_ratios(times, driven, self.spec)),
            rejected=len(loop.rejected),
            detail=loop.controller.snapshot.reason if verdict == 'fault' else '',
        )


def run_episodes(
    config: Evaluation,
    seeds: Sequence[int],
    progress: Callable[[EpisodeResult], None] | None = None,
) -> list[EpisodeResult]:
    """Run episodes one after the other in this process."""
    evaluator = Evaluator(config)
    results = []
    for seed in seeds:
        results.append(evaluator.run(seed))
        if progress:
            progress(results[-1])
    evaluator.world.close()
    return results


_worker: list[Evaluator] = []


def _start_worker(config: Evaluation) -> None:
    _worker.append(Evaluator(replace(config, processes=1)))


def _run_in_worker(seed: int) -> EpisodeResult:
    return _worker[0].run(seed)


def show(report: Mapping[str, Any], console: Console) -> None:
    """Print a report as a table."""
    low, high = report['interval']
    table = Table('task', 'phrasing', 'episodes', 'success', '95 % interval', 'wrong object')
    table.add_row(
        report['task'],
        report['phrasing'],
        str(report['episodes']),
        f'{report["success_rate"]:.3f}',
        f'{low:.3f} - {high:.3f}',
        f'{report["wrong_object_rate"]:.3f}',
    )
    console.print(table)
