# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""A G1 on its emulated board and lumps of inertia: its driver alone, or as the node runs it."""

from dataclasses import replace

from hearing import listen
import numpy as np
from rigs import Rig, Sent

from vla_control.core.clock import ManualClock
from vla_control.core.messages import MotorStatus, Reference
from vla_control.core.spec import load_robot
from vla_control.robots.dynamics import RobotDynamics
from vla_control.robots.factory import make_driver
from vla_control.runtime.control import RobotController
from vla_control.safety.supervisor import Event
from vla_control.sim.devices import loopback

STEP = 0.002  # [s] of the joints
ARM_INERTIA, FINGER_INERTIA = 0.1, 0.005  # [kg m2]
FRICTION = 0.02  # [N·m·s/rad]
RAMP = 0.5  # [s] shorter than on the robot, so that tests are


def quick(name='g1'):
    """Return the robot with ramps of RAMP."""
    spec = load_robot(name)
    bus = dict(spec.bus)
    if 'arm_sdk' in bus:
        bus['arm_sdk'] = {**bus['arm_sdk'], 'weight_ramp': RAMP, 'release_hold': 0.1}
    else:
        bus['low_level'] = {**bus['low_level'], 'harness': True, 'damping_time': 0.1}
    safety = replace(spec.safety, gain_ramp=RAMP, authority_ramp=RAMP)
    return replace(spec, bus=bus, safety=safety)


class Body:
    """Joints that move as the board's torques and their weight say; time is the caller's."""

    def __init__(self, spec, device):
        self.spec, self.device = spec, device
        self.dynamics = RobotDynamics.from_spec(spec)
        self.q = np.array(spec.home)
        self.v = np.zeros(len(self.q))
        self.carried = False  # by somebody who holds every joint where it is
        self._inertia = np.where(spec.gripper, FINGER_INERTIA, ARM_INERTIA)
        device.measure(0.0, self.q, self.v)

    @property
    def weight(self):
        """What gravity does to the joints (n,) [N·m]; fingers weigh nothing."""
        return np.where(self.spec.gripper, 0.0, self.dynamics.gravity(self.q))

    def step(self, now):
        """Live from ``now`` for one step."""
        self.device.serve(now)
        torque = self.device.torques(now) - FRICTION * self.v
        torque -= self.weight
        v = self.v + STEP * torque / self._inertia
        self.v = np.zeros(len(v)) if self.carried else v
        self.q = self.q + STEP * self.v
        self.device.measure(now + STEP, self.q, self.v)


class G1BoardRig(Rig):
    """
    The real driver on the emulated board of ``sim.devices``, under the weight of the real arms.

    Until ``stand`` is taken away somebody holds every joint where it is.
    """

    fault_status = MotorStatus.UNKNOWN
    per_tick = 1  # of the body; the hands have a slower pace
    pace = 0.01  # [s] in which every motor is told something

    def __init__(self, spec):
        self.spec = quick(spec.name)
        self.bus, self.board = loopback(self.spec)
        self._ear = listen(self.spec, self.bus)
        self.body = Body(self.spec, self.board)
        self.driver = make_driver(self.spec, 'sim', self, bus=self._ear.bus)
        self.stand = True
        self._slots = {j.name: j.motor['slot'] for j in self.spec.joints if 'slot' in j.motor}
        self._now = 100.0
        if 'arm_sdk' in self.spec.bus:
            arm = self.spec.bus['arm_sdk']
            self.takes, self.gives = arm['weight_ramp'], arm['release_hold'] + arm['weight_ramp']
        else:
            self.greets = False

    @property
    def stand(self):
        return self.body.carried

    @stand.setter
    def stand(self, value):
        self.body.carried = value

    @property
    def pose(self):
        return self.body.q.copy()

    @property
    def sag(self):
        """How far its weight bends it; it is fed forward, but not to a body in a harness."""
        if 'arm_sdk' in self.spec.bus:
            return 0.0
        return np.abs(self.body.weight) / self.spec.kp

    def now(self):
        return self._now

    def sleep_until(self, deadline):
        while self._now < deadline - 1e-9:
            self.body.step(self._now)
            self._now += STEP

    def sent_count(self):
        return self.bus.counters['sent']

    def mates(self, joint):
        hand = self._hand(joint)
        return [i for i, name in enumerate(self.spec.names) if self._hand(name) == hand]

    def silence(self, joint):
        hand = self._hand(joint)
        if hand:
            self.board.faults.silent_hands.add(hand)
        else:
            self.board.faults.stalled = True

    def break_motor(self, joint):
        self.board.faults.errors[self._slots[joint]] = 0x40

    def mend(self, joint):
        self.board.faults.errors.clear()

    def cut_bus(self):
        self.bus.close()

    def place(self, joint, value):
        self.body.q[self.spec.names.index(joint)] = value
        self.board.measure(self._now, self.body.q, self.body.v)

    def encoder(self, joint):
        return self.body.q[self.spec.names.index(joint)]

    def commands(self):
        """Return what the motors were told since the last call, decoded."""
        return [
            Sent(s.joint.name, s.q, s.v, s.kp, s.kd, s.tau, s.impedance) for s in self._ear.told()
        ]

    def _hand(self, joint):
        motor = self.spec.joints[self.spec.names.index(joint)].motor
        return motor.get('hand', '')


class ControlledG1:
    """The robot behind gate, watchdogs and supervisor."""

    def __init__(self, name='g1'):
        self.spec = quick(name)
        self.host, self.board = loopback(self.spec)
        self.body = Body(self.spec, self.board)
        self.clock = ManualClock(wait=self._wait)
        self.driver = make_driver(self.spec, 'sim', self.clock, bus=self.host)
        self.controller = RobotController(self.spec, self.driver)
        self.origin = self.body.q.copy()  # where the robot's own controller holds it
        self.target = self.origin
        self.mark()

    @property
    def snapshot(self):
        return self.controller.snapshot

    @property
    def mode(self):
        return self.snapshot.mode

    def activate(self):
        self.controller.configure(self.clock.now())
        self.controller.activate(self.clock.now())

    def mark(self):
        """Measure distances from the pose it has now, and speeds from now on."""
        self._marked = self.body.q.copy()
        self.farthest = np.zeros(len(self._marked))
        self.fastest = 0.0  # [rad/s] of any joint

    def live(self, seconds, *, told=True):
        """Live through some time, told to be at the target or told nothing."""
        for _ in range(round(seconds / self.spec.dt)):
            self._wait(self.spec.dt)
            now = self.clock.now()
            if told:
                self.controller.put(at_rest(self.target, now))
            self.controller.tick(now)
        return self.snapshot

    def ask(self, event):
        self.controller.request(event)
        return self.live(self.spec.dt)

    def _wait(self, seconds):
        until = self.clock.now() + seconds
        while self.clock.now() < until - 1e-9:
            self.body.step(self.clock.now())
            self.clock.advance(STEP)
            self.fastest = max(self.fastest, float(np.abs(self.body.v).max()))
            self.farthest = np.maximum(self.farthest, np.abs(self.body.q - self._marked))


def following(away=0.0, name='g1'):
    """
    Return a robot that follows a standing pose with all its weight.

    :param away: [rad] of its arms from where the robot's own controller holds them.
    """
    robot = ControlledG1(name)
    robot.activate()
    robot.live(RAMP + 0.1, told=False)
    arms = ~robot.spec.gripper
    robot.target = robot.origin + away * arms * np.sign(-robot.origin)
    robot.ask(Event.RESUME)
    robot.live(0.2 + 4.0 * away)
    robot.mark()
    return robot


def at_rest(q, now):
    """Return a joint command that stands still."""
    zero = np.zeros(len(q))
    return Reference(stamp=now, q=np.array(q), v=zero, a=zero)
