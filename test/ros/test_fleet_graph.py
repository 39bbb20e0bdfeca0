# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Two robots at once from one command line, as real processes on mock hardware."""

from dataclasses import replace

import pytest
from sensor_msgs.msg import JointState
from std_msgs.msg import String

from vla_control.nodes import qos
from vla_control.runtime.options import fleet
from vla_control.runtime.runner import GraphProcesses
from vla_control.runtime.wiring import describe

pytestmark = [pytest.mark.ros, pytest.mark.slow]
ROBOTS = {'left_cell': 'openarm', 'right_cell': 'openarm_bimanual'}


@pytest.fixture
def processes(ros, domain, monkeypatch):
    monkeypatch.setenv('ROS_DOMAIN_ID', str(domain))
    given = {
        'robot': ','.join(ROBOTS.values()),
        'namespace': ','.join(ROBOTS),
        'hardware': 'mock',
        'policy': 'hold',
    }
    graphs = [describe(options) for options in fleet(given)]
    drivers = [replace(g, nodes=(g.node('driver_node'),)) for g in graphs]
    with GraphProcesses(drivers) as processes:
        processes.start(60.0)
        yield processes


def test_two_robots_live_side_by_side_and_stop_each_for_itself(graph, processes):
    states = {
        cell: graph.heard(JointState, f'{cell}/joint_states', qos.reader('joint_states'))
        for cell in ROBOTS
    }
    modes = {
        cell: graph.heard(String, f'{cell}/driver_state', qos.reader('driver_state'))
        for cell in ROBOTS
    }
    graph.spin_until(lambda: all(states.values()) and all(modes.values()), 'both robots report')
    assert len(states['left_cell'][-1].name) == 8
    assert len(states['right_cell'][-1].name) == 16
    assert graph.call('left_cell/driver_node/e_stop').success
    graph.spin_until(lambda: modes['left_cell'][-1].data.startswith('FAULT'), 'FAULT')
    count = len(states['right_cell'])
    graph.spin_until(lambda: len(states['right_cell']) > count + 20, 'the other one goes on')
    assert modes['right_cell'][-1].data.startswith('HOLD')
