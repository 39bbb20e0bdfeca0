# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Robots for the driver tests: a driver, what it drives, and a clock that owns both."""

from typing import NamedTuple

import numpy as np

from vla_control.buses.damiao import decode_mit, decode_pos_force, motor_setups
from vla_control.buses.loopback import LoopbackBus
from vla_control.core.messages import JointCommand, MotorStatus
from vla_control.core.spec import JointKind, load_robot
from vla_control.robots.dynamics import RobotDynamics
from vla_control.robots.mock import FaultKind, Mock, MockFault
from vla_control.robots.openarm import OpenArm
from vla_control.sim.damiao_motors import DamiaoBus, MotorServer

STEP = 0.001  # [s] of the emulated joints
SPECIAL = range(0xFFFFFFFFFFFFFFFB, 0xFFFFFFFFFFFFFFFF)  # enable, disable, zero, clear


class Sent(NamedTuple):
    """A command frame as the motor reads it; gripper torque and speed limits in tau and v."""

    joint: str
    q: float  # [rad] at the motor
    v: float
    kp: float
    kd: float
    tau: float  # [N·m], or the share of the largest current in position-force mode
    mit: bool


class Rig:
    """What the conformance suite needs of a robot, whatever it is made of."""

    fault_status = MotorStatus.OVERLOAD  # what a broken motor reports
    greets = True  # whether enabling sends commands, without gains
    takes = 0.0  # [s] in which commands come to count in full
    gives = 0.0  # [s] in which the safe action lets go; before, it holds
    sag = 0.0  # [rad, m] how far its weight bends it

    @property
    def pace(self):
        """Return the time in which every motor is told something [s]."""
        return self.spec.dt

    @property
    def per_tick(self):
        """Return how many frames a command takes at least."""
        return len(self.spec.joints)

    def encoder(self, joint):
        """Return where a motor is, in the units of the rig's commands() [rad]."""
        return self.motors.motor(joint)._q

    def mates(self, joint):
        """Return the joints that fall silent with one, itself included."""
        return [self.spec.names.index(joint)]

    def mend(self, joint):
        """Take away what broke a motor, where clearing its fault alone does not."""

    def command(self, **change):
        n = len(self.spec.joints)
        fields = {'q': np.array(self.pose), 'v': np.zeros(n), 'a': np.zeros(n), 'gain': 1.0}
        return JointCommand(**(fields | change))

    def started(self):
        """Connect and enable, and return the first state."""
        self.driver.connect(self.now())
        return self.driver.enable(self.now())

    def tick(self, command=None):
        """Live through one control period: read, then write or take the safe action."""
        self.sleep_until(self.now() + self.spec.dt)
        state = self.driver.read(self.now())
        if command is None:
            self.driver.safe_action(self.now())
        else:
            self.driver.write(command, self.now())
        return state


class MockRig(Rig):
    """The ideal mirror."""

    def __init__(self, spec):
        self.spec = spec
        self.driver = Mock(self.spec)
        self._now = 0.0

    @property
    def pose(self):
        return np.array(self.spec.home)

    def now(self):
        return self._now

    def sleep_until(self, deadline):
        self._now = max(self._now, deadline)

    def sent_count(self):
        return self.driver.read(self._now).bus['sent']

    def silence(self, joint):
        self._inject(FaultKind.SILENT, joint)

    def break_motor(self, joint):
        end = self._now + 3 * self.spec.dt
        self.driver.inject(MockFault(kind=FaultKind.STATUS, joint=joint, start=self._now, end=end))

    def cut_bus(self):
        self._inject(FaultKind.BUS, '')

    def place(self, joint, value):
        q = self.pose
        q[self.spec.names.index(joint)] = value
        self.driver = Mock(self.spec, q=q)

    def _inject(self, kind, joint):
        self.driver.inject(MockFault(kind=kind, joint=joint, start=self._now))


class OpenArmRig(Rig):
    """
    The real driver on a bus in memory with emulated motors.

    Each joint is a lump of inertia with the weight of the real arm. Until ``stand`` is taken
    away an operator holds it where it is.
    """

    def __init__(self, spec=None, q=None):
        self.spec = spec or load_robot('openarm')
        self.bus, self._device = LoopbackBus.pair()
        self.motors = DamiaoBus(self.spec)
        self.dynamics = RobotDynamics.from_spec(self.spec)
        self.driver = OpenArm(self.spec, self.bus, self.dynamics, self)
        self.q = np.array(self.spec.home if q is None else q, dtype=float)
        self.v = np.zeros(len(self.q))
        self.stand = True
        self.dead = False  # the far end of the cable
        arm = [0.4, 0.4, 0.2, 0.2, 0.02, 0.02, 0.02]  # [kg m2], [kg]
        self._inertia = np.array([*arm, 0.5])
        self._lower = np.array([j.lower for j in self.spec.joints])
        self._upper = np.array([j.upper for j in self.spec.joints])
        self._now = 100.0
        self._device.open()
        self._server = MotorServer(self._device, self.motors)
        self.motors.measure(self._now, self.q, self.v)

    @property
    def pose(self):
        return self.q.copy()

    def now(self):
        return self._now

    def sleep_until(self, deadline):
        """Pass time: physics and motors live, millisecond by millisecond."""
        while self._now < deadline - 1e-9:
            self._now = min(self._now + STEP, deadline)
            if not self.dead:
                self._server.serve(self._now)
            self._step()

    def sent_count(self):
        return self.driver._bus.counters['sent']

    def silence(self, joint):
        self.motors.motor(joint).silent = True

    def break_motor(self, joint):
        self.motors.motor(joint).set_fault(0xE)

    def pull_cable(self):
        self.dead = True

    def cut_bus(self):
        self.bus.close()

    def place(self, joint, value):
        self.q[self.spec.names.index(joint)] = value
        self.motors.measure(self._now, self.q, self.v)

    def commands(self, clear=True):
        """Return the command frames sent since the last call, decoded."""
        setups = motor_setups(self.spec)
        found = []
        for frame in self.bus.sent:
            if frame.arbitration_id == 0x7FF or int.from_bytes(frame.data, 'big') in SPECIAL:
                continue
            index = [s.tx for s in setups].index(frame.arbitration_id & 0xFF)
            joint = self.spec.joints[index]
            if joint.kind is JointKind.GRIPPER:
                q, speed, current = decode_pos_force(frame.data)
                found.append(Sent(joint.name, q, speed, 0.0, 0.0, current, False))
            else:
                ranges = self.motors.motors[index].memory.ranges()
                found.append(Sent(joint.name, *decode_mit(ranges, frame.data), True))
        if clear:
            self.bus.sent.clear()
        return found

    def _step(self):
        torque = self.motors.torques(self._now)
        if not self.stand:
            weight = self.dynamics.gravity(self.q)
            self.v += STEP * (torque - weight - 0.05 * self.v) / self._inertia
            self.q += STEP * self.v
            stopped = (self.q <= self._lower) | (self.q >= self._upper)
            self.q = np.clip(self.q, self._lower, self._upper)
            self.v[stopped] = 0.0
        self.motors.measure(self._now, self.q, self.v)
