# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Where the arm is when a task begins, or when a still picture is taken."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vla_control.core.messages import Floats
from vla_control.core.spec import RobotSpec
from vla_control.sim.kinematics import HandSolver
from vla_control.sim.layout import Layout, sample_layout
from vla_control.sim.scene import Hand, SceneSpec

_JOINT_SPREAD = 0.03  # [rad] standard deviation around the solved pose
_HOME_SPREAD = 0.06  # [rad] standard deviation around the robot's home
_SOLVE = 80  # iterations from the posture


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """One seed's beginning: the same seed always gives the same one."""

    layout: Layout
    q: Floats  # (n,) [rad, grippers m]


def sample_start(
    spec: RobotSpec,
    scene: SceneSpec,
    solvers: Sequence[HandSolver],
    rng: np.random.Generator,
) -> Start:
    """
    Draw a layout, and a pose of every hand above its work space or near home.

    :param solvers: of all hands of the scene.
    """
    layout = sample_layout(scene, rng)
    q = np.array(spec.home)
    for solver in solvers:
        drawn = _sample_hand(spec, scene, solver, rng)
        q[solver.joints] = drawn[solver.joints]
    return Start(layout=layout, q=q)


def _sample_hand(
    spec: RobotSpec, scene: SceneSpec, solver: HandSolver, rng: np.random.Generator
) -> Floats:
    hand = scene.hands[solver.which]
    if rng.random() < hand.home_starts:
        return _spread(spec, hand, np.array(spec.home), _HOME_SPREAD, rng)
    low, high = np.array([hand.start.x, hand.start.y, hand.start.z]).T
    point = rng.uniform(low, high) + [0.0, 0.0, scene.table_top]
    return sample_pose(spec, scene, solver, point, rng)


def sample_pose(
    spec: RobotSpec,
    scene: SceneSpec,
    solver: HandSolver,
    point: Floats,
    rng: np.random.Generator,
) -> Floats:
    """
    Draw a pose (n,) [rad, grippers m] of a hand near a point, with any opening.

    :param point: (3,) [m] where the pinch point should be.
    """
    q = solver.solve(point, solver.posture, _SOLVE)
    return _spread(spec, scene.hands[solver.which], q, _JOINT_SPREAD, rng)


def _spread(
    spec: RobotSpec, hand: Hand, q: Floats, sigma: float, rng: np.random.Generator
) -> Floats:
    joints = q + rng.normal(0.0, sigma, size=q.shape)
    opening = rng.uniform(*hand.start_gripper, size=q.shape)
    return np.clip(np.where(spec.jaw, opening, joints), spec.lower, spec.upper)
