# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
The peers that count actions, in closed loop: their queue of targets becomes a reference.

At control rate they get the best that can be had without knowing the future: one C2 curve through
the targets executed last and all that are in the queue, which the robot is on time with. Where a
chunk changes the queue the curve goes on from where it is, with whatever corner that gives; the
gate limits it as it limits any reference. Grippers go over to a new chunk at once, unblended.
"""

from bisect import bisect_right
from collections.abc import Callable

import numpy as np

from vla_control.actions.executor import Verdict
from vla_control.actions.spline import CubicSpline, interpolate
from vla_control.core.messages import ActionChunk, Floats, Reference
from vla_control.core.spec import RobotSpec
from vla_control.runtime.bench.methods import led_in, Queue
from vla_control.runtime.bench.run import Peer

TINY = 1e-9  # [s] forgiven between instants that should be equal
PAST = 3  # executed targets the curve still goes through

MakePeer = Callable[[float], Peer]  # from the policy step [s]


class QueueExecutor:
    """
    Does for a peer what ChunkExecutor does for ours, as far as the lockstep loop asks.

    Action ``k`` is done when the robot is at its target; the next one then begins, and that is
    when a chunk that has arrived is joined. With nothing left it stays at the last target, as
    they do, and what it waits is not counted.
    """

    held = ''

    def __init__(self, spec: RobotSpec, make: MakePeer) -> None:
        """
        Begin without a pose; align first.

        :param make: makes a peer that has seen nothing yet.
        """
        self._spec, self._make = spec, make
        self._grippers = np.flatnonzero(spec.gripper)
        self.seams: list[float] = []  # [s] when chunks took over
        self.align(0.0, np.array(spec.home))

    @property
    def starved(self) -> bool:
        """Whether no target lies ahead."""
        return self._queue is None or self._queue.end <= len(self._sent)

    @property
    def at_rest(self) -> bool:
        """Whether it stays at the last target."""
        return self._curve is None

    def align(self, now: float, q: Floats) -> None:
        """Rest at a pose (n,) and forget all chunks."""
        self._sent: list[Floats] = [np.array(q, dtype=np.float64)]  # by number
        self._done = [now]  # [s] when each was reached
        self._queue: Queue | None = None
        self._curve: CubicSpline | None = None
        self._arrived: ActionChunk | None = None
        self._peer: Peer | None = None
        self._dt = 0.0  # [s] policy step
        self._source = np.nan

    def offer(self, chunk: ActionChunk, now: float) -> Verdict:
        """Take in a chunk; the next action to begin looks at it."""
        if set(chunk.joints) != set(self._spec.names):
            return Verdict(accepted=False, reason=f'chunk for joints {list(chunk.joints)}')
        self._arrived = chunk
        return Verdict(accepted=True, reason='')

    def tick(self, now: float) -> Reference:
        """Return the reference for an instant [s], rising from call to call."""
        began = self._begin_actions(now)
        if self._arrived is not None and (began or self.starved):
            self._join(self._arrived, now)
            self._arrived = None
        state = np.zeros((3, len(self._spec.joints)))
        state[0] = self._sent[-1]
        if self._curve is not None:
            if now < self._curve.end - TINY:
                state = self._curve.at(now)
            else:
                self._curve = None
        return Reference(stamp=now, q=state[0], v=state[1], a=state[2], source=self._source)

    def _begin_actions(self, now: float) -> bool:
        """Count the targets reached by now; return whether there were any."""
        before = len(self._sent)
        while self._queue is not None and now >= self._done[-1] + self._dt - TINY:
            target = self._queue.target(len(self._sent))
            if target is None:
                break
            self._sent.append(target)
            self._done.append(self._done[-1] + self._dt)
        return len(self._sent) > before

    def _join(self, chunk: ActionChunk, now: float) -> None:
        if self._peer is None:
            self._dt, self._peer = chunk.dt, self._make(chunk.dt)
        order = [chunk.joints.index(name) for name in self._spec.names]
        new = Queue(self._first(chunk), np.array(chunk.positions, dtype=np.float64)[:, order])
        resting, old = self.starved, self._queue
        past = self._sent[-PAST - 1 :]
        if resting:
            self._done[-1] = now
            past = self._sent[-1:] * (PAST + 1)
        following = len(self._sent)
        self._peer.prepare(new, following)
        queue = self._peer.join(np.array(self._sent), old, new, following)
        queue, _ = led_in(queue, old, following)
        waits = max(queue.first - following, 0)
        self._sent.extend(self._sent[-1:] * waits)
        self._done.extend(self._done[-1:] * waits)
        self._queue = queue = self._with_grippers(queue, new)
        self._source = chunk.stamp
        self.seams.append(now)
        points = np.array([*past, *queue.points[len(self._sent) - queue.first :]])
        start = self._done[-1] - (len(past) - 1) * self._dt
        self._curve = interpolate(start, self._dt, points) if not self.starved else None

    def _first(self, chunk: ActionChunk) -> int:
        """
        Return the number of the action a chunk's first target is for.

        A queue knows no time: it counts from the action that was under way at the capture. Of
        the two whose instants the first target lies between, it is given the closer one.
        """
        number = bisect_right(self._done, chunk.stamp + TINY) - 1
        since = chunk.stamp - self._done[max(number, 0)]
        return max(number, 0) + 1 + int(0.5 * self._dt <= since < self._dt)

    def _with_grippers(self, queue: Queue, new: Queue) -> Queue:
        rows = np.arange(queue.first, queue.end) - new.first
        known = (rows >= 0) & (rows < len(new.points))
        points = queue.points.copy()
        points[np.ix_(known, self._grippers)] = new.points[np.ix_(rows[known], self._grippers)]
        return Queue(queue.first, points)
