# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""A seeded adversary: chunks no policy should send, and what about each must be refused."""

from collections.abc import Callable
from dataclasses import dataclass, replace
import math
from typing import Any

import numpy as np

from vla_control.core.messages import ActionChunk, Floats
from vla_control.core.spec import RobotSpec

REGIME = 60  # chunks with the same delay and step, at most
BROKEN = 0.35  # share of chunks that must be refused
NEAR = 0.45  # [rad] of the plan the first due point is kept, so that most motions are accepted
BEYOND = 2.0  # [rad] outside the soft limits: a leap from any pose a plan can have
STEPS = (0.01, 0.02, 1.0 / 30.0, 0.05, 0.1, 0.2)  # [s] of the chunks


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What the adversary knows; times on the clock of the chunks."""

    now: float  # [s]
    pose: Floats  # (n,) [rad, grippers m] the last reference
    speed: Floats  # (n,) [rad/s] its velocity
    newest: float  # [s] stamp of the newest chunk accepted, -inf without
    since: float  # [s] of the last alignment
    settled: bool  # whether the plan has ended and stands


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """A chunk and what is expected of it."""

    chunk: ActionChunk
    family: str
    wrong: str = ''  # measure of the ledger it must be refused for; empty where it may pass
    jump: float = math.nan  # [rad] first due point from a plan at rest, where that is certain


class Adversary:
    """Draws chunks; the same seed and scenes give the same chunks."""

    def __init__(self, spec: RobotSpec, rng: np.random.Generator) -> None:
        """Begin a regime."""
        self.spec, self.rng = spec, rng
        self._arm = np.flatnonzero(~spec.gripper)
        # Farther outside every chunk is refused, which says nothing about motion.
        past = np.where(spec.gripper, 0.5 * (spec.upper - spec.lower), 0.4)
        self._reach = (spec.lower - past, spec.upper + past)
        self._flip = 1.0
        self._left = 0
        self._renew()

    def gap(self) -> int:
        """Return the number of ticks until the next chunk."""
        low, high = (30, 100) if self._sparse else (1, 6)
        return int(self.rng.integers(low, high + 1))

    def chunk(self, scene: Scene) -> Attack:
        """Return the next attack."""
        self._left -= 1
        if self._left <= 0:
            self._renew()
        good = self._motion(scene)
        if scene.settled and self.rng.random() < 0.5:
            return self._from_rest(scene, good.chunk)
        if self.rng.random() >= BROKEN:
            return good
        name = BREAK_NAMES[self.rng.integers(len(BREAK_NAMES))]
        return BREAKS[name](self, good.chunk, scene)

    def _renew(self) -> None:
        rng = self.rng
        self._sparse = rng.random() < 0.05
        self._calm = rng.random() < 0.25
        self._left = 5 if self._sparse else int(rng.integers(5, REGIME))
        self._delay = 0.0 if rng.random() < 0.2 else float(rng.uniform(0.0, 0.5))
        self._dt = float(rng.choice(STEPS))
        luck = 1.0 if self._calm else rng.random()
        if luck < 0.08:
            self._dt = float(rng.uniform(1e-3, 5e-3))
        elif luck < 0.14:
            self._dt = float(rng.uniform(0.5, 10.0))
        self._times = float(rng.choice((0.5, 1.0, 2.0, 10.0)))  # of the velocity limit

    def _motion(self, scene: Scene) -> Attack:
        rng, dt = self.rng, self._dt
        delay = self._delay * (1.0 + 0.02 * rng.random())
        late = math.ceil((delay + 2.0 * self.spec.dt) / dt)
        steps = min(late + int(rng.integers(1, 4 if self._sparse or dt > 0.3 else 25)), 1000)
        name = 'swing' if self._calm else MOVE_NAMES[rng.integers(len(MOVE_NAMES))]
        q = np.clip(MOVES[name](self, scene.pose, steps), *self._reach)
        due = min(late, steps) - 1
        first = q[due : due + 2]
        keep = np.where(self.spec.gripper, np.inf, NEAR)
        there = scene.pose + scene.speed * (late * dt - delay)
        np.clip(first, there - keep, there + keep, out=first)
        names = self.spec.names
        if rng.random() < 0.1:
            order = rng.permutation(len(names))
            names, q, name = tuple(names[i] for i in order), q[:, order], 'permuted'
        chunk = ActionChunk(stamp=scene.now - delay, dt=dt, joints=names, positions=q)
        return Attack(chunk=chunk, family=name)

    def _from_rest(self, scene: Scene, chunk: ActionChunk) -> Attack:
        """Step by almost, or just more than, what is plausible."""
        rng, bound = self.rng, self.spec.safety.chunk_jump
        over = rng.random() < 0.5
        size = bound + 10.0 ** rng.uniform(-6, 0) if over else rng.uniform(0.9, 1.0) * bound
        joint = int(rng.choice(self._arm))
        q = np.tile(scene.pose, (len(chunk.positions), 1))
        room = (
            self.spec.upper[joint] - scene.pose[joint],
            scene.pose[joint] - self.spec.lower[joint],
        )
        q[:, joint] += size if room[0] > room[1] else -size
        step = replace(chunk, joints=self.spec.names, positions=q)
        jump = float(np.abs(q[0, self._arm] - scene.pose[self._arm]).max())
        wrong = 'implausible' if over else ''
        return Attack(chunk=step, family='from_rest', wrong=wrong, jump=jump)

    # Motions: (steps, n) positions about a pose.

    def _jumps(self, pose: Floats, steps: int) -> Floats:
        reach = self._times * self.spec.velocity * max(self._dt, self.spec.dt)
        return pose + reach * self.rng.uniform(-1.0, 1.0, (steps, len(pose)))

    def _ramp(self, pose: Floats, steps: int) -> Floats:
        speed = self._times * self.spec.velocity * self.rng.uniform(-1.0, 1.0, len(pose))
        start = pose + self.rng.uniform(-0.1, 0.1, len(pose))
        return np.asarray(start + speed * self._dt * np.arange(steps)[:, None])

    def _square(self, pose: Floats, steps: int) -> Floats:
        side = np.where(np.arange(steps) // self.rng.integers(1, 6) % 2, 1.0, -1.0)[:, None]
        size = self.rng.uniform(0.05, 0.45) * (self.spec.upper - self.spec.lower)
        return np.asarray(pose + side * np.minimum(size, NEAR))

    def _edges(self, pose: Floats, steps: int) -> Floats:
        spec, n = self.spec, len(pose)
        past = np.where(spec.gripper, 0.0, self.rng.choice((0.0, 0.02, 0.4)))
        goal = np.where(self.rng.random(n) < 0.5, spec.lower - past, spec.upper + past)
        return np.tile(goal, (steps, 1))

    def _flips(self, pose: Floats, steps: int) -> Floats:
        self._flip = -self._flip
        size = np.minimum(0.3, 0.3 * (self.spec.upper - self.spec.lower))
        return np.tile(pose + self._flip * size, (steps, 1))

    def _strokes(self, pose: Floats, steps: int) -> Floats:
        self._flip = -self._flip
        goal = self.spec.upper if self._flip > 0.0 else self.spec.lower
        return np.tile(np.where(self.spec.gripper, goal, pose), (steps, 1))

    def _swing(self, pose: Floats, steps: int) -> Floats:
        phase = self.rng.uniform(1.0, 6.0) * self._dt * np.arange(steps)[:, None]
        size = 0.1 * (self.spec.upper - self.spec.lower)
        return np.asarray(pose + size * np.sin(phase) * self.rng.uniform(-1.0, 1.0, len(pose)))

    # What must be refused.

    def _not_finite(self, chunk: ActionChunk, scene: Scene) -> Attack:
        rng = self.rng
        value = float(rng.choice((np.nan, np.inf, -np.inf)))
        where = rng.random()
        if where < 0.1:
            bad = replace(chunk, stamp=value)
        elif where < 0.2:
            bad = replace(chunk, dt=value)
        else:
            q = chunk.positions.copy()
            q[rng.integers(len(q)), rng.integers(q.shape[1])] = value
            bad = replace(chunk, positions=q)
        return Attack(chunk=bad, family='not finite', wrong='non_finite')

    def _names(self, chunk: ActionChunk, scene: Scene) -> Attack:
        q, names, n = chunk.positions, chunk.joints, len(chunk.joints)
        wide = np.concatenate((q, q[:, :1]), axis=1)
        options: tuple[tuple[Any, Any], ...] = (
            (names[1:], q[:, 1:]),
            ((*names, 'elbow'), wide),
            ((*names, names[0]), wide),
            ((*names[:-1], names[0]), q),
            ((*names[:-1], 'Joint7'), q),
            (names, q[:, 1:]),
            (names, q[0]),
            (names, q[:0]),
            (names, np.tile(q[:1], (1001, 1))),
            (names, q.astype(complex)),
            (names, q.astype(object)),
            (names, np.zeros((n, n + 1))),
            (names[0], q),
            ((*names[:-1], 3), q),
        )
        joints, positions = options[self.rng.integers(len(options))]
        bad = replace(chunk, joints=joints, positions=positions)
        return Attack(chunk=bad, family='names and shape', wrong='names')

    def _degrees(self, chunk: ActionChunk, scene: Scene) -> Attack:
        order = [self.spec.names.index(j) for j in chunk.joints]
        gripper = self.spec.gripper[order]
        q = np.where(gripper, chunk.positions, np.degrees(chunk.positions))
        excess = np.maximum(self.spec.lower[order] - q, q - self.spec.upper[order])
        # Near zero a degree is a plausible radian, so only what is far out for sure must go.
        sure = bool((np.where(gripper, 0.0, excess).min(axis=0) > BEYOND).any())
        bad = replace(chunk, positions=q)
        return Attack(chunk=bad, family='degrees', wrong='implausible' if sure else '')

    def _leap(self, chunk: ActionChunk, scene: Scene) -> Attack:
        joint = self.spec.names[self.rng.choice(self._arm)]
        column, index = chunk.joints.index(joint), self.spec.names.index(joint)
        q = chunk.positions.copy()
        far = BEYOND + self.rng.uniform(0.0, 10.0)
        up = self.rng.random() < 0.5
        q[:, column] = self.spec.upper[index] + far if up else self.spec.lower[index] - far
        return Attack(chunk=replace(chunk, positions=q), family='leap', wrong='implausible')

    def _time(self, chunk: ActionChunk, scene: Scene) -> Attack:
        rng, now = self.rng, scene.now
        ahead = self.spec.safety.future_stamp
        whole = len(chunk.positions) * chunk.dt
        back = 10.0 ** rng.uniform(-3, 3.5)
        options: list[ActionChunk] = [
            replace(chunk, stamp=now + ahead + back),
            replace(chunk, stamp=now - whole - back),
            replace(chunk, stamp=scene.since - back),
            replace(chunk, dt=float(rng.choice((0.0, -0.05, 1e-4, 9e-4, 10.5, 1e9)))),
        ]
        if scene.newest > -math.inf:
            options += [
                replace(chunk, stamp=scene.newest),
                replace(chunk, stamp=scene.newest - 10.0 ** rng.uniform(-6, 0)),
            ]
        bad = options[rng.integers(len(options))]
        return Attack(chunk=bad, family='time', wrong='time')


MOVES: dict[str, Callable[[Adversary, Floats, int], Floats]] = {
    'jumps': Adversary._jumps,
    'ramp': Adversary._ramp,
    'square': Adversary._square,
    'edges': Adversary._edges,
    'flips': Adversary._flips,
    'strokes': Adversary._strokes,
    'swing': Adversary._swing,
}
BREAKS: dict[str, Callable[[Adversary, ActionChunk, Scene], Attack]] = {
    'not finite': Adversary._not_finite,
    'names': Adversary._names,
    'degrees': Adversary._degrees,
    'leap': Adversary._leap,
    'time': Adversary._time,
}
MOVE_NAMES, BREAK_NAMES = tuple(MOVES), tuple(BREAKS)
