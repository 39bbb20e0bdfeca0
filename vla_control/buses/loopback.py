# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""A bus of two ends in memory: no threads, no clock, the same frames in the same order."""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Self

from vla_control.buses.frames import BusState, Frame
from vla_control.core.errors import BusError


class LoopbackBus:
    """
    One end of a bus in memory; make two with pair().

    ``wait`` is called with the timeout when receive() would block on an empty queue: it is where
    virtual time serves the other end. ``lose`` decides which sent frames vanish. ``sent`` keeps
    the newest frames for tests to look at.
    """

    def __init__(self) -> None:
        """Make an end that is connected to nothing."""
        self.wait: Callable[[float], None] | None = None
        self.lose: Callable[[Frame], bool] | None = None
        self.sent: deque[Frame] = deque(maxlen=10_000)
        self._inbox: deque[Frame] = deque()
        self._peer: LoopbackBus = self
        self._opened = False
        self._counters = dict.fromkeys(COUNTERS, 0)

    @classmethod
    def pair(cls) -> tuple[Self, Self]:
        """Return the two ends (driver, device) of a new bus, both closed."""
        driver, device = cls(), cls()
        driver._peer, device._peer = device, driver
        return driver, device

    @property
    def state(self) -> BusState:
        """UP while open."""
        return BusState.UP if self._opened else BusState.CLOSED

    @property
    def counters(self) -> Mapping[str, int]:
        """Frames sent and received since open()."""
        return dict(self._counters)

    def open(self) -> None:
        """
        Take this end.

        :raises BusError: when it is taken already.
        """
        if self._opened:
            raise BusError('this end of the loopback bus is open already; a bus has one writer')
        self._opened = True
        self._inbox.clear()
        self._counters = dict.fromkeys(COUNTERS, 0)

    def send(self, arbitration_id: int, data: bytes) -> None:
        """
        Put one frame in the other end's queue; a closed other end loses it, as a wire would.

        :raises BusError: when this end is closed.
        """
        self._check()
        frame = Frame(arbitration_id, bytes(data))
        self.sent.append(frame)
        self._counters['sent'] += 1
        if self._peer._opened and not (self.lose is not None and self.lose(frame)):
            self._peer._inbox.append(frame)

    def receive(self, timeout: float = 0.0) -> list[Frame]:
        """
        Return every frame in the queue, oldest first.

        :param timeout: [s] handed to ``wait`` when the queue is empty.
        :raises BusError: when this end is closed.
        """
        self._check()
        if not self._inbox and timeout > 0.0 and self.wait is not None:
            self.wait(timeout)
        frames = list(self._inbox)
        self._inbox.clear()
        self._counters['received'] += len(frames)
        return frames

    def close(self) -> None:
        """Give this end back; safe to call twice."""
        self._opened = False

    def _check(self) -> None:
        if not self._opened:
            raise BusError('this end of the loopback bus is closed; call open() first')


COUNTERS = ('sent', 'received', 'errors', 'enobufs', 'error_frames')
