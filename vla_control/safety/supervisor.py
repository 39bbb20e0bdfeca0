# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Which mode the robot is in, and what may change it: one table, every pair defined.

Faults latch with the reason and time of the first. A reset never moves: it leads to HOLD, and
from there motion takes a resume and then a command made after it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType


class Mode(Enum):
    """What the robot is doing."""

    UNCONFIGURED = 'UNCONFIGURED'  # not enabled, pose unknown
    HOLD = 'HOLD'  # stands at a latched pose, refuses motion until resumed
    READY = 'READY'  # stands, resumed, waits for a fresh command
    RUN = 'RUN'  # follows commands
    STOPPING = 'STOPPING'  # on the verified stop
    FAULT = 'FAULT'  # latched; the robot's own safe action runs


class Event(Enum):
    """What may happen to a robot."""

    CONFIGURED = 'configured'  # bus open, every motor identified, nothing enabled
    ALIGNED = 'aligned'  # enabled, and the gate starts at the measured pose
    RESUME = 'resume'  # the operator allows motion
    FRESH_COMMAND = 'fresh command'  # made after the resume
    HOLD = 'hold'  # the operator asks for a stop
    STARVED = 'starved'  # commands stopped coming
    RELEASED = 'released'  # nobody holds the enabling device
    STOPPED = 'stopped'  # what is sent is at rest
    FEEDBACK_LATE = 'feedback late'
    WARNING = 'warning'  # to be reported, changes nothing
    FAULT = 'fault'
    E_STOP = 'e-stop'
    RESET = 'reset'  # the operator clears a fault
    HOME = 'home'  # the operator asks for a gripper's zero to be found; changes no mode
    DEACTIVATE = 'deactivate'


@dataclass(frozen=True, slots=True)
class Fault:
    """The first fault since the last reset."""

    time: float  # [s]
    event: Event
    reason: str


def _table() -> Mapping[tuple[Mode, Event], Mode]:
    table = {(mode, event): mode for mode in Mode for event in Event}  # what is not named stays
    for mode in Mode:
        table[mode, Event.FAULT] = Mode.FAULT
        table[mode, Event.E_STOP] = Mode.FAULT
    table[Mode.UNCONFIGURED, Event.ALIGNED] = Mode.HOLD
    table[Mode.HOLD, Event.RESUME] = Mode.READY
    table[Mode.READY, Event.FRESH_COMMAND] = Mode.RUN
    for event in (Event.HOLD, Event.RELEASED, Event.FEEDBACK_LATE):
        table[Mode.READY, event] = Mode.HOLD
        table[Mode.RUN, event] = Mode.STOPPING
    table[Mode.RUN, Event.STARVED] = Mode.STOPPING
    table[Mode.RUN, Event.DEACTIVATE] = Mode.STOPPING
    table[Mode.STOPPING, Event.STOPPED] = Mode.HOLD
    table[Mode.HOLD, Event.DEACTIVATE] = Mode.UNCONFIGURED
    table[Mode.READY, Event.DEACTIVATE] = Mode.UNCONFIGURED
    table[Mode.FAULT, Event.RESET] = Mode.HOLD  # with healthy feedback only
    return MappingProxyType(table)


TRANSITIONS = _table()


class Supervisor:
    """Holds the mode of one robot, why it is in it, and the fault that latched."""

    def __init__(self) -> None:
        """Begin unconfigured."""
        self.mode = Mode.UNCONFIGURED
        self.reason = 'not configured'
        self.since = 0.0  # [s] of the last change of mode
        self.fault: Fault | None = None
        self.faults = 0  # counted since the start, repeated ones included

    def handle(self, event: Event, now: float, reason: str = '', *, healthy: bool = True) -> Mode:
        """
        Take in an event and return the mode it leads to.

        DEACTIVATE in RUN only starts the stop; it is to be sent again at rest.

        :param now: [s].
        :param reason: in words, with numbers.
        :param healthy: for RESET: what Watchdogs.unhealthy() says of the feedback; it is refused
            without.
        """
        why = reason or event.value
        if event in (Event.FAULT, Event.E_STOP):
            self.faults += 1
            if self.fault is None:
                self.fault = Fault(now, event, why)
                self.reason = why
        if event is Event.RESET and self.mode is Mode.FAULT:
            if not healthy:
                self.refuse(f'reset refused: {reason or "feedback is not healthy"}')
                return self.mode
            self.fault = None
        mode = TRANSITIONS[self.mode, event]
        if mode is not self.mode:
            self.mode = mode
            self.since = now
            if mode is not Mode.FAULT:
                self.reason = why
        return mode

    def refuse(self, why: str) -> None:
        """Add to the reason why something asked for was not done; the mode stays."""
        self.reason = f'{self.fault.reason} ({why})' if self.fault else why

    def __str__(self) -> str:
        """Mode and reason in the form of the driver_state topic."""
        return f'{self.mode.value}: {self.reason}' if self.reason else self.mode.value
