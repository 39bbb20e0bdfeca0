# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Two robots from one command line: each in its namespace, started and ended together."""

import signal
import sys

import pytest
from test_runner import lines, look_until, STAY

from vla_control.core.errors import ConfigError
from vla_control.runtime.options import fleet
from vla_control.runtime.runner import GraphProcesses
from vla_control.runtime.wiring import describe

TWO = {'namespace': 'left_cell,right_cell', 'hardware': 'mock', 'policy': 'hold'}


def graphs(**given):
    options = fleet({**TWO, **given})
    return [describe(o) for o in options]


def test_two_namespaces_are_two_robots():
    left, right = graphs(robot='openarm_left,openarm', policy='hold,wave')
    assert (left.robot.name, right.robot.name) == ('openarm_left', 'openarm')
    assert [g.options.namespace for g in (left, right)] == ['left_cell', 'right_cell']
    assert [g.node('policy_node').parameters['policy'] for g in (left, right)] == ['hold', 'wave']
    paths = [node.path for graph in (left, right) for node in graph.nodes]
    assert len(set(paths)) == len(paths)
    assert 'right_cell/driver_node' in paths


def test_one_robot_and_one_policy_are_those_of_all_namespaces():
    options = fleet({**TWO, 'robot': 'openarm', 'instruction': 'touch it, gently'})
    assert [o.robot for o in options] == ['openarm', 'openarm']
    assert {o.instruction for o in options} == {'touch it, gently'}


def test_one_namespace_is_one_robot():
    (one,) = fleet({'namespace': 'cell', 'robot': 'openarm'})
    assert (one.namespace, one.robot) == ('cell', 'openarm')


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'robot': 'a,b,c'}, 'robot:=a,b,c has 3 values for the 2 namespaces'),
        ({'policy': 'hold,wave,hold'}, '3 values'),
        ({'namespace': 'cell,cell'}, 'one of its own'),
        ({'namespace': 'cell,'}, 'one of its own'),
        ({'namespace': 'cell', 'robot': 'a,b'}, 'own namespace'),
    ],
)
def test_values_that_do_not_match_the_namespaces_are_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        fleet({**TWO, **change})


def test_the_processes_of_two_robots_start_in_order_and_end_together(tmp_path):
    def command(spec, folder):
        return [sys.executable, '-c', STAY, str(tmp_path), spec.path]

    robots = graphs(robot='openarm_left,openarm', hardware='sim')
    patience = ((signal.SIGINT, 3.0), (signal.SIGKILL, 2.0))
    with GraphProcesses(robots, command, patience) as processes:
        look_until(processes, lambda: processes.ready)
        assert processes.pid('left_cell/driver_node') != processes.pid('right_cell/driver_node')
        started = lines(tmp_path / 'starts')
    assert sorted(started) == sorted(node.path for graph in robots for node in graph.nodes)
    for cell in ('left_cell', 'right_cell'):
        assert started.index(f'{cell}/sim_node') < started.index(f'{cell}/driver_node')
    ends = lines(tmp_path / 'ends')
    assert sorted(ends) == sorted(started)
    assert {path.split('/')[1] for path in ends[-2:]} == {'sim_node'}
