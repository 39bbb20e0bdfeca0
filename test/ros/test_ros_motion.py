# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Chunks move the robot as far as they are sound, and the operator has the last word."""

import dataclasses

from diagnostic_msgs.msg import DiagnosticStatus
import numpy as np
import pytest
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory

from vla_control.core.messages import ActionChunk
from vla_control.core.spec import load_robot
from vla_control.nodes import convert, qos
from vla_control.nodes.driver_node import DriverNode, make
from vla_control.nodes.interpolator_node import InterpolatorNode
from vla_control.nodes.stamps import seconds, to_msg
from vla_control.robots.mock import FaultKind, Mock, MockFault
from vla_control.safety.supervisor import Mode

pytestmark = pytest.mark.ros
SPEC = load_robot('openarm')
DT, HORIZON = 0.05, 16


class Script:
    """A policy made of a pose: asks the joints to be there, chunk after chunk."""

    def __init__(self, graph, target):
        self.graph, self.target = graph, np.array(target)
        self.publisher = graph.probe.create_publisher(
            JointTrajectory, 'action_chunk', qos.writer('action_chunk')
        )
        self.timer = graph.probe.create_timer(0.1, self.publish)
        self.measured = None
        graph.probe.create_subscription(
            JointState, 'joint_states', self.see, qos.reader('joint_states')
        )

    def see(self, msg):
        self.measured = convert.joint_state_from_msg(msg, SPEC.names, seconds)

    def publish(self):
        if self.measured is not None:
            self.send(self.chunk())

    def chunk(self):
        """Go on from the measured pose at no more than 0.4 rad/s."""
        q = self.measured.positions
        step = DT * np.minimum(0.4, SPEC.velocity)
        steps = np.arange(1, HORIZON + 1)[:, None]
        positions = q + np.clip(self.target - q, -steps * step, steps * step)
        return ActionChunk(
            stamp=self.measured.stamp, dt=DT, joints=SPEC.names, positions=positions
        )

    def send(self, chunk):
        self.publisher.publish(convert.chunk_to_msg(chunk, to_msg))


@pytest.fixture
def driver(graph):
    node = graph.add(DriverNode, hardware='mock', realtime_priority=0)
    graph.spin_until(lambda: node.controller.snapshot.measured is not None, 'a first tick')
    return node


@pytest.fixture
def interpolator(graph, driver):
    return graph.add(InterpolatorNode, realtime_priority=0, lead=3.0)


def mode(driver):
    return driver.controller.snapshot.mode


def resume(graph):
    answer = graph.call('driver_node/resume')
    assert answer.success, answer.message


def test_a_script_of_chunks_brings_the_robot_to_its_target(graph, driver, interpolator):
    start = driver.controller.snapshot.measured.q
    target = start + np.where(SPEC.gripper, -0.01, 0.15)
    states = graph.heard(String, 'driver_state', qos.reader('driver_state'))
    script = Script(graph, target)
    graph.spin_until(lambda: script.measured is not None, 'joint_states')
    assert mode(driver) is Mode.HOLD, 'nothing moves before a resume'
    resume(graph)
    graph.spin_until(
        lambda: np.abs(driver.controller.snapshot.measured.q - target).max() < 0.01,
        'the robot arrives',
    )
    assert any(s.data.startswith('RUN') for s in states)
    assert interpolator.core.quality(0.0).accepted > 0


def test_the_quality_of_the_motion_is_told_live(graph, driver, interpolator):
    topic = 'interpolator_node/quality'
    statuses = graph.heard(DiagnosticStatus, topic, qos.reader(topic))
    target = driver.controller.snapshot.measured.q + np.where(SPEC.gripper, 0.0, 0.1)
    script = Script(graph, target)
    graph.spin_until(lambda: script.measured is not None, 'joint_states')
    resume(graph)

    def figures():
        return {v.key: v.value for v in statuses[-1].values} if statuses else {}

    graph.spin_until(lambda: int(figures().get('accepted', 0)) > 3, 'figures')
    assert float(figures()['delay_used_p50']) >= float(figures()['delay_true_p50']) > 0.0
    late = script.chunk
    script.chunk = lambda: dataclasses.replace(late(), stamp=late().stamp - 0.4)
    graph.spin_until(
        lambda: 'after their images' in statuses[-1].message and statuses[-1].level == b'\x01',
        'a warning in plain words',
    )


def test_a_driver_that_is_gone_is_named_and_its_plan_forgotten(graph, driver, interpolator):
    script = Script(graph, driver.controller.snapshot.measured.q)
    graph.spin_until(lambda: script.measured is not None, 'joint_states')
    resume(graph)
    graph.spin_until(lambda: mode(driver) is Mode.RUN, 'RUN')
    graph.executor.remove_node(driver)
    graph.spin_until(lambda: interpolator._turn is None, 'it lets go')
    assert 'driver_node is gone' in interpolator.reports()[-1].message
    graph.executor.add_node(driver)
    graph.spin_until(lambda: mode(driver) is Mode.HOLD, 'HOLD')
    graph.spin_until(lambda: not interpolator._gone, 'it is back')
    resume(graph)
    graph.spin_until(lambda: mode(driver) is Mode.RUN, 'RUN again')


def test_the_robot_holds_when_chunks_stop_coming(graph, driver, interpolator):
    script = Script(graph, driver.controller.snapshot.measured.q)
    graph.spin_until(lambda: script.measured is not None, 'joint_states')
    resume(graph)
    graph.spin_until(lambda: mode(driver) is Mode.RUN, 'RUN')
    graph.probe.destroy_timer(script.timer)
    graph.spin_until(lambda: mode(driver) is Mode.HOLD, 'HOLD')


@pytest.mark.parametrize(
    ('spoil', 'reason'),
    [
        (lambda m: m.points[3].positions.__setitem__(2, np.nan), 'finite'),
        (lambda m: m.joint_names.__setitem__(0, 'elbow'), 'elbow'),
        (lambda m: m.points[0].positions.__setitem__(0, 3.0), 'rad'),
        (lambda m: m.points.clear(), 'no points'),
    ],
)
def test_a_chunk_that_must_not_move_the_robot_does_not(graph, driver, interpolator, spoil, reason):
    commands = graph.heard(JointTrajectory, 'joint_command', qos.reader('joint_command'))
    script = Script(graph, driver.controller.snapshot.measured.q)
    graph.probe.destroy_timer(script.timer)
    graph.spin_until(lambda: script.measured is not None, 'joint_states')
    resume(graph)
    graph.spin_until(lambda: interpolator._turn is not None, 'the interpolator sees READY')
    since = script.measured.stamp
    graph.spin_until(lambda: script.measured.stamp > since + 0.05, 'newer joint_states')
    msg = convert.chunk_to_msg(script.chunk(), to_msg)
    spoil(msg)

    def refused():
        script.publisher.publish(msg)
        return reason in interpolator._reason

    graph.spin_until(refused, f'a refusal that names {reason!r}')
    assert not commands
    assert mode(driver) is Mode.READY


def test_chunks_are_refused_while_the_driver_holds(graph, driver, interpolator):
    Script(graph, driver.controller.snapshot.measured.q)
    graph.spin_until(lambda: 'does not follow' in interpolator._reason, 'a refusal')
    assert mode(driver) is Mode.HOLD


def test_a_joint_command_for_another_robot_is_refused_by_name(graph, driver):
    publisher = graph.probe.create_publisher(
        JointTrajectory, 'joint_command', qos.writer('joint_command')
    )
    msg = JointTrajectory(joint_names=['shoulder'])

    def refused():
        publisher.publish(msg)
        return driver._refused > 0

    graph.spin_until(refused, 'a refusal')
    assert "unknown ['shoulder']".lower().replace("'", '') in driver._complaint[0].replace("'", '')


def test_an_emergency_stop_latches_until_a_reset(graph, ros):
    driver = graph.add(make, realtime_priority=0, hardware='mock')
    assert graph.call('driver_node/e_stop').success
    assert mode(driver) is Mode.FAULT
    answer = graph.call('driver_node/resume')
    assert not answer.success
    assert 'FAULT' in answer.message
    answer = graph.call('driver_node/reset')
    assert answer.success, answer.message
    assert mode(driver) is Mode.HOLD, 'a reset never moves'


def test_an_emergency_stop_does_not_wait_for_a_busy_executor(graph, ros):
    driver = graph.add(make, spin=False, realtime_priority=0, hardware='mock')
    assert graph.call('driver_node/e_stop').success, 'nobody spins the executor of the driver'
    assert mode(driver) is Mode.FAULT


def test_a_reset_needs_healthy_feedback(graph):
    joint = SPEC.names[2]
    mocks = []

    def drivers(spec, hardware, clock):
        mocks.append(Mock(spec))
        return mocks[-1]

    driver = graph.add(DriverNode, drivers, hardware='mock', realtime_priority=0)
    now = driver.clock.now()
    mocks[-1].inject(MockFault(kind=FaultKind.SILENT, joint=joint, start=now))
    graph.spin_until(lambda: mode(driver) is Mode.FAULT, 'a silent motor is a fault')
    answer = graph.call('driver_node/reset')
    assert not answer.success
    assert joint in answer.message
    assert mode(driver) is Mode.FAULT


def test_services_say_that_nothing_is_enabled_before_activation(graph):
    graph.add(DriverNode, activate=False, hardware='mock').trigger_configure()
    answer = graph.call('driver_node/resume')
    assert (answer.success, 'activate' in answer.message) == (False, True)


def test_an_inactive_driver_does_not_resume(graph, driver):
    driver.trigger_deactivate()
    answer = graph.call('driver_node/resume')
    assert not answer.success
    assert mode(driver) is Mode.HOLD, 'it goes on holding the pose'
