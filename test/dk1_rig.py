# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The DK1 for the driver tests: its driver, its adapter in memory, and lumps for joints."""

import numpy as np
from rigs import Rig, Sent, SPECIAL, STEP

from vla_control.buses.byte_ports import MemoryPort
from vla_control.buses.damiao import decode_mit, decode_pos_force, motor_setups
from vla_control.buses.damiao_adapter import CommandReader
from vla_control.buses.serial_can import SerialCan
from vla_control.core.messages import Reference
from vla_control.core.spec import JointKind, load_robot
from vla_control.robots.dk1 import Dk1
from vla_control.robots.dynamics import RobotDynamics
from vla_control.runtime.control import RobotController
from vla_control.safety.supervisor import Event
from vla_control.sim.damiao_adapter import DamiaoAdapter


class TapPort(MemoryPort):
    """Keeps what was written, in writes."""

    def __init__(self):
        super().__init__()
        self.writes = []

    def write(self, data):
        self.writes.append(data)
        return super().write(data)


class Dk1Rig(Rig):
    """
    The real driver, bytes in memory, the emulated adapter, and the weight of the real arm.

    Until ``stand`` is taken away an operator holds the arm where it is; the gripper is always
    free to move between its stops, or past them where ``stop`` is False.
    """

    def __init__(self, spec=None, q=None, homed=True):
        self.spec = spec or load_robot('dk1')
        self.port, end = TapPort.pair()
        known = [setup.rx for setup in motor_setups(self.spec)]
        self.bus = SerialCan(self.port, known)
        self.device = DamiaoAdapter(end, self.spec)
        self.motors = self.device.motors
        self.dynamics = RobotDynamics.from_spec(self.spec)
        self.driver = Dk1(self.spec, self.bus, self.dynamics, self)
        self.q = np.array(self.spec.home if q is None else q, dtype=float)
        self.v = np.zeros(len(self.q))
        self.stand = self.stop = True
        self._inertia = np.array([0.4, 0.4, 0.2, 0.02, 0.02, 0.02, 10.0])  # [kg m2], [kg]
        self.friction = np.array([0.05] * 6 + [20.0])  # [N·m·s/rad], [N·s/m]
        self._lower = np.array([j.lower for j in self.spec.joints])
        self._upper = np.array([j.upper for j in self.spec.joints])
        self._now = 100.0
        self.device.measure(self._now, self.q, self.v)
        if not homed:
            self.motors.motor('gripper_left').power_cycle()

    @property
    def pose(self):
        return self.q.copy()

    def now(self):
        return self._now

    def sleep_until(self, deadline):
        """Pass time: physics and motors live, millisecond by millisecond."""
        while self._now < deadline - 1e-9:
            self._now = min(self._now + STEP, deadline)
            self.device.serve(self._now)
            self._step()

    def sent_count(self):
        return self.bus.counters['sent']

    def silence(self, joint):
        self.motors.motor(joint).silent = True

    def break_motor(self, joint):
        self.motors.motor(joint).set_fault(0xE)

    def pull_cable(self):
        self.device.unplug()

    def cut_bus(self):
        self.device.unplug()

    def place(self, joint, value):
        self.q[self.spec.names.index(joint)] = value
        self.device.measure(self._now, self.q, self.v)

    def frames(self, clear=True):
        """Return every frame written since the last call."""
        found = CommandReader().feed(b''.join(self.port.writes))
        if clear:
            self.port.writes.clear()
        return found

    def commands(self, clear=True):
        """Return the command frames written since the last call, decoded."""
        setups = motor_setups(self.spec)
        found = []
        for frame in self.frames(clear):
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
        return found

    def _step(self):
        torque = self.device.torques(self._now)
        free = self.spec.gripper | (not self.stand)
        weight = np.where(self.spec.gripper, 0.0, self.dynamics.gravity(self.q))
        v = self.v + STEP * (torque - weight - self.friction * self.v) / self._inertia
        self.v = np.where(free, v, 0.0)
        self.q = self.q + STEP * self.v
        stopped = (self.q <= self._lower) | (self.q >= self._upper)
        stopped &= free & (~self.spec.gripper | self.stop)
        self.q = np.where(stopped, np.clip(self.q, self._lower, self._upper), self.q)
        self.v[stopped] = 0.0
        self.device.measure(self._now, self.q, self.v)


class ControlledDk1:
    """The arm behind gate, watchdogs and supervisor, as the driver node runs it."""

    def __init__(self, **options):
        self.rig = Dk1Rig(**options)
        self.spec = self.rig.spec
        self.controller = RobotController(self.spec, self.rig.driver)
        self.controller.configure(self.rig.now())
        self.controller.activate(self.rig.now())
        self.rig.stand = False
        self.farthest = np.zeros(len(self.spec.joints))  # from where it stood when marked
        self.mark()

    @property
    def snapshot(self):
        return self.controller.snapshot

    @property
    def mode(self):
        return self.snapshot.mode

    def mark(self):
        """Measure distances from the pose it has now, and speeds from now on."""
        self._origin = self.rig.pose
        self.farthest[:] = 0.0
        self.fastest = 0.0  # [rad/s] of any joint, [m/s]

    def ticks(self, count, reference=None):
        """Live through some control periods, each with a joint command if one is given."""
        for _ in range(count):
            self.rig.sleep_until(self.rig.now() + self.spec.dt)
            now = self.rig.now()
            if reference is not None:
                self.controller.put(reference(now))
            self.controller.tick(now)
            self.fastest = max(self.fastest, float(np.abs(self.rig.v).max()))
            self.farthest = np.maximum(self.farthest, np.abs(self.rig.pose - self._origin))
        return self.snapshot

    def ask(self, event):
        self.controller.request(event)
        return self.ticks(1)

    def until(self, done, seconds):
        """Live on until something is so; fails when it never is."""
        for _ in range(round(seconds / self.spec.dt)):
            if done():
                return self.snapshot
            self.ticks(1)
        raise AssertionError(f'not within {seconds} s: {self.snapshot}')

    def following(self, q=None):
        """Resume and follow a pose that stands still, the measured one if none is given."""
        target = self.snapshot.commanded.q if q is None else q
        self.ask(Event.RESUME)
        self.ticks(5, lambda now: at_rest(target, now))
        return target


def at_rest(q, now):
    """A joint command that stands still."""
    zero = np.zeros(len(q))
    return Reference(stamp=now, q=np.array(q), v=zero, a=zero)
