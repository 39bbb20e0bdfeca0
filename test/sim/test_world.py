# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The world obeys torques, couples the fingers, and shows what is there."""

from dataclasses import replace

import numpy as np
import pytest

from vla_control.core.errors import SimulationError
from vla_control.robots.dynamics import RobotDynamics
from vla_control.sim.world import World


def run(world, seconds, torque):
    for _ in range(round(seconds / world.timestep)):
        world.step(torque(world))


def test_reset_puts_everything_where_it_was_asked(begin):
    world, start = begin(3)
    assert np.allclose(world.positions, start.q)
    assert np.allclose(world.cube_poses[:, :3], start.layout.cubes)
    assert np.allclose(world.plate, start.layout.plate)
    assert world.time == 0.0
    assert world.touched == ()


def test_gravity_torque_alone_holds_the_arm_still(begin, spec):
    world, start = begin(1)
    dynamics = RobotDynamics.from_spec(spec)
    run(world, 0.5, lambda w: dynamics.gravity(w.positions))
    assert np.abs(world.positions - start.q).max() < 1e-3


def test_without_torque_the_arm_falls(begin):
    world, start = begin(1)
    run(world, 0.4, lambda w: np.zeros(8))
    assert world.pinch[2] < 0.40 or np.abs(world.positions - start.q).max() > 0.2


def test_torques_beyond_the_effort_limit_do_no_more_than_the_limit(begin, spec):
    world, _ = begin(1)
    run(world, 0.05, lambda w: spec.effort)
    at_limit = world.positions.copy()
    begin(1)
    run(world, 0.05, lambda w: 10.0 * spec.effort)
    assert np.allclose(world.positions, at_limit, atol=1e-9)


def test_the_fingers_stay_coupled_under_load(begin, servo, shared_world):
    world, start = begin(2)
    wanted = start.q.copy()
    wanted[-1] = 0.0
    for _ in range(250):
        servo.step(wanted, np.zeros(8))
    other = world.data.joint('openarm_right_finger_joint2').qpos[0]
    assert world.positions[-1] == pytest.approx(0.0, abs=1.5e-3)
    assert other == pytest.approx(world.positions[-1], abs=5e-4)


def test_the_servo_follows_a_moving_reference_closely(begin, servo):
    world, start = begin(4)
    worst = 0.0
    for i in range(500):
        t = (i + 1) * world.timestep
        swing = 0.3 * np.array([1, 0, 1, 1, 1, 0, 1, 0])
        # Starts and ends at rest, with up to 0.9 rad/s between.
        q = start.q + swing * (t - np.sin(2 * np.pi * t) / (2 * np.pi)) * 0.5
        v = swing * (1 - np.cos(2 * np.pi * t)) * 0.5
        servo.step(np.clip(q, world.spec.lower, world.spec.upper), v)
        worst = max(worst, float(np.abs(q - world.positions)[:7].max()))
    assert worst < 0.02


def test_cubes_rest_without_creeping(begin, servo):
    world, start = begin(5)
    for _ in range(500):
        servo.step(start.q, np.zeros(8))
    assert np.abs(world.cube_poses[:, :2] - start.layout.cubes[:, :2]).max() < 1e-4
    assert world.cube_speeds.max() < 1e-3


def red(image):
    r, g, b = (image[..., i].astype(int) for i in range(3))
    return int(((r > 90) & (r > 2.2 * g) & (r > 2.2 * b)).sum())


def test_every_cube_is_seen_by_the_front_camera(begin):
    for seed in range(20):
        world, _ = begin(seed)
        image = world.render('front', 96, 96)
        channels = [image[..., i].astype(int) for i in range(3)]
        for colour in range(3):
            own = channels[colour]
            rest = np.maximum(*[channels[i] for i in range(3) if i != colour])
            assert ((own > 60) & (own > 1.8 * rest)).sum() >= 12, (seed, colour)


@pytest.mark.parametrize('camera', ['front', 'wrist', 'overview'])
def test_pictures_have_content(begin, camera):
    world, _ = begin(0)
    image = world.render(camera, 160, 120)
    assert image.shape == (120, 160, 3)
    assert image.dtype == np.uint8
    assert image.std() > 20.0
    assert 60.0 < image.mean() < 230.0


def test_a_cube_held_between_the_fingers_fills_the_wrist_picture(begin, solver):
    world, start = begin(0)
    q = solver.solve(world.cube_poses[0, :3], np.array(world.scene.hand.posture), 80)
    q[-1] = 0.034
    world.reset(start.layout, q)
    near = red(world.render('wrist', 96, 96))
    assert near > 200
    assert near > 3 * red(world.render('front', 96, 96))


def test_a_snapshot_shows_the_same_picture_in_another_world(begin, spec, servo):
    world, start = begin(6)
    for _ in range(50):
        servo.step(start.q + 0.1, np.zeros(8))
    with World(spec) as viewer:
        viewer.restore(world.snapshot())
        assert np.array_equal(viewer.render('front', 96, 96), world.render('front', 96, 96))
        assert np.array_equal(viewer.render('wrist', 96, 96), world.render('wrist', 96, 96))


def test_a_camera_that_is_not_there_is_named(begin):
    world, _ = begin(0)
    with pytest.raises(SimulationError, match=r"'back'.*front"):
        world.render('back', 96, 96)


def test_a_scene_that_names_a_link_the_robot_lacks_is_refused(spec, shared_world):
    scene = replace(shared_world.scene, collisions=('third_arm',))
    with pytest.raises(SimulationError, match='third_arm'):
        World(spec, scene)
