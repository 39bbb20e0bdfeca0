# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The test pattern is a function of the frame number, and shows it."""

import cv2
import numpy as np
import pytest

from vla_control.cameras.config import SourceConfig
from vla_control.cameras.synthetic import read_number, SyntheticCamera
from vla_control.cameras.synthetic import test_pattern as pattern
from vla_control.core.clock import ManualClock


@pytest.mark.parametrize('number', [0, 1, 77, 2**20 + 5, 2**32 - 1])
def test_the_number_can_be_read_back_even_from_a_jpeg(number):
    pixels = pattern(number, 192, 192)
    assert read_number(pixels) == number
    good, code = cv2.imencode('.jpg', pixels)
    assert good
    assert read_number(np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR))) == number


def test_the_same_number_gives_the_same_pixels():
    np.testing.assert_array_equal(pattern(12, 64, 48), pattern(12, 64, 48))


def test_frames_nobody_read_in_time_are_skipped():
    clock = ManualClock(10.0)
    source = SourceConfig(source='synthetic', width=96, height=96, rate=10.0)
    camera = SyntheticCamera(source, 'f', clock.now)
    camera.open()
    assert read_number(camera.read(0.0).pixels) == 0
    clock.advance(0.55)
    image = camera.read(0.0)
    assert read_number(image.pixels) == 5
    assert image.stamp == pytest.approx(10.5)
    assert camera.read(0.0) is None
