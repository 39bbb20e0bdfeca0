# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The description of the graph is complete and agrees with itself."""

from xml.etree import ElementTree

import pytest
import yaml

from vla_control.cli import main
from vla_control.core.config import share_path
from vla_control.core.errors import ConfigError
from vla_control.runtime.options import launch_arguments
from vla_control.runtime.parameters import check_names, PARAMETERS
from vla_control.runtime.topics import topics
from vla_control.runtime.wiring import describe, environment, GraphOptions

OURS = ('real', 'sim', 'mock')


def graph(**options):
    return describe(GraphOptions(**{'policy': 'hold', **options}))


def names(found):
    return [n.name for n in found.nodes if n.package == 'vla_control']


def test_a_real_robot_has_cameras_a_policy_an_interpolator_and_a_driver():
    assert names(graph(hardware='real')) == [
        'camera_front',
        'camera_wrist',
        'policy_node',
        'interpolator_node',
        'driver_node',
    ]


def test_only_a_simulated_robot_has_a_simulation_and_waits_for_it():
    found = graph(hardware='sim')
    assert 'sim_node' in names(found)
    assert found.node('driver_node').after == ('sim_node',)
    for hardware in ('real', 'mock'):
        assert 'sim_node' not in names(graph(hardware=hardware))
        assert found.node('policy_node').after == ()


@pytest.mark.parametrize('hardware', OURS)
def test_every_parameter_is_one_its_node_declares_with_a_value_it_takes(hardware):
    for node in graph(hardware=hardware).nodes:
        if node.package != 'vla_control':
            continue
        table = {p.name: p for p in PARAMETERS[node.executable]}
        for name, value in node.parameters.items():
            assert name == 'use_sim_time' or table[name].check(value, node.name) == value


def test_every_topic_has_ends_that_can_talk_to_each_other():
    for topic in topics(250.0):
        assert topic.publishers or topic.subscribers
        assert topic.qos.reliable or not topic.read_qos.reliable, topic.name
        assert topic.qos.latched or not topic.read_qos.latched, topic.name
        assert not topic.name.startswith('/'), 'relative names make a second robot possible'
        for node in topic.publishers + topic.subscribers:
            assert node in PARAMETERS


def test_cameras_are_chosen_by_the_user_or_the_robot():
    assert graph().cameras == ('front', 'wrist')
    chosen = graph(cameras=('wrist',))
    assert [t.name for t in chosen.topics if t.name.endswith('image_raw')] == [
        'camera/wrist/image_raw'
    ]
    assert chosen.node('policy_node').parameters['cameras'] == ('wrist',)


def test_a_camera_keeps_its_name_where_its_file_is_a_robots_own():
    found = graph(robot='dk1', policy='dk1_vla', rviz=True)
    assert found.cameras == ('front', 'dk1_wrist')
    assert found.node('camera_wrist').parameters['camera'] == 'dk1_wrist'
    assert [t.name for t in found.topics if t.name.endswith('image_raw')] == [
        'camera/front/image_raw',
        'camera/wrist/image_raw',
    ]
    assert not found.node('rviz2').remappings, 'it is where rviz looks for it already'


def test_a_namespace_is_on_every_node_and_keeps_frames_apart():
    found = graph(namespace='left', rviz=True)
    assert {n.namespace for n in found.nodes} == {'left'}
    for name in ('robot_state_publisher', 'rviz2'):
        assert ('/tf', 'tf') in found.node(name).remappings
    assert graph().node('robot_state_publisher').remappings == ()


@pytest.mark.parametrize(
    ('robot', 'frame'), [('openarm', 'world'), ('dk1', 'base_link'), ('g1', 'pelvis')]
)
def test_rviz_draws_in_the_root_frame_of_the_robot(robot, frame):
    arguments = graph(robot=robot, rviz=True).node('rviz2').arguments
    assert arguments[-2:] == ('-f', frame)


def test_rviz_shows_the_cameras_a_robot_has():
    assert not graph(rviz=True).node('rviz2').remappings
    both = graph(robot='openarm_bimanual', rviz=True).node('rviz2').remappings
    assert both == (('camera/wrist/image_raw', 'camera/wrist_left/image_raw'),)


def test_somebody_publishes_the_description_of_the_robot():
    found = graph()
    urdf = found.node('robot_state_publisher').parameters['robot_description']
    joints = {j.attrib['name'] for j in ElementTree.fromstring(urdf).findall('joint')}
    assert set(found.robot.names) <= joints
    assert not found.node('driver_node').parameters['publish_description']
    alone = graph(robot_state_publisher=False)
    assert alone.node('driver_node').parameters['publish_description']
    assert 'robot_state_publisher' not in [n.name for n in alone.nodes]


def test_overrides_come_last():
    found = graph(overrides={'driver_node': {'state_rate': 50.0}})
    assert found.node('driver_node').parameters['state_rate'] == 50.0


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'hardware': 'fake'}, 'choose one of'),
        ({'log_level': 'verbos'}, r"log_level 'verbos'; choose one of \['debug', 'info', 'warn'"),
        ({'hardware': 'real', 'resume': True}, 'never starts to move by itself'),
        ({'hardware': 'real', 'use_sim_time': True}, 'cannot drive real motors'),
        ({'shadow': True, 'teleop': 'dk1_leader'}, 'shadow mode compares a policy'),
        ({'teleop': 'dk1_leader', 'robot': 'openarm'}, 'choose the robot dk1'),
        ({'teleop': 'dk1_leadr'}, "did you mean 'dk1_leader'"),
        ({'shadow': True, 'resume': True}, 'shadow mode moves nothing'),
        ({'robot': 'openram'}, "did you mean 'openarm'"),
        ({'policy': 'hodl'}, "did you mean 'hold'"),
        ({'cameras': ('frnt',)}, "did you mean 'front'"),
        ({'params_file': '/no/such.yaml'}, 'not a file'),
        ({'overrides': {'driver_node': {'state_rat': 1.0}}}, "did you mean 'state_rate'"),
        ({'overrides': {'river_node': {}}}, 'overrides may name'),
    ],
)
def test_a_choice_that_cannot_be_is_refused_with_what_can(options, message):
    with pytest.raises(ConfigError, match=message):
        graph(**options)


def test_options_are_read_from_launch_arguments():
    options = GraphOptions.from_text(
        {
            'cameras': 'front, wrist',
            'launch_rviz': 'true',
            'autostart': 'False',
            'instruction': '1',
        }
    )
    assert options.cameras == ('front', 'wrist')
    assert (options.rviz, options.autostart, options.instruction) == (True, False, '1')


def test_a_log_level_is_one_of_those_ros_knows():
    (argument,) = (a for a in launch_arguments() if a.name == 'log_level')
    assert argument.choices == ('debug', 'info', 'warn', 'error', 'fatal')
    for level in argument.choices:
        assert graph(log_level=level).node('driver_node').log_level == level


def test_the_command_line_refuses_an_unknown_log_level(capsys):
    assert main(['run', '--hardware', 'mock', '--log-level', 'verbos']) == 2
    assert "log_level 'verbos'" in capsys.readouterr().err


def test_the_defaults_of_the_launch_arguments_are_those_of_the_options():
    given = {a.name: a.default for a in launch_arguments()}
    assert GraphOptions.from_text(given) == GraphOptions()


@pytest.mark.parametrize('given', [{'autostart': 'maybe'}, {'colour': 'red'}])
def test_a_launch_argument_that_makes_no_sense_is_refused(given):
    with pytest.raises(ConfigError, match=r'true or false|no option'):
        GraphOptions.from_text(given)


def test_a_name_of_another_node_passes_because_of_wildcards_but_a_misspelt_one_does_not():
    check_names('camera_node', ['state_rate', 'use_sim_time', 'qos_overrides./parameter_events'])
    with pytest.raises(ConfigError, match=r"'camra'.*did you mean 'camera'"):
        check_names('camera_node', ['camra'])


def test_the_example_parameter_file_lists_every_parameter_with_its_default():
    content = yaml.safe_load(share_path('config', 'system.yaml').read_text())
    sections = {
        name.removeprefix('/**/').replace('camera_front', 'camera_node'): s['ros__parameters']
        for name, s in content.items()
    }
    assert set(sections) == set(PARAMETERS)
    for node, table in PARAMETERS.items():
        assert {p.name: p.default for p in table} == {
            p.name: p.check(sections[node][p.name], node) for p in table
        }
        assert set(sections[node]) == {p.name for p in table}


def test_in_shadow_mode_nobody_commands_the_robot():
    found = graph(shadow=True)
    assert 'interpolator_node' not in names(found)
    assert {n.name for n in found.nodes if n.parameters.get('shadow')} == {
        'policy_node',
        'driver_node',
    }
    (topic,) = (t for t in found.topics if t.name == 'joint_command')
    assert not {n.executable for n in found.nodes} & set(topic.publishers)
    assert 'shadow_node' not in names(graph())


def test_a_leader_arm_takes_the_place_of_the_policy():
    found = graph(robot='dk1', teleop='dk1_leader', hardware='mock')
    assert names(found) == [
        'camera_front',
        'camera_wrist',
        'leader_node',
        'interpolator_node',
        'driver_node',
    ]
    leader = found.node('leader_node')
    assert (leader.parameters['teleop'], leader.parameters['hardware']) == ('dk1_leader', 'mock')
    assert found.node('interpolator_node').parameters['blend'] == 'replace'
    (chunks,) = (t for t in found.topics if t.name == 'action_chunk')
    assert len({n.executable for n in found.nodes} & set(chunks.publishers)) == 1
    assert 'blend' not in graph().node('interpolator_node').parameters


def test_the_middleware_profile_of_images_has_room_for_them(monkeypatch):
    monkeypatch.delenv('FASTRTPS_DEFAULT_PROFILES_FILE', raising=False)
    space = '{http://www.eprosima.com/XMLSchemas/fastRTPS_Profiles}'

    def transports(images):
        return ElementTree.parse(environment(images=images)['FASTRTPS_DEFAULT_PROFILES_FILE'])

    (size,) = transports(True).iter(f'{space}segment_size')
    assert int(size.text) >= 32 * 2**20
    assert {t.text for t in transports(False).iter(f'{space}type')} == {'UDPv4'}


def test_the_control_loop_stays_on_this_host_without_shared_memory(monkeypatch):
    monkeypatch.delenv('FASTRTPS_DEFAULT_PROFILES_FILE', raising=False)
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    driver, camera = (graph().node(n).environment for n in ('driver_node', 'camera_front'))
    assert driver['ROS_AUTOMATIC_DISCOVERY_RANGE'] == 'SYSTEM_DEFAULT', 'LOCALHOST would add it'
    assert camera['ROS_AUTOMATIC_DISCOVERY_RANGE'] == 'LOCALHOST'
    space = '{http://www.eprosima.com/XMLSchemas/fastRTPS_Profiles}'
    tree = ElementTree.parse(driver['FASTRTPS_DEFAULT_PROFILES_FILE'])
    assert {a.text for a in tree.iter(f'{space}address')} == {'127.0.0.1'}


def test_what_the_user_has_set_in_the_environment_stays(monkeypatch):
    monkeypatch.delenv('FASTRTPS_DEFAULT_PROFILES_FILE', raising=False)
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'SUBNET')
    environment = graph().node('driver_node').environment
    assert 'ROS_AUTOMATIC_DISCOVERY_RANGE' not in environment
    assert environment['FASTRTPS_DEFAULT_PROFILES_FILE'].endswith('fastdds_shm.xml')
    monkeypatch.setenv('FASTRTPS_DEFAULT_PROFILES_FILE', 'mine.xml')
    assert 'FASTRTPS_DEFAULT_PROFILES_FILE' not in graph().node('driver_node').environment


def test_the_aggregator_finds_every_report_a_place():
    content = yaml.safe_load(share_path('config', 'diagnostics.yaml').read_text())
    analyzers = content['/**']['ros__parameters']['analyzers'].values()
    words = [w for a in analyzers for w in a['contains']]
    for report in (
        'driver_node: motor openarm_right_joint1',
        'driver_node: state',
        'driver_node: bus',
        'driver_node: loop',
        'camera_front: front',
        'policy_node: hold',
        'leader_node: dk1_leader',
        'interpolator_node: quality',
        'shadow_node: quality',
        'sim_node: physics',
    ):
        assert any(w in report for w in words), report
