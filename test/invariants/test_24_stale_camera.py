# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Invariant 24: a policy is asked about what is there, or not at all.

A picture older than 200 ms, the same bytes five times more in motion, or one without light: no
inference, with the camera's name. Nothing is ever filled in for what is missing.
"""

import numpy as np
import pytest

from vla_control.core.errors import PolicyError
from vla_control.core.messages import Image, JointState

observer_module = pytest.importorskip('vla_control.nodes.observer')

CAMERAS = ('front', 'wrist')
FRAME = 1 / 30  # [s]


class Studio:
    """Cameras and joints as they arrive, and one policy that asks on every frame."""

    def __init__(self, robot):
        self.robot = robot
        self.observer = observer_module.Observer(robot, CAMERAS)
        self.rng = np.random.default_rng(24)
        self.now, self.count = 10.0, 0
        self.asked, self.refused = [], []

    def picture(self):
        return self.rng.integers(20, 255, (12, 16, 3), np.uint8)

    def frame(self, spoil=None, speed=1.0, delay=0.01, late=0.0, joints=True):
        """Live through one frame; ``spoil`` makes the wrist's picture, or None for none."""
        self.now += FRAME
        self.count += 1
        stamp = self.now - delay
        if joints:
            q = np.array(self.robot.home) + 0.02 * speed * self.count * ~self.robot.gripper
            zero = np.zeros(len(q))
            self.observer.put_joints(
                JointState(
                    stamp=stamp,
                    joints=self.robot.names,
                    positions=q,
                    velocities=zero,
                    efforts=zero,
                ),
                self.now,
            )
        self.observer.put_image('front', self.image(stamp, self.picture()), self.now)
        pixels = self.picture() if spoil is None else spoil(self.count)
        if pixels is not None:
            self.observer.put_image('wrist', self.image(stamp - late, pixels), self.now)
        try:
            self.asked.append(self.observer.observe(self.now, 'do it'))
        except PolicyError as error:
            self.refused.append(str(error))

    def image(self, stamp, pixels):
        return Image(stamp=stamp, pixels=pixels, sequence=self.count)


@pytest.fixture
def studio(robot):
    studio = Studio(robot)
    for _ in range(10):
        studio.frame()
    assert len(studio.asked) == 10
    return studio


def refusals(studio, frames=30, **wrong):
    """Live on with something wrong; return after how many frames the policy was not asked."""
    studio.asked.clear()
    studio.refused.clear()
    for _ in range(frames):
        studio.frame(**wrong)
    assert len(studio.asked) + len(studio.refused) == frames
    return len(studio.asked)


def test_the_age_is_that_of_the_design(robot):
    assert robot.safety.image_timeout == 0.2


def test_a_dead_camera_starves_the_policy_after_200_ms(studio):
    served = refusals(studio, spoil=lambda k: None)
    assert served == 5, 'until the last picture, 10 ms old on arrival, is 200 ms old'
    assert all(
        "'wrist'" in reason and ('s ago' in reason or 's old' in reason)
        for reason in studio.refused
    )


def test_a_camera_that_never_showed_anything_starves_from_the_start(robot):
    studio = Studio(robot)
    assert refusals(studio, spoil=lambda k: None) == 0
    assert all("no picture of camera 'wrist'" in reason for reason in studio.refused)


def test_a_frozen_camera_starves_after_the_same_bytes_five_times(studio):
    still = studio.picture()
    assert refusals(studio, spoil=lambda k: still) == 5
    assert all("'wrist' is frozen" in reason for reason in studio.refused)


def test_a_scene_at_rest_is_not_a_frozen_camera(studio):
    still = studio.picture()
    assert refusals(studio, spoil=lambda k: still, speed=0.0, frames=60) >= 59


@pytest.mark.parametrize('level', [0, 3, 8])
def test_a_black_picture_is_never_asked_about(studio, level):
    assert refusals(studio, spoil=lambda k: np.full((12, 16, 3), level, np.uint8)) == 0
    assert all("'wrist' is" in reason for reason in studio.refused)
    assert 'black' in studio.refused[0]


def test_a_dark_scene_with_one_light_is_a_picture(studio):
    def dark(k):
        pixels = np.zeros((12, 16, 3), np.uint8)
        pixels[k % 12, k % 16] = 60
        return pixels

    assert refusals(studio, spoil=dark) == 30


def test_pictures_that_arrive_late_are_old_when_they_arrive(studio):
    assert refusals(studio, late=0.25, frames=60) <= int(0.25 / FRAME)
    assert all("'wrist'" in reason for reason in studio.refused)


def test_a_stamp_from_the_future_does_not_make_a_picture_fresh(studio):
    assert refusals(studio, late=-3600.0) == 0
    assert all('in the future' in reason for reason in studio.refused)


def test_a_stamp_a_little_ahead_does_not_keep_a_dead_camera_alive(studio):
    refusals(studio, frames=3, late=-0.045)
    assert len(studio.asked) == 3, 'so little is the difference of two clocks'
    assert refusals(studio, spoil=lambda k: None) <= 6, 'its age is counted from its arrival'


def test_joints_that_are_missing_starve_it_too(studio):
    assert refusals(studio, joints=False) <= int(0.2 / FRAME) + 1
    assert all('joint' in reason for reason in studio.refused)


def test_it_is_asked_again_once_the_camera_is_back(studio):
    refusals(studio, spoil=lambda k: None)
    assert refusals(studio, frames=5) == 5


@pytest.mark.parametrize('seed', range(5))
def test_whatever_fails_what_is_asked_about_was_really_seen_and_is_fresh(robot, seed):
    rng, studio = np.random.default_rng(seed), Studio(robot)
    seen, still = set(), studio.picture()

    def spoil(k):
        kind = rng.integers(0, 5)
        pixels = [
            None,
            still,
            np.zeros((12, 16, 3), np.uint8),
            studio.picture(),
            studio.picture(),
        ][kind]
        if pixels is not None:
            seen.add(pixels.tobytes())
        return pixels

    for _ in range(300):
        before = len(studio.asked)
        studio.frame(spoil=spoil, joints=rng.random() < 0.9, late=rng.choice([0.0, 0.0, 0.3]))
        for observation in studio.asked[before:]:
            assert set(observation.images) == set(CAMERAS)
            wrist = observation.images['wrist']
            assert wrist.pixels.tobytes() in seen, 'nothing is made up'
            assert wrist.pixels.max() > 8
            assert max(studio.now - i.stamp for i in observation.images.values()) <= 0.2 + 1e-9
            assert np.isfinite(observation.joints.positions).all()
    assert studio.refused and studio.asked
