# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The policy is asked about what was really seen, or not at all."""

import os
import signal

import cv2
import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo, Image, JointState
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory

from vla_control.core.spec import load_robot
from vla_control.nodes import convert, images, qos
from vla_control.nodes.camera_node import CameraNode
from vla_control.nodes.policy_node import PolicyNode
from vla_control.nodes.stamps import seconds

pytestmark = pytest.mark.ros
SPEC = load_robot('openarm')


class Encoders:
    """A robot that stands at home and says so."""

    def __init__(self, graph):
        self.graph = graph
        self.publisher = graph.probe.create_publisher(
            JointState, 'joint_states', qos.writer('joint_states')
        )
        graph.probe.create_timer(0.01, self.publish)

    def publish(self):
        now = self.graph.probe.get_clock().now().to_msg()
        home = convert.frozen_floats(SPEC.home)
        self.publisher.publish(convert.joint_state_to_msg(SPEC.names, now, home, 0.0 * home))


@pytest.fixture
def policy(graph):
    return graph.add(PolicyNode, policy='hold', rate=20.0)


@pytest.fixture
def chunks(graph):
    return graph.heard(JointTrajectory, 'action_chunk', qos.reader('action_chunk'))


def test_a_chunk_carries_the_time_of_what_it_was_computed_from(graph, policy, chunks):
    states = graph.heard(JointState, 'joint_states', qos.reader('joint_states'))
    Encoders(graph)
    graph.spin_until(lambda: len(chunks) > 2, 'chunks')
    stamp = seconds(chunks[-1].header.stamp)
    assert min(abs(stamp - seconds(s.header.stamp)) for s in states) < 1e-3
    assert chunks[-1].joint_names == list(SPEC.names)
    assert len(chunks[-1].points) == 16


def test_without_joint_states_the_policy_is_not_asked(graph, policy, chunks):
    graph.spin_until(lambda: 'no joint_states yet' in policy._reason, 'a reason')
    assert not chunks
    assert policy.reports()[0].message == 'not asked: no joint_states yet'


def test_a_policy_that_was_stopped_is_silent_until_started(graph, policy, chunks):
    Encoders(graph)
    graph.spin_until(lambda: chunks, 'a chunk')
    assert graph.call('policy_node/stop').success
    graph.spin_until(lambda: not policy._running, 'a stop')
    count = policy._chunks
    before = graph.probe.get_clock().now().nanoseconds
    graph.spin_until(
        lambda: graph.probe.get_clock().now().nanoseconds - before > 0.3e9, 'some time'
    )
    assert policy._chunks == count
    assert graph.call('policy_node/start').success
    graph.spin_until(lambda: policy._chunks > count, 'chunks again')


def test_a_driver_that_holds_needs_no_chunks(graph, policy, chunks):
    Encoders(graph)
    publisher = graph.probe.create_publisher(String, 'driver_state', qos.writer('driver_state'))
    publisher.publish(String(data='HOLD: holding the measured pose'))
    graph.spin_until(lambda: 'HOLD' in policy._reason, 'a reason')
    chunks.clear()
    publisher.publish(String(data='READY: resume requested'))
    graph.spin_until(lambda: chunks, 'a chunk')


def test_a_policy_whose_process_dies_is_started_again(graph, policy, chunks):
    Encoders(graph)
    graph.spin_until(lambda: chunks, 'a chunk')
    pid = policy.worker.pid
    os.kill(pid, signal.SIGKILL)
    graph.spin_until(lambda: 'started again' in policy._reason, 'the loss is reported')
    chunks.clear()
    graph.spin_until(lambda: chunks, 'chunks of the new process', timeout=30.0)
    assert policy.worker.pid != pid


def test_a_policy_that_keeps_dying_ends_the_node(graph):
    node = graph.add(PolicyNode, policy='hold', rate=20.0, restarts=0)
    Encoders(graph)
    os.kill(node.worker.pid, signal.SIGKILL)
    graph.spin_until(lambda: 'given up' in node.failure, 'the node gives up')


def test_new_words_are_what_the_policy_is_asked_next(graph, policy):
    publisher = graph.probe.create_publisher(String, 'instruction', qos.writer('instruction'))
    publisher.publish(String(data='touch the red cube'))
    graph.spin_until(lambda: policy._instruction == 'touch the red cube', 'the instruction')


def test_a_camera_publishes_pictures_with_their_time_and_calibration(graph):
    pictures = graph.heard(Image, 'camera/front/image_raw', qos.reader('camera/<name>/image_raw'))
    infos = graph.heard(
        CameraInfo, 'camera/front/camera_info', qos.reader('camera/<name>/camera_info')
    )
    node = graph.add(CameraNode, hardware='mock', camera='front')
    graph.spin_until(lambda: len(pictures) > 3 and infos, 'pictures')
    now = graph.probe.get_clock().now().nanoseconds * 1e-9
    stamps = [seconds(p.header.stamp) for p in pictures]
    assert stamps == sorted(set(stamps))
    assert 0.0 <= now - stamps[-1] < 5.0
    assert images.rgb_from_msg(pictures[-1]).shape == (192, 192, 3)
    assert pictures[-1].header.frame_id == 'camera_front_optical_frame'
    assert infos[-1].header.frame_id == 'camera_front_optical_frame'
    assert infos[-1].k[0] > 0.0
    node.trigger_deactivate()
    assert not node.reports()


@pytest.mark.parametrize(('robot', 'fovy'), [('openarm', 51.0), ('g1', 42.0)])
def test_a_simulated_camera_has_the_calibration_of_the_scene_it_sees(graph, robot, fovy):
    node = graph.add(CameraNode, activate=False, hardware='sim', camera='front', robot=robot)
    node.trigger_configure()
    focal = node._info.k[4]
    assert np.rad2deg(2.0 * np.arctan(96.0 / focal)) == pytest.approx(fovy)


def test_a_camera_mounted_askew_gives_an_upright_picture_and_its_calibration(graph, tmp_path):
    folder = tmp_path / 'pictures'
    folder.mkdir()
    own = np.zeros((48, 64, 3), np.uint8)
    own[-1, 0] = 255  # bottom left
    cv2.imwrite(str(folder / 'one.png'), own)
    path = tmp_path / 'side.yaml'
    path.write_text(
        'name: side\nframe_id: side\nsources:\n'
        f'  real: {{source: opencv, device: {folder}, width: 64, height: 48, rate: 30.0, '
        'loop: true, rotate: 90, intrinsics: {fx: 50.0, fy: 60.0, cx: 30.0, cy: 20.0}}\n'
    )
    pictures = graph.heard(Image, 'camera/side/image_raw', qos.reader('camera/<name>/image_raw'))
    infos = graph.heard(
        CameraInfo, 'camera/side/camera_info', qos.reader('camera/<name>/camera_info')
    )
    graph.add(CameraNode, hardware='real', camera=str(path))
    graph.spin_until(lambda: pictures and infos, 'pictures')
    turned = images.rgb_from_msg(pictures[-1])
    assert turned.shape == (64, 48, 3)
    assert turned[0, 0].tolist() == [255, 255, 255]
    assert (infos[-1].width, infos[-1].height) == (48, 64)
    assert (infos[-1].k[2], infos[-1].k[5]) == (27.0, 30.0)
