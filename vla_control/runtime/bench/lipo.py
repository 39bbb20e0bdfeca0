# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""LiPo (arXiv 2506.05165), the published quadratic programme, by its authors' own package."""

from importlib.util import find_spec
from typing import Any

import numpy as np

from vla_control.core.messages import Floats
from vla_control.runtime.bench.methods import Queue

BLEND = 10  # steps blended after those already in execution; the package's default
PAST = 3  # executed steps the programme looks back on


def lipo_available() -> bool:
    """Whether the package ``action-lipo`` is installed."""
    return find_spec('action_lipo') is not None


class Lipo:
    """Keeps its bounds at the package's defaults."""

    def __init__(self, dt: float) -> None:
        """
        Begin.

        :param dt: [s] policy step.
        """
        self._dt = dt
        self._programmes: dict[tuple[int, int], Any] = {}
        self.failed = 0  # programmes without a solution; the chunk was then followed as it came

    def prepare(self, new: Queue, now: int) -> None:
        """Build the programmes a chunk may need; that is no cost of its splice."""
        late = max(now - new.first, 0)
        for key in ((late, late + BLEND), (0, BLEND)):
            if key not in self._programmes and key[1] <= len(new.points):
                self._programmes[key] = _programme(self._dt, new.points, *key)

    def __call__(self, sent: Floats, old: Queue | None, new: Queue, now: int) -> Queue:
        """Solve for the whole chunk, its first steps held to what is in execution."""
        late = max(now - new.first, 0)
        both = min(old.end - new.first, len(new.points)) if old is not None else 0
        blend = min(late + BLEND, both)  # short chunks leave fewer steps to blend
        if old is None or blend <= late or new.first < PAST:
            return self._solve(new, (0, BLEND), np.zeros((0, new.points.shape[1])), 0)
        past = [
            sent[k] if k < now else old.points[k - old.first]
            for k in range(new.first - PAST, new.first + blend)
        ]
        return self._solve(new, (late, blend), np.array(past), blend)

    def _solve(self, new: Queue, key: tuple[int, int], past: Floats, count: int) -> Queue:
        if key not in self._programmes:
            self._programmes[key] = _programme(self._dt, new.points, *key)
        solved, _ = self._programmes[key].solve(new.points, past, count)
        if solved is None or not np.isfinite(solved).all():
            self.failed += 1
            del self._programmes[key]  # its warm start may hold the NaN that made it fail
            return new
        return Queue(new.first, np.asarray(solved))


def _programme(dt: float, points: Floats, late: int, blend: int) -> Any:
    from action_lipo.lipo import ActionLiPo

    return ActionLiPo(
        solver='OSQP',
        chunk_size=len(points),
        blending_horizon=blend,
        action_dim=points.shape[1],
        len_time_delay=late,
        dt=dt,
    )
