# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""A G1 as the driver node runs it: controller, driver, emulated board, and lumps of inertia."""

from dataclasses import replace

import numpy as np

from vla_control.core.clock import ManualClock
from vla_control.core.messages import Reference
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
        bus['low_level'] = {**bus['low_level'], 'harness': True}
    safety = replace(spec.safety, gain_ramp=RAMP, authority_ramp=RAMP)
    return replace(spec, bus=bus, safety=safety)


class Body:
    """Joints that move as the board's torques and their weight say; time is the caller's."""

    def __init__(self, spec, device):
        self.spec, self.device = spec, device
        self.dynamics = RobotDynamics.from_spec(spec)
        self.q = np.array(spec.home)
        self.v = np.zeros(len(self.q))
        self._inertia = np.where(spec.gripper, FINGER_INERTIA, ARM_INERTIA)
        device.measure(0.0, self.q, self.v)

    def step(self, now):
        """Live from ``now`` for one step."""
        self.device.serve(now)
        torque = self.device.torques(now) - FRICTION * self.v
        torque -= np.where(self.spec.gripper, 0.0, self.dynamics.gravity(self.q))
        self.v = self.v + STEP * torque / self._inertia
        self.q = self.q + STEP * self.v
        self.device.measure(now + STEP, self.q, self.v)


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
