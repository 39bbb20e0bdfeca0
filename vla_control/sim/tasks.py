# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""What can be asked of a robot at the table, and whether physics says it was done."""

from dataclasses import dataclass
from enum import Enum

import numpy as np

from vla_control.core.config import load_yaml, parse, share_path
from vla_control.core.errors import SimulationError
from vla_control.sim.layout import COLOURS
from vla_control.sim.world import World

LIFTED = 0.06  # [m] above rest a picked cube must be
WRONG_LIFT = 0.03  # [m] above rest no other cube may be
HELD = 0.3  # [s] a picked cube must stay up
ON_PLATE = 0.045  # [m] of the plate's centre a placed cube must be
AT_REST = 0.05  # [m/s] a placed cube must be slower than


class Task(Enum):
    """The tasks there are."""

    TOUCH = 'touch'
    PICK = 'pick'
    PLACE = 'place'


class Verdict(Enum):
    """How an episode stands."""

    RUNNING = 'running'
    SUCCESS = 'success'
    WRONG_OBJECT = 'wrong_object'


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What was asked for."""

    task: Task
    target: str  # colour of the cube

    def __post_init__(self) -> None:
        """Check the colour."""
        if self.target not in COLOURS:
            raise SimulationError(f'no {self.target!r} cube; the colours are {list(COLOURS)}')

    @property
    def index(self) -> int:
        """Row of the named cube in every (3, ...) array."""
        return COLOURS.index(self.target)


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrasings:
    """Ways to ask for one task, with a ``{colour}`` slot."""

    train: tuple[str, ...]
    unseen: tuple[str, ...]  # never trained on


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskBook:
    """All phrasings of all tasks."""

    colours: tuple[str, ...]
    tasks: dict[str, Phrasings]

    def phrasings(self, task: Task, unseen: bool = False) -> tuple[str, ...]:
        """Return the ways to ask for a task."""
        found = self.tasks[task.value]
        return found.unseen if unseen else found.train

    def instruction(self, goal: Goal, rng: np.random.Generator, unseen: bool = False) -> str:
        """Draw one way to ask for a goal."""
        choices = self.phrasings(goal.task, unseen)
        return choices[int(rng.integers(len(choices)))].format(colour=goal.target)


def load_tasks() -> TaskBook:
    """
    Load config/tasks.yaml.

    :raises SimulationError: when it does not speak of the cubes and tasks there are.
    """
    path = share_path('config', 'tasks.yaml')
    book = parse(TaskBook, load_yaml(path), path.name)
    if set(book.colours) != set(COLOURS) or set(book.tasks) != {t.value for t in Task}:
        raise SimulationError(
            f'{path.name}: colours must be {list(COLOURS)} and tasks {[t.value for t in Task]}; '
            f'got {list(book.colours)} and {list(book.tasks)}'
        )
    return book


class Judge:
    """Decides an episode from physics alone. The first verdict stands."""

    def __init__(self, world: World, goal: Goal) -> None:
        """Watch a world that was just reset."""
        self._world = world
        self._goal = goal
        self._rest = world.scene.table_top + world.scene.cubes.side / 2.0
        self._up_since: float | None = None
        self.verdict = Verdict.RUNNING

    def update(self) -> Verdict:
        """Look at the world; call after every control tick."""
        if self.verdict is Verdict.RUNNING:
            if self._goal.task is Task.TOUCH:
                self.verdict = self._judge_touch()
            else:
                self.verdict = self._judge_lift()
        return self.verdict

    def _judge_touch(self) -> Verdict:
        touched = self._world.touched
        if not touched:
            return Verdict.RUNNING
        right = touched[0] == self._goal.target
        return Verdict.SUCCESS if right else Verdict.WRONG_OBJECT

    def _judge_lift(self) -> Verdict:
        height = self._world.cube_poses[:, 2] - self._rest
        if np.delete(height, self._goal.index).max() > WRONG_LIFT:
            return Verdict.WRONG_OBJECT
        if self._goal.task is Task.PLACE:
            return Verdict.SUCCESS if self._placed() else Verdict.RUNNING
        if height[self._goal.index] <= LIFTED:
            self._up_since = None
        elif self._up_since is None:
            self._up_since = self._world.time
        held = self._up_since is not None and self._world.time - self._up_since >= HELD - 1e-6
        return Verdict.SUCCESS if held else Verdict.RUNNING

    def _placed(self) -> bool:
        world, index = self._world, self._goal.index
        cube = world.cube_poses[index, :3]
        on_top = self._rest + world.scene.plate.height
        return bool(
            np.linalg.norm(cube[:2] - world.plate[:2]) < ON_PLATE
            and abs(cube[2] - on_top) < 0.01
            and world.cube_speeds[index] < AT_REST
            and self._goal.target not in world.finger_contacts()
        )
