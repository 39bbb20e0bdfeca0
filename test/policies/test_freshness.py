# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""A camera that is missing, stale, frozen or black starves the policy."""

import numpy as np
import pytest

from vla_control.core.messages import Image
from vla_control.policies.freshness import FreshnessGuard


def picture(value, number=0):
    return Image(stamp=float(number), pixels=np.full((8, 8, 3), value, np.uint8), sequence=number)


@pytest.fixture
def guard():
    return FreshnessGuard(('front', 'wrist'), longest_age=0.2)


def test_every_camera_must_have_shown_something(guard):
    assert 'front' in guard.reason(0.0)
    guard.put('front', picture(100), 0.0, moving=False)
    assert 'wrist' in guard.reason(0.0)
    guard.put('wrist', picture(100), 0.0, moving=False)
    assert guard.reason(0.1) is None


def test_a_stale_picture_starves_until_a_fresh_one_comes(guard):
    for name in ('front', 'wrist'):
        guard.put(name, picture(100), 1.0, moving=False)
    guard.put('wrist', picture(101), 1.15, moving=False)
    assert guard.reason(1.2) is None
    assert "'front' is 0.21 s old" in guard.reason(1.21)
    guard.put('front', picture(102), 1.22, moving=False)
    assert guard.reason(1.25) is None


def test_equal_pictures_in_motion_are_a_frozen_camera(guard):
    for number in range(6):
        for name, value in (('front', 100), ('wrist', 100 + number)):
            guard.put(name, picture(value, number), 1.0, moving=True)
        assert (guard.reason(1.0) is None) == (number < 5)
    assert "'front' is frozen: 6 equal pictures" in guard.reason(1.0)
    guard.put('front', picture(101), 1.0, moving=True)
    assert guard.reason(1.0) is None


def test_equal_pictures_at_rest_are_not(guard):
    for number in range(50):
        for name in ('front', 'wrist'):
            guard.put(name, picture(100, number), 1.0, moving=False)
    assert guard.reason(1.0) is None


def test_a_black_picture_starves(guard):
    for name, value in (('front', 100), ('wrist', 8)):
        guard.put(name, picture(value), 1.0, moving=False)
    assert "'wrist' is black" in guard.reason(1.0)


def test_other_cameras_do_not_matter():
    guard = FreshnessGuard((), longest_age=0.2)
    guard.put('overview', picture(0), 0.0, moving=True)
    assert guard.reason(1e9) is None
