# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""A leader arm leads through the graph: only what a resumed driver asks for, and from its pose."""

from functools import partial

import numpy as np
import pytest
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory
import yaml

from vla_control.actions.teleop import Phase
from vla_control.core.config import load_yaml, share_path
from vla_control.core.spec import load_robot
from vla_control.nodes import convert, qos
from vla_control.nodes.interpolator_node import InterpolatorNode
from vla_control.nodes.leader_node import LeaderNode

pytestmark = pytest.mark.ros
SPEC = load_robot('dk1')
HOME = convert.frozen_floats(SPEC.home)


class StandingDriver:
    """A driver in a state the test chooses, whose robot stands at home."""

    def __init__(self, graph):
        self.graph = graph
        self.poses = graph.probe.create_publisher(
            JointState, 'commanded_joint_states', qos.writer('commanded_joint_states')
        )
        self.states = graph.probe.create_publisher(
            String, 'driver_state', qos.writer('driver_state')
        )
        graph.probe.create_timer(0.01, self.publish)

    def publish(self):
        now = self.graph.probe.get_clock().now().to_msg()
        self.poses.publish(convert.joint_state_to_msg(SPEC.names, now, HOME, 0.0 * HOME))

    def say(self, state):
        self.states.publish(String(data=state))


@pytest.fixture
def config(tmp_path):
    data = load_yaml(share_path('config', 'teleop', 'dk1_leader.yaml'))
    data['port']['sim'] = str(tmp_path / 'leader')
    data['timeout'] = 0.2  # [s]; the processes of a test share one busy machine
    data['coupling'] |= {'settle': 0.1, 'silence': 5.0}
    path = tmp_path / 'leader.yaml'
    path.write_text(yaml.safe_dump(data))
    return str(path)


@pytest.fixture
def node(graph, config):
    node = graph.add(LeaderNode, robot='dk1', teleop=config, hardware='mock', realtime_priority=0)
    node.device.script = None
    node.device.move(node.leader.config.counts(HOME + [0.1, 0, 0, 0, 0, 0, 0], SPEC))
    return node


@pytest.fixture
def chunks(graph):
    return graph.heard(JointTrajectory, 'action_chunk', qos.reader('action_chunk'))


def test_nothing_is_published_while_the_driver_does_not_follow(graph, node, chunks):
    driver = StandingDriver(graph)
    driver.say('HOLD: holding the measured pose')
    graph.spin_until(lambda: 'HOLD' in node._reason, 'a reason')
    assert not chunks
    assert 'not following' in node.reports()[0].message


def test_the_follower_is_brought_from_its_pose_to_the_leader(graph, node, chunks):
    driver = StandingDriver(graph)
    driver.say('READY: resumed')
    graph.spin_until(lambda: node.coupling.phase is Phase.COUPLED, 'coupling')
    first = convert.chunk_from_msg(chunks[0], node.stamps.steady)
    assert first.joints == SPEC.names
    np.testing.assert_allclose(first.positions, np.tile(HOME, (3, 1)), atol=1e-9)
    graph.spin_until(lambda: node.coupling.reason == '', 'following')
    count = len(chunks)
    graph.spin_until(lambda: len(chunks) > count + 8, 'chunks')
    last = convert.chunk_from_msg(chunks[-1], node.stamps.steady)
    assert abs(last.positions[-1, 0] - HOME[0] - 0.1) < 2e-3
    stamps = [convert.chunk_from_msg(m, node.stamps.steady).stamp for m in chunks]
    assert stamps == sorted(set(stamps))
    assert node.reports()[0].level.name == 'OK'


def test_a_leader_that_is_unplugged_holds_the_follower_and_comes_back(graph, node, chunks):
    driver = StandingDriver(graph)
    driver.say('READY: resumed')
    graph.spin_until(lambda: node.coupling.phase is Phase.COUPLED, 'coupling')
    node.device.unplug()
    graph.spin_until(lambda: node.coupling.phase is Phase.HOLD, 'a pause')
    assert 'is gone' in node.reports()[0].message
    count = len(chunks)
    graph.spin_until(lambda: len(chunks) > count + 3, 'chunks that hold')
    node.device.plug()
    graph.spin_until(lambda: node.coupling.phase is Phase.COUPLED, 'coupling again')


def test_two_followers_have_a_simulated_leader_each(graph, config):
    options = {'robot': 'dk1', 'teleop': config, 'hardware': 'mock', 'realtime_priority': 0}
    nodes = [
        graph.add(partial(LeaderNode, namespace=name), **options) for name in ('left', 'right')
    ]
    ports = {node.leader.config.port['sim'] for node in nodes}
    assert len(ports) == 2
    for node in nodes:
        graph.spin_until(lambda node=node: node.leader.read(node.clock.now()), 'a reading')


def test_it_goes_through_its_life_twice(node):
    for _ in range(2):
        node.trigger_deactivate()
        node.trigger_cleanup()
        assert node.leader is None
        node.trigger_configure()
        node.trigger_activate()
        assert node.active
        assert node.device.servos[7].pulls


def test_the_interpolator_takes_its_chunks_to_where_the_leader_is(graph, node):
    interpolator = graph.add(
        InterpolatorNode, robot='dk1', blend='replace', lead=3.0, realtime_priority=0
    )
    commands = graph.heard(JointTrajectory, 'joint_command', qos.reader('joint_command'))
    driver = StandingDriver(graph)
    driver.say('READY: resumed')

    def arrived():
        if interpolator.core.held and node._driver == 'READY':
            driver.say('HOLD: a machine as busy as this one missed commands')
        elif node._driver == 'HOLD':
            driver.say('READY: resumed')
        return commands and abs(commands[-1].points[0].positions[0] - HOME[0] - 0.1) < 5e-3

    graph.spin_until(arrived, 'arrival')
