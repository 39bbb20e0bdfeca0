# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
The emulated board of a Unitree G1: states, services, and torques from what it is told.

While the robot's own controller runs it holds the arms where it found them, and blends in
``rt/arm_sdk`` by its weight. Nothing is published about a stream that ends; here the last command
and weight stay, as users report of arms that "stay stuck". Once the controller is released,
``rt/lowcmd`` drives every motor, and a pause in it is damped.
"""

from collections.abc import Callable
from dataclasses import replace
import time

import numpy as np

from vla_control.buses.unitree import (
    ARM_ACTION,
    ARM_COMMAND,
    BATTERY,
    encode_arm_action,
    Ends,
    hand_command,
    hand_report,
    LOW_COMMAND,
    LOW_STATE,
    MOTION_SWITCHER,
    request_topic,
    response_topic,
    UnitreeBus,
    UnitreeLoopback,
)
from vla_control.core.errors import CodecError, SimulationError
from vla_control.core.messages import Floats
from vla_control.core.protocols import Dynamics
from vla_control.core.spec import RobotSpec
from vla_control.robots.dynamics import RobotDynamics
from vla_control.robots.g1_config import dds_config, g1_config, g1_ends, g1_motors
from vla_control.sim.unitree_body import CommandDoor, damping, Impedance, STALE
from vla_control.sim.unitree_hands import DexHand
from vla_control.sim.unitree_services import G1Services
from vla_control.sim.unitree_state import battery_report, BoardFaults, BodyReport
from vla_control.sim.unitree_stranger import Stranger

STATE_PERIOD = 0.002  # [s] between two states of the body, as on the robot
HAND_PERIOD = 0.004  # [s] between two states of a hand
SLOW_PERIOD = 0.05  # [s] between two states of the battery, and of the arm action service
POLL = 0.001  # [s] longest pause between two looks at the bus; it has no blocking receive
CONTROLLER = 'ai'  # name of the robot's own controller


class UnitreeBoard:
    """
    A robot's electronics behind one DDS domain, as a sim.device.Device.

    ``faults`` and ``services`` are there to make it misbehave.
    """

    def __init__(
        self,
        bus: UnitreeBus,
        spec: RobotSpec,
        dynamics: Dynamics,
        pause: Callable[[float], None] | None = None,
        stranger: UnitreeBus | None = None,
    ) -> None:
        """
        Begin standing under its own controller; hanging, and released, for a low level spec.

        :param bus: open, in the role of the device.
        :param dynamics: what its own controller compensates gravity with.
        :param pause: sleeps for a time [s]; None where time is not real.
        :param stranger: closed bus of the second writer that ``faults`` can ask for.
        :raises ConfigError: when the motor or bus section is wrong.
        """
        config = g1_config(spec)
        self.spec, self._bus, self._dynamics, self._pause = spec, bus, dynamics, pause
        self._motors = g1_motors(spec, config)
        self.hands = {side: DexHand(at) for side, (_, at) in self._motors.hands.items()}
        self.services = G1Services('' if config.low_level else CONTROLLER)
        self.faults = BoardFaults()
        self.doors = {
            topic: CommandDoor() for topic in (ARM_COMMAND, LOW_COMMAND) if topic in bus.ends.reads
        }
        self._report = BodyReport(spec, self._motors.slots, config.mode_machine)
        self._stranger = Stranger(stranger, config.mode_machine) if stranger else None
        n = len(spec.joints)
        self._q, self._v, self._exerted = np.full(n, np.nan), np.zeros(n), np.zeros(n)
        self._posture: Floats | None = None  # (n,) [rad] what its own controller holds
        self._next = {'body': -np.inf, 'hands': -np.inf, 'others': -np.inf}  # [s]

    @property
    def holding(self) -> bool:
        """Whether anything holds the robot: its own controller, or somebody's rt/lowcmd."""
        low = self.doors.get(LOW_COMMAND)
        return bool(self.services.controller) or (low is not None and low.taken > 0)

    def serve(self, now: float, wait: float = 0.0) -> bool:
        """
        Take what has arrived, answer calls, and send the states that are due.

        :param now: [s]
        :param wait: [s] longest wait for something to arrive; ends earlier when a state is due.
        :returns: whether anything had arrived.
        :raises BusError: when the bus is closed or lost.
        """
        if self._stranger is not None:
            self._stranger.serve(now, self.faults.second_writer)
        heard = self._hear(now)
        self._tell(now)
        if heard or wait <= 0.0 or self._pause is None:
            return heard
        self._pause(min(wait, POLL, max(self._next['body'] - now, 0.0)))
        return self._hear(now)

    def measure(self, now: float, q: Floats, v: Floats) -> None:
        """
        Show the encoders the joints; the first pose is the one its own controller holds.

        :param q: (n,) [rad]
        :param v: (n,) [rad/s]
        :raises SimulationError: when physics has become non-finite.
        """
        if not (np.isfinite(q).all() and np.isfinite(v).all()):
            raise SimulationError(f'{self.spec.name}: physics is not finite: {q} rad, {v} rad/s')
        self._q, self._v = np.array(q, dtype=float), np.array(v, dtype=float)
        if self._posture is None:
            self._posture = self._q.copy()

    def torques(self, now: float) -> Floats:
        """Return what the motors exert (n,) [N·m]; call once per physics step."""
        torque = np.zeros(len(self._q))
        if self._posture is None:
            return torque
        torque[self._motors.body] = self._body_torque(now, self._posture)
        for side, (joints, _) in self._motors.hands.items():
            torque[joints] = self.hands[side].torques(self._q[joints], self._v[joints])
        self._exerted = np.clip(torque, -self.spec.effort, self.spec.effort)
        return self._exerted.copy()

    def jump_ticks(self, ticks: int) -> None:
        """Let the counter of states leap, as if so many had been lost."""
        self._report.skip(ticks)

    def close(self) -> None:
        """Leave the bus; safe to call twice."""
        if self._stranger is not None:
            self._stranger.serve(0.0, False)
        self._bus.close()

    def _body_torque(self, now: float, posture: Floats) -> Floats:
        body, slots = self._motors.body, self._motors.slots
        q, v = self._q[body], self._v[body]
        if not self.services.controller:
            return self._driven_from_outside(now, q, v)
        arm = self.doors.get(ARM_COMMAND)
        told = arm.impedance(slots) if arm else None
        own = Impedance(
            q=posture[body],
            v=np.zeros(len(body)),
            kp=self.spec.kp[body],
            kd=self.spec.kd[body],
            tau=self._dynamics.gravity(self._q)[body],
        )
        law = own if arm is None or told is None else own.blend(told, arm.weight)
        return law.torque(q, v)

    def _driven_from_outside(self, now: float, q: Floats, v: Floats) -> Floats:
        slots, low = self._motors.slots, self.doors.get(LOW_COMMAND)
        told = low.impedance(slots) if low else None
        if low is None or told is None or now - low.stamp > STALE:
            return damping(v)
        return np.where(low.enabled(slots), told.torque(q, v), 0.0)

    def _hear(self, now: float) -> bool:
        heard = self.services.serve(self._bus) > 0
        variant = self._report.mode_machine(self.faults)
        for topic, door in self.doors.items():
            for packet in self._bus.take(topic):
                door.offer(packet.payload, now, variant)
                heard = True
        for side, hand in self.hands.items():
            for packet in self._bus.take(hand_command(side)):
                try:
                    hand.obey(packet.payload)
                except CodecError:  # ignored, as by the robot
                    continue
                heard = True
        return heard

    def _tell(self, now: float) -> None:
        if self._posture is None:
            return
        if self._due('body', now, STATE_PERIOD) and not self.faults.stalled:
            body = self._motors.body
            state = self._q[body], self._v[body], self._exerted[body]
            self._bus.publish(LOW_STATE, self._report.encode(*state, self.faults))
        if self._due('hands', now, HAND_PERIOD):
            for side, (joints, _) in self._motors.hands.items():
                if side not in self.faults.silent_hands:
                    state = self._q[joints], self._v[joints], self._exerted[joints]
                    self._bus.publish(hand_report(side), self.hands[side].report(*state))
        if self._due('others', now, SLOW_PERIOD):
            self._bus.publish(BATTERY, battery_report(self.faults.battery))
            self._bus.publish(ARM_ACTION, encode_arm_action(self.services.action))

    def _due(self, what: str, now: float, period: float) -> bool:
        due = self._next[what]
        if now < due - 1e-9:
            return False
        self._next[what] = due + period if now - due < period else now + period
        return True


def board_ends(spec: RobotSpec) -> Ends:
    """Return the topics of the board: those of a driver, and both ways to command the body."""
    config = g1_config(spec)
    sides = tuple(g1_motors(spec, config).hands)
    services = (MOTION_SWITCHER, *config.sport_services)
    return Ends(
        reads=(
            ARM_COMMAND,
            LOW_COMMAND,
            *map(hand_command, sides),
            *map(request_topic, services),
        ),
        writes=(
            LOW_STATE,
            BATTERY,
            ARM_ACTION,
            *map(hand_report, sides),
            *map(response_topic, services),
        ),
    )


def on_dds(spec: RobotSpec) -> UnitreeBoard:
    """
    Put the board on the domain that a driver with hardware ``sim`` joins.

    :raises BusError: when the domain cannot be joined.
    :raises ConfigError: when cyclonedds is missing or the bus section is wrong.
    """
    config = dds_config(spec, 'sim', 'device')
    from vla_control.buses.dds import DdsBus

    bus = DdsBus(replace(config, ends=board_ends(spec)))
    bus.open()
    other = dds_config(spec, 'sim', 'stranger')
    only = Ends(reads=(), writes=(g1_config(spec).command,))
    stranger = DdsBus(replace(other, ends=only))
    return UnitreeBoard(bus, spec, RobotDynamics.from_spec(spec), time.sleep, stranger)


def in_memory(spec: RobotSpec) -> tuple[UnitreeLoopback, UnitreeBoard]:
    """Return the driver's bus and the board, joined in memory."""
    host, end = UnitreeLoopback.pair(g1_ends(spec), board_ends(spec))
    end.open()
    stranger = host.third((g1_config(spec).command,))
    return host, UnitreeBoard(end, spec, RobotDynamics.from_spec(spec), stranger=stranger)
