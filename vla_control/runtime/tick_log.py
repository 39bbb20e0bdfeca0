# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Every tick of a control loop, kept in memory without allocating, saved at the end."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vla_control.core.messages import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class TickRecord:
    """What one run sent and measured, one row a tick."""

    joints: tuple[str, ...]  # (n,)
    dt: float  # [s] nominal control period
    time: Floats  # (T,) [s] monotonic
    sent: Floats  # (T, n) [rad], grippers [m]
    measured: Floats  # (T, n) [rad], grippers [m]
    source: Floats  # (T,) [s] capture of the images followed, nan where none
    mode: np.ndarray  # (T,) str


class TickLog:
    """A ring of the newest ticks; writing a row costs a few microseconds."""

    def __init__(self, joints: tuple[str, ...], dt: float, capacity: int = 500_000) -> None:
        """
        Reserve the memory at once.

        :param joints: names of the columns.
        :param dt: nominal control period [s].
        :param capacity: rows kept; older ones are overwritten.
        """
        self._joints, self._dt, self._capacity = joints, dt, capacity
        self._time = np.zeros(capacity)
        self._sent = np.zeros((capacity, len(joints)))
        self._measured = np.zeros((capacity, len(joints)))
        self._source = np.full(capacity, np.nan)
        self._mode: list[str] = [''] * capacity
        self._count = 0

    def add(
        self, time: float, sent: Floats, measured: Floats, mode: str, source: float = np.nan
    ) -> None:
        """Record one tick."""
        row = self._count % self._capacity
        self._time[row] = time
        self._sent[row] = sent
        self._measured[row] = measured
        self._source[row] = source
        self._mode[row] = mode
        self._count += 1

    def record(self) -> TickRecord:
        """Return the rows in order of time."""
        kept = min(self._count, self._capacity)
        rows = np.arange(self._count - kept, self._count) % self._capacity
        return TickRecord(
            joints=self._joints,
            dt=self._dt,
            time=self._time[rows],
            sent=self._sent[rows],
            measured=self._measured[rows],
            source=self._source[rows],
            mode=np.array([self._mode[r] for r in rows]),
        )

    def save(self, path: Path) -> None:
        """Write an .npz file; the old file stays whole until the new one is."""
        record = self.record()
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix('.part.npz')
        np.savez_compressed(
            part,
            joints=np.array(record.joints),
            dt=record.dt,
            time=record.time,
            sent=record.sent,
            measured=record.measured,
            source=record.source,
            mode=record.mode,
        )
        part.replace(path)


def load_tick_log(path: Path) -> TickRecord:
    """Read what TickLog.save wrote."""
    with np.load(path, allow_pickle=False) as data:
        return TickRecord(
            joints=tuple(str(j) for j in data['joints']),
            dt=float(data['dt']),
            time=data['time'],
            sent=data['sent'],
            measured=data['measured'],
            source=data['source'],
            mode=data['mode'],
        )
