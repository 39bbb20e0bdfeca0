# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""A periodic thread with absolute deadlines, and a process that leaves it alone."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
import ctypes
from dataclasses import dataclass
import gc
import os
from pathlib import Path
import sys
import threading

import numpy as np

from vla_control.core.errors import ConfigError
from vla_control.core.protocols import Clock

# Measured at 250 Hz beside one busy Python thread: with the default of 5 ms the loop falls
# behind without end, with 0.1 ms it is 0.2 ms late.
SWITCH_INTERVAL = 1e-4  # [s]
MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT = 1, 2, 4


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
        priority: int = 0,
        note: str = '',
        on_failure: Callable[[float], object] | None = None,
        samples: int = 2048,
    ) -> None:
        """
        Prepare a loop that does not run yet.

        :param tick: called with the time [s] at which it runs.
        :param period: of the deadlines [s], > 0.
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
        self._priority, self._on_failure = priority, on_failure
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
        deadline = self._clock.now() + self._period
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


def request_realtime(priority: int) -> str:
    """
    Ask for SCHED_FIFO for the calling thread.

    :param priority: 1..99.
    :returns: what was permitted, for people; a refusal is not fatal.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
    except OSError as error:
        return f'no SCHED_FIFO ({error.strerror}; allow it with an rtprio limit)'
    return f'SCHED_FIFO {priority}'


def prepare_process(priority: int) -> str:
    """
    Lock the memory of the process and ask for SCHED_FIFO for every thread it has now.

    A control loop in time is of no use while the thread that receives its commands waits
    behind other programs. Threads and processes started later inherit the priority: start
    helpers that must not have it before. Locking takes up to 0.5 s, so do this before motors
    are enabled.

    :param priority: 1..99, below that of the loops that are to interrupt these threads.
    :returns: what was permitted, for people; a refusal is not fatal.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    # What is mapped now is read in now, as a first touch of a library during motion could wait
    # for the disk; what is mapped later (32 MB of shared memory a peer) only as it is touched.
    if libc.mlockall(MCL_CURRENT) == 0 and libc.mlockall(MCL_FUTURE | MCL_ONFAULT) == 0:
        memory = 'memory locked'
    else:
        memory = f'memory not locked ({os.strerror(ctypes.get_errno())})'
    try:
        for task in Path('/proc/self/task').iterdir():
            with suppress(ProcessLookupError):  # ended meanwhile
                os.sched_setscheduler(int(task.name), os.SCHED_FIFO, os.sched_param(priority))
    except OSError:
        return memory
    return f'middleware at {priority}, {memory}'


@contextmanager
def quiet_process() -> Iterator[None]:
    """
    Keep the interpreter from pausing a control thread, and put everything back afterwards.

    Short thread switches; no automatic garbage collection, whose full pass stops every thread
    for 5 to 100 ms. Call ``gc.collect(1)`` now and then meanwhile: what was alive before is
    frozen, so that pass is short.
    """
    interval, collecting = sys.getswitchinterval(), gc.isenabled()
    sys.setswitchinterval(SWITCH_INTERVAL)
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
        gc.unfreeze()
        if collecting:
            gc.enable()
