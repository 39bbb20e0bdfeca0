# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
How others join chunks, each as its source has it. All count actions; none looks at a clock.

A method turns the queue in execution and a new chunk into the queue from now on. Sources:
openpi's ActionChunkBroker (stop and wait), LeRobot's async client (weighted average), ACT
(temporal ensembling), axol PR 191 (offset fade). Where a source leaves a choice it is given
the one that suits it best here.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vla_control.core.messages import Floats

NEW_SHARE = 0.7  # LeRobot's weighted_average: 0.3 old + 0.7 new
MEMORY = 0.01  # ACT's m in exp(-m * i), i = 0 the oldest chunk
FADE = 15  # steps of the linear fade
OFFSET_FADE = 30  # steps; axol fades over 1 s


@dataclass(frozen=True, slots=True)
class Queue:
    """Targets of consecutive actions."""

    first: int  # number of the first action
    points: Floats  # (m, n) [rad]

    @property
    def end(self) -> int:
        """Number after the last action."""
        return self.first + len(self.points)

    def target(self, number: int) -> Floats | None:
        """Return the target of an action (n,), or None past the end."""
        return self.points[number - self.first] if number < self.end else None


Join = Callable[[Floats, Queue | None, Queue, int], Queue]
"""
``join(sent, old, new, now) -> queue``: sent (m, n) are the targets of actions executed so far,
old is the queue in execution, new the chunk, now the number of the next action.
"""


def stop_and_wait(sent: Floats, old: Queue | None, new: Queue, now: int) -> Queue:
    """Begin with the chunk's first point, whatever the delay was."""
    return Queue(now, new.points)


def switch(sent: Floats, old: Queue | None, new: Queue, now: int) -> Queue:
    """Drop what is past by count and go over to the new chunk at once."""
    return new


def weighted_average(sent: Floats, old: Queue | None, new: Queue, now: int) -> Queue:
    """Average both where they overlap."""
    return _mixed(old, new, now, np.full(len(new.points), NEW_SHARE))


def linear_fade(
    sent: Floats, old: Queue | None, new: Queue, now: int, *, steps: int = FADE
) -> Queue:
    """Go over from old to new in equal steps."""
    ramp = np.clip((np.arange(len(new.points)) + 1.0) / steps, 0.0, 1.0)
    return _mixed(old, new, now, ramp)


def offset_fade(
    sent: Floats, old: Queue | None, new: Queue, now: int, *, steps: int = OFFSET_FADE
) -> Queue:
    """Follow the new chunk shifted to where the old queue would be, the shift fading out."""
    begin = max(now, new.first)
    if begin >= new.end:
        return new
    here = old.target(begin) if old else None
    if here is None:
        if not len(sent):
            return new
        here = sent[-1]
    points = new.points[begin - new.first :]
    ramp = np.maximum(0.0, 1.0 - np.arange(len(points)) / steps)
    return Queue(begin, points + ramp[:, None] * (here - points[0]))


class Ensemble:
    """ACT's temporal ensembling over all chunks that speak of an action."""

    def __init__(self) -> None:
        """Begin without a memory."""
        self._chunks: list[Queue] = []

    def __call__(self, sent: Floats, old: Queue | None, new: Queue, now: int) -> Queue:
        """Average from now to the end of the newest chunk."""
        self._chunks = [c for c in self._chunks if c.end > now] + [new]
        begin = max(now, new.first)
        count = max(new.end - begin, 0)
        total = np.zeros((count, 1))
        out = np.zeros((count, new.points.shape[1]))
        rank = np.zeros((count, 1))
        for chunk in self._chunks:
            numbers = begin + np.arange(count)
            covers = ((numbers >= chunk.first) & (numbers < chunk.end))[:, None]
            weight = covers * np.exp(-MEMORY * rank)
            rows = np.clip(numbers - chunk.first, 0, len(chunk.points) - 1)
            out += np.where(covers, weight * chunk.points[rows], 0.0)
            total += weight
            rank += covers
        return Queue(begin, out / total)


def led_in(queue: Queue, old: Queue | None, now: int) -> tuple[Queue, int]:
    """
    Let the old targets fill the time until a queue's first action, where there are enough.

    :param now: number of the next action.
    :returns: the queue from now on, and how many old targets come first.
    """
    early = queue.first - now
    if old is None or early <= 0 or old.end < queue.first:
        return queue, 0
    head = old.points[now - old.first : queue.first - old.first]
    return Queue(now, np.concatenate((head, queue.points))), early


def _mixed(old: Queue | None, new: Queue, now: int, new_share: Floats) -> Queue:
    """Average old and new from now on; the shares (H,) of the new count from now."""
    begin = max(now, new.first)
    points = new.points[begin - new.first :].copy()
    if old is None or not len(points):
        return new
    count = max(min(old.end, new.end) - begin, 0)
    kept = old.points[begin - old.first :][:count]
    share = new_share[:count, None]
    points[:count] = share * points[:count] + (1.0 - share) * kept
    return Queue(begin, points)
