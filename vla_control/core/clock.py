# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""A clock that runs, and one that only moves when told to."""

from collections.abc import Callable
import time


class SteadyClock:
    """The monotonic clock of the machine."""

    def now(self) -> float:
        """Return the time in s since an arbitrary start."""
        return time.monotonic()

    def sleep_until(self, deadline: float) -> None:
        """Wait for an absolute deadline [s]."""
        wait = deadline - time.monotonic()
        if wait > 0.0:
            time.sleep(wait)


class ManualClock:
    """Virtual time: waiting moves it, nothing else does."""

    def __init__(self, start: float = 0.0, wait: Callable[[float], None] | None = None) -> None:
        """
        Begin at a time.

        :param start: [s]
        :param wait: called with the seconds of every wait, so that a world can live through it;
            it may advance this clock itself.
        """
        self._now = start
        self._wait = wait

    def now(self) -> float:
        """Return the time in s."""
        return self._now

    def sleep_until(self, deadline: float) -> None:
        """Jump to the deadline; time never goes back."""
        if self._wait is not None and deadline > self._now:
            self._wait(deadline - self._now)
        self._now = max(self._now, deadline)

    def advance(self, seconds: float) -> float:
        """Move on by some seconds and return the new time."""
        self._now += seconds
        return self._now
