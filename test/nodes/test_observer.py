# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""An observation is complete, fresh and of one moment, or there is none."""

import numpy as np
import pytest

from vla_control.core.errors import PolicyError
from vla_control.core.messages import Image, JointState
from vla_control.core.spec import load_robot
from vla_control.nodes.observer import Observer

SPEC = load_robot('openarm')
RNG = np.random.default_rng(5)


def picture(stamp, pixels=None):
    pixels = RNG.integers(0, 255, (8, 8, 3), np.uint8) if pixels is None else pixels
    return Image(stamp=stamp, pixels=pixels)


def joints(stamp, offset=0.0):
    q = np.array(SPEC.home) + offset
    return JointState(stamp=stamp, joints=SPEC.names, positions=q, velocities=q, efforts=q)


@pytest.fixture
def observer():
    """Two cameras and the joints, everything just arrived at 10.05 s."""
    observer = Observer(SPEC, ('front', 'wrist'))
    for k in range(5):
        observer.put_joints(joints(9.98 + 0.01 * k), 10.05)
    observer.put_image('front', picture(10.0), 10.05)
    observer.put_image('wrist', picture(10.01), 10.05)
    return observer


def test_an_observation_is_of_the_newest_picture_and_the_joints_then(observer):
    observation = observer.observe(10.06, 'touch the red cube')
    assert observation.stamp == 10.01
    assert observation.joints.stamp == pytest.approx(10.01)
    assert set(observation.images) == {'front', 'wrist'}
    assert observation.instruction == 'touch the red cube'


def test_a_camera_never_seen_is_named():
    observer = Observer(SPEC, ('front',))
    observer.put_joints(joints(1.0), 1.0)
    with pytest.raises(PolicyError, match=r"no picture of camera 'front'"):
        observer.observe(1.0, '')


def test_a_camera_that_stopped_is_named(observer):
    observer.put_joints(joints(10.4), 10.4)
    observer.put_image('front', picture(10.4), 10.4)
    with pytest.raises(PolicyError, match=r"camera 'wrist' is 0.35 s old"):
        observer.observe(10.4, '')


def test_a_camera_that_repeats_its_stamp_goes_stale(observer):
    for now in (10.1, 10.2, 10.3):
        observer.put_joints(joints(now), now)
        observer.put_image('front', picture(now), now)
        observer.put_image('wrist', picture(10.01), now)
    with pytest.raises(PolicyError, match=r"'wrist'"):
        observer.observe(10.3, '')


def test_a_picture_that_was_on_its_way_for_long_is_too_old(observer):
    observer.put_image('front', picture(10.1), 10.5)
    observer.put_image('wrist', picture(10.2), 10.5)
    observer.put_joints(joints(10.5), 10.5)
    with pytest.raises(PolicyError, match=r"camera 'front' was taken 0.40 s ago"):
        observer.observe(10.5, '')


def test_a_picture_from_the_future_is_refused(observer):
    observer.put_image('front', picture(11.0), 10.06)
    with pytest.raises(PolicyError, match=r'0.94 s in the future'):
        observer.observe(10.06, '')


def test_a_frozen_camera_shows_only_while_the_robot_moves(observer):
    still = RNG.integers(0, 255, (8, 8, 3), np.uint8)

    def show(frames, speed):
        now = 10.1
        for k in range(frames):
            now = 10.1 + 0.03 * k
            observer.put_joints(joints(now, speed * now), now)
            observer.put_image('front', picture(now, still), now)
            observer.put_image('wrist', picture(now), now)
        return now

    assert observer.observe(show(10, 0.0), '').images['front'] is not None
    with pytest.raises(PolicyError, match=r"'wrist'|'front' is frozen"):
        observer.put_image('front', picture(10.5, still), 10.5)
        for k in range(8):
            now = 10.5 + 0.03 * k
            observer.put_joints(joints(now, now), now)
            observer.put_image('front', picture(now + 1e-3, still), now)
            observer.put_image('wrist', picture(now), now)
        observer.observe(now, '')


def test_joints_that_stopped_are_no_joints(observer):
    observer.put_image('front', picture(10.4), 10.4)
    observer.put_image('wrist', picture(10.4), 10.4)
    with pytest.raises(PolicyError, match=r'joint_states are 0.35 s old'):
        observer.observe(10.4, '')


def test_joints_of_another_moment_are_refused(observer):
    observer.put_image('front', picture(10.4), 10.4)
    observer.put_image('wrist', picture(10.4), 10.4)
    observer.put_joints(joints(10.1), 10.4)
    with pytest.raises(PolicyError, match=r'0.30 s apart'):
        observer.observe(10.4, '')


def test_a_policy_without_cameras_needs_only_joints():
    observer = Observer(SPEC, ())
    observer.put_joints(joints(3.0), 3.0)
    assert observer.observe(3.0, '').stamp == 3.0
