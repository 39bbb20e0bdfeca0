# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The arms and hands of a Unitree G1 beside its own balance controller, through rt/arm_sdk."""

from contextlib import ExitStack, suppress

import numpy as np

from vla_control.buses.unitree import ARM_WEIGHT_SLOT, Message, UnitreeBus
from vla_control.core.errors import BusError, ConfigError, RobotError
from vla_control.core.messages import Floats, JointCommand, RobotState
from vla_control.core.protocols import Clock, Dynamics
from vla_control.core.spec import RobotSpec
from vla_control.robots.g1_base import G1Base, MODE_ON
from vla_control.robots.g1_config import span, WAIST
from vla_control.robots.g1_guard import G1Guard
from vla_control.robots.guards import command_gain

_LONGEST_STEP = 2.0  # control periods one tick may move the weight, however late it is
_FAREWELL = 5  # commands without weight before the writer may go
_GUARD = 0.1  # [s] between two looks at the guard; each is a system call


class G1(G1Base):
    """
    Blends our arms with the robot's own, by a weight between 0 and 1.

    What the robot does is weight x ours + (1 - weight) x its controller's. The weight only ever
    moves as fast as ``weight_ramp`` says, and the writer never goes while it is above 0: nobody
    documents what the robot then does with the last command. Legs are left out of every command.
    The waist is held where it was found, because arms raised on a limp waist tip the robot.
    """

    def __init__(
        self,
        spec: RobotSpec,
        bus: UnitreeBus,
        dynamics: Dynamics | None,
        clock: Clock,
        guard: G1Guard | None = None,
    ) -> None:
        """
        Check the configuration; nothing is opened.

        :param bus: of this robot, closed.
        :param dynamics: gravity and inertia of the arms, if they are to be fed forward.
        :param clock: what connect, enable and close wait on.
        :param guard: hands the arms back if this process is killed; None on a bus in memory.
        :raises ConfigError: when the motor or bus section is wrong.
        """
        super().__init__(spec, bus, dynamics, clock)
        arm = self._config.arm_sdk
        if arm is None:
            raise ConfigError(f'{spec.name}: bus.arm_sdk is missing')
        self._arm, self._guard = arm, guard
        free = set(WAIST) - self._config.variant.missing - set(self._motors.slots.tolist())
        self._waist = tuple(sorted(free))
        self._waist_slots = span(np.array(self._waist, dtype=np.intp))
        self._waist_q = np.zeros(len(self._waist))
        self._weight = 0.0
        self._moved = 0.0  # [s] of the newest command
        self._held = np.zeros(len(spec.joints))  # [rad] asked for last
        self._since: float | None = None  # [s] the safe action began
        self._rest = np.zeros(len(spec.joints))  # [rad] where it holds
        self._guard_at = -np.inf  # [s] the next look at the guard is due
        self._gone = ''  # what is wrong with it

    @property
    def weight(self) -> float:
        """The share of our command in what the arms do, 0..1."""
        return self._weight

    def connect(self, now: float) -> None:
        """
        Do what every G1 does, and start the guard meanwhile.

        :raises RobotError: with the pre-flight report, or when the guard does not start.
        :raises BusError: when the bus cannot be opened or is held by another process.
        """
        if self._guard is None or self._open:
            super().connect(now)
            return
        self._guard_at, self._gone = -np.inf, ''
        with ExitStack() as undo:
            undo.callback(self._guard.end, released=True)
            self._guard.start()
            super().connect(now)
            undo.callback(self.close, now)
            self._guard.await_ready()
            undo.pop_all()

    def enable(self, now: float) -> RobotState:
        """
        Take hold of the measured pose with no weight yet; write() brings it in.

        :raises RobotError: when a joint is silent or outside its limits, or the robot at fault.
        :raises BusError: when the bus does not take the command.
        """
        self._require_open()
        if self._armed:
            raise RobotError(f'{self._spec.name}: enabled already; close() and connect() again')
        self._await_fresh()
        self._require_fit()
        now = self._clock.now()
        self._weight, self._moved = 0.0, now
        self._seed()
        zero = np.zeros(len(self._held))
        limp = self._blended(self._held, zero, zero, zero, zero)
        self._send(limp, self._hands.encode(self._held, zero, zero, zero, zero), now)
        self._armed = True
        return self.read(now)

    def write(self, command: JointCommand, now: float) -> None:
        """
        Send one command; the weight follows the command's gain as fast as its ramp allows.

        :raises CodecError: when it is not finite or has the wrong shape; nothing is sent then.
        :raises RobotError: before enable().
        :raises BusError: when the bus does not take it.
        """
        gain = command_gain(self._spec, command)
        if not self._armed:
            raise RobotError(f'{self._spec.name}: write before enable()')
        self._since = None
        tau = self._torque(command.q, command.v, command.a)
        self._move_weight(gain, now)
        self._command(command.q, command.v, tau, gain, now)

    def safe_action(self, now: float) -> None:
        """
        Hold, then hand the arms back: the weight goes to 0 while the pose is held.

        Where the answers are fresh and the arms wholly ours, the measured pose is held, which lets
        go of an obstacle; the hands keep their grip. The legs, and so the balance, stay with the
        robot throughout.
        """
        if not self._armed:
            return
        if self._since is None:
            self._since = now
            # Taken over in part, an arm stands short of its command without any obstacle; to hold
            # where it is measured would throw it back.
            yields = self._weight == 1.0 and self._fresh(now)
            self._rest = self._link.q.copy() if yields else self._held.copy()
            grip = self._hands.joints
            self._rest[grip] = self._held[grip]
        hold = now - self._since < self._arm.release_hold
        self._move_weight(self._weight if hold else 0.0, now)
        zero = np.zeros(len(self._rest))
        # On a dead bus nothing is left to do; its counters tell.
        with suppress(BusError):
            self._command(self._rest, zero, self._torque(self._rest, zero, zero), 1.0, now)

    def clear_faults(self, now: float) -> None:
        """
        Take hold of the measured pose again; moves nothing, the weight comes back in write().

        :raises RobotError: when a joint is silent, or the fault is still there.
        """
        self._require_open()
        self._await_fresh(self.safe_action)
        self._require_fit()
        self._seed()

    def close(self, now: float) -> None:
        """
        Hand the arms back over ``weight_ramp``, switch the fingers off and release the bus.

        Safe to call twice and on a dead bus.
        """
        if not self._open:
            return
        try:
            if self._armed:
                self._hand_back()
        finally:
            self._open = self._armed = False
            self._since = None
            self._bus.close()
            if self._guard is not None:
                self._guard.end(released=self._weight == 0.0)

    def _warnings(self, now: float) -> tuple[str, ...]:
        if self._guard is not None and now >= self._guard_at:
            self._guard_at = now + _GUARD
            self._gone = self._guard.problem()
        told = super()._warnings(now)
        return (*told, self._gone) if self._gone else told

    def _send(self, message: Message, hands: list[bytes] | None, now: float) -> bytes:
        payload = super()._send(message, hands, now)
        if self._guard is not None:
            self._guard.note(payload)
        return payload

    def _hand_back(self) -> None:
        left = _FAREWELL
        rest = self._held.copy()
        zero = np.zeros(len(rest))
        tau = self._torque(rest, zero, zero)
        while left:
            now = self._clock.now()
            self._link.drain(now)
            self._move_weight(0.0, now)
            try:
                self._command(rest, zero, tau, self._weight, now)
                if self._weight == 0.0:
                    self._hands.stop()
                    left -= 1
            except BusError:
                return
            self._clock.sleep_until(now + self._spec.dt)

    def _seed(self) -> None:
        self._held = self._link.q.copy()
        self._waist_q = self._link.slot_positions(self._waist)
        self._since = None

    def _move_weight(self, target: float, now: float) -> None:
        passed = min(max(now - self._moved, 0.0), _LONGEST_STEP * self._spec.dt)
        step = passed / self._arm.weight_ramp
        self._moved = now
        self._weight = min(max(target, self._weight - step), self._weight + step)

    def _command(self, q: Floats, v: Floats, tau: Floats, grip: float, now: float) -> None:
        """
        Send a command at the present weight.

        :param grip: 0..1 share of the fingers' gains; they have no weight.
        """
        kp, kd = self._spec.kp, self._spec.kd
        message = self._blended(q, v, kp, kd, tau)
        due = self._hands.due(now)
        hands = self._hands.encode(q, v, grip * kp, grip * kd, tau) if due else None
        self._send(message, hands, now)
        self._held = np.array(q)

    def _blended(self, q: Floats, v: Floats, kp: Floats, kd: Floats, tau: Floats) -> Message:
        message = self._message(q, v, kp, kd, tau)
        motors, waist = message['motor_cmd'], self._waist_slots
        motors['mode'][waist] = MODE_ON
        motors['q'][waist] = self._waist_q
        motors['kp'][waist] = self._arm.waist_kp
        motors['kd'][waist] = self._arm.waist_kd
        motors['q'][ARM_WEIGHT_SLOT] = self._weight
        return message
