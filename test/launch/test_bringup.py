# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The launch file starts what the wiring describes, and adds nothing of its own."""

import ast
from pathlib import Path
import sys

import pytest

pytest.importorskip('lifecycle_msgs')
sys.path.insert(0, str(Path(__file__).parent))
from stubs import LAUNCH, load, Record

from vla_control.runtime.options import launch_arguments
from vla_control.runtime.wiring import describe, GraphOptions, RESPAWNS

pytestmark = pytest.mark.ros


@pytest.fixture
def description(monkeypatch):
    return load(monkeypatch)


def of_kind(actions, *kinds):
    return [a for a in actions if type(a).__name__ in kinds]


def nodes(actions):
    return {n.name: n for n in of_kind(actions, 'LifecycleNode', 'Node')}


def plain(value):
    return value.args[0] if type(value).__name__ == 'ParameterValue' else value


def test_it_declares_every_argument_with_a_description(description):
    declared = of_kind(description.args[0], 'Declare')
    assert [d.args[0] for d in declared] == [a.name for a in launch_arguments()]
    assert all(len(d.description) > 10 for d in declared)
    assert {'robot', 'hardware', 'policy', 'namespace', 'use_sim_time', 'autostart'} <= {
        d.args[0] for d in declared
    }


@pytest.mark.parametrize('hardware', ['sim', 'real', 'mock'])
def test_it_starts_exactly_the_nodes_of_the_wiring(description, hardware):
    found = nodes(description.run(hardware=hardware, namespace='left', launch_rviz='true'))
    graph = describe(GraphOptions(hardware=hardware, namespace='left', rviz=True))
    assert set(found) == {n.name for n in graph.nodes}
    for spec in graph.nodes:
        node = found[spec.name]
        assert type(node).__name__ == ('LifecycleNode' if spec.lifecycle else 'Node')
        assert (node.package, node.executable) == (spec.package, spec.executable)
        assert node.namespace == 'left'
        values = {k: plain(v) for k, v in node.parameters[0].items()}
        assert values == {
            k: (list(v) or ['']) if isinstance(v, tuple) else v for k, v in spec.parameters.items()
        }


def test_two_namespaces_start_two_robots_that_wait_only_for_their_own(description):
    actions = description.run(
        robot='openarm_left,openarm', namespace='left_cell,right_cell', hardware='sim'
    )
    found = of_kind(actions, 'LifecycleNode', 'Node')
    paths = {(n.namespace, n.name) for n in found}
    assert len(paths) == len(found)
    for cell, wrist in (('left_cell', 'camera_wrist_left'), ('right_cell', 'camera_wrist')):
        names = {name for space, name in paths if space == cell}
        assert {'sim_node', 'driver_node', 'policy_node', wrist} <= names
    handlers = [h.args[0] for h in of_kind(actions, 'RegisterEventHandler')]
    waiting = [t for t in handlers if getattr(t, 'goal_state', '') == 'active']
    assert len(waiting) == 2, 'the driver of each robot'
    for transition in waiting:
        (change,) = transition.entities
        event = change.kwargs.get('event') or change.args[0]
        matched = event.lifecycle_node_matcher.args[0]
        assert matched.namespace == transition.target_lifecycle_node.namespace


def test_a_leader_arm_is_started_instead_of_the_policy(description):
    found = nodes(description.run(robot='dk1', teleop='dk1_leader', hardware='real'))
    assert 'policy_node' not in found
    leader = found['leader_node']
    assert leader.executable == 'leader_node'
    values = {k: plain(v) for k, v in leader.parameters[0].items()}
    assert (values['teleop'], values['hardware']) == ('dk1_leader', 'real')
    assert leader.respawn


def test_text_parameters_stay_text(description):
    found = nodes(description.run(instruction='1'))
    value = found['policy_node'].parameters[0]['instruction']
    assert (value.args, value.value_type) == (('1',), str)


def test_nodes_are_activated_once_configured_and_only_then(description):
    actions = description.run(hardware='sim')
    handlers = [h.args[0] for h in of_kind(actions, 'RegisterEventHandler')]
    transitions = [h for h in handlers if type(h).__name__ == 'OnStateTransition']
    ready = [t for t in transitions if t.goal_state == 'inactive']
    assert len(ready) == 2, 'the simulation and the driver'
    assert all(t.start_state == 'configuring' for t in ready), 'or they restart themselves'
    sim = nodes(actions)['sim_node']
    waiting = [t for t in transitions if t.goal_state == 'active']
    assert len(waiting) == 1, 'the driver waits for the simulation'
    assert all(t.target_lifecycle_node is sim for t in waiting)
    assert len(of_kind(actions, 'EmitEvent')) == 1, 'the simulation configures at once'


@pytest.mark.parametrize('autostart', ['true', 'false'])
def test_what_is_started_again_configures_itself_and_a_driver_never_is(description, autostart):
    found = nodes(description.run(autostart=autostart))
    again = {name for name, node in found.items() if node.respawn}
    assert again == {'camera_front', 'camera_wrist', 'policy_node', 'interpolator_node'}
    for name in again:
        assert found[name].parameters[0]['autostart'] is (autostart == 'true')
        assert found[name].respawn_max_retries == RESPAWNS


def test_without_autostart_nothing_is_told_to_change_state(description):
    actions = description.run(autostart='false')
    assert not of_kind(actions, 'EmitEvent')
    handlers = [type(h.args[0]).__name__ for h in of_kind(actions, 'RegisterEventHandler')]
    assert set(handlers) == {'OnProcessExit'}


def test_the_end_of_a_vital_node_is_the_end_of_all(description):
    actions = description.run(hardware='mock')
    handlers = [h.args[0] for h in of_kind(actions, 'RegisterEventHandler')]
    exits = [h for h in handlers if type(h).__name__ == 'OnProcessExit']
    assert {h.target_action.name for h in exits} == {'driver_node'}
    running, ending = Record(is_shutdown=False), Record(is_shutdown=True)
    for handler in exits:
        (shutdown,) = handler.on_exit(None, running)
        assert handler.target_action.name in shutdown.reason
        assert handler.on_exit(None, ending) is None


def test_processes_with_images_get_room_in_shared_memory_and_the_loop_stays_out_of_it(
    description, monkeypatch
):
    monkeypatch.delenv('FASTRTPS_DEFAULT_PROFILES_FILE', raising=False)
    found = nodes(description.run())
    profiles = {
        name: Path(node.additional_env['FASTRTPS_DEFAULT_PROFILES_FILE']).name
        for name, node in found.items()
    }
    assert profiles['camera_front'] == profiles['policy_node'] == 'fastdds_shm.xml'
    assert profiles['driver_node'] == profiles['interpolator_node'] == 'fastdds_control.xml'


def test_the_file_holds_no_logic_of_its_own():
    tree = ast.parse(LAUNCH.read_text())
    for node in ast.walk(tree):
        assert not isinstance(node, ast.While | ast.Try | ast.ClassDef)
        assert not (isinstance(node, ast.Constant) and node.value in ('driver_node', 'sim')), (
            'names of nodes and choices belong to the wiring'
        )
