# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
How fast a plan is played, so that it lasts until the next chunk, however late that comes.

A plan runs on a clock of its own. That clock follows the time of the stamps, more slowly where
chunks come too late to carry on, and it stands while the robot rests with nothing left to do:
what was seen at rest is not past. Its rate follows from measured times alone, never from the
motion, so a steady delay gives a steady rate and nothing can swing.
"""

from collections import deque
from dataclasses import dataclass, replace
import statistics

import numpy as np

from vla_control.core.errors import ChunkRejected
from vla_control.core.messages import Floats

SLOWEST = 0.3  # of full pace; a policy that needs less is refused
USED = 0.9  # of a chunk counted on to bridge a delay; the rest is for one that comes later yet
RAMP = 0.5  # [s] from one rate to another; at 1 rad/s that asks for 2 rad/s2 and 17 rad/s3
SLACK = 0.1  # a rate rises only by more than this, or delays that vary would make it hunt
GAPS = 3  # between arrivals; of their median, so that one lost chunk slows nothing
FEWEST = 4  # steps of a chunk that is a motion; fewer are targets, which nothing can stretch
HISTORY = 10.0  # [s] for which stamps are placed exactly


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The clock of a plan; its rate is smooth, so that what runs on it stays C2."""

    start: float = 0.0  # [s] from when on it holds
    origin: float = 0.0  # [s] of the plan's clock then
    before: float = 1.0  # rate then
    after: float = 1.0  # rate once the ramp is over
    ramp: float = 0.0  # [s]
    previous: 'Pace | None' = None  # before the start; it stood at the origin if it was past it

    def at(self, t: float) -> tuple[float, float, float]:
        """Return the plan's clock [s], its rate, and the change of that [1/s], at a time [s]."""
        if t < self.start and self.previous is not None:
            clock, rate, change = self.previous.at(t)
            return min(clock, self.origin), rate, change
        x = t - self.start
        if x >= self.ramp:
            ramped = 0.5 * (self.before + self.after) * self.ramp
            return self.origin + ramped + self.after * (x - self.ramp), self.after, 0.0
        if x <= 0.0:
            return self.origin + self.before * x, self.before, 0.0
        u, rise = x / self.ramp, self.after - self.before
        clock = self.origin + self.before * x + rise * self.ramp * u * u * u * (1.0 - 0.5 * u)
        rate = self.before + rise * u * u * (3.0 - 2.0 * u)
        return clock, rate, 6.0 * rise * u * (1.0 - u) / self.ramp

    def clock(self, t: float) -> float:
        """Return the plan's clock [s] at a time [s]."""
        return self.at(t)[0]

    def warp(self, t: float, state: Floats) -> Floats:
        """
        Return q, v, a by time of what has the given q, v, a by the plan's clock.

        :param state: (3, n) at ``clock(t)``.
        """
        _, rate, change = self.at(t)
        if rate == 1.0 and change == 0.0:
            return state
        q, v, a = state
        return np.stack((q, rate * v, rate * rate * a + change * v))

    def resumed(self, t: float, rest: float) -> 'Pace':
        """
        Return the clock that has stood since the motion ended, and runs on from a time [s].

        :param rest: [s] of this clock from when on nothing moved.
        """
        clock, rate, _ = self.at(t)
        if clock <= rest:
            return self
        return Pace(start=t, origin=rest, before=rate, after=rate, previous=self._kept(t))

    def changed(self, t: float, rate: float, at_rest: bool) -> 'Pace':
        """
        Return the clock that goes over to another rate from a time [s] on.

        A change under way is finished first, or the acceleration would step. At rest there is
        nothing to step, and no ramp.
        """
        clock, now, _ = self.at(t)
        busy = t < self.start + self.ramp and not at_rest
        if busy or rate == self.after:
            return self
        if at_rest:
            return Pace(start=t, origin=clock, before=rate, after=rate, previous=self._kept(t))
        return Pace(
            start=t, origin=clock, before=now, after=rate, ramp=RAMP, previous=self._kept(t)
        )

    def _kept(self, t: float) -> 'Pace':
        """Return this clock without what nobody asks about any more."""
        if self.previous is None or self.start < t - HISTORY:
            return replace(self, previous=None)
        return replace(self, previous=self.previous._kept(t))


class Rhythm:
    """When chunks come, and what pace that leaves them."""

    def __init__(self) -> None:
        """Begin with nothing arrived."""
        self._gaps: deque[float] = deque(maxlen=GAPS)
        self._last: float | None = None

    def arrived(self, now: float) -> None:
        """Count a chunk that came [s]."""
        if self._last is not None:
            self._gaps.append(now - self._last)
        self._last = now

    def need(self, age: float) -> float:
        """
        Return how long a chunk has to last from its capture until the next takes over [s].

        Policies are asked one thing at a time, so the next is at least as late as this one.

        :param age: [s] from its capture to its splice.
        """
        return age + max(age, statistics.median(self._gaps) if self._gaps else 0.0)

    def fit(
        self, length: float, steps: int, age: float, rate: float, reach: float | None
    ) -> tuple[float, str]:
        """
        Return the rate at which a chunk lasts until the next one, and why it is not full.

        :param length: [s] of its steps at full pace.
        :param age: [s] from its capture to its splice.
        :param rate: of now.
        :param reach: [s] of its steps that are better not exceeded, if any.
        :raises ChunkRejected: when it would end too soon at any rate.
        """
        if steps < FEWEST:
            return rate, ''
        need, usable = self.need(age), USED * length
        wanted = fitting_rate(need, usable, rate)
        if wanted < SLOWEST:
            raise ChunkRejected(
                f'too late: captured {age:.2f} s ago, so {usable:.2f} s of steps have to last '
                f'{need:.2f} s, which takes {wanted:.0%} of full pace; at least {SLOWEST:.0%} is '
                'played. Use a faster policy, or one with longer chunks'
            )
        if reach is not None and reach < usable:
            usable = reach
            wanted = max(SLOWEST, fitting_rate(need, usable, rate))
        if wanted == 1.0:
            return wanted, ''
        return wanted, (
            f'played at {wanted:.0%} of full pace: {usable:.2f} s of steps have to last '
            f'{need:.2f} s, from a capture until the next chunk comes'
        )


def fitting_rate(need: float, usable: float, rate: float) -> float:
    """
    Return the rate at which a chunk lasts long enough; less than `SLOWEST` where none does.

    :param need: [s] it has to last.
    :param usable: [s] of its steps that may be played.
    :param rate: of now, kept unless it has to fall, or may rise by more than `SLACK`.
    """
    wanted = min(1.0, usable / need) if need > 0.0 else 1.0
    rises = wanted == 1.0 or wanted > rate + SLACK
    return wanted if wanted < rate or rises else rate
