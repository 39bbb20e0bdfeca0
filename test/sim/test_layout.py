# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Layouts are drawn from the area the arm reaches, apart from each other, by seed."""

from dataclasses import replace

import numpy as np
import pytest

from vla_control.core.errors import SimulationError
from vla_control.sim.layout import sample_layout
from vla_control.sim.scene import Area, load_scene


@pytest.fixture(scope='module')
def scene(spec):
    return load_scene(spec)


@pytest.fixture(scope='module')
def layouts(scene):
    return [sample_layout(scene, np.random.default_rng(seed)) for seed in range(300)]


def test_cubes_lie_on_the_table_inside_their_area(scene, layouts):
    cubes = np.concatenate([layout.cubes for layout in layouts])
    for axis, (low, high) in enumerate((scene.cubes.area.x, scene.cubes.area.y)):
        assert low <= cubes[:, axis].min() < cubes[:, axis].max() <= high
    assert np.allclose(cubes[:, 2], scene.table_top + 0.02)


def test_cubes_are_far_enough_apart_to_grasp_one(scene, layouts):
    for layout in layouts:
        xy = layout.cubes[:, :2]
        gaps = [np.linalg.norm(xy[i] - xy[j]) for i, j in ((0, 1), (0, 2), (1, 2))]
        assert min(gaps) >= scene.cubes.spacing >= 0.085


def test_cubes_are_turned_by_at_most_the_given_angle(scene, layouts):
    yaws = np.concatenate([layout.yaws for layout in layouts])
    assert 0.9 * scene.cubes.yaw < np.abs(yaws).max() <= scene.cubes.yaw


def test_the_plate_lies_on_either_side_and_under_no_cube(scene, layouts):
    sides = {bool(layout.plate[1] > -0.24) for layout in layouts}
    assert sides == {True, False}
    for layout in layouts:
        gap = np.linalg.norm(layout.cubes[:, :2] - layout.plate[:2], axis=1)
        assert gap.min() > scene.plate.radius + scene.cubes.side / np.sqrt(2)


def test_the_same_seed_gives_the_same_layout(scene, layouts):
    again = sample_layout(scene, np.random.default_rng(5))
    assert np.array_equal(again.cubes, layouts[5].cubes)
    assert np.array_equal(again.yaws, layouts[5].yaws)
    assert np.array_equal(again.plate, layouts[5].plate)
    assert not np.array_equal(again.cubes, layouts[6].cubes)


def test_an_area_too_small_is_an_error_that_says_so(scene):
    tight = replace(scene, cubes=replace(scene.cubes, area=Area(x=(0.3, 0.31), y=(0.0, 0.01))))
    with pytest.raises(SimulationError, match='do not fit'):
        sample_layout(tight, np.random.default_rng(0))
