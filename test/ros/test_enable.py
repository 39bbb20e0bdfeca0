# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The enabling device and the one commander, over ROS."""

from diagnostic_msgs.msg import DiagnosticArray
import pytest
from std_msgs.msg import Bool
from trajectory_msgs.msg import JointTrajectory

from vla_control.nodes import qos
from vla_control.nodes.driver_node import DriverNode, make
from vla_control.nodes.stamps import seconds
from vla_control.safety.supervisor import Mode

pytestmark = pytest.mark.ros


def mode(driver):
    return driver.controller.snapshot.mode


def commander(graph):
    return graph.probe.create_publisher(
        JointTrajectory, 'joint_command', qos.writer('joint_command')
    )


@pytest.fixture
def driver(graph):
    node = graph.add(DriverNode, hardware='mock', realtime_priority=0, require_enable=True)
    graph.spin_until(lambda: node.controller.snapshot.measured is not None, 'a first tick')
    return node


class Hand:
    """Somebody who holds the enabling device."""

    def __init__(self, graph):
        self.held = True
        self.publisher = graph.probe.create_publisher(Bool, 'enable', qos.writer('enable'))
        self.timer = graph.probe.create_timer(0.02, self.publish)

    def publish(self):
        if self.held is not None:
            self.publisher.publish(Bool(data=self.held))


def test_nothing_resumes_until_somebody_holds_the_device(graph, driver):
    answer = graph.call('driver_node/resume')
    assert not answer.success
    assert 'enabling device' in answer.message and 'topic enable' in answer.message
    hand = Hand(graph)
    graph.spin_until(lambda: graph.call('driver_node/resume').success, 'a resume')
    graph.spin_until(lambda: mode(driver) is Mode.READY, 'READY')
    hand.held = False
    graph.spin_until(lambda: mode(driver) is Mode.HOLD, 'HOLD')
    hand.held = True
    graph.spin_until(lambda: not driver.controller._released, 'held again')
    assert mode(driver) is Mode.HOLD, 'it takes a fresh resume'


def test_silence_ends_it_too(graph, driver):
    hand = Hand(graph)
    graph.spin_until(lambda: graph.call('driver_node/resume').success, 'a resume')
    hand.held = None
    graph.spin_until(lambda: mode(driver) is Mode.HOLD, 'HOLD')
    assert 'enabling device' in driver.controller.snapshot.reason


@pytest.mark.parametrize(
    ('hardware', 'choice', 'needed'),
    [('real', 'auto', True), ('sim', 'auto', False), ('mock', 'auto', False),
     ('real', False, False), ('real', 'true', True), ('mock', True, True)],
)  # fmt: skip
def test_real_hardware_asks_for_it_unless_told_otherwise(graph, hardware, choice, needed):
    node = graph.add(DriverNode, activate=False, hardware=hardware, require_enable=choice)
    assert node._needs_enable() is needed


def test_two_commanders_at_activation_are_refused_by_name(graph, driver):
    driver.trigger_deactivate()
    kept = [commander(graph), commander(graph)]
    graph.spin_until(lambda: driver.count_publishers('joint_command') == 2, 'both are seen')
    driver.trigger_activate()
    assert not driver.active
    assert 'joint_command has 2 publishers, /probe, /probe' in driver._rivals
    for publisher in kept:
        graph.probe.destroy_publisher(publisher)
    graph.spin_until(lambda: driver.count_publishers('joint_command') == 0, 'both are gone')
    driver.trigger_activate()
    assert driver.active


def test_a_second_commander_stops_the_robot_and_shows_in_diagnostics(graph):
    driver = graph.add(DriverNode, hardware='mock', realtime_priority=0)
    reports = graph.heard(DiagnosticArray, '/diagnostics')
    first = commander(graph)
    graph.spin_until(lambda: graph.call('driver_node/resume').success, 'a resume')
    second = commander(graph)
    graph.spin_until(lambda: mode(driver) is Mode.HOLD, 'HOLD')
    assert '2 publishers' in driver.controller.snapshot.reason
    answer = graph.call('driver_node/resume')
    assert not answer.success and '2 publishers' in answer.message

    def shown():
        return any(
            s.name == 'driver_node: state of joint_command' and s.level == b'\x02'
            for r in reports
            for s in r.status
        )

    graph.spin_until(shown, 'an error in diagnostics')
    graph.probe.destroy_publisher(second)
    graph.spin_until(lambda: graph.call('driver_node/resume').success, 'a resume')
    assert seconds(reports[-1].header.stamp) > 0.0 and first is not None


def test_an_emergency_stop_before_activation_latches(graph):
    driver = graph.add(make, activate=False, hardware='mock', realtime_priority=0)
    driver.trigger_configure()
    assert graph.call('driver_node/e_stop').success
    driver.trigger_activate()
    graph.spin_until(lambda: mode(driver) is Mode.FAULT, 'FAULT')
    assert graph.call('driver_node/reset').success
    assert mode(driver) is Mode.HOLD
