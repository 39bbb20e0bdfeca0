# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Pinhole numbers agree with geometry."""

import math

import numpy as np
import pytest

from vla_control.cameras.intrinsics import (
    camera_matrix,
    intrinsics_from_fov,
    optical_rotation,
    scaled,
)


def test_the_edge_of_the_picture_is_half_the_field_of_view_away():
    k = intrinsics_from_fov(48.0, 192, 144)
    top = math.atan2(k.cy + 0.5, k.fy)
    assert math.degrees(2.0 * top) == pytest.approx(48.0)
    assert (k.cx, k.cy) == (95.5, 71.5)
    assert k.fx == k.fy


def test_scaling_the_picture_scales_the_camera():
    assert scaled(intrinsics_from_fov(60.0, 192, 192), 0.5) == intrinsics_from_fov(60.0, 96, 96)


def test_the_matrix_projects_the_axis_to_the_middle():
    k = camera_matrix(intrinsics_from_fov(60.0, 100, 80))
    pixel = k @ np.array([0.0, 0.0, 2.0])
    assert tuple(pixel[:2] / pixel[2]) == (49.5, 39.5)


def test_the_optical_frame_looks_along_z_with_y_down():
    rotation = optical_rotation(
        np.array([1.0, 0.0, 1.0]), np.array([0.0, 0.0, 1.0]), np.array([0.0, 0.0, 1.0])
    )
    x, y, z = rotation.T
    np.testing.assert_allclose(z, [-1.0, 0.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(y, [0.0, 0.0, -1.0], atol=1e-12)
    np.testing.assert_allclose(x, [0.0, 1.0, 0.0], atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1.0)
