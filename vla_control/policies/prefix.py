# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
What the robot will be doing while a policy thinks, for policies that continue it.

Kept beside the policy, from what it answered and how late: its newest chunk is what is being
executed, and what falls due until the next answer can be expected is executed whatever that
says. The executor's own plan differs by smoothing and a short fade, which its splice bridges
anyway; a chunk it refused is replaced by the next. So nothing has to come back over the graph.
"""

from collections import deque
import math

import numpy as np

from vla_control.actions.blend import BlendConfig, BlendMethod
from vla_control.actions.pace import Pace, Rhythm
from vla_control.core.errors import ChunkRejected
from vla_control.core.messages import ActionChunk, frozen_floats

WINDOW = 10  # latencies of which the largest is expected, as in RTC (arXiv 2506.07339)


class Commitment:
    """The motion a policy's own chunks commit the robot to. All times on the stamps' clock."""

    def __init__(self, blend: BlendConfig) -> None:
        """Begin with nothing; where the blend is not real-time chunking there never is any."""
        self._wanted = blend.method is BlendMethod.RTC
        self._first, self._reach = blend.rtc.delay, blend.reach
        self._latencies: deque[float] = deque(maxlen=WINDOW)
        self.reset()

    @property
    def delay(self) -> float:
        """How long the next answer is expected to take from its capture, cautiously [s]."""
        return max(self._latencies, default=self._first)

    def reset(self) -> None:
        """Forget the motion: the robot was stopped, or told something else."""
        self._chunk: ActionChunk | None = None
        self._origin = self._end = -math.inf  # [s] of the chunk, by the plan's clock
        # What the executor does with its clock, from the same times: see actions.pace.
        self._pace, self._rhythm = Pace(), Rhythm()

    def answered(self, chunk: ActionChunk, now: float) -> None:
        """Note a chunk that goes to the robot now [s]."""
        self._latencies.append(now - chunk.stamp)
        rest = self._end if self._chunk is not None else chunk.stamp
        pace = self._pace.resumed(now, rest)
        self._rhythm.arrived(now)
        steps, age = len(chunk.positions), now - chunk.stamp
        try:
            rate, _ = self._rhythm.fit(steps * chunk.dt, steps, age, pace.after, self._reach)
        except ChunkRejected:
            return  # by the executor too
        self._origin = pace.clock(chunk.stamp)
        self._end = self._origin + steps * chunk.dt
        self._pace = pace.changed(now, rate, at_rest=pace is not self._pace)
        self._chunk = chunk

    def prefix(self, stamp: float) -> ActionChunk | None:
        """
        Return the motion going on as the first steps of a chunk captured at a time [s].

        None where there is none, or where the delay is more than half the chunk: continuing the
        old one would then leave no step to what was seen since.
        """
        old = self._chunk
        if not self._wanted or old is None:
            return None
        now = self._pace.clock(stamp)
        frozen = math.ceil((self._pace.clock(stamp + self.delay) - now) / old.dt - 1e-6)
        horizon = len(old.positions)
        steps = min(math.floor((self._end - now) / old.dt + 1e-9), horizon)
        if steps < 1 or 2 * frozen > horizon:
            return None
        wanted = now + old.dt * np.arange(1.0, steps + 1.0)
        times = self._origin + old.dt * np.arange(1.0, horizon + 1.0)
        columns = [np.interp(wanted, times, column) for column in old.positions.T]
        return ActionChunk(
            stamp=stamp,
            dt=old.dt,
            joints=old.joints,
            positions=frozen_floats(np.stack(columns, axis=1)),
            committed=min(frozen, steps),
        )
