# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The grab thread keeps the newest frame and knows a dead device from a slow one."""

import threading

import numpy as np
import pytest

from vla_control.cameras.config import SourceConfig
from vla_control.cameras.opencv import OpenCvCamera
from vla_control.cameras.synthetic import read_number
from vla_control.cameras.synthetic import test_pattern as pattern
from vla_control.core.errors import CameraError

LONG = 10.0  # [s]


class Gate:
    """A device that grabs one frame each time the test says so."""

    WIDTH, HEIGHT = 128, 96  # [px]
    period = None

    def __init__(self):
        self.grants = threading.Semaphore(0)
        self.taken = threading.Semaphore(0)
        self.number = 0
        self.damaged = 0
        self.released = threading.Event()

    def grab(self):
        self.taken.release()
        self.grants.acquire()
        return not self.released.is_set()

    def retrieve(self):
        self.number += 1
        if self.damaged:
            self.damaged -= 1
            return None
        return pattern(self.number, self.WIDTH, self.HEIGHT)

    def release(self):
        self.released.set()

    def give(self, count):
        """Let frames through and return when the thread is waiting for one more."""
        for _ in range(count):
            self.grants.release()
            assert self.taken.acquire(timeout=LONG)


@pytest.fixture
def rig(request):
    device = Gate()
    source = SourceConfig(
        source='opencv',
        device='0',
        width=Gate.WIDTH,
        height=Gate.HEIGHT,
        rate=1000.0,
        patience=10.0,
        rotate=getattr(request, 'param', 0),
    )
    stamps = iter(range(100, 10_000))
    camera = OpenCvCamera(source, 'front', 'f', lambda: float(next(stamps)), lambda _: device)
    camera.open()
    assert device.taken.acquire(timeout=LONG)
    yield device, camera
    device.released.set()
    device.grants.release()
    camera.close()


def test_only_the_newest_of_several_frames_is_kept(rig):
    device, camera = rig
    device.give(4)
    image = camera.read(LONG)
    assert read_number(image.pixels) == 4
    assert image.stamp == 103.0, 'stamped when grabbed, not when read'


@pytest.mark.parametrize('rig', [0, 90, 180, 270], indirect=True)
def test_a_picture_is_turned_clockwise_and_whole_rows_come_out(rig, request):
    device, camera = rig
    degrees = request.node.callspec.params['rig']
    device.give(1)
    pixels = camera.read(LONG).pixels
    own = pattern(1, Gate.WIDTH, Gate.HEIGHT)
    corner = {0: own[0, 0], 90: own[-1, 0], 180: own[-1, -1], 270: own[0, -1]}[degrees]
    np.testing.assert_array_equal(pixels[0, 0], corner)
    np.testing.assert_array_equal(pixels, np.rot90(own, -degrees // 90))
    assert pixels.flags.c_contiguous and not pixels.flags.writeable
    assert (pixels.shape[1], pixels.shape[0]) == camera._source.picture


def test_a_damaged_frame_is_skipped_and_many_are_a_loss(rig):
    device, camera = rig
    device.damaged = 2
    device.give(3)
    assert read_number(camera.read(LONG).pixels) == 3
    device.damaged = 11
    for _ in range(11):
        device.grants.release()
    with pytest.raises(CameraError, match='11 frames in a row cannot be decoded'):
        camera.read(LONG)


def test_silence_beyond_patience_is_a_loss(rig):
    device, camera = rig
    device.give(1)
    assert camera.read(LONG) is not None
    # 10 periods of 1 ms: the wait itself is longer than the camera's patience.
    with pytest.raises(CameraError, match='no frame for'):
        camera.read(0.05)


def test_the_thread_releases_the_device_itself(rig):
    device, camera = rig
    device.give(1)
    device.grants.release()
    camera.close()
    device.grants.release()
    assert device.released.wait(LONG)
