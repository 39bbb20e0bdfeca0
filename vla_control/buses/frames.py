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


@runtime_checkable
class AdvisingBus(Protocol):
    """A FrameBus that knows what a person can do once its wire is lost."""

    @property
    def advice(self) -> str:
        """What to do, in a sentence that names the wire."""


@runtime_checkable
class WiredDriver(Protocol):
    """What a RobotDriver adds where it speaks over wires that can be looked at."""

    @property
    def wires(self) -> Mapping[str, FrameBus]:
        """Each bus by the name of the robot, or the part of one, that hangs on it."""


_TROUBLES = {
    BusState.BUS_OFF: 'the CAN controller has given up after too many errors, and no motor hears '
    'the driver; look at plugs, at the 120 ohm at both ends and at the bit rates of the motors',
    BusState.DOWN: 'the interface has been taken down',
    BusState.MISSING: 'the adapter is gone; plug it in, then start the driver again',
}


def trouble(bus: FrameBus) -> str:
    """
    Say why nothing passes a wire and what to do about it; empty where it is up or not open.

    Reads a file on hardware, so not for every tick.
    """
    state = bus.state
    if state not in _TROUBLES:
        return ''
    advice = f'. {bus.advice}' if isinstance(bus, AdvisingBus) and bus.advice else ''
    return f'{state.value}: {_TROUBLES[state]}{advice}'
