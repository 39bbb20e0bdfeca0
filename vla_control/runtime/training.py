# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""From nothing to weights: demonstrations of the expert, still layouts, then training."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
import json
from pathlib import Path
import shutil
import time
from typing import Any

from vla_control.core.errors import ConfigError
from vla_control.core.spec import load_robot, RobotSpec
from vla_control.sim.demonstrations import generate, generate_layouts, Order, TRAINING_SEED
from vla_control.vla.train import train, TrainConfig

LAYOUT_SEED = 2_000_000  # first seed of the still layouts; evaluation uses seeds below 100000
RECORD = 'made.json'  # in a data folder: the order it was made by, and what came of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Everything that decides the weights."""

    robot: str = 'openarm'
    out: Path = Path('output/training')
    tasks: tuple[str, ...] = ('touch', 'pick')
    demonstrations: int = 1600  # seeds demonstrated; failures of the expert are dropped
    layouts: int = 8000
    seed: int = TRAINING_SEED + 1000  # of the first demonstration
    training_seed: int = 0
    processes: int = 2
    grounding_samples: int = 52_000  # demonstrations and still layouts drawn
    cloning_samples: int = 280_000  # the same; a count, not a time, makes a run repeatable
    weights: str = ''  # to start from, of any robot, as far as they fit; fresh ones if empty


def run_recipe(recipe: Recipe, say: Callable[[str], None]) -> dict[str, Any]:
    """
    Make the data where it is missing, train, and return what it took.

    A data folder is reused only with the order it was made by; an interrupted training goes on
    from its checkpoint.

    :param say: told about each step.
    :raises ConfigError: when the folder holds data made by another order.
    """
    spec = load_robot(recipe.robot)
    started = time.monotonic()
    demos = _make(recipe, 'demonstrations', recipe.demonstrations, recipe.seed, say)
    layouts = _make(recipe, 'layouts', recipe.layouts, LAYOUT_SEED, say)
    config = _train_config(recipe, spec)
    say(f'training into {config.out}; its log is log.jsonl there')
    weights = train(config)
    return {
        'weights': str(weights),
        'minutes': round((time.monotonic() - started) / 60.0, 1),
        'demonstrations': demos,
        'layouts': layouts,
    }


def _train_config(recipe: Recipe, spec: RobotSpec) -> TrainConfig:
    from vla_control.vla.train import StageConfig

    return TrainConfig(
        data=str(recipe.out / 'demonstrations'),
        layouts=str(recipe.out / 'layouts'),
        out=str(recipe.out / 'run'),
        joints=spec.names,
        absolute=tuple(bool(g) for g in spec.gripper),
        cameras=spec.cameras,
        grounding=StageConfig(
            minutes=0.0, samples=recipe.grounding_samples, demos=16, layouts=64, rate=1e-3
        ),
        cloning=StageConfig(
            minutes=0.0, samples=recipe.cloning_samples, demos=64, layouts=12, rate=8e-4
        ),
        processes=recipe.processes,
        seed=recipe.training_seed,
        weights=recipe.weights,
    )


def _make(
    recipe: Recipe, kind: str, count: int, seed: int, say: Callable[[str], None]
) -> dict[str, Any]:
    folder = recipe.out / kind
    order = Order(
        robot=recipe.robot,
        out=folder,
        count=count,
        tasks=recipe.tasks,
        seed=seed,
        processes=recipe.processes,
    )
    wanted = {k: v for k, v in asdict(order).items() if k not in ('out', 'processes')}
    wanted['tasks'] = list(recipe.tasks)
    if folder.exists():
        found = _record(folder)
        if found.get('order') == wanted:
            say(f'{kind}: {folder} is complete')
            return found
        raise ConfigError(
            f'{folder} holds other data (made by {found.get("order", "an unknown order")}, wanted '
            f'{wanted}); give another --out, or move it away'
        )
    # Half-made data must never be taken for whole: it gets its name when it is complete.
    part = folder.with_name(f'{kind}.part')
    if part.exists():
        say(f'{kind}: {part} was left by an interrupted run; beginning anew')
        shutil.rmtree(part)
    say(f'{kind}: making {count} in {folder}')
    made = (generate if kind == 'demonstrations' else generate_layouts)(replace(order, out=part))
    result = {
        'order': wanted,
        'verdicts': made.verdicts,
        'frames': made.frames,
        'cpu_seconds': round(made.cpu_seconds, 1),
    }
    (part / RECORD).write_text(json.dumps(result, indent=1))
    part.rename(folder)
    return result


def _record(folder: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((folder / RECORD).read_text())
    except (OSError, ValueError):
        return {}
    return found
