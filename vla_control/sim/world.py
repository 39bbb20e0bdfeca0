# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""A robot in its scene: physics by torques, pictures by cameras."""

from types import TracebackType
from typing import Self

import mujoco
import numpy as np
from transforms3d.quaternions import axangle2quat

from vla_control.core.errors import SimulationError
from vla_control.core.messages import Floats, Pixels
from vla_control.core.spec import RobotSpec
from vla_control.sim.layout import COLOURS, Layout
from vla_control.sim.model import build_model, NAMES
from vla_control.sim.scene import load_scene, SceneSpec


class World:
    """
    One robot and its objects. Every (n,) array is in RobotSpec order.

    Renderers belong to the thread that made them, so render where the world was made, or give
    the rendering process a world of its own and ``restore`` snapshots into it.
    """

    def __init__(self, spec: RobotSpec, scene: SceneSpec | None = None) -> None:
        """
        Build the model.

        :param spec: the robot.
        :param scene: its surroundings; the one the spec names if not given.
        :raises SimulationError: when scene and robot do not fit each other.
        """
        self.spec = spec
        self.scene = scene if scene is not None else load_scene(spec)
        self.model = build_model(spec, self.scene)
        self.data = mujoco.MjData(self.model)
        joints = [self.model.joint(name) for name in spec.names]
        self._q = np.array([int(j.qposadr[0]) for j in joints])
        self._v = np.array([int(j.dofadr[0]) for j in joints])
        self._followers = self._find_followers()
        cubes = [self.model.joint(NAMES.cube(colour)) for colour in COLOURS]
        self._cube_q = np.array([int(j.qposadr[0]) for j in cubes])
        self._cube_v = np.array([int(j.dofadr[0]) for j in cubes])
        self._touch_table = self._find_touch_pairs()
        self._touched: list[str] = []
        self._renderers: dict[tuple[int, int], mujoco.Renderer] = {}
        mujoco.mj_forward(self.model, self.data)

    def __enter__(self) -> Self:
        """Return the world itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the renderers."""
        self.close()

    def reset(self, layout: Layout, q_start: Floats) -> None:
        """
        Begin an episode at time 0, everything at rest.

        :param layout: where the objects lie.
        :param q_start: (n,) [rad, grippers m].
        """
        mujoco.mj_resetData(self.model, self.data)
        self.data.qpos[self._q] = q_start
        for follower, leader, offset, factor in self._followers:
            self.data.qpos[follower] = offset + factor * self.data.qpos[leader]
        for adr, centre, yaw in zip(self._cube_q, layout.cubes, layout.yaws, strict=True):
            self.data.qpos[adr : adr + 3] = centre
            self.data.qpos[adr + 3 : adr + 7] = axangle2quat((0.0, 0.0, 1.0), yaw)
        self.data.mocap_pos[0] = layout.plate
        self._touched = []
        mujoco.mj_forward(self.model, self.data)

    def step(self, torques: Floats) -> None:
        """
        Move physics on by one timestep of the scene.

        :param torques: (n,) [N·m, grippers N], cut at the effort limits of the spec.
        """
        self.data.ctrl[:] = torques
        mujoco.mj_step(self.model, self.data)
        if self.data.ncon:
            self._note_touches()

    @property
    def time(self) -> float:
        """Simulated time since reset [s]."""
        return float(self.data.time)

    @property
    def timestep(self) -> float:
        """Length of one step [s]."""
        return float(self.model.opt.timestep)

    @property
    def positions(self) -> Floats:
        """Joint positions (n,) [rad, grippers m]."""
        return np.asarray(self.data.qpos[self._q])

    @property
    def velocities(self) -> Floats:
        """Joint velocities (n,) [rad/s, grippers m/s]."""
        return np.asarray(self.data.qvel[self._v])

    @property
    def cube_poses(self) -> Floats:
        """Poses (3, 7) of the cubes in COLOURS order: xyz [m] and quaternion w, x, y, z."""
        return np.stack([self.data.qpos[adr : adr + 7] for adr in self._cube_q])

    @property
    def cube_speeds(self) -> Floats:
        """Speeds (3,) of the cubes' centres [m/s]."""
        return np.array([np.linalg.norm(self.data.qvel[a : a + 3]) for a in self._cube_v])

    @property
    def plate(self) -> Floats:
        """Centre (3,) of the plate [m]."""
        return np.array(self.data.mocap_pos[0])

    @property
    def pinch(self) -> Floats:
        """The point (3,) between the finger tips of the first hand [m]."""
        return self.pinch_of(0)

    def pinch_of(self, hand: int) -> Floats:
        """
        Return the point (3,) between the finger tips of a hand [m].

        :param hand: which of the scene's hands.
        """
        chosen = self.scene.hands[hand]
        body = self.data.body(chosen.link)
        return np.asarray(body.xpos + body.xmat.reshape(3, 3) @ np.array(chosen.pinch))

    @property
    def touched(self) -> tuple[str, ...]:
        """Cubes a finger has touched since reset, first one first."""
        return tuple(self._touched)

    def finger_contacts(self) -> frozenset[str]:
        """Return the cubes a finger touches now."""
        found = self._touch_table[tuple(self.data.contact.geom.T)]
        return frozenset(COLOURS[i] for i in found if i >= 0)

    def render(self, camera: str, width: int, height: int) -> Pixels:
        """
        Return a picture (height, width, 3) uint8 RGB.

        :param camera: a camera of the scene.
        :raises SimulationError: when there is no such camera.
        """
        if camera not in self.scene.cameras:
            raise SimulationError(
                f'no camera {camera!r} in scene {self.scene.name!r}; it has '
                f'{sorted(self.scene.cameras)}'
            )
        renderer = self._renderers.get((width, height))
        if renderer is None:
            renderer = mujoco.Renderer(self.model, height=height, width=width)
            self._renderers[(width, height)] = renderer
        # A step leaves poses from before its integration; refresh them.
        mujoco.mj_kinematics(self.model, self.data)
        mujoco.mj_camlight(self.model, self.data)
        renderer.update_scene(self.data, camera=camera)
        return np.asarray(renderer.render())

    def snapshot(self) -> Floats:
        """Return everything a picture depends on, as one vector."""
        return np.concatenate([self.data.qpos, self.data.mocap_pos[0]])

    def restore(self, snapshot: Floats) -> None:
        """Show the state of a snapshot, at rest; the touches and the time stay as they are."""
        self.data.qpos[:] = snapshot[:-3]
        self.data.mocap_pos[0] = snapshot[-3:]
        self.data.qvel[:] = 0.0
        mujoco.mj_forward(self.model, self.data)

    def close(self) -> None:
        """Release the renderers; safe to call twice."""
        for renderer in self._renderers.values():
            renderer.close()
        self._renderers.clear()

    def _note_touches(self) -> None:
        found = self._touch_table[tuple(self.data.contact.geom.T)]
        for index in found[found >= 0]:
            if COLOURS[index] not in self._touched:
                self._touched.append(COLOURS[index])

    def _find_touch_pairs(self) -> np.ndarray[tuple[int, int], np.dtype[np.int8]]:
        """Return (ngeom, ngeom): the cube a finger touches in a contact of two geoms, or -1."""
        model = self.model
        table = np.full((model.ngeom, model.ngeom), -1, dtype=np.int8)
        bodies = [model.body(name).id for hand in self.scene.hands for name in hand.fingers]
        fingers = np.flatnonzero(np.isin(model.geom_bodyid, bodies))
        for index, colour in enumerate(COLOURS):
            cube = model.geom(NAMES.cube(colour)).id
            table[fingers, cube] = table[cube, fingers] = index
        return table

    def _find_followers(self) -> list[tuple[int, int, float, float]]:
        """Return (qpos address, leader's address, offset, factor) of each coupled joint."""
        model = self.model
        return [
            (
                int(model.jnt_qposadr[model.eq_obj1id[i]]),
                int(model.jnt_qposadr[model.eq_obj2id[i]]),
                float(model.eq_data[i, 0]),
                float(model.eq_data[i, 1]),
            )
            for i in range(model.neq)
            if model.eq_type[i] == mujoco.mjtEq.mjEQ_JOINT
        ]
