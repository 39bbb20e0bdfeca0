# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Demonstrations for training: the expert's clean targets under noisy execution.

Noise goes on what is executed, never on what is recorded (DART, Laskey et al. 2017): the data
then shows the way back from off the path. Seeds from 1 000 000 are for training, from 500 000
for validation; those below 100 000 are for evaluation only and refused here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vla_control.core.errors import SimulationError
from vla_control.core.messages import Floats, Pixels
from vla_control.core.spec import RobotSpec
from vla_control.sim.appearance import sample_appearance, Wardrobe
from vla_control.sim.experts import CONTROL_DT, Expert
from vla_control.sim.kinematics import hand_solvers, HandSolver
from vla_control.sim.layout import COLOURS
from vla_control.sim.servo import IdealServo
from vla_control.sim.starts import sample_pose, sample_start
from vla_control.sim.tasks import Goal, Judge, load_tasks, Task, Verdict
from vla_control.sim.world import World
from vla_control.vla.dataset import Episode

RENDERED, STORED = 192, 96  # [px] a picture is rendered large and averaged, as a camera's is
FIRST_SEED = 500_000  # seeds below are kept for evaluation
_NOISE = 0.012  # [rad] per tick on the executed command
_FINGER_NOISE = 0.0005  # [m] per tick
_NOISE_KEEP = 0.7  # share of the noise carried to the next tick
_AFTER = 6  # ticks kept after success
_LONGEST = 120  # ticks before giving up


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What became of one seed."""

    verdict: Verdict
    episode: Episode | None  # only of a success


class Demonstrator:
    """Makes one demonstration per seed; the same seed gives the same arrays."""

    def __init__(self, spec: RobotSpec, tasks: Sequence[Task]) -> None:
        """
        Build the world.

        :param tasks: what to demonstrate; each seed takes one of them.
        """
        if not tasks:
            raise SimulationError(f'no tasks; give some of {[t.value for t in Task]}')
        self.world = World(spec)
        self._tasks = tuple(tasks)
        self._book = load_tasks()
        self._solvers = hand_solvers(spec, self.world.scene)
        self._servo = IdealServo(self.world)
        self._wardrobe = Wardrobe(self.world.model)

    def attempt(self, seed: int) -> Attempt:
        """
        Try one demonstration.

        :param seed: decides everything about it.
        :raises SimulationError: when the seed is one of evaluation's.
        """
        rng = _training_rng(seed)
        world = self.world
        start = sample_start(world.spec, world.scene, self._solvers, rng)
        goal = Goal(
            task=self._tasks[int(rng.integers(len(self._tasks)))],
            target=COLOURS[int(rng.integers(len(COLOURS)))],
        )
        instruction = self._book.instruction(goal, rng)
        self._wardrobe.wear(sample_appearance(world.model, rng))
        world.reset(start.layout, start.q)
        rows, verdict = self._roll_out(goal, rng)
        if verdict is not Verdict.SUCCESS:
            return Attempt(verdict=verdict, episode=None)
        return Attempt(
            verdict=verdict,
            episode=Episode(
                instruction=instruction,
                task=goal.task.value,
                target=goal.target,
                seed=seed,
                images={c: np.stack([r.images[c] for r in rows]) for c in world.spec.cameras},
                states=np.array([r.state for r in rows], dtype=np.float32),
                commands=np.array([r.command for r in rows], dtype=np.float32),
                landmarks=np.array([r.landmarks for r in rows], dtype=np.float32),
            ),
        )

    def still(self, seed: int) -> tuple[Mapping[str, Pixels], Floats, Floats, Floats]:
        """
        Take the pictures of a random scene with the arm at a pose of the tasks.

        :returns: images by camera, joints (n,), cubes (3, 3) and plate (3,).
        """
        rng = _training_rng(seed)
        world = self.world
        start = sample_start(world.spec, world.scene, self._solvers, rng)
        q = start.q.copy()
        if rng.random() < 0.6:
            over = start.layout.cubes[int(rng.integers(len(COLOURS)))]
            solver = self._nearest(over)
            point = over + rng.normal(0.0, 0.025, size=3) + [0.0, 0.0, rng.uniform(0.03, 0.14)]
            drawn = sample_pose(world.spec, world.scene, solver, point, rng)
            q[solver.joints] = drawn[solver.joints]
        self._wardrobe.wear(sample_appearance(world.model, rng))
        world.reset(start.layout, q)
        return take_pictures(world), world.positions, world.cube_poses[:, :3], world.plate

    def close(self) -> None:
        """Release the renderers."""
        self.world.close()

    def _roll_out(self, goal: Goal, rng: np.random.Generator) -> 'tuple[list[_Row], Verdict]':
        world = self.world
        solver = self._nearest(world.cube_poses[goal.index, :3])
        expert, judge = Expert(world, solver, goal), Judge(world, goal)
        path = _TickPath(world.positions)
        noise = np.zeros(len(world.spec.joints))
        sigma = np.where(world.spec.jaw, _FINGER_NOISE, _NOISE)
        rows: list[_Row] = []
        after = 0
        while len(rows) < _LONGEST and after < _AFTER:
            command = expert.act()
            rows.append(
                _Row(
                    images=take_pictures(world),
                    state=world.positions,
                    command=command,
                    landmarks=np.stack(
                        [
                            world.cube_poses[goal.index, :3],
                            world.pinch_of(solver.which),
                            world.plate,
                        ]
                    ),
                )
            )
            noise = _NOISE_KEEP * noise + rng.normal(0.0, sigma)
            executed = np.clip(command + noise, world.spec.lower, world.spec.upper)
            self._execute(path, executed)
            judge.update()
            if judge.verdict is Verdict.WRONG_OBJECT:
                break
            after += judge.verdict is Verdict.SUCCESS
        return rows, judge.verdict

    def _nearest(self, point: Floats) -> HandSolver:
        return self._solvers[self.world.scene.nearest_hand(point)]

    def _execute(self, path: '_TickPath', command: Floats) -> None:
        steps = round(CONTROL_DT / self.world.timestep)
        path.head_for(command)
        for i in range(steps):
            self._servo.step(*path.at((i + 1) / steps))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """One tick."""

    images: Mapping[str, Pixels]
    state: Floats  # (n,)
    command: Floats  # (n,)
    landmarks: Floats  # (3, 3)


class _TickPath:
    """A cubic through the commands, one tick each, with continuous velocity."""

    def __init__(self, q: Floats) -> None:
        self._from, self._to = q, q
        self._v_from, self._v_to = np.zeros_like(q), np.zeros_like(q)

    def head_for(self, q: Floats) -> None:
        """Aim at the next command, due in one tick."""
        before = self._to - self._from
        self._from, self._v_from = self._to, self._v_to
        self._to = q
        # The mean slope: the next command is not known yet.
        self._v_to = 0.5 * (before + (self._to - self._from)) / CONTROL_DT

    def at(self, s: float) -> tuple[Floats, Floats]:
        """Return position and velocity at a share of the tick."""
        h = CONTROL_DT
        a, b, va, vb = self._from, self._to, self._v_from * h, self._v_to * h
        q = (
            (1 + 2 * s) * (1 - s) ** 2 * a
            + s * (1 - s) ** 2 * va
            + s * s * (3 - 2 * s) * b
            + s * s * (s - 1) * vb
        )
        v = (6 * s * (s - 1) * (a - b) + (1 - s) * (1 - 3 * s) * va + s * (3 * s - 2) * vb) / h
        return q, v


def take_pictures(world: World) -> dict[str, Pixels]:
    """Return what the policy's cameras see, (96, 96, 3) uint8 RGB each."""
    return {
        camera: shrink(world.render(camera, RENDERED, RENDERED), STORED)
        for camera in world.spec.cameras
    }


def shrink(pixels: Pixels, side: int) -> NDArray[np.uint8]:
    """Average a square picture down to (side, side, 3)."""
    small = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.uint8)


def _training_rng(seed: int) -> np.random.Generator:
    if seed < FIRST_SEED:
        raise SimulationError(
            f'seed {seed} belongs to evaluation; use {FIRST_SEED} or more for '
            'validation data and 1000000 or more for training data'
        )
    return np.random.default_rng(seed)
