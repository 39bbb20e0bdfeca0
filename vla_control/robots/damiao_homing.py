# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
How a gripper finds its zero: gently against its open stop, one frame a tick.

The motor stays in position-force mode, where it bounds its own torque; nothing here blocks, so
the arm is held and an emergency stop heard meanwhile. Distance and time are bounded as well: the
vendor's routine has neither limit, and a motor without a stop ran past 120 rad in it.
"""

from enum import Enum
import math

from vla_control.buses.damiao import (
    command_id,
    DISABLE,
    ENABLE,
    encode_pos_force,
    Mode,
    refresh,
    Reg,
    SET_ZERO,
    write_register,
)
from vla_control.core.errors import ConfigError
from vla_control.core.messages import MotorStatus
from vla_control.core.spec import JointSpec
from vla_control.robots.damiao_link import DamiaoLink
from vla_control.robots.damiao_motors import Motor, Payload

STILL = 0.1  # [rad/s] of the motor; slower than this it has met something
PUSHING = 0.5  # share of the homing torque it must exert meanwhile
STALL = 0.2  # [s] for so long
SETTLED = 0.05  # [rad] largest reading after its zero was set
LAST_BIT = 0.1  # [rad] before the end of the travel counts as its end
STEP_TIME = 0.5  # [s] for each of the steps after the stop was found


class Phase(Enum):
    """Where a homing is."""

    SEEK = 'moving to the stop'
    OFF = 'switching the motor off'
    ZERO = 'setting its zero'
    MARK = 'marking it as homed'
    ON = 'switching the motor on'
    DONE = 'homed'
    FAILED = 'failed'


class GripperHoming:
    """One homing of one gripper motor; look() and then frame() once a tick."""

    def __init__(
        self, joint: JointSpec, motor: Motor, index: int, *, counts: int, start: float, now: float
    ) -> None:
        """
        Begin.

        :param index: of the motor in its link.
        :param counts: what register 9 is to hold afterwards, the mark.
        :param start: [rad] what the motor reads.
        :param now: [s]
        :raises ConfigError: when the joint has no homing section.
        """
        if motor.homing is None:
            raise ConfigError(f'{joint.name}.motor.homing is missing; nothing bounds its homing')
        self._homing = motor.homing
        self._motor, self._index, self._counts = motor, index, counts
        middle = 0.5 * (joint.lower + joint.upper)
        self._towards = math.copysign(1.0, (motor.homing.position - middle) * motor.scale)
        self._start = start  # [rad]
        self._began = now  # [s] the homing, then each step
        self._pushed = math.inf  # [s] since when it stands and pushes
        self._heard = 0
        self.phase = Phase.SEEK
        self.reason = ''  # why it failed

    @property
    def running(self) -> bool:
        """Whether it still wants frames to be sent."""
        return self.phase not in (Phase.DONE, Phase.FAILED)

    @property
    def dark(self) -> bool:
        """Whether the motor is off because this homing has switched it off."""
        return self.phase in (Phase.OFF, Phase.ZERO, Phase.MARK, Phase.ON)

    def frame(self) -> Payload:
        """Return what the motor gets this tick."""
        tx, homing = self._motor.tx, self._homing
        if self.phase is Phase.SEEK:
            target = self._start + self._towards * homing.travel
            current = homing.torque / self._motor.full_torque
            data = encode_pos_force(target, homing.speed, current)
            return command_id(Mode.POS_FORCE, tx), data
        if self.phase is Phase.OFF:
            return tx, DISABLE
        if self.phase is Phase.ZERO:
            return tx, SET_ZERO
        if self.phase is Phase.MARK:
            return write_register(tx, Reg.TIMEOUT, self._counts)
        if self.phase is Phase.ON:
            return tx, ENABLE
        return refresh(tx)

    def look(self, link: DamiaoLink, now: float) -> None:
        """Judge the newest answer; ``now`` [s]."""
        if not self.running:
            return
        i = self._index
        status = link.status[i]
        if not status.healthy:
            self.fail(f'the motor reports {status.value}')
        elif self.phase is Phase.SEEK:
            self._seek(link.q[i], link.v[i], link.tau[i], now)
        elif now - self._began > STEP_TIME:
            self.fail(f'no answer while {self.phase.value}')
        elif self.phase is Phase.MARK:
            self._mark(link, now)
        elif link.heard[i] > self._heard:
            self._step(link.q[i], status, now)
        self._heard = link.heard[i]
        if self.phase is Phase.MARK:
            link.expect(i, Reg.TIMEOUT)

    def fail(self, reason: str) -> None:
        """Give up; whoever sends frames holds the gripper where it is."""
        if self.running:
            self.phase, self.reason = Phase.FAILED, reason

    def _seek(self, q: float, v: float, tau: float, now: float) -> None:
        homing = self._homing
        standing = abs(v) < STILL and tau * self._towards >= PUSHING * homing.torque
        self._pushed = min(self._pushed, now) if standing else math.inf
        moved = (q - self._start) * self._towards
        if now - self._pushed >= STALL:
            self._next(Phase.OFF, now)
        elif moved >= homing.travel - LAST_BIT:
            self.fail(f'no stop within {homing.travel} rad of the motor')
        elif now - self._began > homing.time:
            self.fail(f'no stop within {homing.time} s, {moved:.2f} rad of the motor')

    def _step(self, q: float, status: MotorStatus, now: float) -> None:
        if self.phase is Phase.OFF and status is MotorStatus.DISABLED:
            self._next(Phase.ZERO, now)
        elif self.phase is Phase.ZERO and abs(q) <= SETTLED:
            self._next(Phase.MARK, now)
        elif self.phase is Phase.ON and status is MotorStatus.ENABLED:
            self._next(Phase.DONE, now)

    def _mark(self, link: DamiaoLink, now: float) -> None:
        value = link.answer(self._index)
        if value == self._counts:
            self._next(Phase.ON, now)

    def _next(self, phase: Phase, now: float) -> None:
        self.phase, self._began = phase, now
