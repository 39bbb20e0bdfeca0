# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The hand reaches every place a task may need."""

import numpy as np
import pytest


@pytest.mark.parametrize('height', [0.028, 0.09, 0.14])
def test_the_whole_cube_area_is_reached_well_inside_the_limits(spec, shared_world, solver, height):
    scene = shared_world.scene
    for x in np.linspace(*scene.cubes.area.x, 5):
        for y in np.linspace(*scene.cubes.area.y, 5):
            point = np.array([x, y, scene.table_top + height])
            q = solver.solve(point, np.array(scene.hand.posture), 100)
            reached, rotation = solver.pinch(q)
            assert np.abs(reached - point).max() < 1e-3
            slant = rotation[:, 2] @ solver.approach(point)[:, 2]
            assert slant > np.cos(0.05)
            assert (q >= spec.lower).all()
            assert (q <= spec.upper).all()


def test_the_approach_slants_down_with_level_fingers(solver, shared_world):
    rotation = solver.approach(np.array([0.35, -0.3, 0.32]))
    assert np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1.0)
    assert rotation[2, 1] == 0.0
    assert rotation[2, 2] == pytest.approx(-np.sin(shared_world.scene.hand.pitch))


def test_a_limited_turn_keeps_to_its_limit(solver, shared_world):
    hand = shared_world.scene.hand
    q = np.array(hand.posture) + [0, 0, 0, 0, 0, 0, 0.8, 0]
    here, before = solver.pinch(q)
    after = solver.pinch(solver.solve(here, q, 40, turn=0.2))[1]
    angle = np.arccos((np.trace(before.T @ after) - 1) / 2)
    assert angle == pytest.approx(0.2, abs=0.01)
