# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Inverse kinematics of the scene's hand: a point to reach, level fingers, a slanted approach."""

from typing import Any

import mujoco
import numpy as np

from vla_control.core.errors import ConfigError
from vla_control.core.messages import Floats
from vla_control.core.spec import RobotSpec
from vla_control.robots.description import robot_urdf
from vla_control.sim.scene import Hand, SceneSpec

Mask = np.ndarray[Any, np.dtype[np.bool_]]
_TURN_WEIGHT = 0.1  # [m/rad] one radian of hand orientation counts like this many metres
_DAMPING = 1e-5  # [m2] of the damped least squares
_LEAN = 0.05  # share of the way to the posture, per iteration, in the null space
_LARGEST = 0.3  # [rad] per iteration
_MARGIN = 0.05  # [rad] kept inside the soft limits


class HandSolver:
    """Damped least squares on a copy of the robot; the redundant joint leans to the posture."""

    def __init__(self, spec: RobotSpec, scene: SceneSpec, which: int = 0) -> None:
        """
        Build from a robot and one of the hands its scene names.

        :param which: of the scene's hands.
        :raises ConfigError: when the hand's posture is not one of its joints.
        """
        self.which = which
        hand = self._hand = scene.hands[which]
        self._model = mujoco.MjModel.from_xml_string(robot_urdf(spec))
        self._data = mujoco.MjData(self._model)
        self._body = self._model.body(hand.link).id
        across, approach = np.array(hand.across), np.array(hand.approach)
        self._frame = np.column_stack([np.cross(across, approach), across, approach])
        self.joints, self.posture = _joints_of(self._model, spec, hand)
        arm = self.joints & ~spec.gripper
        self._arm = arm
        joints = [self._model.joint(n) for n, a in zip(spec.names, arm, strict=True) if a]
        self._q = np.array([int(j.qposadr[0]) for j in joints])
        self._v = np.array([int(j.dofadr[0]) for j in joints])
        self._lower = spec.lower[arm] + _MARGIN
        self._upper = spec.upper[arm] - _MARGIN
        self._posture = self.posture[arm]
        self._jacobian = np.zeros((6, self._model.nv))

    def approach(self, point: Floats) -> Floats:
        """
        Return the wanted hand frame at a point as a rotation (3, 3), columns x, y, z.

        z approaches, y is level: the direction the fingers open in, or runs across the palm.
        """
        hand = self._hand
        bearing = np.arctan2(point[1] - hand.shoulder[1], point[0] - hand.shoulder[0])
        psi = hand.turn * bearing
        z = np.array(
            [
                np.cos(hand.pitch) * np.cos(psi),
                np.cos(hand.pitch) * np.sin(psi),
                -np.sin(hand.pitch),
            ]
        )
        y = np.array([np.sin(psi), -np.cos(psi), 0.0])
        return np.column_stack([np.cross(y, z), y, z])

    def pinch(self, q: Floats) -> tuple[Floats, Floats]:
        """
        Return the point between the finger tips (3,) [m] and the hand's rotation (3, 3).

        :param q: (n,) [rad, grippers m].
        """
        self._data.qpos[self._q] = np.asarray(q)[self._arm]
        mujoco.mj_kinematics(self._model, self._data)
        return self._pinch()

    def solve(self, point: Floats, q: Floats, iterations: int = 5, turn: float = np.inf) -> Floats:
        """
        Return joints (n,) that bring the pinch point to a point, grippers as in ``q``.

        :param point: (3,) [m].
        :param q: (n,) where to start from.
        :param turn: [rad] most the hand may turn from where it starts.
        """
        wanted = self.approach(point)
        if np.isfinite(turn):
            wanted = _turn_towards(self.pinch(q)[1], wanted, turn)
        joints = np.array(q, dtype=np.float64)
        arm = joints[self._arm]
        for _ in range(iterations):
            arm = np.clip(arm + self._correction(arm, point, wanted), self._lower, self._upper)
        joints[self._arm] = arm
        return joints

    def _pinch(self) -> tuple[Floats, Floats]:
        rotation = self._data.xmat[self._body].reshape(3, 3)
        here = self._data.xpos[self._body] + rotation @ np.array(self._hand.pinch)
        return here, rotation @ self._frame

    def _correction(self, arm: Floats, point: Floats, wanted: Floats) -> Floats:
        self._data.qpos[self._q] = arm
        mujoco.mj_kinematics(self._model, self._data)
        mujoco.mj_comPos(self._model, self._data)
        here, rotation = self._pinch()
        jacobian = self._jacobian
        mujoco.mj_jac(self._model, self._data, jacobian[:3], jacobian[3:], here, self._body)
        turn = 0.5 * np.cross(rotation.T, wanted.T).sum(axis=0)
        error = np.concatenate([point - here, _TURN_WEIGHT * turn])
        weighted = jacobian[:, self._v] * np.array([1.0] * 3 + [_TURN_WEIGHT] * 3)[:, None]
        inverse = np.linalg.solve(weighted @ weighted.T + _DAMPING * np.eye(6), weighted).T
        lean = _LEAN * (self._posture - arm)
        step = inverse @ (error - weighted @ lean) + lean
        return np.asarray(np.clip(step, -_LARGEST, _LARGEST))


def hand_solvers(spec: RobotSpec, scene: SceneSpec) -> tuple[HandSolver, ...]:
    """Return a solver for every hand of the scene, in its order."""
    return tuple(HandSolver(spec, scene, which) for which in range(len(scene.hands)))


def _joints_of(model: mujoco.MjModel, spec: RobotSpec, hand: Hand) -> tuple[Mask, Floats]:
    """
    Return what carries a hand: a mask (n,), and the robot's home with the hand at its posture.

    Those are the joints between the robot's base and the hand, its gripper and its fingers.
    """
    body, chain = int(model.body(hand.link).id), set()
    while body > 0:
        chain.add(body)
        body = int(model.body_parentid[body])
    mine = np.array(
        [
            n == hand.gripper or n in hand.pointing or int(model.joint(n).bodyid[0]) in chain
            for n in spec.names
        ]
    )
    if len(hand.posture) != int(mine.sum()):
        names = [n for n, m in zip(spec.names, mine, strict=True) if m]
        raise ConfigError(
            f'{spec.name}: the posture of {hand.link} has {len(hand.posture)} values for its '
            f'joints {names}'
        )
    posture = np.array(spec.home)
    posture[mine] = hand.posture
    return mine, posture


def _turn_towards(start: Floats, end: Floats, most: float) -> Floats:
    """Return the rotation (3, 3) from start towards end, at most an angle [rad] away."""
    quaternion, axis, turn = np.zeros(4), np.zeros(3), np.zeros(9)
    mujoco.mju_mat2Quat(quaternion, (start.T @ end).ravel())
    mujoco.mju_quat2Vel(axis, quaternion, 1.0)
    angle = float(np.linalg.norm(axis))
    if angle <= most:
        return end
    mujoco.mju_axisAngle2Quat(quaternion, axis / angle, most)
    mujoco.mju_quat2Mat(turn, quaternion)
    return np.asarray(start @ turn.reshape(3, 3))
