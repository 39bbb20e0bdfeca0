# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""What both ways of driving a G1 share: connecting, measuring, and refusing to begin."""

from collections.abc import Callable

import numpy as np

from vla_control.buses.unitree import (
    encode_low_cmd,
    low_cmd,
    Message,
    UnitreeBus,
)
from vla_control.core.errors import RobotError
from vla_control.core.messages import Floats, frozen_floats, MotorStatus, RobotState
from vla_control.core.protocols import Clock, Dynamics
from vla_control.core.spec import RobotSpec
from vla_control.robots.g1_config import g1_config, g1_motors, span
from vla_control.robots.g1_hands import G1Hands
from vla_control.robots.g1_link import G1Link
from vla_control.robots.g1_preflight import Preflight, Report, require
from vla_control.robots.g1_watch import G1Watch

MODE_ON = 1  # of a motor command: driven
TOLERANCE = 0.1  # [rad] a joint may read beyond its stop; links bend and pads are soft


class G1Base:
    """One G1 on its bus; subclasses say what is sent."""

    def __init__(
        self, spec: RobotSpec, bus: UnitreeBus, dynamics: Dynamics | None, clock: Clock
    ) -> None:
        """
        Check the configuration; nothing is opened.

        :param bus: of this robot, closed.
        :param dynamics: its gravity and inertia, if it is to be fed forward.
        :param clock: what connect, enable and close wait on; ``now`` of every call comes from
            the same clock.
        :raises ConfigError: when the motor or bus section is wrong.
        """
        self._spec, self._bus, self._dynamics, self._clock = spec, bus, dynamics, clock
        self._config = g1_config(spec)
        self._motors = g1_motors(spec, self._config)
        self._body = span(self._motors.body), span(self._motors.slots)
        self._link = G1Link(spec, self._motors, self._config, bus)
        self._hands = G1Hands(self._motors.hands, self._config.hands, bus, spec.dt)
        self._open = self._armed = False
        self._watch = G1Watch(self._config, bus)
        self._status_of: tuple[object, ...] = ()  # what the status was made of
        self._status: tuple[MotorStatus, ...] = ()
        self.report: Report | None = None  # of the newest connect()

    def connect(self, now: float) -> None:
        """
        Open and lock the bus, and look at everything that must be true; nothing is commanded.

        :raises RobotError: with the whole pre-flight report when the robot is not ready.
        :raises BusError: when the bus cannot be opened or is held by another process.
        """
        if self._open:
            raise RobotError(f'{self._spec.name}: connected already; close() first')
        self._bus.open()
        try:
            self._link.forget()
            preflight = Preflight(
                spec=self._spec,
                config=self._config,
                bus=self._bus,
                link=self._link,
                clock=self._clock,
            )
            self.report = preflight.run()
            require(self._spec.name, self.report)
            self._watch.begin(self.report.sport, self._clock.now())
            self._open = True
        finally:
            if not self._open:
                self._bus.close()

    def read(self, now: float) -> RobotState:
        """
        Collect the states that have arrived; never blocks, a silent robot only grows old.

        :raises RobotError: before connect().
        """
        self._require_open()
        self._link.drain(now)
        self._watch.look(now)
        link = self._link
        since = now - link.answered
        measured = link.measured.copy()
        measured.setflags(write=False)
        q, v, _, effort, temperature, _ = measured
        return RobotState(
            stamp=now,
            q=q,
            v=v,
            effort=effort,
            age=frozen_floats(np.maximum(since, 0.0)),
            temperature=temperature,
            status=self._statuses(since),
            bus={**self._bus.counters, **link.counters},
            faults=link.faults() + self._watch.faults(),
            warnings=self._warnings(now),
        )

    def _warnings(self, now: float) -> tuple[str, ...]:
        return self._link.warnings()

    def _require_open(self) -> None:
        if not self._open:
            raise RobotError(f'{self._spec.name}: not connected; call connect() first')

    def _statuses(self, since: Floats) -> tuple[MotorStatus, ...]:
        """
        Return the status of every joint; made anew (30 us) only when something has changed.

        :param since: (n,) [s] the newest answer of each.
        """
        link, armed = self._link, self._armed
        heard = since <= self._spec.safety.feedback_fault
        made_of = heard.tobytes(), link.errors.tobytes(), link.on.tobytes(), armed
        if made_of != self._status_of:
            # The robot drives its arms itself as well; enabled means by us.
            ours = link.on & armed
            motors = zip(heard.tolist(), link.errors.tolist(), ours.tolist(), strict=True)
            self._status = tuple(_status(*motor) for motor in motors)
            self._status_of = made_of
        return self._status

    def _await_fresh(self, meanwhile: Callable[[float], None] | None = None) -> None:
        """
        Wait for a new answer of every joint, at most ``feedback_fault``.

        :param meanwhile: called every control period with the time [s].
        :raises RobotError: naming the joints that stay silent.
        """
        start = self._clock.now()
        self._link.drain(start)  # what has been waiting is old
        while True:
            now = self._clock.now()
            if meanwhile is not None:
                meanwhile(now)
            self._clock.sleep_until(now + self._spec.dt)
            now = self._clock.now()
            self._link.drain(now)
            silent = [
                name
                for name, t in zip(self._spec.names, self._link.answered, strict=True)
                if not t > start
            ]
            if not silent:
                return
            if now - start >= self._spec.safety.feedback_fault:
                raise RobotError(f'{self._spec.name}: no answer of {", ".join(silent)}')

    def _require_fit(self) -> None:
        """
        Refuse a robot that is at fault or in an impossible pose.

        :raises RobotError: with every reason.
        """
        wrong = [*self._link.faults(), *self._watch.faults()]
        wrong += self._link.motor_faults(self._spec.names)
        for joint, q in zip(self._spec.joints, self._link.q, strict=True):
            if not joint.lower - TOLERANCE <= q <= joint.upper + TOLERANCE:
                wrong.append(
                    f'{joint.name} reads {q:.4f} rad, stops at [{joint.lower}, {joint.upper}]'
                )
        if wrong:
            raise RobotError(f'{self._spec.name}: not enabled: ' + '; '.join(wrong))

    def _fresh(self, now: float) -> bool:
        return bool((now - self._link.answered <= self._spec.safety.feedback_fault).all())

    def _torque(self, q: Floats, v: Floats, a: Floats) -> Floats:
        """Return the torques (n,) of a motion within the efforts of the spec, fingers none."""
        if self._dynamics is None:
            return np.zeros(len(q))
        limit = self._spec.effort
        # np.clip takes twice as long, here and wherever a loop of 500 Hz comes by.
        tau = np.minimum(np.maximum(self._dynamics.inverse(q, v, a), -limit), limit)
        tau[self._hands.joints] = 0.0
        return tau

    def _message(self, q: Floats, v: Floats, kp: Floats, kd: Floats, tau: Floats) -> Message:
        """Begin a command with the joints of the body; every other slot is zero."""
        message, (body, slots) = low_cmd(), self._body
        message['mode_machine'] = max(self._link.mode_machine, 0)
        motors = message['motor_cmd']
        motors['mode'][slots] = MODE_ON
        for name, values in (('q', q), ('dq', v), ('kp', kp), ('kd', kd), ('tau', tau)):
            motors[name][slots] = values[body]
        return message

    def _send(self, message: Message, hands: list[bytes] | None, now: float) -> bytes:
        """
        Send the body's command, and the hands' where they are given.

        :returns: the wire bytes of the body's command.
        :raises CodecError: when a value is not finite; nothing is sent then.
        :raises BusError: when the bus does not take it.
        """
        payload = encode_low_cmd(message)
        self._bus.publish(self._config.command, payload)
        if hands:
            self._hands.send(hands, now)
        return payload


def _status(heard: bool, errors: int, enabled: bool) -> MotorStatus:
    if not heard:
        return MotorStatus.SILENT
    if errors:
        return MotorStatus.UNKNOWN
    return MotorStatus.ENABLED if enabled else MotorStatus.DISABLED
