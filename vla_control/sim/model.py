# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""One MuJoCo model from a robot's URDF and its scene."""

from dataclasses import dataclass

import mujoco
import numpy as np

from vla_control.core.errors import SimulationError
from vla_control.core.messages import Floats
from vla_control.core.spec import JointKind, RobotSpec
from vla_control.robots.description import robot_urdf
from vla_control.sim.layout import COLOURS
from vla_control.sim.scene import Box, CameraMount, SceneSpec

VISIBLE, HIDDEN = 1, 3  # geom groups: drawn, and touched only
CUBE_PAINT = {'red': (0.85, 0.12, 0.12), 'green': (0.10, 0.62, 0.20), 'blue': (0.10, 0.25, 0.85)}
_FLOOR_PAINT = (0.62, 0.66, 0.70, 1.0)
_TABLE_PAINT = (0.80, 0.72, 0.60, 1.0)
_PEDESTAL_PAINT = (0.36, 0.38, 0.42, 1.0)
_PLATE_PAINT = (0.96, 0.96, 0.94, 1.0)
# Robot geoms meet the world and never each other; the world meets itself.
_ROBOT_BITS, _WORLD_BITS = (0, 2), (2, 2)


@dataclass(frozen=True, slots=True)
class Names:
    """How things are called in the model."""

    plate: str = 'plate'
    table: str = 'table'

    @staticmethod
    def cube(colour: str) -> str:
        """Body, joint and geom of a cube."""
        return f'{colour}_cube'


NAMES = Names()


def build_model(spec: RobotSpec, scene: SceneSpec) -> mujoco.MjModel:
    """
    Build the model of a robot in its scene.

    :raises SimulationError: when the scene names links or joints the robot lacks.
    """
    model = mujoco.MjSpec.from_string(robot_urdf(spec))
    model.modelname = f'{spec.name} in {scene.name}'
    _set_physics(model, scene)
    _set_rendering(model)
    _dress_robot(model, spec, scene)
    _add_surroundings(model, scene)
    _add_objects(model, scene)
    for name, mount in scene.cameras.items():
        _add_camera(model, name, mount)
    return model.compile()


def look_at(mount: CameraMount) -> Floats:
    """Return the quaternion (4,) w, x, y, z of a camera that looks along -z with y up."""
    back = np.array(mount.position) - np.array(mount.target)
    back /= np.linalg.norm(back)
    right = np.cross(mount.up, back)
    right /= np.linalg.norm(right)
    rotation = np.column_stack([right, np.cross(back, right), back])
    quaternion = np.zeros(4)
    mujoco.mju_mat2Quat(quaternion, rotation.ravel())
    return quaternion


def _set_physics(model: mujoco.MjSpec, scene: SceneSpec) -> None:
    model.option.timestep = scene.timestep
    model.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    # Elliptic cones and a stiff friction dimension stop a squeezed cube from creeping out.
    model.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    model.option.impratio = 10.0


def _set_rendering(model: mujoco.MjSpec) -> None:
    # Shadows cost 7 ms a frame whatever its size in software rendering, MSAA doubles the rest.
    model.visual.quality.shadowsize = 0
    model.visual.quality.offsamples = 0
    model.visual.global_.offwidth = 1280
    model.visual.global_.offheight = 960
    model.visual.map.znear = 0.005
    model.visual.headlight.ambient = [0.35, 0.35, 0.35]
    model.visual.headlight.diffuse = [0.25, 0.25, 0.25]
    model.visual.headlight.specular = [0.05, 0.05, 0.05]
    for name, position, direction, strength in (
        ('lamp_left', [0.6, 1.2, 2.0], [-0.2, -0.6, -1.0], 0.40),
        ('lamp_right', [0.8, -1.4, 1.8], [-0.3, 0.6, -1.0], 0.25),
    ):
        model.worldbody.add_light(
            name=name,
            pos=position,
            dir=direction,
            castshadow=False,
            type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
            diffuse=[strength] * 3,
            specular=[0.1] * 3,
        )
    model.add_texture(
        name='sky',
        type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
        rgb1=[0.82, 0.87, 0.92],
        rgb2=[0.55, 0.62, 0.70],
        width=64,
        height=384,
    )


def _dress_robot(model: mujoco.MjSpec, spec: RobotSpec, scene: SceneSpec) -> None:
    bodies = {body.name for body in model.bodies}
    hands = {name for hand in scene.hands for name in (hand.link, *hand.fingers)}
    unknown = sorted({*scene.collisions, *hands} - bodies)
    if unknown:
        raise SimulationError(
            f'{scene.name}: links {unknown} are not in {spec.urdf}; it has {sorted(bodies)}'
        )
    for geom in list(model.geoms):
        if geom.contype == 0:
            geom.group = VISIBLE
        elif geom.parent.name not in scene.collisions:
            model.delete(geom)
        else:
            _set_contact(geom, scene)
    for joint in model.joints:
        gripper = joint.type == mujoco.mjtJoint.mjJNT_SLIDE
        joint.damping[0] = scene.joints.gripper_damping if gripper else scene.joints.damping
        joint.frictionloss = 0.0 if gripper else scene.joints.frictionloss
    for index, wanted in enumerate(spec.joints):
        joint = model.joint(wanted.name)
        if joint is None:
            raise SimulationError(f'{spec.name}: joint {wanted.name!r} is not in {spec.urdf}')
        joint.armature = scene.joints.armature[index]
        model.add_actuator(
            name=wanted.name,
            target=wanted.name,
            trntype=mujoco.mjtTrn.mjTRN_JOINT,
            ctrllimited=True,
            ctrlrange=[-wanted.effort, wanted.effort],
        )
        if wanted.kind is JointKind.GRIPPER:
            joint.actfrclimited = False
            if joint.type == mujoco.mjtJoint.mjJNT_HINGE:
                joint.damping[0], joint.frictionloss = scene.joints.finger_damping, 0.0
    for equality in model.equalities:
        # The fingers are geared to each other: as stiff as the step allows.
        equality.solref = [2.5 * scene.timestep, 1.0]
        equality.solimp[:3] = [0.98, 0.999, 0.001]


def _set_contact(geom: mujoco.MjsGeom, scene: SceneSpec) -> None:
    geom.group = HIDDEN
    geom.contype, geom.conaffinity = _ROBOT_BITS
    if any(geom.parent.name in hand.fingers for hand in scene.hands):
        # Rubber pads; torsional friction keeps a cube held by two faces from spinning.
        geom.condim = 4
        geom.friction = [1.6, 0.02, 0.0001]
        geom.solref = [0.01, 1.0]


def _add_box(model: mujoco.MjSpec, name: str, box: Box, paint: tuple[float, ...]) -> None:
    model.worldbody.add_geom(
        name=name,
        type=mujoco.mjtGeom.mjGEOM_BOX,
        pos=box.centre,
        size=[s / 2.0 for s in box.size],
        rgba=paint,
        group=VISIBLE,
        contype=_WORLD_BITS[0],
        conaffinity=_WORLD_BITS[1],
        friction=[0.9, 0.01, 0.0001],
    )


def _add_surroundings(model: mujoco.MjSpec, scene: SceneSpec) -> None:
    model.worldbody.add_geom(
        name='floor',
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        pos=[0.0, 0.0, scene.floor],
        size=[3.0, 3.0, 0.1],
        rgba=_FLOOR_PAINT,
        group=VISIBLE,
        contype=_WORLD_BITS[0],
        conaffinity=_WORLD_BITS[1],
    )
    _add_box(model, 'pedestal', scene.pedestal, _PEDESTAL_PAINT)
    _add_box(model, NAMES.table, scene.table, _TABLE_PAINT)
    half = np.array(scene.table.size) / 2.0
    length = (scene.table.centre[2] - half[2] - scene.floor) / 2.0
    for index, (i, j) in enumerate(((-1, -1), (-1, 1), (1, -1), (1, 1))):
        x, y = np.array(scene.table.centre)[:2] + (i, j) * (half[:2] - 0.03)
        model.worldbody.add_geom(
            name=f'leg{index}',
            type=mujoco.mjtGeom.mjGEOM_BOX,
            group=VISIBLE,
            pos=[x, y, scene.floor + length],
            size=[0.02, 0.02, length],
            rgba=_PEDESTAL_PAINT,
            contype=0,
            conaffinity=0,
        )


def _add_objects(model: mujoco.MjSpec, scene: SceneSpec) -> None:
    half = scene.cubes.side / 2.0
    for colour in COLOURS:
        name = NAMES.cube(colour)
        body = model.worldbody.add_body(name=name, pos=[0.0, 0.0, scene.table_top + half])
        body.add_freejoint(name=name)
        body.add_geom(
            name=name,
            type=mujoco.mjtGeom.mjGEOM_BOX,
            size=[half] * 3,
            mass=scene.cubes.mass,
            rgba=[*CUBE_PAINT[colour], 1.0],
            group=VISIBLE,
            contype=_WORLD_BITS[0],
            conaffinity=_WORLD_BITS[1],
            friction=[0.9, 0.01, 0.0001],
        )
    # A mocap body: fixed in physics, and movable between episodes without a new model.
    plate = model.worldbody.add_body(name=NAMES.plate, mocap=True)
    plate.add_geom(
        name=NAMES.plate,
        type=mujoco.mjtGeom.mjGEOM_CYLINDER,
        group=VISIBLE,
        size=[scene.plate.radius, scene.plate.height / 2.0, 0.0],
        rgba=_PLATE_PAINT,
        contype=_WORLD_BITS[0],
        conaffinity=_WORLD_BITS[1],
        friction=[0.9, 0.01, 0.0001],
    )


def _add_camera(model: mujoco.MjSpec, name: str, mount: CameraMount) -> None:
    body = model.body(mount.link)
    if body is None:
        raise SimulationError(f'camera {name!r}: no link {mount.link!r} to mount it on')
    body.add_camera(name=name, pos=mount.position, quat=look_at(mount), fovy=mount.fovy)
