# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Train the VLA: grounding on still layouts, then behaviour cloning.

Small policies fail by reaching for the wrong cube, not by moving badly, so stage 1 teaches where
the named cube is before stage 2 clones motion (with the landmark loss kept beside it). Two
processes of one thread with averaged gradients beat one process of two threads.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
import json
import math
import os
from pathlib import Path
import sys
import time
from typing import Any

import numpy as np
import torch
from torch import distributed, multiprocessing

from vla_control.core.errors import PolicyError
from vla_control.core.spec import load_robot
from vla_control.vla.batches import Demonstrations, make_normalisation, Sampler, split, Words
from vla_control.vla.checkpoint import count_parameters, save_model
from vla_control.vla.config import ModelConfig
from vla_control.vla.dataset import Episode, Layouts, load_episodes, load_layouts, load_meta
from vla_control.vla.model import Vla
from vla_control.vla.optimise import Optimiser, read_state
from vla_control.vla.shards import write_json
from vla_control.vla.text import load_phrasings, TextEncoder
from vla_control.vla.transfer import start_model
from vla_control.vla.validate import batch_losses, grounding, imitation

LOG_EVERY = 25  # iterations
VALIDATION_FRAMES = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class StageConfig:
    """One stage; ends after its samples, or where they are 0 after its minutes."""

    minutes: float  # wall time of all processes together
    samples: int = 0  # demonstrations and layouts drawn; a run so limited is deterministic
    demos: int  # in a batch of one process
    layouts: int  # in a batch of one process
    rate: float  # largest learning rate


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """Everything that decides a training run."""

    data: str  # folder of demonstrations
    layouts: str  # folder of still layouts
    out: str  # folder for log, checkpoint and weights
    joints: tuple[str, ...]  # (n,) names
    absolute: tuple[bool, ...]  # (n,) commanded as positions: grippers
    cameras: tuple[str, ...] = ('front', 'wrist')
    dt: float = 0.1  # [s]
    grounding: StageConfig = field(
        default_factory=lambda: StageConfig(minutes=3.0, demos=16, layouts=64, rate=1e-3)
    )
    cloning: StageConfig = field(
        default_factory=lambda: StageConfig(minutes=40.0, demos=64, layouts=12, rate=8e-4)
    )
    processes: int = 2
    seed: int = 0
    landmark_weight: float = 0.5
    state_noise: float = 0.05  # of a standard deviation
    held_out: float = 0.03  # share of the episodes, at most 48, that validates
    report_minutes: float = 3.0  # between validations, which also write checkpoint and weights
    resume: bool = True  # go on from the checkpoint in `out`
    weights: str = ''  # to start from, as far as they fit; fresh ones if empty
    model: dict[str, Any] = field(default_factory=dict)  # fields of ModelConfig to change


def train(config: TrainConfig) -> Path:
    """
    Run, or resume, a training and return the path of the weights (moving average).

    :raises PolicyError: when the data is missing or does not fit the robot.
    """
    out = Path(config.out)
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / 'config.json', {**asdict(config), 'command': _command()})
    if config.processes == 1:
        _work(0, config)
    else:
        meeting = (out / f'.meeting.{os.getpid()}').resolve()  # a file URL has no relative path
        meeting.unlink(missing_ok=True)
        multiprocessing.start_processes(  # type: ignore[attr-defined,no-untyped-call]
            _join, (config, str(meeting)), nprocs=config.processes, start_method='spawn'
        )
        meeting.unlink(missing_ok=True)
    return out / 'policy.safetensors'


def _join(rank: int, config: TrainConfig, meeting: str) -> None:
    os.environ.setdefault('GLOO_SOCKET_IFNAME', 'lo')
    distributed.init_process_group(
        'gloo', init_method=f'file://{meeting}', rank=rank, world_size=config.processes
    )
    try:
        _work(rank, config)
    finally:
        distributed.destroy_process_group()


def _work(rank: int, config: TrainConfig) -> None:
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    torch.manual_seed(config.seed)
    _Run(rank, config).go()


class _Run:
    """One process of a training run."""

    def __init__(self, rank: int, config: TrainConfig) -> None:
        self._rank, self._config, self._out = rank, config, Path(config.out)
        shape = ModelConfig(
            cameras=config.cameras,
            joints=config.joints,
            absolute=config.absolute,
            dt=config.dt,
            **config.model,
        )
        episodes, held = split(load_episodes(config.data), config.held_out, most=48)
        layouts = load_layouts(config.layouts)
        _check(episodes, layouts, shape)
        phrasings, encoder = load_phrasings(), TextEncoder()
        words = Words(phrasings, encoder, unseen=False)
        new_words = Words(phrasings, encoder, unseen=True)
        demos = Demonstrations(episodes, shape.horizon)
        test = Demonstrations(held, shape.horizon)
        self._scenes = min(256, len(layouts) // 10)  # held out: the first ones
        self._sampler = Sampler(shape, demos, layouts, words)
        self._test = Sampler(shape, test, layouts, words)
        self._test_words = Sampler(shape, test, layouts, new_words)
        self._model, started = start_model(
            config.weights, shape, lambda: make_normalisation(shape, demos, words)
        )
        self._judge = Vla(shape, self._model.normalisation).eval()  # holds the moving average
        self._record: dict[str, Any] = {
            'episodes': len(episodes),
            'frames': len(demos),
            'layouts': len(layouts) - self._scenes,
            'parameters': count_parameters(self._model),
            'started_from': started,
            'data': load_meta(config.data)[:1],
            'layout_data': load_meta(config.layouts)[:1],
        }
        self._totals = {'demos': 0.0, 'layouts': 0.0, 'minutes': 0.0, 'cpu_minutes': 0.0}

    def go(self) -> None:
        """Run the stages not yet finished."""
        stages = (self._config.grounding, self._config.cloning)
        saved = self._out / 'checkpoint.safetensors'
        state = read_state(saved) if self._config.resume and saved.is_file() else None
        if state:
            self._totals = state['totals']
        first = state['stage'] if state else 0
        for number in range(first, len(stages)):
            stage = stages[number]
            if stage.minutes <= 0.0 and stage.samples <= 0:
                continue
            optimiser = Optimiser(
                self._model, stage.rate, self._config.processes, clone=number == 1
            )
            if state and number == first:
                optimiser.load(saved)
            self._run_stage(number, stage, optimiser)
            optimiser.adopt_average()

    def _run_stage(self, number: int, stage: StageConfig, optimiser: Optimiser) -> None:
        processes = self._config.processes
        per_step = processes * (stage.demos + stage.layouts)
        wall, cpu, reported = time.monotonic(), time.process_time(), optimiser.minutes
        while optimiser.progress < 1.0:
            losses = self._backward(number, stage, optimiser.iteration)
            lap, wall = (time.monotonic() - wall) / 60.0, time.monotonic()
            lap = optimiser.step(lap, stage.minutes, math.ceil(stage.samples / per_step))
            self._totals['demos'] += processes * stage.demos
            self._totals['layouts'] += processes * stage.layouts
            self._totals['minutes'] += lap
            spent, cpu = (time.process_time() - cpu) / 60.0, time.process_time()
            self._totals['cpu_minutes'] += processes * spent
            if self._rank:
                continue
            if optimiser.iteration % LOG_EVERY == 0:
                self._log(number, optimiser, action=losses[0], landmark=losses[1])
            due = optimiser.minutes - reported >= self._config.report_minutes
            if due or optimiser.progress >= 1.0:
                reported = optimiser.minutes
                self._report(number, optimiser)

    def _backward(self, number: int, stage: StageConfig, iteration: int) -> tuple[float, float]:
        # Seeded by the iteration, so that a resumed run draws what the unbroken one would have.
        rng = np.random.default_rng((self._config.seed, number, iteration, self._rank))
        torch.manual_seed(int(rng.integers(2**62)))
        batch = self._sampler.draw(
            rng,
            rng.integers(len(self._sampler.demos), size=stage.demos),
            rng.integers(self._scenes, len(self._sampler.layouts), size=stage.layouts),
            vary=True,
        )
        self._model.train()
        action, landmark = batch_losses(
            self._model, batch, self._config.state_noise, clone=number == 1
        )
        (action + self._config.landmark_weight * landmark).backward()  # type: ignore
        return float(action.detach()), float(landmark.detach())

    def _report(self, number: int, optimiser: Optimiser) -> None:
        self._judge.load_state_dict(optimiser.average)
        figures = {'layouts': grounding(self._judge, self._test, self._scenes)}
        figures['unseen_words'] = grounding(self._judge, self._test_words, self._scenes)
        if number == 1:
            figures['episodes'] = imitation(self._judge, self._test, VALIDATION_FRAMES)
        self._log(number, optimiser, validation=figures)
        optimiser.save(
            self._out / 'checkpoint.safetensors', {'stage': number, 'totals': self._totals}
        )
        record = {
            **self._record,
            'config': asdict(self._config),
            'command': _command(),
            'stage': number + 1,
            'progress': round(optimiser.progress, 4),
            'totals': {k: round(v, 2) for k, v in self._totals.items()},
            'validation': figures,
        }
        save_model(self._out / 'policy.safetensors', self._judge, record)

    def _log(self, number: int, optimiser: Optimiser, **figures: Any) -> None:
        line = {
            'stage': number + 1,
            'iteration': optimiser.iteration,
            'progress': round(optimiser.progress, 4),
            **{k: round(v, 4) if isinstance(v, float) else v for k, v in figures.items()},
            **{k: round(v, 2) for k, v in self._totals.items()},
        }
        with (self._out / 'log.jsonl').open('a') as stream:
            stream.write(json.dumps(line) + '\n')


def _command() -> list[str]:
    return [Path(sys.argv[0]).name, *sys.argv[1:]]  # a record names no folder of a machine


def _check(episodes: Sequence[Episode], layouts: Layouts, shape: ModelConfig) -> None:
    first = episodes[0]
    for camera in shape.cameras:
        for source, cameras in (('demonstrations', first.images), ('layouts', layouts.images)):
            if camera not in cameras:
                raise PolicyError(
                    f'the {source} have cameras {sorted(cameras)}, not {camera!r}; '
                    'change `cameras` or generate the data again'
                )
    if first.states.shape[1] != shape.n:
        raise PolicyError(
            f'the demonstrations have {first.states.shape[1]} joints, `joints` names {shape.n}'
        )


def main() -> None:
    """Train for a robot from the command line."""
    import tyro

    @dataclass(frozen=True, kw_only=True)
    class Arguments:
        """Train a VLA on demonstrations and still layouts."""

        data: str  # folder of demonstrations
        layouts: str  # folder of still layouts
        out: str  # folder for log, checkpoint and weights
        robot: str = 'openarm'
        minutes: float = 40.0  # of behaviour cloning
        grounding_minutes: float = 3.0
        processes: int = 2
        seed: int = 0
        weights: str = ''  # to start from; fresh ones if empty

    args = tyro.cli(Arguments)
    spec = load_robot(args.robot)
    base = TrainConfig(
        data=args.data,
        layouts=args.layouts,
        out=args.out,
        joints=spec.names,
        absolute=tuple(bool(g) for g in spec.gripper),
        cameras=spec.cameras,
        processes=args.processes,
        seed=args.seed,
        weights=args.weights,
    )
    train(
        replace(
            base,
            grounding=replace(base.grounding, minutes=args.grounding_minutes),
            cloning=replace(base.cloning, minutes=args.minutes),
        )
    )


if __name__ == '__main__':
    main()
