# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Every way a G1 and its board can fail: where it ends, with which words, and how it moves.

The arms stand 0.2 rad from where the robot's own controller holds them when the fault comes. The
driver holds, then hands them back: they return to the robot's own pose, slowly, and stay there;
the fingers keep their grip.
"""

from g1_board import ControlledG1, following, RAMP
import numpy as np
import pytest

from vla_control.buses.unitree import ARM_COMMAND, ArmAction, LOW_COMMAND, Peer, Peers
from vla_control.core.errors import RobotError
from vla_control.safety.supervisor import Event, Mode

WAVING = ArmAction(number=26, name='high wave')
HELD = ArmAction(holding=True, number=23, name='right hand up')
AWAY = 0.2  # [rad]
SLOW = 3.0 * AWAY / RAMP  # [rad/s] the way back takes the weight's ramp, a little less evenly
STILL = 0.02  # [rad] nothing has moved
AFTERWARDS = 1.6  # [s] hold, ramp, and rest
ASKED = {'lies down': 1.0, 'no answers': 4.0}  # [s] more until a question a second has told
FINGER = 0.1  # [rad] weightless fingers under a stiffness of 1.5 N·m/rad


@pytest.fixture
def robot():
    robot = following(AWAY)
    assert robot.mode is Mode.RUN
    assert robot.driver.weight == 1.0
    assert np.abs(robot.body.q - robot.target).max() < STILL
    return robot


def assert_handed_back(robot):
    arms = ~robot.spec.gripper
    assert robot.driver.weight == 0.0
    assert np.abs(robot.body.q - robot.origin)[arms].max() < STILL
    assert robot.farthest[~arms].max() < FINGER
    assert robot.fastest < SLOW
    assert np.abs(robot.body.v).max() < 0.01


def wrong(name, value):
    return lambda robot: setattr(robot.board.faults, name, value)


def second_writer(topic):
    def appear(robot):
        robot.host.strangers[topic] = Peers(writers=(Peer(who='another program'),))

    return appear


def service(name, value):
    return lambda robot: setattr(robot.board.services, name, value)


FAULTS = {
    'checksum': (wrong('bad_checksum', True), 'states in a row dropped: wrong checksum'),
    'silent body': (wrong('stalled', True), 'no answer for left_shoulder_pitch_joint'),
    'other hardware': (wrong('mode_machine', 6), 'the robot reports mode_machine 6'),
    'hot motor': (wrong('temperature', {25: 90.0}), 'hot: right_elbow_joint'),
    'hot winding': (
        wrong('temperature', {25: (40.0, 125.0)}),
        'winding of right_elbow_joint at 125',
    ),
    'hot waist': (
        wrong('temperature', {13: 90.0}),
        'casing of motor slot 13 at 90 deg C, limit 85',
    ),
    'hot leg': (wrong('temperature', {3: (90.0, 95.0)}), 'casing of motor slot 3 at 90 deg C'),
    'hot winding of a leg': (
        wrong('temperature', {9: (60.0, 130.0)}),
        'winding of motor slot 9 at',
    ),
    'motor error': (wrong('errors', {18: 0x40}), 'motor of left_elbow_joint reports'),
    'leg error': (wrong('errors', {3: 0x2}), 'motor slot 3 reports error bits 0x2'),
    'battery': (wrong('battery', 12.0), 'battery at 12 percent, least 20'),
    'remote': (wrong('buttons', ('L2', 'B')), 'L2+B held on the remote control'),
    'arm action': (
        service('action', WAVING),
        "the arm action service has the arms ('high wave', action 26)",
    ),
    'tilt': (wrong('quaternion', (0.8, 0.6, 0.0, 0.0)), 'the pelvis is tilted by 1.29 rad'),
    'silent hand': (wrong('silent_hands', {'left'}), 'no answer for left_hand_thumb_0_joint'),
    'second writer': (
        second_writer(ARM_COMMAND),
        'rt/arm_sdk is also commanded by another program',
    ),
    'second driver': (wrong('second_writer', True), 'commanded by loopback, third end'),
    'low-level writer': (
        second_writer(LOW_COMMAND),
        'rt/lowcmd is also commanded by another progr',
    ),
    'lies down': (service('fsm', 1), 'state 1, in which it does not balance: make it stand'),
    'no answers': (service('silent', True), "service 'motion_switcher' left 3 questions in a row"),
}


@pytest.mark.parametrize('name', FAULTS)
def test_a_fault_hands_the_arms_back_slowly(robot, name):
    fault, words = FAULTS[name]
    fault(robot)
    snapshot = robot.live(AFTERWARDS + ASKED.get(name, 0.0))
    assert snapshot.mode is Mode.FAULT
    assert words in snapshot.reason
    assert_handed_back(robot)


def test_after_a_fault_has_passed_a_reset_takes_the_arms_back_without_a_jump(robot):
    robot.board.faults.buttons = ('L2', 'B')
    robot.live(AFTERWARDS)
    assert robot.ask(Event.RESET).mode is Mode.FAULT
    robot.board.faults.buttons = ()
    robot.live(0.1)
    robot.mark()
    assert robot.ask(Event.RESET).mode is Mode.HOLD
    robot.live(2.0 * RAMP)
    assert robot.driver.weight == 1.0
    assert robot.farthest.max() < FINGER
    assert robot.fastest < SLOW


@pytest.mark.parametrize(
    ('temperature', 'words'),
    [
        ({25: 80.0}, 'hot: right_elbow_joint (80 deg C)'),
        ({25: (60.0, 115.0)}, 'winding of right_elbow_joint at 115 deg C, limit 120'),
        ({13: 80.0}, 'casing of motor slot 13 at 80 deg C, limit 85'),
        ({4: (60.0, 112.0)}, 'winding of motor slot 4 at 112 deg C, limit 120'),
    ],
)
def test_a_warm_motor_is_a_warning(robot, temperature, words):
    robot.board.faults.temperature = temperature
    snapshot = robot.live(0.1)
    assert snapshot.mode is Mode.RUN
    assert len(snapshot.warnings) == 1
    assert words in snapshot.warnings[0]


def test_a_winding_may_be_hotter_than_a_casing(robot):
    robot.board.faults.temperature = {3: (70.0, 100.0), 13: (70.0, 100.0), 25: (70.0, 100.0)}
    snapshot = robot.live(0.1)
    assert snapshot.mode is Mode.RUN
    assert snapshot.warnings == ()


def test_a_leap_of_the_state_counter_is_counted_and_stops_nothing(robot):
    before = robot.snapshot.measured.bus['missed_states']
    robot.board.jump_ticks(100)
    snapshot = robot.live(0.2)
    assert snapshot.mode is Mode.RUN
    assert snapshot.measured.bus['missed_states'] - before >= 100
    assert robot.farthest.max() < STILL


def test_one_button_alone_stops_nothing(robot):
    robot.board.faults.buttons = ('L2',)
    assert robot.live(0.2).mode is Mode.RUN


def test_states_that_never_change_stop_a_motion(robot):
    robot.board.faults.frozen = True
    robot.target = robot.target - 0.4 * (~robot.spec.gripper)
    snapshot = robot.live(AFTERWARDS)
    assert snapshot.mode is Mode.FAULT
    assert 'identical' in snapshot.reason or 'frozen' in snapshot.reason


def test_a_controller_that_is_released_meanwhile_is_noticed_within_a_second(robot):
    robot.board.services.controller = ''
    snapshot = robot.live(1.1)
    assert snapshot.mode is Mode.FAULT
    assert 'released, so nothing balances the robot' in snapshot.reason
    robot.live(AFTERWARDS)
    assert robot.driver.weight == 0.0
    assert robot.fastest < robot.spec.velocity.max()  # damped


def test_a_controller_that_is_slow_to_answer_is_no_fault(robot):
    for _ in range(4):
        robot.board.services.silent = True
        robot.live(1.5)
        robot.board.services.silent = False
        snapshot = robot.live(0.5)
    assert snapshot.mode is Mode.RUN


def test_a_robot_that_stands_again_can_be_reset(robot):
    robot.board.services.fsm = 1
    robot.live(AFTERWARDS + 1.0)
    assert robot.ask(Event.RESET).mode is Mode.FAULT
    robot.board.services.fsm = 500
    robot.live(1.1)
    assert robot.ask(Event.RESET).mode is Mode.HOLD


def test_arms_taken_over_in_part_are_not_thrown_by_a_fault(robot):
    robot.board.faults.battery = 12.0
    robot.live(AFTERWARDS)
    robot.board.faults.battery = 80.0
    robot.live(0.1)
    robot.ask(Event.RESET)
    robot.ask(Event.RESUME)
    robot.live(0.5 * RAMP)
    assert 0.3 < robot.driver.weight < 0.7
    robot.board.faults.battery = 12.0
    robot.live(AFTERWARDS)
    assert_handed_back(robot)


def test_a_motion_asked_for_before_the_arms_are_ours_is_not_taken_for_a_collision():
    robot = ControlledG1()
    robot.activate()
    robot.target = robot.origin + 0.45 * (~robot.spec.gripper) * np.sign(-robot.origin)
    robot.ask(Event.RESUME)
    snapshot = robot.live(3.0)
    assert snapshot.mode is Mode.RUN
    assert not snapshot.warnings
    assert np.abs(robot.body.q - robot.target)[~robot.spec.gripper].max() < STILL


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (lambda board: setattr(board.services, 'controller', ''), 'nothing balances the robot'),
        (lambda board: setattr(board.services, 'fsm', 1), 'state 1, in which it does not balance'),
        (lambda board: setattr(board.services, 'silent', True), 'motion_switcher'),
        (lambda board: setattr(board.faults, 'bad_checksum', True), 'none with a right checksum'),
        (lambda board: setattr(board.faults, 'mode_machine', 2), 'mode_machine 2'),
        (lambda board: setattr(board.services, 'action', HELD), 'arm action service has the arms'),
        (lambda board: board.faults.silent_hands.add('right'), 'no answer of right_hand_'),
        (lambda board: setattr(board.faults, 'battery', 5.0), 'battery at 5 percent'),
    ],
)
def test_a_robot_that_is_not_fit_is_not_taken(change, words):
    robot = ControlledG1()
    change(robot.board)
    with pytest.raises(RobotError, match=words):
        robot.activate()
    assert robot.board.doors[ARM_COMMAND].taken == 0


def test_leaving_hands_the_arms_back(robot):
    robot.controller.shutdown(robot.clock.now())
    robot.clock.sleep_until(robot.clock.now() + 1.0)
    arms = ~robot.spec.gripper
    assert np.abs(robot.body.q - robot.origin)[arms].max() < STILL
    assert robot.fastest < SLOW
