# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""A robot without a bus: an ideal mirror of its commands, with faults by the clock."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
import math

import numpy as np

from vla_control.core.errors import BusError, ConfigError, RobotError
from vla_control.core.messages import (
    frozen_floats,
    JointCommand,
    MotorStatus,
    RobotState,
)
from vla_control.core.spec import RobotSpec
from vla_control.robots.guards import command_gain, outside_limits

ROOM_TEMPERATURE = 30.0  # [deg C] of a motor without a fault


class FaultKind(Enum):
    """What goes wrong."""

    SILENT = 'silent'  # the joint does not answer
    STUCK = 'stuck'  # the joint answers the same values for ever
    STATUS = 'status'  # the motor switches itself off and says why
    HOT = 'hot'  # the motor reports a temperature
    BUS = 'bus'  # nothing passes in either direction; write raises


@dataclass(frozen=True, slots=True, kw_only=True)
class MockFault:
    """One scripted fault."""

    kind: FaultKind
    joint: str = ''  # every joint when empty
    start: float = 0.0  # [s]
    end: float = math.inf  # [s]
    status: MotorStatus = MotorStatus.OVERLOAD  # what a STATUS fault reports
    temperature: float = 120.0  # [deg C] what a HOT fault reports


class Mock:
    """
    A driver whose joints are where they were told to be one tick ago.

    It has no masses: efforts read zero and the safe action leaves the joints where they are.
    """

    def __init__(
        self,
        spec: RobotSpec,
        *,
        q: Sequence[float] | None = None,
        lag: float = 0.0,
        faults: Sequence[MockFault] = (),
    ) -> None:
        """
        Prepare the mirror.

        :param q: (n,) where it starts [rad, grippers m]; home when not given.
        :param lag: time constant of a first-order follower [s]; 0 follows at once.
        :param faults: the script.
        :raises ConfigError: when a fault names a joint the robot does not have.
        """
        self._spec = spec
        self._lag = lag
        self._faults: list[MockFault] = []
        for fault in faults:
            self.inject(fault)
        self._q = np.array(spec.home if q is None else q, dtype=np.float64)
        self._v = np.zeros(len(spec.joints))
        self._target: JointCommand | None = None
        self._seen_q, self._seen_v = self._q.copy(), self._v.copy()
        self._answered = np.full(len(spec.joints), -np.inf)
        self._status = [MotorStatus.DISABLED] * len(spec.joints)
        self._time = 0.0
        self._open = self._armed = False
        self._sent = self._received = self._errors = 0

    def inject(self, fault: MockFault) -> None:
        """
        Add a fault to the script.

        :raises ConfigError: when it names a joint the robot does not have.
        """
        if fault.joint and fault.joint not in self._spec.names:
            raise ConfigError(f'mock: no joint {fault.joint!r}; it has {list(self._spec.names)}')
        self._faults.append(fault)

    def connect(self, now: float) -> None:
        """
        Open.

        :raises RobotError: when it is open already.
        """
        if self._open:
            raise RobotError(f'{self._spec.name}: connected already; close() first')
        self._open = True
        self._time = now

    def enable(self, now: float) -> RobotState:
        """
        Enable every joint where it is.

        :raises RobotError: when a joint is silent, faulted or outside its limits.
        """
        state = self.read(now)
        wrong = [
            f'{name} is silent'
            for name, age in zip(self._spec.names, state.age, strict=True)
            if age > 0.0
        ]
        wrong += [
            f'{name} reports {status.value}'
            for name, status in zip(self._spec.names, state.status, strict=True)
            if not status.healthy and status is not MotorStatus.SILENT
        ]
        wrong += outside_limits(self._spec, state.q).values()
        if wrong:
            raise RobotError(f'{self._spec.name}: not enabled: ' + '; '.join(wrong))
        self._status = [MotorStatus.ENABLED] * len(self._spec.joints)
        self._armed = True
        self._target = None
        return self.read(now)

    def read(self, now: float) -> RobotState:
        """
        Return what answered; silent joints keep their last values and grow old.

        :raises RobotError: before connect().
        """
        if not self._open:
            raise RobotError(f'{self._spec.name}: read before connect()')
        self._advance(now)
        status = list(self._status)
        temperature = np.full(len(status), ROOM_TEMPERATURE)
        dead = bool(self._active(FaultKind.BUS, now))
        self._errors += dead
        silent = self._hit(FaultKind.SILENT, now) | dead
        stuck = self._hit(FaultKind.STUCK, now)
        moves = ~silent & ~stuck
        self._seen_q[moves], self._seen_v[moves] = self._q[moves], self._v[moves]
        self._answered[~silent] = now
        self._received += int((~silent).sum())
        for fault in self._active(FaultKind.HOT, now):
            temperature[self._mask(fault)] = fault.temperature
        age = now - self._answered
        late = age > self._spec.safety.feedback_fault
        return RobotState(
            stamp=now,
            q=frozen_floats(np.where(np.isinf(age), np.nan, self._seen_q)),
            v=frozen_floats(np.where(np.isinf(age), np.nan, self._seen_v)),
            effort=frozen_floats(np.zeros(len(status))),
            age=frozen_floats(age),
            temperature=frozen_floats(temperature),
            status=tuple(
                MotorStatus.SILENT if old else s for s, old in zip(status, late, strict=True)
            ),
            bus={'sent': self._sent, 'received': self._received, 'errors': self._errors},
        )

    def write(self, command: JointCommand, now: float) -> None:
        """
        Take the next target.

        :raises CodecError: when the command is not finite or has the wrong shape.
        :raises RobotError: before enable().
        :raises BusError: while a BUS fault lasts.
        """
        command_gain(self._spec, command)
        if not self._armed:
            raise RobotError(f'{self._spec.name}: write before enable()')
        if self._active(FaultKind.BUS, now):
            self._errors += 1
            raise BusError('mock: the scripted bus fault is active')
        self._advance(now)
        self._target = command
        self._sent += len(self._spec.joints)

    def safe_action(self, now: float) -> None:
        """Come to rest here; a mirror has no weight to damp."""
        if self._open:
            self._advance(now)
            self._target = None
            self._v[:] = 0.0

    def clear_faults(self, now: float) -> None:
        """
        Enable again what switched itself off.

        :raises RobotError: when the fault is still there.
        """
        self._target = None
        self._status = [
            s if s is MotorStatus.ENABLED else MotorStatus.DISABLED for s in self._status
        ]
        self.enable(now)

    def close(self, now: float) -> None:
        """Switch off; safe to call twice."""
        self._open = self._armed = False
        self._target = None
        self._v[:] = 0.0
        self._answered[:] = -np.inf
        self._status = [MotorStatus.DISABLED] * len(self._spec.joints)

    def _advance(self, now: float) -> None:
        dt, self._time = max(now - self._time, 0.0), max(now, self._time)
        for fault in self._active(FaultKind.STATUS, now):
            for i in np.flatnonzero(self._mask(fault)):
                self._status[i] = fault.status
        live = np.array([s is MotorStatus.ENABLED for s in self._status])
        target = self._target
        if target is None or dt == 0.0:
            return
        share = 1.0 if self._lag == 0.0 else 1.0 - math.exp(-dt / self._lag)
        step = np.where(live, share * (target.q - self._q), 0.0)
        self._q += step
        self._v = np.where(live, target.v if self._lag == 0.0 else step / dt, 0.0)

    def _active(self, kind: FaultKind, now: float) -> list[MockFault]:
        return [f for f in self._faults if f.kind is kind and f.start <= now < f.end]

    def _mask(self, fault: MockFault) -> 'np.ndarray[tuple[int], np.dtype[np.bool_]]':
        return np.array([not fault.joint or fault.joint == name for name in self._spec.names])

    def _hit(self, kind: FaultKind, now: float) -> 'np.ndarray[tuple[int], np.dtype[np.bool_]]':
        hit = np.zeros(len(self._spec.joints), dtype=np.bool_)
        for fault in self._active(kind, now):
            hit |= self._mask(fault)
        return hit
