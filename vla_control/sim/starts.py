# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Where the arm is when a task begins, or when a still picture is taken."""

from dataclasses import dataclass

import numpy as np

from vla_control.core.messages import Floats
from vla_control.core.spec import RobotSpec
from vla_control.sim.kinematics import HandSolver
from vla_control.sim.layout import Layout, sample_layout
from vla_control.sim.scene import SceneSpec

_JOINT_SPREAD = 0.03  # [rad] standard deviation around the solved pose
_HOME_SPREAD = 0.06  # [rad] standard deviation around the robot's home
_SOLVE = 80  # iterations from the posture


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """One seed's beginning: the same seed always gives the same one."""

    layout: Layout
    q: Floats  # (n,) [rad, grippers m]


def sample_start(
    spec: RobotSpec, scene: SceneSpec, solver: HandSolver, rng: np.random.Generator
) -> Start:
    """Draw a layout and a pose of the hand above the work space or near home."""
    layout = sample_layout(scene, rng)
    if rng.random() < scene.hand.home_starts:
        q = _spread(spec, scene, np.array(spec.home), _HOME_SPREAD, rng)
        return Start(layout=layout, q=q)
    area = scene.hand.start
    low, high = np.array([area.x, area.y, area.z]).T
    point = rng.uniform(low, high) + [0.0, 0.0, scene.table_top]
    return Start(layout=layout, q=sample_pose(spec, scene, solver, point, rng))


def sample_pose(
    spec: RobotSpec,
    scene: SceneSpec,
    solver: HandSolver,
    point: Floats,
    rng: np.random.Generator,
) -> Floats:
    """
    Draw a pose (n,) [rad, grippers m] of the hand near a point, with any opening.

    :param point: (3,) [m] where the pinch point should be.
    """
    q = solver.solve(point, np.array(scene.hand.posture), _SOLVE)
    return _spread(spec, scene, q, _JOINT_SPREAD, rng)


def _spread(
    spec: RobotSpec, scene: SceneSpec, q: Floats, sigma: float, rng: np.random.Generator
) -> Floats:
    joints = q + rng.normal(0.0, sigma, size=q.shape)
    opening = rng.uniform(*scene.hand.start_gripper, size=q.shape)
    return np.clip(np.where(spec.gripper, opening, joints), spec.lower, spec.upper)
