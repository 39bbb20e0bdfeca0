# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""In shadow mode the policy works and is compared, and the arm holds whatever it says."""

from diagnostic_msgs.msg import DiagnosticStatus
import numpy as np
import pytest
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory

from vla_control.core.messages import ActionChunk
from vla_control.core.spec import load_robot
from vla_control.nodes import convert, qos
from vla_control.nodes.driver_node import DriverNode
from vla_control.nodes.policy_node import PolicyNode
from vla_control.nodes.shadow_node import ShadowNode
from vla_control.nodes.stamps import seconds, to_msg
from vla_control.safety.supervisor import Mode

pytestmark = pytest.mark.ros
SPEC = load_robot('openarm')
STEP = np.where(SPEC.gripper, 0.0, 0.03)  # [rad] each chunk wants to go from where the arm is


@pytest.fixture
def driver(graph):
    node = graph.add(DriverNode, hardware='mock', realtime_priority=0, shadow=True)
    graph.spin_until(lambda: node.controller.snapshot.measured is not None, 'a first tick')
    return node


@pytest.fixture
def shadow(graph, driver):
    return graph.add(ShadowNode, policy='hold')


@pytest.fixture
def statuses(graph):
    topic = 'shadow_node/quality'
    return graph.heard(DiagnosticStatus, topic, qos.reader(topic))


def values(status):
    return {v.key: v.value for v in status.values}


def test_chunks_are_compared_with_the_arm_and_move_nothing(graph, driver, shadow, statuses):
    publisher = graph.probe.create_publisher(
        JointTrajectory, 'action_chunk', qos.writer('action_chunk')
    )
    newest = graph.heard(JointState, 'joint_states', qos.reader('joint_states'))

    def send():
        if newest:
            state = convert.joint_state_from_msg(newest[-1], SPEC.names, seconds)
            positions = state.positions + np.linspace(0.1, 1.0, 10)[:, None] * STEP
            chunk = ActionChunk(stamp=state.stamp, dt=0.03, joints=SPEC.names, positions=positions)
            publisher.publish(convert.chunk_to_msg(chunk, to_msg))

    start = driver.controller.snapshot.commanded.q
    graph.probe.create_timer(0.1, send)
    graph.spin_until(lambda: statuses and int(values(statuses[-1])['compared']) > 3, 'figures')
    figures = values(statuses[-1])
    assert 'shadow mode, nothing moves' in statuses[-1].message
    assert 0.02 < float(figures['travel_max']) < 0.04
    rms = float(np.sqrt(np.mean((np.linspace(0.1, 1.0, 10) * 0.03) ** 2)))
    assert float(figures['error_p50']) == pytest.approx(rms, rel=0.2), 'as far as it stood still'
    assert float(figures['moved_p50']) == 0.0
    assert driver.controller.snapshot.mode is Mode.HOLD
    assert np.array_equal(driver.controller.snapshot.commanded.q, start)
    assert not graph.probe.count_publishers('joint_command')


def test_the_driver_refuses_to_resume_and_says_how_it_would(graph, driver):
    answer = graph.call('driver_node/resume')
    assert not answer.success
    assert 'shadow mode' in answer.message and 'without shadow:=true' in answer.message
    assert driver.controller.snapshot.mode is Mode.HOLD


def test_the_policy_is_asked_though_the_driver_holds(graph, driver, shadow, statuses):
    graph.add(PolicyNode, policy='hold', rate=10.0, shadow=True)
    graph.spin_until(lambda: statuses and int(values(statuses[-1])['rehearsed']) > 2, 'chunks')
    assert float(values(statuses[-1])['travel_max']) < 0.01, 'it would hold as well'
