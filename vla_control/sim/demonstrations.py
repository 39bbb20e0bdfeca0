# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Make training data with several processes: demonstrations, and still layouts."""

import argparse
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
import json
import logging
import multiprocessing
from pathlib import Path
import time
from typing import Any

import cv2

from vla_control.core.spec import load_robot
from vla_control.sim.demonstrator import Demonstrator
from vla_control.sim.experts import CONTROL_DT
from vla_control.sim.tasks import Task
from vla_control.vla.dataset import DatasetWriter, LayoutsWriter

TRAINING_SEED = 1_000_000  # first seed of training data
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to make."""

    robot: str  # name of a robot config
    out: Path  # folder; every process writes into a folder of its own inside
    count: int  # seeds to try, or scenes to take
    tasks: tuple[str, ...]
    seed: int = TRAINING_SEED  # the first of ``count`` seeds in a row
    processes: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Yield:
    """What was made."""

    verdicts: dict[str, int]  # how the attempts ended
    frames: int
    cpu_seconds: float  # [s] of all processes

    @property
    def success_rate(self) -> float:
        """Share of attempts that succeeded."""
        return self.verdicts.get('success', 0) / max(1, sum(self.verdicts.values()))


def generate(order: Order) -> Yield:
    """
    Write demonstrations of the expert; failures are dropped.

    Seeds are dealt out to the processes in turn, so the data does not depend on their number.
    """
    return _share(order, _demonstrate)


def generate_layouts(order: Order) -> Yield:
    """Write still pictures of random scenes, for grounding words in images."""
    return _share(order, _photograph)


def _share(order: Order, work: Callable[[Order, int], Yield]) -> Yield:
    # A forked renderer shares its parent's GL context and hangs; spawned processes start clean.
    context = multiprocessing.get_context('spawn')
    with context.Pool(order.processes) as pool:
        parts = pool.starmap(work, [(order, worker) for worker in range(order.processes)])
    verdicts: Counter[str] = Counter()
    for part in parts:
        verdicts.update(part.verdicts)
    return Yield(
        verdicts=dict(verdicts),
        frames=sum(p.frames for p in parts),
        cpu_seconds=sum(p.cpu_seconds for p in parts),
    )


def _demonstrate(order: Order, worker: int) -> Yield:
    begin = time.process_time()
    demonstrator, seeds = _set_up(order, worker)
    verdicts: Counter[str] = Counter()
    frames = 0
    with DatasetWriter(_folder(order, worker), _meta(order, demonstrator)) as writer:
        for seed in seeds:
            attempt = demonstrator.attempt(seed)
            verdicts[attempt.verdict.value] += 1
            if attempt.episode is not None:
                writer.add(attempt.episode)
                frames += len(attempt.episode.states)
    demonstrator.close()
    cpu = time.process_time() - begin
    return Yield(verdicts=dict(verdicts), frames=frames, cpu_seconds=cpu)


def _photograph(order: Order, worker: int) -> Yield:
    begin = time.process_time()
    demonstrator, seeds = _set_up(order, worker)
    with LayoutsWriter(_folder(order, worker), _meta(order, demonstrator)) as writer:
        for seed in seeds:
            writer.add(*demonstrator.still(seed))
    demonstrator.close()
    cpu = time.process_time() - begin
    return Yield(verdicts={'success': len(seeds)}, frames=len(seeds), cpu_seconds=cpu)


def _set_up(order: Order, worker: int) -> tuple[Demonstrator, Sequence[int]]:
    cv2.setNumThreads(1)
    demonstrator = Demonstrator(load_robot(order.robot), [Task(t) for t in order.tasks])
    return demonstrator, range(order.seed + worker, order.seed + order.count, order.processes)


def _folder(order: Order, worker: int) -> Path:
    return order.out / f'part-{worker}'


def _meta(order: Order, demonstrator: Demonstrator) -> dict[str, Any]:
    return {
        'robot': order.robot,
        'joints': list(demonstrator.world.spec.names),
        'cameras': list(demonstrator.world.spec.cameras),
        'dt': CONTROL_DT,
        'tasks': list(order.tasks),
        'seed': order.seed,
        'count': order.count,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Make data from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=Path, required=True, help='folder to write into')
    parser.add_argument('--episodes', type=int, default=0, help='seeds to demonstrate')
    parser.add_argument('--layouts', type=int, default=0, help='still scenes to take instead')
    parser.add_argument(
        '--tasks', nargs='+', default=['touch', 'pick'], choices=[t.value for t in Task]
    )
    parser.add_argument('--robot', default='openarm')
    parser.add_argument('--seed', type=int, default=TRAINING_SEED)
    parser.add_argument('--processes', type=int, default=2)
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    order = Order(
        robot=given.robot,
        out=given.out,
        count=given.layouts or given.episodes,
        tasks=tuple(given.tasks),
        seed=given.seed,
        processes=given.processes,
    )
    made = generate_layouts(order) if given.layouts else generate(order)
    _log.info(
        '%s',
        json.dumps(
            {
                'out': str(order.out),
                'verdicts': made.verdicts,
                'frames': made.frames,
                'cpu_seconds': round(made.cpu_seconds, 1),
                'success_rate': made.success_rate,
            }
        ),
    )


if __name__ == '__main__':
    main()
