# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The motors' own law without a bus: fast, and the same gains as the real drivers."""

import numpy as np

from vla_control.core.messages import Floats
from vla_control.robots.dynamics import RobotDynamics
from vla_control.sim.world import World


class IdealServo:
    """
    Holds a world to a reference with ``kp (q* - q) + kd (v* - v) + gravity(q)``.

    Gains and effort limits are the spec's; sliding grippers use the scene's finger servo, whose
    force is bounded as the motor's position-force mode bounds it. For making demonstrations only:
    it has no bus, no delay and no quantisation.
    """

    def __init__(self, world: World) -> None:
        """Take over a world."""
        spec, joints = world.spec, world.scene.joints
        self._world = world
        self._dynamics = RobotDynamics.from_spec(spec)
        self._kp = np.where(spec.jaw, joints.gripper_kp, spec.kp)
        self._kd = np.where(spec.jaw, joints.gripper_kd, spec.kd)
        bound = np.minimum(spec.effort, joints.gripper_force)
        self._effort = np.where(spec.jaw, bound, spec.effort)

    def step(self, q: Floats, v: Floats) -> None:
        """
        Step physics once towards a reference.

        :param q: (n,) [rad, grippers m].
        :param v: (n,) [rad/s, grippers m/s].
        """
        world = self._world
        measured = world.positions
        torque = self._kp * (q - measured) + self._kd * (v - world.velocities)
        torque += self._dynamics.gravity(measured)
        world.step(np.clip(torque, -self._effort, self._effort))
