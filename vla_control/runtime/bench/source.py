# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""A policy far away: asked for chunks, it answers late, wrongly or not at all."""

from dataclasses import dataclass
import math

import numpy as np

from vla_control.core.messages import Floats
from vla_control.runtime.bench.faults import Trouble
from vla_control.runtime.bench.setting import Motion, Setting

TINY = 1e-9  # [s] forgiven between instants that should be equal


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A chunk on its way."""

    arrival: float  # [s] true time
    asked: float  # [s] true time of the request
    captured: float  # [s] true time of the image it is from; earlier where the camera froze
    points: Floats  # (H, n) [rad] step i is for captured + (i + 1) * dt
    tag: int  # what the client noted when it asked: how many actions it had executed


class Client:
    """
    Asks on schedule and hands over what arrives.

    The answer to request k depends on k, its time and the seed, so methods that ask at the same
    times are given the same chunks.
    """

    def __init__(self, setting: Setting, motion: Motion, delay: float, bad: Trouble) -> None:
        """
        Begin with nothing asked.

        :param delay: [s] from request to answer where nothing is wrong.
        """
        self._setting, self._motion, self._delay, self._bad = setting, motion, delay, bad
        self._flying: list[Answer] = []
        self._asked = 0
        self._next = 0.0

    def ask(self, now: float, tag: int) -> None:
        """Ask if it is time to [s], at most once every `replan` steps."""
        waiting = any(a.arrival > now + TINY for a in self._flying)
        busy = self._bad.one_in_flight and waiting
        if busy or now < self._next - TINY:
            return
        self._next = now + self._setting.replan * self._setting.dt
        arrival = now + self._bad.delay(self._delay, self._asked)
        if math.isfinite(arrival) and self._bad.answers(arrival):
            captured = self._bad.captured(now)
            points = self._points(captured)
            self._flying.append(
                Answer(arrival=arrival, asked=now, captured=captured, points=points, tag=tag)
            )
        self._asked += 1

    def arrived(self, now: float) -> list[Answer]:
        """Return what came in since the last call, in the order of arrival."""
        here = [a for a in self._flying if a.arrival <= now + TINY]
        self._flying = [a for a in self._flying if a.arrival > now + TINY]
        return sorted(here, key=lambda a: a.arrival)

    def _points(self, captured: float) -> Floats:
        setting, number = self._setting, self._asked
        rng = np.random.default_rng([self._bad.seed, 1, number])
        times: Floats = captured + setting.dt * np.arange(1.0, setting.horizon + 1.0)
        points = self._motion.foreseen(captured, times)
        points += rng.normal(0.0, setting.bias, points.shape[1])
        points += rng.normal(0.0, setting.noise, points.shape)
        if self._bad.poisoned(number):
            points[rng.integers(setting.horizon), rng.integers(points.shape[1])] = np.nan
        return points
