# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""What surrounds a robot in simulation, and where on it things are; one YAML per robot."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vla_control.core.config import find_config, load_yaml, parse
from vla_control.core.errors import ConfigError
from vla_control.core.messages import Floats
from vla_control.core.spec import RobotSpec

Vector = tuple[float, float, float]
Range = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A resting box."""

    centre: Vector  # [m] in the robot's base frame
    size: Vector  # [m] full lengths


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """Where objects may lie and hands may start."""

    x: Range  # [m]
    y: Range  # [m]
    z: Range = (0.0, 0.0)  # [m] above the table


@dataclass(frozen=True, slots=True, kw_only=True)
class Cubes:
    """The objects of every task; the colours are the objects' names."""

    side: float  # [m]
    mass: float  # [kg]
    area: Area
    spacing: float  # [m] least distance between centres
    yaw: float  # [rad] largest turn either way
    seam: float = 0.0  # [m] none lies closer to y = 0, where either of two hands could be meant


@dataclass(frozen=True, slots=True, kw_only=True)
class Plate:
    """A flat disc lying at one of several places."""

    radius: float  # [m]
    height: float  # [m]
    places: tuple[tuple[float, float], ...]  # [m] x, y
    jitter: float  # [m] either way


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraMount:
    """A camera on a link, looking at a point of that link."""

    link: str
    position: Vector  # [m] in the link frame
    target: Vector  # [m] in the link frame
    up: Vector  # in the link frame, roughly the top of the picture
    fovy: float  # [deg] vertical field of view


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand:
    """The arm and hand that do the tasks."""

    link: str  # body the grasp frame is fixed to
    pinch: Vector  # [m] middle between the finger tips, in that body
    fingers: tuple[str, ...]  # bodies whose contact counts as touching
    gripper: str = ''  # joint that opens the fingers; hands without one give `pointing`
    pointing: dict[str, float] = field(default_factory=dict)  # [rad] finger joints in a touch
    approach: Vector = (0.0, 0.0, 1.0)  # in that body, the way the hand goes down
    across: Vector = (0.0, 1.0, 0.0)  # in that body, at right angles to it, kept level
    pitch: float  # [rad] approach below the horizontal
    shoulder: tuple[float, float]  # [m] x, y the approach direction turns about
    turn: float  # share of the bearing from the shoulder the hand turns by
    posture: tuple[float, ...]  # [rad | m] the arm's joints and gripper the IK leans to
    home_starts: float  # share of tasks that begin near the robot's home pose
    start: Area  # the pinch point before the other tasks
    start_gripper: Range  # [m] opening before a task


@dataclass(frozen=True, slots=True, kw_only=True)
class JointPhysics:
    """What the URDF does not say about the drives."""

    damping: float  # [N·m·s/rad]
    frictionloss: float  # [N·m]
    armature: tuple[float, ...]  # (n,) [kg·m2 | kg] rotor inertia seen at the joint
    finger_damping: float = 0.0  # [N·m·s/rad] of grippers that turn
    gripper_damping: float  # [N·s/m]
    gripper_kp: float  # [N/m] ideal finger servo
    gripper_kd: float  # [N·s/m] ideal finger servo
    gripper_force: float  # [N] bound of the ideal finger servo


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneSpec:
    """A robot's simulated surroundings. The world frame is the robot's base frame."""

    name: str
    timestep: float  # [s] physics
    floor: float  # [m] height
    pedestal: Box
    table: Box
    cubes: Cubes
    plate: Plate
    cameras: dict[str, CameraMount]
    hands: tuple[Hand, ...]  # a file with one hand may say `hand` instead
    joints: JointPhysics
    collisions: tuple[str, ...]  # robot links that can touch things

    @property
    def table_top(self) -> float:
        """Height of the table [m]."""
        return self.table.centre[2] + self.table.size[2] / 2.0

    @property
    def hand(self) -> Hand:
        """The first hand, and the only one of most robots."""
        return self.hands[0]

    def nearest_hand(self, point: Floats) -> int:
        """
        Return which hand a task is for: the one whose shoulder is nearest, seen from above.

        For two mirrored arms that is the side of y = 0 the point is on.

        :param point: (3,) [m] where the object lies when the task begins.
        """
        shoulders = np.array([h.shoulder for h in self.hands])
        return int(np.linalg.norm(shoulders - point[:2], axis=1).argmin())


def load_scene(spec: RobotSpec) -> SceneSpec:
    """
    Load the scene of a robot.

    :raises ConfigError: when the robot names none, or the file does not fit the robot.
    """
    if not spec.scene:
        raise ConfigError(f'{spec.name}: no scene; add `scene: <name>` for config/scenes/<name>')
    path = find_config('scenes', spec.scene)
    scene = parse(SceneSpec, _with_hands(load_yaml(path), path.name), path.name)
    n = len(spec.joints)
    if len(scene.joints.armature) != n:
        raise ConfigError(
            f'{path.name}.joints.armature: {len(scene.joints.armature)} values for {n} joints'
        )
    for hand in scene.hands:
        fingers = (hand.gripper, *hand.pointing) if hand.gripper else tuple(hand.pointing)
        missing = [name for name in fingers if name not in spec.names]
        if missing or not fingers:
            raise ConfigError(
                f'{path.name}: {hand.link} needs a `gripper`, or `pointing` with its finger '
                f'joints; {missing} are not joints of {spec.name}: {list(spec.names)}'
            )
    return scene


def _with_hands(data: dict[str, Any], where: str) -> dict[str, Any]:
    if ('hand' in data) == ('hands' in data):
        raise ConfigError(f'{where}: give either one `hand` or a list of `hands`')
    if 'hand' in data:
        data['hands'] = [data.pop('hand')]
    return data
