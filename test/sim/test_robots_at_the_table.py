# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The expert of every robot reaches its cubes, with the fingers where a touch needs them."""

import numpy as np
import pytest

from vla_control.core.errors import SimulationError
from vla_control.core.spec import load_robot
from vla_control.sim.demonstrator import Demonstrator
from vla_control.sim.kinematics import HandSolver
from vla_control.sim.scene import load_scene
from vla_control.sim.tasks import Task, Verdict


@pytest.fixture(scope='module', params=['dk1', 'g1'])
def demonstrator(request):
    made = Demonstrator(load_robot(request.param), [Task.TOUCH])
    yield made
    made.close()


@pytest.mark.parametrize('name', ['dk1', 'g1'])
@pytest.mark.parametrize('height', [0.03, 0.09])
def test_the_whole_cube_area_is_reached(name, height):
    spec = load_robot(name)
    scene = load_scene(spec)
    solver = HandSolver(spec, scene)
    misses = []
    for x in np.linspace(*scene.cubes.area.x, 4):
        for y in np.linspace(*scene.cubes.area.y, 4):
            point = np.array([x, y, scene.table_top + height])
            q = solver.solve(point, solver.posture, 100)
            misses.append(float(np.abs(solver.pinch(q)[0] - point).max()))
            assert (q >= spec.lower).all()
            assert (q <= spec.upper).all()
    assert max(misses) < 2e-3


@pytest.mark.parametrize('seed', range(600_000, 600_004))
def test_the_expert_touches_the_named_cube_under_noise(demonstrator, seed):
    attempt = demonstrator.attempt(seed)
    assert attempt.verdict is Verdict.SUCCESS
    spec, episode = demonstrator.world.spec, attempt.episode
    assert set(episode.images) == set(spec.cameras)
    assert (episode.commands >= spec.lower - 1e-6).all()
    assert (episode.commands <= spec.upper + 1e-6).all()
    step = np.abs(episode.commands - episode.states)
    assert (step <= 0.1 * spec.velocity + 1e-6).all()


def test_the_dk1_picks():
    demonstrator = Demonstrator(load_robot('dk1'), [Task.PICK])
    assert demonstrator.attempt(600_000).verdict is Verdict.SUCCESS
    demonstrator.close()


def test_the_g1_points_with_its_right_hand_and_keeps_its_left_arm_at_home():
    demonstrator = Demonstrator(load_robot('g1'), [Task.TOUCH])
    spec, hand = demonstrator.world.spec, demonstrator.world.scene.hand
    episode = demonstrator.attempt(600_001).episode
    demonstrator.close()
    for name, angle in hand.pointing.items():
        index = spec.names.index(name)
        assert episode.commands[-1, index] == pytest.approx(angle, abs=0.05)
    left = [i for i, name in enumerate(spec.names) if name.startswith('left_')]
    assert np.abs(episode.states[:, left] - np.array(spec.home)[left]).max() < 0.25


def test_a_hand_without_a_gripper_is_not_asked_to_pick():
    demonstrator = Demonstrator(load_robot('g1'), [Task.PICK])
    with pytest.raises(SimulationError, match='no gripper'):
        demonstrator.attempt(600_000)
    demonstrator.close()
