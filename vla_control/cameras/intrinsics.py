# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Pinhole numbers and the directions of camera frames.

The optical frame of ROS (REP 103) has x to the right of the picture, y down and z along the
view. MuJoCo and OpenGL cameras look along -z with y up: the same frame turned by pi about x.
"""

from dataclasses import dataclass
import math

import numpy as np

from vla_control.core.messages import Floats, frozen_floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Intrinsics:
    """A pinhole camera with plumb-bob distortion, at one image size."""

    fx: float  # [px] focal length along columns
    fy: float  # [px] focal length along rows
    cx: float  # [px] column of the optical axis, 0 at the middle of the first pixel
    cy: float  # [px] row of the optical axis
    distortion: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0, 0.0)  # k1, k2, p1, p2, k3


def intrinsics_from_fov(fovy: float, width: int, height: int) -> Intrinsics:
    """
    Return the intrinsics of an ideal camera with square pixels.

    :param fovy: [deg] vertical field of view.
    :param width: [px].
    :param height: [px].
    """
    focal = 0.5 * height / math.tan(math.radians(fovy) / 2.0)
    return Intrinsics(fx=focal, fy=focal, cx=(width - 1) / 2.0, cy=(height - 1) / 2.0)


def scaled(calibration: Intrinsics, factor: float) -> Intrinsics:
    """Return the intrinsics after the image was resized by a factor in both directions."""
    return Intrinsics(
        fx=calibration.fx * factor,
        fy=calibration.fy * factor,
        cx=(calibration.cx + 0.5) * factor - 0.5,
        cy=(calibration.cy + 0.5) * factor - 0.5,
        distortion=calibration.distortion,
    )


def turned(calibration: Intrinsics, width: int, height: int, degrees: int) -> Intrinsics:
    """
    Return the intrinsics after the picture was turned clockwise.

    :param width: [px] before the turn.
    :param height: [px] before the turn.
    :param degrees: a multiple of 90.
    """
    for _ in range(degrees // 90 % 4):
        # The right of the old picture is the bottom of the new one, its bottom the left.
        bent = calibration.distortion
        if len(bent) >= 4:  # k1, k2, p1, p2: only the tangential part has a direction
            bent = (*bent[:2], bent[3], -bent[2], *bent[4:])
        calibration = Intrinsics(
            fx=calibration.fy,
            fy=calibration.fx,
            cx=height - 1 - calibration.cy,
            cy=calibration.cx,
            distortion=bent,
        )
        width, height = height, width
    return calibration


def camera_matrix(calibration: Intrinsics) -> Floats:
    """Return the (3, 3) matrix K of camera_info."""
    return frozen_floats(
        [
            [calibration.fx, 0.0, calibration.cx],
            [0.0, calibration.fy, calibration.cy],
            [0.0, 0.0, 1.0],
        ]
    )


def optical_rotation(position: Floats, target: Floats, up: Floats) -> Floats:
    """
    Return the rotation (3, 3) of the optical frame of a camera that looks at a point.

    :param position: (3,) [m] of the camera in the frame it is mounted on.
    :param target: (3,) [m] point in the middle of the picture, same frame.
    :param up: (3,) roughly the top of the picture, same frame; any length.
    """
    view = np.asarray(target, np.float64) - np.asarray(position, np.float64)
    z = view / np.linalg.norm(view)
    right = np.cross(z, np.asarray(up, np.float64))
    x = right / np.linalg.norm(right)
    return frozen_floats(np.column_stack([x, np.cross(z, x), z]))
