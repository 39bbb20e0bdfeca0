# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""A periodic thread with absolute deadlines."""

from collections.abc import Callable
from dataclasses import dataclass
import math
import sys
import threading

import numpy as np

from vla_control.core.errors import ConfigError
from vla_control.core.protocols import Clock
from vla_control.core.realtime import request_realtime


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopStatistics:
    """How punctual a loop was; percentiles are over the newest ticks."""

    ticks: int
    missed: int  # deadlines skipped because a tick or the machine took too long
    late_p50: float  # [s] start of a tick after its deadline
    late_p99: float  # [s]
    late_max: float  # [s]
    work_p50: float  # [s] duration of a tick
    work_p99: float  # [s]
    scheduling: str  # what the machine permitted, for people


class ControlLoop:
    """
    Calls a tick at absolute deadlines from a thread of its own.

    A deadline that has passed when a tick ends is counted and skipped, never made up: a robot
    must not receive a burst. An exception in a tick ends the loop; ``failure`` then holds it,
    and ``on_failure`` runs in the loop's thread so that a safe action is taken at once.
    """

    def __init__(
        self,
        tick: Callable[[float], object],
        period: float,
        clock: Clock,
        *,
        name: str = 'control',
        phase: float | None = None,
        priority: int = 0,
        note: str = '',
        on_failure: Callable[[float], object] | None = None,
        samples: int = 2048,
    ) -> None:
        """
        Prepare a loop that does not run yet.

        :param tick: called with the time [s] at which it runs.
        :param period: of the deadlines [s], > 0.
        :param phase: puts the deadlines at ``phase`` [s] plus whole periods of the clock, so that
            loops of one machine keep their order; None begins a period after the start.
        :param priority: SCHED_FIFO priority 1..99, 0 to not ask for it.
        :param note: what else was prepared, for people.
        :param on_failure: called with the time [s] after a tick raised.
        :param samples: number of ticks the statistics look back.
        :raises ConfigError: when a number is out of range.
        """
        if not period > 0.0 or not 0 <= priority <= 99 or samples < 1:
            raise ConfigError(
                f'loop {name!r}: period {period} must be > 0 s, priority {priority} 0..99, '
                f'samples {samples} >= 1'
            )
        self._tick, self._period, self._clock, self._name = tick, period, clock, name
        self._phase, self._priority, self._on_failure = phase, priority, on_failure
        self._late = np.zeros(samples)
        self._work = np.zeros(samples)
        self._ticks = 0
        self._missed = 0
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._note = note
        self._scheduling = 'default scheduling'
        self.failure: BaseException | None = None

    @property
    def running(self) -> bool:
        """True between start and stop, unless a tick raised."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Run in a thread; does nothing where one runs already."""
        if self.running:
            return
        self._stopping, self.failure = False, None
        self._thread = threading.Thread(target=self._thread_main, name=self._name)
        self._thread.start()

    def stop(self, timeout: float = 2.0) -> bool:
        """
        End after the tick in progress.

        :param timeout: longest wait for it [s].
        :returns: whether the thread has ended.
        """
        self._stopping = True
        thread = self._thread
        if thread is None or thread is threading.current_thread():
            return True
        thread.join(timeout)
        return not thread.is_alive()

    def run(self, ticks: int | None = None) -> None:
        """
        Run in the calling thread until stopped.

        :param ticks: end after as many, None for no end.
        """
        deadline = self._first_deadline()
        last = None if ticks is None else self._ticks + ticks
        while not self._stopping and self._ticks != last:
            self._clock.sleep_until(deadline)
            now = self._clock.now()
            self._tick(now)
            end = self._clock.now()
            slot = self._ticks % len(self._late)
            self._late[slot] = now - deadline
            self._work[slot] = end - now
            self._ticks += 1
            deadline += self._period
            if end >= deadline:
                skipped = int((end - deadline) / self._period) + 1
                self._missed += skipped
                deadline += skipped * self._period

    def statistics(self) -> LoopStatistics:
        """Return the counts since the beginning and the percentiles of late."""
        count = min(self._ticks, len(self._late))
        late = self._late[:count] if count else np.zeros(1)
        work = self._work[:count] if count else np.zeros(1)
        late50, late99 = np.percentile(late, (50, 99))
        work50, work99 = np.percentile(work, (50, 99))
        return LoopStatistics(
            ticks=self._ticks,
            missed=self._missed,
            late_p50=float(late50),
            late_p99=float(late99),
            late_max=float(late.max()),
            work_p50=float(work50),
            work_p99=float(work99),
            scheduling=self._scheduling,
        )

    def _first_deadline(self) -> float:
        now = self._clock.now()
        if self._phase is None:
            return now + self._period
        return (math.floor((now - self._phase) / self._period) + 1) * self._period + self._phase

    def _thread_main(self) -> None:
        if self._priority:
            granted = request_realtime(self._priority)
            self._scheduling = ', '.join(filter(None, (granted, self._note)))
        done = False
        try:
            self.run()
            done = True
        finally:
            if not done:
                self.failure = sys.exception()
                if self._on_failure is not None:
                    self._on_failure(self._clock.now())
