# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Small differences in light, colour and camera pose, so a policy does not rely on them."""

from dataclasses import dataclass

import mujoco
import numpy as np

from vla_control.core.messages import Floats

_LIGHT = 0.20  # share of the brightness
_TINT = 0.06  # of the colour range, per channel
_SHIFT = 0.006  # [m] camera position
_TURN = 0.012  # [rad] camera orientation


@dataclass(frozen=True, slots=True, kw_only=True)
class Appearance:
    """How one episode differs from the model as built, all in -1..1."""

    light: Floats  # (1 + lights,) headlight first
    tint: Floats  # (ngeom, 3)
    shift: Floats  # (ncam, 3)
    turn: Floats  # (ncam, 3)


def sample_appearance(model: mujoco.MjModel, rng: np.random.Generator) -> Appearance:
    """Draw how an episode looks."""
    return Appearance(
        light=rng.uniform(-1.0, 1.0, size=1 + model.nlight),
        tint=rng.uniform(-1.0, 1.0, size=(model.ngeom, 3)),
        shift=rng.uniform(-1.0, 1.0, size=(model.ncam, 3)),
        turn=rng.uniform(-1.0, 1.0, size=(model.ncam, 3)),
    )


class Wardrobe:
    """Changes how a model looks, always starting from how it was built."""

    def __init__(self, model: mujoco.MjModel) -> None:
        """Remember how the model was built."""
        self._model = model
        self._head = np.array(model.vis.headlight.diffuse)
        self._light = model.light_diffuse.copy()
        self._paint = model.geom_rgba.copy()
        self._position = model.cam_pos.copy()
        self._quaternion = model.cam_quat.copy()

    def wear(self, look: Appearance) -> None:
        """Put on a look."""
        model = self._model
        model.vis.headlight.diffuse = self._head * (1.0 + _LIGHT * look.light[0])
        model.light_diffuse[:] = self._light * (1.0 + _LIGHT * look.light[1:, None])
        model.geom_rgba[:, :3] = np.clip(self._paint[:, :3] + _TINT * look.tint, 0.0, 1.0)
        model.cam_pos[:] = self._position + _SHIFT * look.shift
        for camera in range(model.ncam):
            quaternion = self._quaternion[camera].copy()
            mujoco.mju_quatIntegrate(quaternion, look.turn[camera], _TURN)
            model.cam_quat[camera] = quaternion

    def plain(self) -> None:
        """Look as built."""
        model = self._model
        model.vis.headlight.diffuse = self._head
        model.light_diffuse[:] = self._light
        model.geom_rgba[:] = self._paint
        model.cam_pos[:] = self._position
        model.cam_quat[:] = self._quaternion
