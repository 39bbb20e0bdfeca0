# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""An arm of Damiao motors without brakes: joints in MIT mode, gripper in position-force mode."""

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from functools import partial
import math

import numpy as np

from vla_control.buses.damiao import (
    bus_ranges,
    CLEAR_ERROR,
    ENABLE,
    Mode,
    refresh,
)
from vla_control.buses.frames import FrameBus
from vla_control.core.errors import BusError, RobotError
from vla_control.core.messages import (
    Floats,
    frozen_floats,
    JointCommand,
    MotorStatus,
    RobotState,
)
from vla_control.core.protocols import Clock, Dynamics
from vla_control.core.spec import RobotSpec
from vla_control.robots.damiao_identify import (
    arm_registers,
    expected_baud_code,
    identify,
    Identity,
)
from vla_control.robots.damiao_link import DamiaoLink
from vla_control.robots.damiao_motors import encode_frames, motors_of, Payload
from vla_control.robots.damiao_power import complain, sink, switch_off
from vla_control.robots.guards import command_gain, outside_limits

_ON = MotorStatus.ENABLED


class DamiaoArm:
    """
    Drives one arm on one bus.

    Every tick each motor gets one frame and answers it with its state, so nothing else has to
    be asked for. Torque of gravity and inertia goes into every frame at full value: without it a
    stretched OpenArm sags 0.15 rad at its vendor's gains. There are no brakes, so motors are only
    switched off by close(), after the arm has sunk under damping.
    """

    def __init__(
        self,
        spec: RobotSpec,
        bus: FrameBus,
        dynamics: Dynamics,
        clock: Clock,
        descent: float = 1.0,
    ) -> None:
        """
        Check the configuration; nothing is opened.

        :param bus: the bus of this arm, closed.
        :param dynamics: its gravity and inertia.
        :param clock: what connect, enable, clear_faults and close wait on; ``now`` of every call
            comes from the same clock.
        :param descent: [s] longest time close() lets the arm sink before it switches off.
        :raises ConfigError: when the motor or bus section is wrong.
        """
        self._spec = spec
        self._bus = bus
        self.wires = {spec.name: bus}  # for people to be told of, see buses/frames.py
        self._dynamics = dynamics
        self._clock = clock
        self._descent = descent
        self._motors = motors_of(spec)
        self._ranges = bus_ranges(spec.bus, f'{spec.name}: bus')
        self._baud_code = expected_baud_code(spec.bus, f'{spec.name}: bus')
        self._link = DamiaoLink(self._motors, bus, clock)
        self._complain = partial(complain, self._link, spec.name)
        self._everyone = tuple(range(len(self._motors)))
        self._arm = tuple(i for i in self._everyone if self._motors[i].mode is Mode.MIT)
        self._open = self._armed = False
        self._held: dict[int, float] = {}  # gripper motor -> [rad] it is to hold
        self._fed = -math.inf  # [s] of the last frames sent to all motors
        self.identity: tuple[Identity, ...] = ()  # registers of each motor, once connected

    def connect(self, now: float) -> None:
        """
        Open and lock the bus, identify every motor, set its mode and watchdog.

        :raises RobotError: naming every motor that is not what the configuration says.
        :raises BusError: when the bus cannot be opened or is held by another process.
        """
        if self._open:
            raise RobotError(f'{self._spec.name}: connected already; close() first')
        try:
            self._bus.open()
        except OSError as error:
            raise BusError(f'{self._spec.name}: cannot open the bus: {error}') from error
        try:
            link, name = self._link, self._spec.name
            link.forget()
            self.identity = identify(link, name, self._baud_code, self._ranges)
            self._set_registers(self._everyone)
            self._open = True
        finally:
            if not self._open:
                self._bus.close()

    def enable(self, now: float) -> RobotState:
        """
        Enable every motor with zero gains; only gravity is carried, at the measured pose.

        :raises RobotError: when a motor is silent, faulted or outside its limits.
        :raises BusError: when the bus does not take frames.
        """
        self._require_open()
        if self._armed:
            raise RobotError(f'{self._spec.name}: enabled already; close() and connect() again')
        self._switch_on(self._everyone)
        self._armed = True
        return self.read(self._clock.now())

    def read(self, now: float) -> RobotState:
        """
        Collect the answers that have arrived; never blocks, a silent motor only grows old.

        :raises RobotError: before connect().
        """
        self._require_open()
        self._link.drain(now)
        return self._state(now)

    def write(self, command: JointCommand, now: float) -> None:
        """
        Send one command to every motor, back to back in joint order.

        :raises CodecError: when it is not finite or has the wrong shape; nothing is sent then.
        :raises RobotError: before enable().
        :raises BusError: when frames could not be sent.
        """
        gain = command_gain(self._spec, command)
        if not self._armed:
            raise RobotError(f'{self._spec.name}: write before enable()')
        tau = self._dynamics.inverse(command.q, command.v, command.a)
        frames = self._frames(
            command.q, command.v, gain * self._spec.kp, gain * self._spec.kd, tau, gain
        )
        for i, motor in enumerate(self._motors):
            if motor.mode is Mode.POS_FORCE:
                self._held[i] = float(command.q[i]) * motor.scale + motor.offset
        self._fed = now
        self._link.burst(frames, now)

    def safe_action(self, now: float) -> None:
        """
        Damp every joint, carry the weight of the measured pose, keep the grip.

        Gravity is left out unless all joints answer: a torque for another pose would push.
        Motors that are off stay off; their answers to these frames are still heard.
        """
        if not self._armed:
            return
        # On a dead bus nothing is left to do; write_errors counts it.
        with suppress(BusError):
            self._link.burst(self._damping(now), now)
        self._fed = now

    def clear_faults(self, now: float) -> None:
        """
        Clear the faults of motors that are off, and enable them again with zero gains.

        Motors that are on keep being damped meanwhile. Before enable() nothing gets enabled.

        :raises RobotError: when a motor keeps its fault, is silent or outside its limits.
        :raises BusError: when the bus does not take frames.
        """
        self._require_open()
        self._link.drain(now)
        off = [i for i in self._everyone if self._status(i, now) is not _ON]
        requests = {i: [(self._motors[i].tx, CLEAR_ERROR)] for i in off}
        # A motor that was only silent may still be on: clearing does not switch it off.
        fine = (MotorStatus.DISABLED, _ON)
        self._complain(self._link.ask_states(requests, fine, self._tend), 'keeps its fault')
        if not self._armed or not off:
            return
        off = [i for i in off if self._link.status[i] is MotorStatus.DISABLED]
        self._set_registers(off, self._tend)
        self._switch_on(off)

    def close(self, now: float) -> None:
        """
        Let the arm sink under damping, switch the motors off and release the bus.

        Safe to call twice and on a dead bus. An arm held up by nothing but its motors ends at
        the bottom of its reach: move it to rest first.
        """
        if not self._open:
            return
        try:
            if self._armed:
                sink(
                    self._spec,
                    self._clock,
                    self._descent,
                    self.read,
                    lambda now, weight: self._link.burst(self._damping(now, weight), now),
                )
                switch_off(self._link, self._spec.name, self._everyone, self._spec.dt)
        finally:
            self._open = self._armed = False
            self._held.clear()
            self._bus.close()

    def _set_registers(
        self, indices: Collection[int], meanwhile: Callable[[], None] | None = None
    ) -> frozenset[int]:
        """Set mode and watchdog of motors that are off; return those marked as homed."""
        watchdog = self._spec.safety.motor_watchdog
        return arm_registers(self._link, self._spec.name, indices, watchdog, meanwhile)

    def _measured(self) -> Floats:
        """Return the joint positions (n,) to report."""
        return self._link.positions()

    def _require_open(self) -> None:
        if not self._open:
            raise RobotError(f'{self._spec.name}: not connected; call connect() first')

    def _status(self, index: int, now: float) -> MotorStatus:
        late = now - self._link.answered[index] > self._spec.safety.feedback_fault
        return MotorStatus.SILENT if late else self._link.status[index]

    def _state(self, now: float) -> RobotState:
        link = self._link
        return RobotState(
            stamp=now,
            q=frozen_floats(self._measured()),
            v=frozen_floats(link.velocities()),
            effort=frozen_floats(link.efforts()),
            age=frozen_floats([max(now - t, 0.0) for t in link.answered]),
            temperature=frozen_floats(link.temperature),
            status=tuple(self._status(i, now) for i in self._everyone),
            bus={**self._bus.counters, **link.counters},
        )

    def _frames(
        self, q: Floats, v: Floats, kp: Floats, kd: Floats, tau: Floats, grip: float
    ) -> list[Payload]:
        effort = self._spec.effort
        return encode_frames(
            self._motors, q=q, v=v, kp=kp, kd=kd, tau=tau, effort=effort, grip=grip
        )

    def _damping(self, now: float, weight: float = 1.0) -> list[Payload]:
        """
        Encode one tick of damping.

        :param weight: 0..1 share of gravity to carry.
        """
        q = self._link.positions()
        # A silent gripper weighs what it did; it is no reason to let go of the arm.
        oldest = now - min(self._link.answered[i] for i in self._arm)
        fresh = oldest <= self._spec.safety.feedback_fault
        zero = np.zeros(len(q))
        tau = weight * self._dynamics.gravity(q) if fresh else zero
        for i, angle in self._held.items():
            q[i] = (angle - self._motors[i].offset) / self._motors[i].scale
        return self._frames(q, zero, zero, self._spec.kd, tau, 1.0)

    def _tend(self, frames: Sequence[Payload] | None = None) -> None:
        """
        Feed the watchdogs of motors that are on while something else is waited for.

        :param frames: one per motor; damping when not given.
        """
        now = self._clock.now()
        if now - self._fed >= self._spec.dt:
            every = self._damping(now) if frames is None else frames
            status = self._link.status
            self._link.burst([f for f, s in zip(every, status, strict=True) if s is _ON], now)
            self._fed = now

    def _switch_on(self, indices: Iterable[int]) -> None:
        """Check and enable some motors; on any failure they are switched off again."""
        chosen = {i: self._motors[i] for i in indices}
        ask = {i: [refresh(m.tx)] for i, m in chosen.items()}
        tend = self._tend if self._armed else None
        self._complain(self._link.ask_states(ask, meanwhile=tend), 'is silent')
        # What a driver that died leaves behind: its motors noticed and switched themselves off.
        lost = [i for i in chosen if self._link.status[i] is MotorStatus.LOST_COMMUNICATION]
        clear = {i: [(self._motors[i].tx, CLEAR_ERROR)] for i in lost}
        self._link.ask_states(clear, (MotorStatus.DISABLED,), tend)
        self._complain([i for i in chosen if not self._link.status[i].healthy], 'has a fault')
        beyond = outside_limits(self._spec, self._measured())
        if wrong := [text for i, text in beyond.items() if i in chosen]:
            raise RobotError(f'{self._spec.name}: not enabled: ' + '; '.join(wrong))
        q = self._link.positions()
        zero = np.zeros(len(q))
        limp = self._frames(q, zero, zero, zero, zero, 0.0)
        self._link.burst([limp[i] for i in chosen], self._clock.now())
        tend = self._tend if self._armed else partial(self._tend, limp)
        try:
            enable = {i: [(m.tx, ENABLE)] for i, m in chosen.items()}
            self._complain(self._link.ask_states(enable, (_ON,), tend), 'does not enable')
            carry = self._frames(q, zero, zero, zero, self._dynamics.gravity(q), 0.0)
            weight = {i: [carry[i]] for i in chosen}
            self._complain(self._link.ask_states(weight, (_ON,), tend), 'does not stay enabled')
        except (RobotError, BusError):
            switch_off(self._link, self._spec.name, chosen, self._spec.dt)
            raise
        for i, motor in chosen.items():
            if motor.mode is Mode.POS_FORCE:
                self._held[i] = self._link.q[i]
