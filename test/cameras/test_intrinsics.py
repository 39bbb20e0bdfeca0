# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Pinhole numbers agree with geometry."""

import math

import cv2
import numpy as np
import pytest

from vla_control.cameras.intrinsics import (
    camera_matrix,
    Intrinsics,
    intrinsics_from_fov,
    optical_rotation,
    scaled,
    turned,
)


def test_the_edge_of_the_picture_is_half_the_field_of_view_away():
    k = intrinsics_from_fov(48.0, 192, 144)
    top = math.atan2(k.cy + 0.5, k.fy)
    assert math.degrees(2.0 * top) == pytest.approx(48.0)
    assert (k.cx, k.cy) == (95.5, 71.5)
    assert k.fx == k.fy


def test_scaling_the_picture_scales_the_camera():
    assert scaled(intrinsics_from_fov(60.0, 192, 192), 0.5) == intrinsics_from_fov(60.0, 96, 96)


@pytest.mark.parametrize('degrees', [0, 90, 180, 270, 360])
def test_a_turned_camera_sees_every_point_where_the_turned_picture_shows_it(degrees):
    width, height = 64, 48
    k = Intrinsics(fx=50.0, fy=60.0, cx=30.0, cy=20.0, distortion=(0.1, -0.05, 0.02, -0.03, 0.01))
    points = np.random.default_rng(1).uniform([-0.4, -0.3, 1.0], [0.4, 0.3, 2.0], (20, 3))
    # The optical frame is turned with the picture: its x goes where the picture's right goes.
    angle = math.radians(degrees)
    spin = np.array(
        [[math.cos(angle), -math.sin(angle), 0], [math.sin(angle), math.cos(angle), 0], [0, 0, 1]]
    )
    x, y = project(k, points).T
    for _ in range(degrees // 90):
        x, y, width, height = height - 1 - y, x, height, width
    turn = turned(k, 64, 48, degrees)
    np.testing.assert_allclose(project(turn, points @ spin.T), np.column_stack([x, y]), atol=1e-9)


def test_a_distortion_without_a_tangential_part_stays():
    k = Intrinsics(fx=50.0, fy=50.0, cx=30.0, cy=20.0, distortion=(0.1, 0.2))
    assert turned(k, 64, 48, 90).distortion == (0.1, 0.2)


def project(calibration, points):
    zero = np.zeros(3)
    bent = np.array(calibration.distortion)
    pixels, _ = cv2.projectPoints(points, zero, zero, camera_matrix(calibration), bent)
    return pixels[:, 0]


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
