# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Real-time scheduling of threads, where the machine permits it, and a process that is quiet."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
import ctypes
import gc
import os
from pathlib import Path
import sys

# Measured at 250 Hz beside one busy Python thread: with the default of 5 ms the loop falls
# behind without end, with 0.1 ms it is 0.2 ms late.
SWITCH_INTERVAL = 1e-4  # [s]
MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT = 1, 2, 4


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


def hurry_process(priority: int) -> str:
    """
    Ask for SCHED_FIFO for every thread this process has now, but for none of its children.

    For what carries images and chunks between others: late, it delays a reaction, but no loop.

    :param priority: 1..99, below every control loop; 0 changes nothing.
    :returns: what was permitted, for people; a refusal is not fatal.
    """
    if not priority:
        return 'default scheduling'
    try:
        for task in Path('/proc/self/task').iterdir():
            with suppress(ProcessLookupError):  # ended meanwhile
                policy = os.SCHED_FIFO | os.SCHED_RESET_ON_FORK
                os.sched_setscheduler(int(task.name), policy, os.sched_param(priority))
    except OSError as error:
        return f'no SCHED_FIFO ({error.strerror}; allow it with an rtprio limit)'
    return f'SCHED_FIFO {priority}'


class Haste:
    """
    SCHED_FIFO of one thread for the short pieces of its work that others wait for.

    What takes long, an inference, is done between ``rest`` and ``resume`` and starves nobody.
    Threads and processes the thread starts are scheduled as usual. Where the machine does not
    permit SCHED_FIFO nothing changes.
    """

    def __init__(self, priority: int) -> None:
        """
        Take the calling thread; resume() must follow.

        :param priority: 1..99, below every control loop; 0 changes nothing.
        """
        self._priority = priority

    def resume(self) -> None:
        """Be in haste."""
        if self._priority:
            with suppress(OSError):
                policy = os.SCHED_FIFO | os.SCHED_RESET_ON_FORK
                os.sched_setscheduler(0, policy, os.sched_param(self._priority))

    def rest(self) -> None:
        """Give way to all who are."""
        if self._priority:
            with suppress(OSError):
                # The flag stays: without privileges it cannot be taken back.
                policy = os.SCHED_OTHER | os.SCHED_RESET_ON_FORK
                os.sched_setscheduler(0, policy, os.sched_param(0))


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
