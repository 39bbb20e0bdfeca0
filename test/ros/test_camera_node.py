# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""What a camera node publishes beside its pictures."""

import cv2
from diagnostic_msgs.msg import DiagnosticArray
import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from vla_control.cameras.synthetic import read_number
from vla_control.nodes import images, qos
from vla_control.nodes.camera_node import CameraNode
from vla_control.nodes.stamps import seconds

pytestmark = pytest.mark.ros
RAW = 'camera/<name>/image_raw'


@pytest.fixture
def encoded(monkeypatch):
    """Return a list that grows with every picture that is compressed."""
    made, make = [], images.compressed_to_msg
    monkeypatch.setattr(images, 'compressed_to_msg', lambda *a: made.append(1) or make(*a))
    return made


def test_a_compressed_picture_is_made_only_while_somebody_wants_it(graph, encoded):
    raw = graph.heard(Image, 'camera/front/image_raw', qos.reader(RAW))
    graph.add(CameraNode, hardware='mock', camera='front')
    graph.spin_until(lambda: len(raw) > 3, 'pictures')
    assert not encoded

    small = []
    subscription = graph.probe.create_subscription(
        CompressedImage,
        'camera/front/image_raw/compressed',
        small.append,
        qos.reader(f'{RAW}/compressed'),
    )
    graph.spin_until(lambda: len(small) > 3, 'compressed pictures')

    graph.probe.destroy_subscription(subscription)

    def still_encoding():
        before, count = len(encoded), len(raw)
        graph.spin_until(lambda: len(raw) > count + 3, 'pictures')
        return len(encoded) > before

    graph.spin_until(lambda: not still_encoding(), 'an end of encoding')


def test_a_compressed_picture_is_the_raw_one_of_the_same_time(graph):
    raw, small = {}, {}
    for kind, topic, found in (
        (Image, 'image_raw', raw),
        (CompressedImage, 'image_raw/compressed', small),
    ):
        graph.probe.create_subscription(
            kind,
            f'camera/front/{topic}',
            lambda msg, found=found: found.update({seconds(msg.header.stamp): msg}),
            qos.reader(f'camera/<name>/{topic}'),
        )
    graph.add(CameraNode, hardware='mock', camera='front')
    graph.spin_until(lambda: set(raw) & set(small), 'the same picture twice')
    stamp = max(set(raw) & set(small))
    pixels, data = images.rgb_from_msg(raw[stamp]), small[stamp].data
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
    assert small[stamp].header.frame_id == 'camera_front_optical_frame'
    assert len(data) < 0.2 * pixels.size
    assert decoded.shape == pixels.shape
    assert read_number(decoded) == read_number(pixels)
    assert np.abs(decoded.astype(int) - pixels.astype(int)).mean() < 8.0


@pytest.mark.parametrize(
    ('fovy', 'told'), [('', 'uncalibrated: give its'), (', fovy: 51.0', 'known')]
)
def test_a_camera_nobody_calibrated_says_so(graph, tmp_path, fovy, told):
    path = tmp_path / 'bare.yaml'
    path.write_text(
        'name: bare\nframe_id: bare_frame\n'
        f'sources: {{mock: {{source: synthetic, width: 64, height: 48, rate: 30.0{fovy}}}}}\n'
    )
    infos = graph.heard(
        CameraInfo, 'camera/bare/camera_info', qos.reader('camera/<name>/camera_info')
    )
    reports = graph.heard(DiagnosticArray, '/diagnostics')
    graph.add(CameraNode, hardware='mock', camera=str(path))
    graph.spin_until(lambda: infos and reports, 'calibration and a report')
    info = infos[-1]
    assert (info.width, info.height, info.header.frame_id) == (64, 48, 'bare_frame')
    assert seconds(info.header.stamp) > 0.0
    assert any(info.k) == any(info.p) == bool(fovy), 'zero is how ROS says uncalibrated'
    (values,) = ({v.key: v.value for v in s.values} for s in reports[-1].status)
    assert values['calibration'].startswith(told)
