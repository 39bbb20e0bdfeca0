# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Before a G1 is commanded: each thing that is wrong is named, and nothing is sent."""

from g1_board import ControlledG1
from g1_rig import G1Rig
import pytest

from vla_control.buses.unitree import (
    ARM_ACTION,
    ARM_COMMAND,
    ArmAction,
    LOW_COMMAND,
    LOW_STATE,
    Peer,
    Peers,
)
from vla_control.core.errors import ConfigError, RobotError


@pytest.fixture
def rig():
    return G1Rig()


def refused(rig):
    """Return the report of a connect() that must fail, having commanded nothing."""
    with pytest.raises(RobotError) as error:
        rig.driver.connect(rig.now())
    assert not [topic for topic, _ in rig.bus.sent if topic.endswith(('arm_sdk', 'cmd'))]
    assert not rig.driver.report.ok
    return str(error.value)


def test_a_robot_that_is_ready_is_described(rig):
    rig.driver.connect(rig.now())
    text = str(rig.driver.report)
    assert rig.driver.report.ok
    assert 'WRONG' not in text
    for part in ('loopback', 'the other end', 'g1_29dof_rev_1_0', "'ai' runs", 'state 500', '80'):
        assert part in text


def test_a_robot_nobody_hears_of_is_explained_by_network_and_domain(rig):
    rig.board.bus.close()
    rig.board.serve = lambda: None
    text = refused(rig)
    assert 'nobody announces it on loopback' in text
    assert '192.168.123.0/24' in text
    assert 'domain' in text


def test_a_robot_that_is_announced_but_silent_is_told_apart(rig):
    rig.board.silent.add('body')
    assert 'announced by the other end, but nothing arrives' in refused(rig)


def test_another_message_by_that_name_is_told_apart(rig):
    rig.board.silent.add('body')
    rig.bus.strangers[LOW_STATE] = Peers(writers=(Peer(who='old tool', same_type=False),))
    assert 'old tool means another message by that name' in refused(rig)


def test_states_without_a_checksum_are_told_apart(rig):
    rig.board.bad_checksum = True
    assert 'none with a right checksum' in refused(rig)


def test_a_missing_hand_is_named_by_its_joints(rig):
    rig.board.silent.add('right')
    text = refused(rig)
    assert 'right_hand_thumb_0_joint' in text
    assert 'left_hand' not in text


@pytest.mark.parametrize('topic', [ARM_COMMAND, LOW_COMMAND])
def test_a_second_commander_is_refused_by_name(rig, topic):
    rig.bus.strangers[topic] = Peers(writers=(Peer(who='teleop (pid 7) on laptop'),))
    text = refused(rig)
    assert f'{topic} writers: commanded by teleop (pid 7) on laptop' in text


def test_the_robots_own_writers_are_allowed_where_the_configuration_says_so():
    rig = G1Rig(lowcmd_writers=1)
    rig.bus.strangers[LOW_COMMAND] = Peers(writers=(Peer(who='robot'),))
    rig.started()
    assert rig.run(0.6, rig.command()).faults == ()
    rig.bus.strangers[LOW_COMMAND] = Peers(writers=(Peer(who='robot'), Peer(who='laptop')))
    state = rig.run(0.6, rig.command())
    assert state.faults == ('rt/lowcmd is also commanded by robot; laptop',)


def test_the_robots_own_arm_action_service_may_have_a_writer(rig):
    service = Peer(who='python3 on the robot', participant='a1')
    rig.bus.strangers[ARM_ACTION] = Peers(writers=(service,))
    rig.bus.strangers[ARM_COMMAND] = Peers(writers=(service,))
    rig.driver.connect(rig.now())
    rig.driver.close(rig.now())
    stranger = Peer(who='teleop on the robot', participant='b2')
    rig.bus.strangers[ARM_COMMAND] = Peers(writers=(service, stranger))
    text = refused(rig)
    assert 'commanded by teleop on the robot' in text
    assert 'python3' not in text


def test_another_hardware_variant_is_refused_by_both_names(rig):
    rig.board.state['mode_machine'] = 6
    text = refused(rig)
    assert 'mode_machine 6 (g1_29dof_lock_waist_rev_1_0)' in text
    assert 'for 5 (g1_29dof_rev_1_0)' in text


@pytest.mark.parametrize(
    ('name', 'value', 'reason'),
    [
        ('name', '', 'nothing balances the robot'),
        ('fsm', 1, 'state 1, in which it does not balance'),
        ('battery', 10, 'battery at 10 percent'),
        ('services', False, 'motion_switcher: function 1001 answers code 3104'),
        ('buttons', ('L2', 'B'), r'L2+B held'),
    ],
)
def test_a_robot_that_is_not_ready_is_refused_with_the_reason(rig, name, value, reason):
    setattr(rig.board, name, value)
    assert reason in refused(rig)


@pytest.mark.parametrize('name', ['sport', 'loco'])
def test_the_service_of_the_controller_is_found_by_either_of_its_names(name):
    robot = ControlledG1()
    robot.board.services.sport = name
    robot.activate()
    assert f"state 500; service '{name}' says" in str(robot.driver.report)
    assert robot.driver.report.sport == name


class Hidden:
    """A bus on which nobody announces the service of the robot's own controller."""

    def __init__(self, bus):
        self.bus = bus

    def peers(self, topic):
        return (
            Peers() if topic.startswith(('rt/api/sport', 'rt/api/loco')) else self.bus.peers(topic)
        )

    def __getattr__(self, name):
        return getattr(self.bus, name)


@pytest.mark.parametrize('announced', [True, False])
def test_a_controller_whose_service_does_not_answer_is_refused(announced):
    robot = ControlledG1()
    robot.board.services.sport = 'motion_switcher'  # neither of the configured names
    if announced:
        words = r'loco: function 7001 answers code 3104 \(no answer in time\)'
    else:
        words = r"stance: none of the services \['sport', 'loco'\] is there"
        robot.driver._bus = Hidden(robot.host)
    with pytest.raises(RobotError, match=words):
        robot.activate()


def test_a_list_of_services_that_names_none_is_refused():
    with pytest.raises(ConfigError, match=r'sport_services: \[\]; name the service'):
        G1Rig(sport_services=[])


@pytest.mark.parametrize('action', [ArmAction(), ArmAction(number=99, name='release arm')])
def test_an_arm_action_service_that_leaves_the_arms_alone_is_no_reason_to_refuse(action):
    robot = ControlledG1()
    robot.board.services.action = action
    robot.activate()


def test_a_hot_motor_is_refused(rig):
    rig.board.state['motor_state']['temperature'][17] = [91, 40]
    assert 'casing of a motor has 91 deg C, limit 85' in refused(rig)
    rig.board.state['motor_state']['temperature'][17] = [40, 121]
    assert 'winding of left_shoulder_yaw_joint at 121 deg C, limit 120' in refused(rig)
    rig.board.state['motor_state']['temperature'][17] = [40, 100]
    rig.driver.connect(rig.now())


def test_a_simulator_without_checksum_variant_and_services_needs_the_lenient_profile():
    rig = G1Rig(lenient=True)
    rig.board.state['mode_machine'] = 0
    rig.board.state['motor_state']['mode'] = 0
    rig.board.services = False
    rig.driver.connect(rig.now())
    state = rig.driver.enable(rig.now())
    assert all(status.value == 'enabled' for status in state.status)


def test_waiting_ends_after_the_time_configured(rig):
    rig.board.silent.add('body')
    start = rig.now()
    refused(rig)
    assert rig.now() - start == pytest.approx(rig.spec.bus['wait'], abs=0.02)


def test_a_refused_robot_can_be_tried_again(rig):
    rig.board.silent.add('body')
    refused(rig)
    rig.board.silent.clear()
    rig.driver.connect(rig.now())
