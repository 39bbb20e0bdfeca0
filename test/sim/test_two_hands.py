# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Two arms at one table: the arm on the cube's side works, the other one goes home."""

from dataclasses import replace

import numpy as np
import pytest

from vla_control.core.errors import ConfigError
from vla_control.core.spec import load_robot
from vla_control.policies.factory import load_policy, load_policy_config
from vla_control.runtime.lockstep import LockstepLoop, Timing
from vla_control.safety.supervisor import Mode
from vla_control.sim.demonstrator import Demonstrator
from vla_control.sim.devices import loopback
from vla_control.sim.kinematics import hand_solvers
from vla_control.sim.layout import COLOURS, sample_layout
from vla_control.sim.scene import load_scene
from vla_control.sim.starts import sample_start
from vla_control.sim.tasks import Task, Verdict

LEFT, RIGHT = 0, 1


@pytest.fixture(scope='module')
def both():
    return load_robot('openarm_bimanual')


@pytest.fixture(scope='module')
def scene(both):
    return load_scene(both)


@pytest.fixture(scope='module')
def solvers(both, scene):
    return hand_solvers(both, scene)


@pytest.fixture(scope='module')
def demonstrator(both):
    made = Demonstrator(both, [Task.TOUCH])
    yield made
    made.close()


def test_each_hand_is_carried_by_its_own_joints(both, solvers):
    for solver, mine in zip(solvers, both.shares, strict=True):
        assert solver.joints[mine].all()
        assert solver.joints.sum() == 8
    assert not (solvers[LEFT].joints & solvers[RIGHT].joints).any()


def test_no_cube_lies_where_either_hand_could_be_meant(scene):
    cubes = np.concatenate(
        [sample_layout(scene, np.random.default_rng(s)).cubes for s in range(200)]
    )
    assert np.abs(cubes[:, 1]).min() >= scene.cubes.seam
    hands = [scene.nearest_hand(cube) for cube in cubes]
    assert hands == [LEFT if y > 0 else RIGHT for y in cubes[:, 1]]
    assert 0.4 < np.mean(hands) < 0.6


@pytest.mark.parametrize('height', [0.028, 0.09, 0.14])
def test_each_hand_reaches_its_whole_side(both, scene, solvers, height):
    area = scene.cubes.area
    for side, solver in zip((1.0, -1.0), solvers, strict=True):
        for x in np.linspace(*area.x, 4):
            for y in side * np.linspace(scene.cubes.seam, area.y[1], 5):
                point = np.array([x, y, scene.table_top + height])
                q = solver.solve(point, solver.posture, 100)
                assert np.abs(solver.pinch(q)[0] - point).max() < 1e-3
                assert (q >= both.lower).all()
                assert (q <= both.upper).all()


def test_the_left_hand_moves_as_the_mirror_image_of_the_right(scene, solvers):
    flip = np.array([1.0, -1.0, 1.0])
    for point in ([0.3, 0.2, 0.4], [0.42, 0.33, 0.36]):
        left = solvers[LEFT].approach(np.array(point))[:, 2]
        right = solvers[RIGHT].approach(flip * point)[:, 2]
        np.testing.assert_allclose(left, flip * right, atol=1e-12)


@pytest.mark.parametrize('seed', range(600_000, 600_006))
def test_the_expert_touches_with_the_arm_of_that_side(demonstrator, both, scene, seed):
    attempt = demonstrator.attempt(seed)
    assert attempt.verdict is Verdict.SUCCESS
    episode = attempt.episode
    assert set(episode.images) == {'front', 'wrist_left', 'wrist_right'}
    cube, pinch, _ = episode.landmarks[0]
    hand = scene.nearest_hand(cube)
    start = episode.states[0]
    reached = demonstrator._solvers[hand].pinch(start)[0]
    np.testing.assert_allclose(pinch, reached, atol=1e-5)
    other = ~demonstrator._solvers[hand].joints & ~both.gripper
    away = np.abs(episode.states[:, other] - np.array(both.home)[other]).max(axis=1)
    assert away[-1] <= max(0.1, 0.6 * away[0]), 'it is on its way home, but for the noise'


def test_the_arm_at_work_is_not_slowed_by_the_other(demonstrator, both):
    episode = demonstrator.attempt(600_003).episode
    assert (np.abs(episode.commands - episode.states) <= 0.1 * both.velocity).all()


def test_the_whole_robot_waves_in_virtual_time(both, demonstrator, solvers):
    world = demonstrator.world
    policy, blend = load_policy('wave', both), load_policy_config('wave').blend
    loop = LockstepLoop(both, world, policy, blend, Timing())
    start = sample_start(both, world.scene, solvers, np.random.default_rng(3))
    loop.reset(start.layout, start.q, '')
    for _ in range(300):
        loop.tick()
    assert loop.controller.mode is Mode.RUN, loop.controller.snapshot.reason
    still = [i for i, name in enumerate(both.names) if name != 'openarm_right_joint5']
    np.testing.assert_allclose(world.positions[still], start.q[still], atol=0.02)
    now = loop.clock.now()
    loop.controller.shutdown(now)
    assert not loop.device.holding


def test_somebody_holds_the_robot_until_both_arms_do(both):
    buses, device = loopback(both)
    assert len(buses) == len(device.devices) == 2
    device.devices[LEFT].motors.motors[0].on_frame(0x01, b'\xff' * 7 + b'\xfc', 0.0)
    assert device.devices[LEFT].holding
    assert not device.holding


def test_a_posture_for_other_joints_is_refused(both, scene):
    hand = replace(scene.hands[0], posture=scene.hands[0].posture[:-1])
    with pytest.raises(ConfigError, match='posture of openarm_left_hand has 7 values'):
        hand_solvers(both, replace(scene, hands=(hand, scene.hands[1])))


def test_the_goal_decides_the_hand_whatever_the_colour(demonstrator):
    targets = {demonstrator.attempt(s).episode.target for s in range(600_000, 600_010)}
    assert targets == set(COLOURS)
