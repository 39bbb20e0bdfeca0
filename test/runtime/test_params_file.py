# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""A parameter file that would be ignored in part is refused before anything starts."""

import pytest

from vla_control.core.config import share_path
from vla_control.core.errors import ConfigError
from vla_control.runtime.options import fleet
from vla_control.runtime.wiring import describe, describe_fleet, GraphOptions


@pytest.fixture
def check(tmp_path):
    """Return a function that describes a graph with a parameter file of some sections."""

    def check(text, **options):
        path = tmp_path / 'mine.yaml'
        path.write_text(text)
        return describe(GraphOptions(policy='hold', params_file=str(path), **options))

    return check


def section(name, parameters='{state_rate: 50.0}'):
    return f'{name}: {{ros__parameters: {parameters}}}\n'


@pytest.mark.parametrize(
    'name', ['/**/driver_node', '/*/driver_node', '/left/driver_node', 'left/driver_node', '/**']
)
def test_a_section_that_finds_its_node_is_taken(check, name):
    graph = check(section(name), namespace='left')
    assert graph.node('driver_node').params_file.endswith('mine.yaml')


def test_namespaces_may_be_nested(check):
    check('left: {driver_node: {ros__parameters: {state_rate: 50}}}\n', namespace='left')
    with pytest.raises(ConfigError, match=r"no node '/left/driver_nod'.*mean 'driver_node'"):
        check('left: {driver_nod: {ros__parameters: {state_rate: 50}}}\n', namespace='left')


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        (section('/**/drivr_node'), r"mine\.yaml: no node '/\*\*/drivr_node'.*'driver_node'"),
        (section('/**/camera_frnt', '{}'), r"did you mean 'camera_front'"),
        (section('/**/camera_node', '{}'), 'no node'),
        (section('/left/driver_node'), r'write /\*\*/driver_node to address it in any namespace'),
        (section('/left/*'), r"no node '/left/\*'"),
        (section('/**/driver_node', '{state_rat: 1.0}'), r"driver_node: unknown .*'state_rate'"),
        (section('/**', '{state_rat: 1.0}'), r"unknown parameter 'state_rat'.*'state_rate'"),
        (section('/**/camera_front', '{state_rate: 50.0}'), "unknown parameter 'state_rate'"),
        (section('/**/driver_node', '{state: {rate: 50.0}}'), r"unknown parameter 'state\.rate'"),
        (section('/**/driver_node', '{state_rate: 1000.0}'), r'outside \[1\.0, 250\.0\]'),
        (section('/**', '{realtime_priority: high}'), 'must be int'),
        ('/**/driver_node: {ros_parameters: {state_rate: 50.0}}\n', r'`.*\{ros__parameters: '),
        ('/**/driver_node: {ros__parameters: {}, state_rate: 5}\n', 'nothing beside it'),
        ('/**/driver_node: 5\n', 'parameters are given as'),
        (section('/**/driver_node') + section('/**/driver_node'), 'given twice'),
    ],
)
def test_what_ros_would_ignore_is_refused(check, text, message):
    with pytest.raises(ConfigError, match=message):
        check(text)


def test_what_ros_declares_itself_is_no_mistake(check):
    check(section('/**', '{use_sim_time: false, qos_overrides: {/tf: {publisher: {depth: 1}}}}'))


def test_a_wildcard_may_name_any_parameter_and_value_one_of_the_nodes_takes(check):
    check(section('/**', '{seed: 5, state_rate: 50.0, realtime_priority: 80}'), hardware='mock')


def test_one_file_serves_graphs_with_and_without_a_node(check):
    for name in ('sim_node', 'leader_node', 'camera_wrist_left', 'robot_state_publisher'):
        check(section(f'/**/{name}', '{}'), hardware='mock', robot_state_publisher=False)
        with pytest.raises(ConfigError, match='no node'):
            check(section(f'/left/{name}', '{}'), hardware='mock')


def test_tools_have_parameters_of_their_own(check):
    check(section('/**/robot_state_publisher', '{publish_frequency: 5.0}'))


def test_the_example_file_is_accepted():
    path = str(share_path('config', 'system.yaml'))
    for hardware in ('sim', 'real'):
        describe(GraphOptions(policy='hold', hardware=hardware, params_file=path))


def test_a_file_for_two_robots_may_speak_to_either(tmp_path):
    path = tmp_path / 'cells.yaml'
    given = {'namespace': 'left,right', 'policy': 'hold', 'params_file': str(path)}
    path.write_text(section('/left/driver_node') + section('/right/driver_node'))
    assert len(describe_fleet(fleet(given))) == 2
    path.write_text(section('/middle/driver_node'))
    with pytest.raises(ConfigError, match="no node '/middle/driver_node'"):
        describe_fleet(fleet(given))
