# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""What every CAN transport hands over, and the interface they share."""

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import NamedTuple, Protocol, runtime_checkable


class Frame(NamedTuple):
    """One CAN frame with a standard identifier; a named tuple because thousands a second pass."""

    arbitration_id: int
    data: bytes
    stamp: float = 0.0  # [s] the transport's own clock; for logs, never for a watchdog


class BusState(Enum):
    """What the transport knows of the wire; motors may be silent on a bus that is UP."""

    CLOSED = 'closed'
    UP = 'up'
    BUS_OFF = 'bus-off'  # the controller has given up; writes still succeed
    DOWN = 'down'
    MISSING = 'interface missing'


class FrameBus(Protocol):
    """A CAN bus, or something that behaves like one."""

    @property
    def state(self) -> BusState:
        """The wire's health; may read a file, so not for every tick."""

    @property
    def counters(self) -> Mapping[str, int]:
        """Frames sent, received and lost since open()."""

    def open(self) -> None:
        """
        Take the bus.

        :raises BusError: saying what is missing or who holds it.
        """

    def send(self, arbitration_id: int, data: bytes) -> None:
        """
        Send one frame without waiting for it to be acknowledged.

        :raises BusError: when the bus is closed or lost.
        """

    def receive(self, timeout: float = 0.0) -> list[Frame]:
        """
        Return every frame that has arrived, oldest first.

        :param timeout: [s] longest wait for the first one; 0 never blocks.
        :raises BusError: when the bus is closed or lost.
        """

    def close(self) -> None:
        """Give the bus back; safe to call twice."""


@runtime_checkable
class BatchBus(Protocol):
    """A FrameBus whose wire is cheaper per write than per frame."""

    def send_all(self, frames: Iterable[tuple[int, bytes]]) -> None:
        """
        Send frames (arbitration id, data) in one write.

        :raises BusError: when the bus is closed or lost.
        """
