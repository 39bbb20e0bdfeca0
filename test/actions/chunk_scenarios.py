# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""A chunked policy with biases and delays, its own clock, and judges of the motion."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vla_control.actions.blend import BlendConfig
from vla_control.actions.executor import ChunkExecutor, Verdict
from vla_control.core.messages import ActionChunk
from vla_control.core.spec import load_robot, RobotSpec

SPEC = load_robot('openarm')
HOME = np.array(SPEC.home)
DT = SPEC.dt
ARMS = ~SPEC.gripper


def chunk_of(positions, stamp=0.0, dt=1 / 30, joints=SPEC.names):
    return ActionChunk(stamp=stamp, dt=dt, joints=joints, positions=np.asarray(positions))


def steady_chunk(stamp=0.0, steps=50, dt=1 / 30, pose=HOME):
    return chunk_of(np.tile(pose, (steps, 1)), stamp=stamp, dt=dt)


def sines(seed=0, low=0.05, high=0.35, amplitude=0.35, spec: RobotSpec = SPEC):
    """Return a smooth motion around the home pose, t (T,) -> (T, n), at rest in the grippers."""
    rng = np.random.default_rng(seed)
    n = len(spec.joints)
    frequency = rng.uniform(low, high, (3, n))
    phase = rng.uniform(0, 2 * np.pi, (3, n))
    room = np.minimum(spec.upper - spec.home, np.array(spec.home) - spec.lower)
    size = np.where(spec.gripper, 0.0, np.minimum(amplitude, np.maximum(room, 0.0) * 0.8) / 3)

    def motion(t):
        angle = 2 * np.pi * frequency * np.atleast_1d(t)[:, None, None] + phase
        return np.array(spec.home) + (size * (np.sin(angle) - np.sin(phase))).sum(axis=1) * 0.5

    return motion


@dataclass
class Policy:
    """Answers with the true motion, off by a bias of each chunk and a little noise."""

    motion: Callable
    dt: float = 1 / 30
    horizon: int = 50
    bias: float = 0.030
    noise: float = 0.002
    seed: int = 0
    spec: RobotSpec = SPEC

    def __post_init__(self):
        self.rng = np.random.default_rng(self.seed + 1000)

    def chunk(self, stamp):
        times = stamp + self.dt * np.arange(1, self.horizon + 1)
        q = self.motion(times)
        arms = ~self.spec.gripper
        off = self.rng.normal(0, self.bias, len(arms)) if self.bias else np.zeros(len(arms))
        q = q + np.where(arms, off + self.rng.normal(0, self.noise, q.shape), 0.0)
        return ActionChunk(stamp=stamp, dt=self.dt, joints=self.spec.names, positions=q)


@dataclass
class Run:
    """What came out, at control rate."""

    start: np.ndarray  # (n,) pose aligned to
    times: np.ndarray  # (T,)
    q: np.ndarray  # (T, n)
    v: np.ndarray
    a: np.ndarray
    seams: list
    verdicts: list[Verdict]
    executor: ChunkExecutor

    def jerk(self):
        return np.diff(self.q, n=3, axis=0) / np.diff(self.times).mean() ** 3


def run(
    policy,
    blend=None,
    seconds=10.0,
    replan=0.4,
    delay=0.1,
    start=0.0,
    spec=SPEC,
    tick=DT,
    delays=None,
):
    """Execute a policy asked every `replan` s, whose answers come `delay` s after the capture."""
    executor = ChunkExecutor(spec, blend or BlendConfig())
    pose = policy.motion(np.array([start]))[0]
    executor.align(start, pose)
    captures = start + np.arange(0, seconds, replan)
    waits = delays if delays is not None else np.full(len(captures), delay)
    arrivals = sorted(
        ((c + w, policy.chunk(c)) for c, w in zip(captures, waits, strict=True)),
        key=lambda item: item[0],
    )
    times = start + np.arange(1, int(seconds / tick)) * tick
    out, seams, verdicts = [], [], []
    for now in times:
        while arrivals and arrivals[0][0] <= now - tick:
            arrived, chunk = arrivals.pop(0)
            verdict = executor.offer(chunk, arrived)
            verdicts.append(verdict)
            if verdict.accepted:
                seams.append(verdict.seam)
        reference = executor.tick(float(now))
        out.append((reference.q, reference.v, reference.a))
    q, v, a = (np.array(rows) for rows in zip(*out, strict=True))
    return Run(pose, times, q, v, a, seams, verdicts, executor)


def seam_velocity_jump(run, dt):
    """Worst second difference over policy steps, within one step of a seam, arm joints [rad]."""
    worst = 0.0
    for seam in run.seams[1:]:
        grid = seam.time + dt * np.arange(-2, 3)
        if grid[0] < run.times[0] or grid[-1] > run.times[-1]:
            continue
        q = np.stack([np.interp(grid, run.times, run.q[:, j]) for j in np.flatnonzero(ARMS)])
        worst = max(worst, np.abs(np.diff(q, n=2, axis=1)).max())
    return worst


def play(times, policy, replan, delay, method, start=0.0):
    """
    Execute chunks as common runtimes do, for comparison: one target a policy step, (T, n).

    ``switch`` jumps to the newest chunk; ``linear`` fades from the old one over 15 steps.
    """
    nodes = np.arange(start, times[-1] + 2 * policy.dt, policy.dt)
    out, chunks = [], []
    captures = list(start + np.arange(0, times[-1] - start, replan))
    seams = []
    for t in nodes:
        while captures and captures[0] + delay <= t:
            chunks.append(policy.chunk(captures.pop(0)))
            seams.append(t)
        row = policy.motion(np.array([start]))[0] if not chunks else _due(chunks[-1], t)
        if method == 'linear' and len(chunks) > 1:
            share = min((t - seams[-1]) / (15 * policy.dt), 1.0)
            row = share * row + (1 - share) * _due(chunks[-2], t)
        out.append(row)
    return np.stack([np.interp(times, nodes, column) for column in np.array(out).T], axis=1)


def _due(chunk, t):
    i = round((t - chunk.stamp) / chunk.dt) - 1
    return chunk.positions[min(max(i, 0), len(chunk.positions) - 1)]


def rmse(run, motion, after=2.0):
    keep = run.times > run.times[0] + after
    return float(np.sqrt(np.mean((run.q[keep] - motion(run.times[keep]))[:, ARMS] ** 2)))
