# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Image messages carry the same pixels whatever their layout."""

from array import array

import cv2
import numpy as np
import pytest

pytest.importorskip('rclpy')

from sensor_msgs.msg import Image as ImageMsg

from vla_control.cameras.intrinsics import intrinsics_from_fov
from vla_control.core.errors import CameraError
from vla_control.nodes import images

pytestmark = pytest.mark.ros
RNG = np.random.default_rng(3)


def picture(encoding):
    kind, channels = images.ENCODINGS[encoding]
    shape = (5, 7, channels) if channels > 1 else (5, 7)
    return (RNG.random(shape) * 250).astype(kind)


@pytest.mark.parametrize('encoding', sorted(images.ENCODINGS))
def test_an_image_comes_back_as_it_went(encoding):
    image = picture(encoding)
    msg = images.image_to_msg(image, 12.25, 'front', encoding)
    assert (msg.header.stamp.sec, msg.header.stamp.nanosec) == (12, 250_000_000)
    np.testing.assert_array_equal(images.image_from_msg(msg), image)


def test_a_compressed_picture_decodes_to_the_same_colours():
    image = np.zeros((48, 64, 3), np.uint8)
    image[:, :32], image[:, 32:] = (250, 20, 10), (10, 30, 240)
    msg = images.compressed_to_msg(image, 12.25, 'front')
    assert (msg.header.stamp.sec, msg.header.stamp.nanosec) == (12, 250_000_000)
    assert msg.header.frame_id == 'front'
    assert msg.format == 'rgb8; jpeg compressed bgr8', 'what image_transport tells decoders by'
    bgr = cv2.imdecode(np.frombuffer(msg.data, np.uint8), cv2.IMREAD_COLOR)
    assert np.abs(bgr[:, :, ::-1].astype(int) - image.astype(int)).mean() < 3.0


@pytest.mark.parametrize('encoding', ['rgb8', '16UC1', '32FC1'])
def test_padding_at_the_end_of_rows_is_skipped(encoding):
    image = picture(encoding)
    msg = images.image_to_msg(image, 0.0, '', encoding)
    rows = np.frombuffer(msg.data, np.uint8).reshape(5, msg.step)
    padded = np.hstack([rows, np.full((5, 6), 0xEE, np.uint8)])
    msg.step += 6
    msg.data = array('B', padded.tobytes())
    np.testing.assert_array_equal(images.image_from_msg(msg), image)


def test_big_endian_depth_is_read_right():
    depth = picture('16UC1')
    msg = images.image_to_msg(depth, 0.0, '', '16UC1')
    msg.data = array('B', depth.astype('>u2').tobytes())
    msg.is_bigendian = 1
    got = images.image_from_msg(msg)
    np.testing.assert_array_equal(got, depth)
    assert got.dtype.isnative


@pytest.mark.parametrize('encoding', ['rgb8', 'bgr8', 'rgba8', 'bgra8'])
def test_colours_arrive_as_rgb(encoding):
    rgb = np.zeros((2, 3, 3), np.uint8)
    rgb[:] = (10, 20, 30)
    raw = rgb[..., ::-1] if encoding.startswith('bgr') else rgb
    if encoding.endswith('a8'):
        raw = np.dstack([raw, np.full((2, 3), 255, np.uint8)])
    msg = images.image_to_msg(np.ascontiguousarray(raw), 0.0, '', encoding)
    np.testing.assert_array_equal(images.rgb_from_msg(msg), rgb)


def test_grey_becomes_three_equal_channels():
    grey = picture('mono8')
    pixels = images.rgb_from_msg(images.image_to_msg(grey, 0.0, '', 'mono8'))
    np.testing.assert_array_equal(pixels, np.dstack([grey] * 3))
    assert not pixels.flags.writeable


@pytest.mark.parametrize('encoding', ['16UC1', '32FC1'])
def test_depth_is_not_taken_for_colour(encoding):
    msg = images.image_to_msg(picture(encoding), 0.0, '', encoding)
    with pytest.raises(CameraError, match='rgb8'):
        images.rgb_from_msg(msg)


def test_an_image_shorter_than_it_says_is_refused():
    msg = images.image_to_msg(picture('rgb8'), 0.0, '', 'rgb8')
    msg.data = msg.data[:-1]
    with pytest.raises(CameraError, match='step 21 and 104 bytes'):
        images.image_from_msg(msg)


def test_an_encoding_nobody_can_read_is_named():
    msg = ImageMsg(encoding='bayer_rggb8', width=2, height=2, step=2)
    msg.data = array('B', bytes(4))
    try:
        import cv_bridge  # noqa: F401
    except ImportError:
        with pytest.raises(CameraError, match=r'bayer_rggb8.*cv_bridge'):
            images.image_from_msg(msg)


def test_an_array_of_another_type_is_not_sent():
    with pytest.raises(CameraError, match='float64'):
        images.image_to_msg(np.zeros((2, 2, 3)), 0.0, '', 'rgb8')


def test_camera_info_holds_the_pinhole_numbers():
    info = images.camera_info(intrinsics_from_fov(90.0, 64, 48), 64, 48)
    assert list(info.k) == pytest.approx([24.0, 0, 31.5, 0, 24.0, 23.5, 0, 0, 1])
    assert list(info.p[:4]) == pytest.approx([24.0, 0, 31.5, 0])
