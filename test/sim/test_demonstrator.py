# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Demonstrations succeed, repeat exactly, and record the clean targets."""

import numpy as np
import pytest

from vla_control.core.errors import SimulationError
from vla_control.sim.demonstrations import generate, generate_layouts, Order
from vla_control.sim.demonstrator import Demonstrator
from vla_control.sim.tasks import Task, Verdict
from vla_control.vla.dataset import load_episodes, load_layouts


@pytest.fixture(scope='module')
def demonstrator(spec):
    made = Demonstrator(spec, [Task.TOUCH, Task.PICK])
    yield made
    made.close()


@pytest.mark.parametrize('seed', range(600_000, 600_006))
def test_the_expert_succeeds_under_noise(demonstrator, seed):
    attempt = demonstrator.attempt(seed)
    assert attempt.verdict is Verdict.SUCCESS
    episode = attempt.episode
    assert episode.target in episode.instruction
    assert set(episode.images) == {'front', 'wrist'}
    assert episode.images['front'].shape[1:] == (96, 96, 3)


def test_the_same_seed_gives_the_same_arrays(demonstrator, spec):
    first = demonstrator.attempt(600_001).episode
    demonstrator.attempt(600_002)
    again = demonstrator.attempt(600_001).episode
    assert first.instruction == again.instruction
    for name in ('states', 'commands', 'landmarks'):
        assert np.array_equal(getattr(first, name), getattr(again, name))
    for camera in spec.cameras:
        assert np.array_equal(first.images[camera], again.images[camera])


def test_seeds_of_evaluation_are_refused(demonstrator):
    with pytest.raises(SimulationError, match='evaluation'):
        demonstrator.attempt(99_999)
    with pytest.raises(SimulationError, match='evaluation'):
        demonstrator.still(0)


def test_commands_are_where_the_joints_are_one_tick_later_but_for_the_noise(demonstrator, spec):
    episode = demonstrator.attempt(600_003).episode
    miss = (episode.states[1:] - episode.commands[:-1])[:, ~spec.gripper]
    assert 0.004 < miss.std() < 0.03


def test_commands_stay_inside_the_limits_of_the_robot(demonstrator, spec):
    for seed in (600_000, 600_004):
        episode = demonstrator.attempt(seed).episode
        assert (episode.commands >= spec.lower - 1e-6).all()
        assert (episode.commands <= spec.upper + 1e-6).all()
        assert (np.abs(episode.commands - episode.states) <= 0.1 * spec.velocity).all()


def test_a_pick_ends_with_the_cube_in_the_hand(spec):
    demonstrator = Demonstrator(spec, [Task.PICK])
    episode = demonstrator.attempt(600_010).episode
    demonstrator.close()
    cube, pinch, _ = episode.landmarks[-1]
    assert np.linalg.norm(cube - pinch) < 0.03
    assert cube[2] - episode.landmarks[0, 0, 2] > 0.06
    assert np.abs(np.diff(episode.landmarks[-4:, 0], axis=0)).max() < 0.03


def test_the_data_does_not_depend_on_the_number_of_processes(tmp_path):
    found = []
    for processes in (1, 2):
        out = tmp_path / str(processes)
        order = Order(
            robot='openarm', out=out, count=4, tasks=('touch',), seed=600_000, processes=processes
        )
        made = generate(order)
        assert made.verdicts == {'success': 4}
        found.append({e.seed: e for e in load_episodes(out)})
    one, two = found
    assert one.keys() == two.keys() == set(range(600_000, 600_004))
    for seed, episode in one.items():
        assert np.array_equal(episode.commands, two[seed].commands)
        assert np.array_equal(episode.images['wrist'], two[seed].images['wrist'])


def test_layouts_show_random_scenes(tmp_path):
    order = Order(robot='openarm', out=tmp_path, count=6, tasks=('touch',), seed=600_000)
    generate_layouts(order)
    layouts = load_layouts(tmp_path)
    assert len(layouts) == 6
    assert layouts.cubes.shape == (6, 3, 3)
    assert np.unique(layouts.states, axis=0).shape[0] == 6
