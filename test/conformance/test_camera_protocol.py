# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""What every camera must do, whatever it reads from."""

from dataclasses import replace
import itertools
import os

import cv2
import numpy as np
import pytest

from vla_control.cameras.config import SourceConfig
from vla_control.cameras.opencv import OpenCvCamera
from vla_control.cameras.simulated import FrameWriter, SimulatedCamera
from vla_control.cameras.synthetic import SyntheticCamera
from vla_control.cameras.synthetic import test_pattern as pattern
from vla_control.core.clock import ManualClock
from vla_control.core.errors import CameraError

WIDTH, HEIGHT = 64, 48
FAST, SLOW = 100.0, 0.1  # [Hz]
LONG = 10.0  # [s] never waited out by a camera that works
SERIAL = itertools.count()


def source(kind, rate, **extra):
    return SourceConfig(source=kind, width=WIDTH, height=HEIGHT, rate=rate, **extra)


class VideoRig:
    """A video file; its end is the loss of the camera."""

    def __init__(self, folder, rate, count=5):
        path = folder / 'clip.avi'
        size = (WIDTH, HEIGHT)
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*'MJPG'), rate, size)
        for number in range(count):
            writer.write(pattern(number, WIDTH, HEIGHT)[:, :, ::-1])
        writer.release()
        self.clock = ManualClock(100.0)
        config = source('opencv', rate, device=str(path))
        self.camera = OpenCvCamera(config, 'front', 'optical', self.tick)

    def tick(self):
        return self.clock.advance(0.01)

    def feed(self):
        """Frames come by themselves."""

    def lose(self):
        """The end comes by itself."""

    def heal(self):
        """The file is still there."""

    def close(self):
        """Nothing else is held."""


class FolderRig(VideoRig):
    """A folder of pictures."""

    def __init__(self, folder, rate):
        for number in range(5):
            pixels = pattern(number, WIDTH, HEIGHT)[:, :, ::-1]
            cv2.imwrite(str(folder / f'{number:03d}.png'), pixels)
        self.clock = ManualClock(100.0)
        config = source('opencv', rate, device=str(folder))
        self.camera = OpenCvCamera(config, 'front', 'optical', self.tick)


class Device:
    """A device under the test's control, at the seam where OpenCV is called."""

    def __init__(self, rate):
        self.period = 1.0 / rate
        self.number = 0
        self.dead = False

    def grab(self):
        return not self.dead

    def retrieve(self):
        self.number += 1
        return pattern(self.number, WIDTH, HEIGHT)

    def release(self):
        """A fake holds nothing."""


class DeviceRig(VideoRig):
    """A device that is unplugged and plugged in again."""

    def __init__(self, folder, rate):
        self.clock = ManualClock(100.0)
        self.device = Device(rate)
        config = source('opencv', rate, device='/dev/video0')
        opener = lambda _: self.device  # noqa: E731
        self.camera = OpenCvCamera(config, 'front', 'optical', self.tick, opener)

    def lose(self):
        self.device.dead = True

    def heal(self):
        self.device.dead = False


class SyntheticRig(VideoRig):
    """The test pattern, which nothing can take away."""

    def __init__(self, folder, rate):
        self.clock = ManualClock(100.0)
        self.camera = SyntheticCamera(source('synthetic', rate), 'optical', self.clock.now)


class SimulatedRig(VideoRig):
    """A simulation that writes a frame each time one is wanted, and may die."""

    def __init__(self, folder, rate):
        self.session = f'test-{os.getpid()}-{next(SERIAL)}'
        self.stamp = 5.0
        self.number = 0
        self.heal()
        self.camera = SimulatedCamera(source('simulated', rate), 'front', 'optical', self.session)

    def feed(self):
        self.number += 1
        self.stamp += 0.03
        self.writer.write(self.stamp, pattern(self.number, WIDTH, HEIGHT))

    def lose(self):
        self.writer.close()

    def heal(self):
        self.writer = FrameWriter(self.session, 'front', WIDTH, HEIGHT)

    def close(self):
        self.writer.close()


RIGS = (VideoRig, FolderRig, DeviceRig, SyntheticRig, SimulatedRig)
MORTAL = (VideoRig, FolderRig, DeviceRig, SimulatedRig)


@pytest.fixture
def build(tmp_path):
    rigs = []

    def make(kind, rate):
        rigs.append(kind(tmp_path, rate))
        return rigs[-1]

    yield make
    for rig in rigs:
        rig.camera.close()
        rig.close()


@pytest.mark.parametrize('kind', RIGS)
def test_frames_are_new_each_time_and_their_stamps_rise(build, kind):
    rig = build(kind, FAST)
    rig.camera.open()
    images = []
    for _ in range(3):
        rig.feed()
        images.append(rig.camera.read(LONG))
    assert all(a.stamp < b.stamp for a, b in itertools.pairwise(images))
    assert all(a.sequence < b.sequence for a, b in itertools.pairwise(images))
    assert all((a.pixels != b.pixels).any() for a, b in itertools.pairwise(images))


@pytest.mark.parametrize('kind', RIGS)
def test_a_frame_is_rgb_of_the_configured_size_in_the_optical_frame(build, kind):
    rig = build(kind, FAST)
    rig.camera.open()
    rig.feed()
    image = rig.camera.read(LONG)
    assert image.pixels.shape == (HEIGHT, WIDTH, 3)
    assert image.pixels.dtype == np.uint8
    assert image.frame_id == 'optical'


@pytest.mark.parametrize('kind', RIGS)
def test_no_frame_is_given_twice_even_if_none_comes_in_time(build, kind):
    rig = build(kind, SLOW)
    rig.camera.open()
    rig.feed()
    assert rig.camera.read(LONG) is not None
    assert rig.camera.read(0.0) is None


@pytest.mark.parametrize('kind', RIGS)
def test_reading_a_camera_that_is_not_open_is_an_error(build, kind):
    rig = build(kind, FAST)
    with pytest.raises(CameraError, match='open'):
        rig.camera.read(0.0)
    rig.camera.open()
    rig.camera.close()
    with pytest.raises(CameraError, match='open'):
        rig.camera.read(0.0)


@pytest.mark.parametrize('kind', RIGS)
def test_closing_twice_is_harmless_and_opening_again_gives_frames(build, kind):
    rig = build(kind, FAST)
    rig.camera.open()
    rig.camera.close()
    rig.camera.close()
    rig.camera.open()
    rig.feed()
    assert rig.camera.read(LONG) is not None


@pytest.mark.parametrize('kind', MORTAL)
def test_a_lost_camera_says_so_and_can_be_opened_again(build, kind):
    rig = build(kind, FAST)
    rig.camera.open()
    rig.feed()
    last = rig.camera.read(LONG)
    rig.lose()
    with pytest.raises(CameraError, match=r'again|ended'):
        for _ in range(1000):
            last = rig.camera.read(0.01) or last
    rig.heal()
    rig.camera.open()
    rig.feed()
    image = rig.camera.read(LONG)
    assert image is not None
    assert image.sequence > last.sequence
    assert image.stamp > last.stamp


@pytest.mark.parametrize('kind', [VideoRig, FolderRig])
def test_another_image_size_than_configured_is_an_error(build, kind):
    rig = build(kind, FAST)
    camera = OpenCvCamera(replace(rig.camera._source, width=32), 'front', 'optical', rig.clock.now)
    camera.open()
    with pytest.raises(CameraError, match='64x48'):
        camera.read(LONG)
