# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Rigid-body terms of a robot from its URDF, contacts and constraints off."""

from collections.abc import Sequence
import xml.etree.ElementTree as ET

import numpy as np
from numpy.typing import NDArray

from vla_control.core.errors import ConfigError
from vla_control.core.graphics import select_renderer
from vla_control.core.messages import Floats
from vla_control.core.spec import RobotSpec
from vla_control.robots.description import robot_urdf

select_renderer()

import mujoco  # noqa: E402  the renderer is fixed by the import


class RobotDynamics:
    """
    Gravity, inverse dynamics and kinematics of one robot, in RobotSpec order.

    Joints the spec does not list follow their URDF mimic joint, or stay at zero. A torque of a
    listed joint counts what its followers feel. Not thread-safe: one object per thread.
    """

    def __init__(self, urdf: str, joints: Sequence[str]) -> None:
        """
        Build from a URDF.

        :param urdf: URDF text.
        :param joints: (n,) names, the order of every array.
        :raises ConfigError: when the URDF is unreadable or lacks a joint.
        """
        try:
            self._model = mujoco.MjModel.from_xml_string(_without_shapes(urdf))
        except (ValueError, ET.ParseError) as error:
            raise ConfigError(f'the URDF is not readable: {error}') from error
        self._spread, self._rest = _joint_map(self._model, joints)
        self._order = _order(self._spread, self._rest)
        self._still = mujoco.MjData(self._model)
        self._moving = mujoco.MjData(self._model)
        self._force = np.zeros(self._model.nv)

    @classmethod
    def from_spec(cls, spec: RobotSpec) -> 'RobotDynamics':
        """Build from a RobotSpec."""
        return cls(robot_urdf(spec), spec.names)

    def gravity(self, q: Floats) -> Floats:
        """
        Return the torques (n,) [N·m, grippers N] that hold a pose still.

        :param q: (n,) [rad, grippers m].
        """
        # A data of its own keeps velocity terms at zero, which saves computing them.
        model, data = self._model, self._still
        data.qpos[:] = self._moved(q) + self._rest
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        mujoco.mj_rne(model, data, 0, self._force)
        return self._felt()

    def inverse(self, q: Floats, v: Floats, a: Floats) -> Floats:
        """
        Return the torques (n,) [N·m, grippers N] of a motion, gravity included.

        :param q: (n,) [rad, grippers m].
        :param v: (n,) [rad/s, grippers m/s].
        :param a: (n,) [rad/s2, grippers m/s2].
        """
        model, data = self._model, self._moving
        data.qpos[:] = self._moved(q) + self._rest
        data.qvel[:] = self._moved(v)
        data.qacc[:] = self._moved(a)
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        mujoco.mj_comVel(model, data)
        mujoco.mj_rne(model, data, 1, self._force)
        return self._felt()

    def forward_kinematics(self, q: Floats, link: str) -> tuple[Floats, Floats]:
        """
        Return where a link is in the robot's base frame.

        :param q: (n,) [rad, grippers m].
        :param link: a link of the URDF.
        :returns: position (3,) [m] and quaternion (4,) as w, x, y, z.
        :raises ConfigError: when there is no such link.
        """
        body = mujoco.mj_name2id(self._model, mujoco.mjtObj.mjOBJ_BODY, link)
        if body < 0:
            names = [self._model.body(i).name for i in range(self._model.nbody)]
            raise ConfigError(f'no link {link!r} in the URDF; it has {names}')
        self._still.qpos[:] = self._moved(q) + self._rest
        mujoco.mj_kinematics(self._model, self._still)
        return self._still.xpos[body].copy(), self._still.xquat[body].copy()

    def _moved(self, joints: Floats) -> Floats:
        """Return what the joints of the model do when those of the spec do this."""
        return self._spread @ joints if self._order is None else joints[self._order[0]]

    def _felt(self) -> Floats:
        """Return the forces in the order of the spec."""
        if self._order is None:
            return np.asarray(self._force @ self._spread)
        return np.asarray(self._force[self._order[1]])


def _without_shapes(urdf: str) -> str:
    """Leave out what links look like and touch with; to move 69 shapes about takes time."""
    robot = ET.fromstring(urdf)  # noqa: S314  our own robot description
    for link in robot.iter('link'):
        for shape in (*link.findall('visual'), *link.findall('collision')):
            link.remove(shape)
    return ET.tostring(robot, encoding='unicode')


def _joint_map(model: mujoco.MjModel, joints: Sequence[str]) -> tuple[Floats, Floats]:
    """Return spread (nv, n) and rest (nv,) with qpos = rest + spread @ q."""
    names = [model.joint(i).name for i in range(model.njnt)]
    missing = [j for j in joints if j not in names]
    if missing:
        raise ConfigError(f'joints {missing} are not in the URDF; it has {names}')
    if model.nq != model.njnt:
        raise ConfigError('the URDF has floating or ball joints; only single-axis joints work')
    spread, rest = np.zeros((model.nv, len(joints))), np.zeros(model.nv)
    for column, joint in enumerate(joints):
        spread[names.index(joint), column] = 1.0
    for i in range(model.neq):
        follower, leader = int(model.eq_obj1id[i]), int(model.eq_obj2id[i])
        if model.eq_type[i] == mujoco.mjtEq.mjEQ_JOINT and names[leader] in joints:
            rest[follower] = model.eq_data[i, 0]
            spread[follower] = model.eq_data[i, 1] * spread[leader]
    return spread, rest


def _order(spread: Floats, rest: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]] | None:
    """Return the map as indices, and back, where it only reorders; 4 us less an inverse."""
    once = all((spread.sum(axis=side) == 1.0).all() for side in (0, 1))
    if not once or rest.any() or not np.isin(spread, (0.0, 1.0)).all():
        return None
    return spread.argmax(axis=1), spread.argmax(axis=0)
