# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The arms of a G1 beside its own controller: what is sent, and when nothing is."""

import re

from g1_rig import G1Rig, NoDynamics
import numpy as np
import pytest

from vla_control.buses.unitree import (
    ARM_COMMAND,
    ARM_WEIGHT_SLOT,
    hand_command,
    LOW_COMMAND,
    Peer,
    Peers,
    SIDES,
)
from vla_control.core.errors import CodecError, ConfigError, RobotError
from vla_control.core.messages import MotorStatus
from vla_control.core.spec import load_robot
from vla_control.robots.g1 import G1
from vla_control.robots.g1_config import dds_config, g1_config, g1_motors
from vla_control.safety.supervisor import Event
from vla_control.safety.watchdog import Watchdogs

LEGS = slice(0, 12)
RAMP = 0.5  # [s] of the rig's weight


@pytest.fixture
def rig():
    return G1Rig()


@pytest.fixture
def running(rig):
    rig.started()
    rig.run(RAMP + 0.1, rig.command())
    return rig


def put(record, where, value):
    record[where] = value


def weights(rig):
    return np.array([float(c['motor_cmd']['q'][ARM_WEIGHT_SLOT]) for c in rig.sent(ARM_COMMAND)])


def test_the_weight_comes_in_over_its_ramp_and_not_before_the_first_command(rig):
    rig.started()
    assert weights(rig).tolist() == [0.0]
    rig.run(2 * RAMP, rig.command())
    seen = weights(rig)
    assert (np.diff(seen) >= 0.0).all()
    assert np.diff(seen).max() <= rig.spec.dt / RAMP + 1e-6
    assert seen[-1] == 1.0
    assert np.argmax(seen == 1.0) * rig.spec.dt == pytest.approx(RAMP, abs=0.01)


def test_a_tick_that_is_late_does_not_jump_the_weight(rig):
    rig.started()
    rig.run(0.1, rig.command())
    before = rig.driver.weight
    rig.sleep_until(rig.now() + 0.2)
    rig.driver.write(rig.command(), rig.now())
    assert rig.driver.weight - before <= 2.0 * rig.spec.dt / RAMP + 1e-9


def test_the_weight_never_exceeds_the_gain_asked_for(rig):
    rig.started()
    rig.run(2 * RAMP, rig.command(gain=0.3))
    assert weights(rig).max() == pytest.approx(0.3)


def test_the_safe_action_holds_and_then_hands_the_arms_back(running):
    start = len(weights(running))
    running.run(1.0)
    seen = weights(running)[start:]
    hold = round(0.1 / running.spec.dt)
    assert (seen[:hold] == 1.0).all()
    assert (np.diff(seen) <= 0.0).all()
    assert np.argmax(seen == 0.0) * running.spec.dt == pytest.approx(0.1 + RAMP, abs=0.02)
    assert seen[-1] == 0.0
    assert len(seen) == round(1.0 / running.spec.dt)  # it never stops publishing


def test_the_safe_action_keeps_the_pose_it_began_with(running):
    start = len(running.sent(ARM_COMMAND))
    pose = running.pose
    running.run(0.3)
    slots = g1_motors(running.spec, g1_config(running.spec)).slots
    for command in running.sent(ARM_COMMAND)[start:]:
        np.testing.assert_allclose(command['motor_cmd']['q'][slots], pose[:14], atol=1e-5)
        assert (command['motor_cmd']['dq'][slots] == 0.0).all()
        assert (command['motor_cmd']['kp'][slots] > 0.0).all()


def test_closing_hands_the_arms_back_before_the_writer_goes(running):
    running.driver.close(running.now())
    seen = weights(running)
    assert seen[-5:].tolist() == [0.0] * 5
    assert np.abs(np.diff(seen)).max() <= running.spec.dt / RAMP + 1e-6
    stopped = running.sent(hand_command('left'))[-1]['motor_cmd']
    assert stopped['mode'].tolist() == [144, 145, 146, 147, 148, 149, 150]
    assert (stopped['kp'] == 0.0).all()
    assert (stopped['kd'] == 0.0).all()


def test_legs_are_untouched_in_every_command_ever_sent(running):
    running.run(0.3, running.command(q=running.pose + 0.05))
    running.run(0.2)
    running.driver.clear_faults(running.now())
    running.run(0.2, running.command())
    running.driver.close(running.now())
    commands = running.sent(ARM_COMMAND)
    assert len(commands) > 300
    for command in commands:
        assert not command['motor_cmd'][LEGS].tobytes().strip(b'\x00')
        assert int(command['mode_machine']) == 5
    assert running.sent(LOW_COMMAND) == []
    assert running.board.bad_commands == 0


def test_the_waist_is_held_where_it_was_found():
    rig = G1Rig()
    rig.board.q[12:15] = rig.board.posture[12:15] = [0.1, -0.05, 0.2]
    rig.started()
    rig.run(0.3, rig.command())
    motors = rig.sent(ARM_COMMAND)[-1]['motor_cmd']
    np.testing.assert_allclose(motors['q'][12:15], [0.1, -0.05, 0.2], atol=1e-6)
    assert motors['kp'][12:15].tolist() == [60.0] * 3
    assert motors['kd'][12:15].tolist() == [1.5] * 3


def test_locked_waist_slots_are_left_out():
    rig = G1Rig(mode_machine=6)
    rig.board.state['mode_machine'] = 6
    rig.started()
    rig.run(0.1, rig.command())
    motors = rig.sent(ARM_COMMAND)[-1]['motor_cmd']
    assert motors['mode'][12:15].tolist() == [1, 0, 0]
    assert motors['kp'][12:15].tolist() == [60.0, 0.0, 0.0]


def test_after_a_reset_the_weight_comes_back_without_a_jump(running):
    running.run(0.3)  # part of the way out
    between = running.driver.weight
    assert 0.0 < between < 1.0
    running.driver.clear_faults(running.now())
    running.run(2 * RAMP, running.command())
    assert np.abs(np.diff(weights(running))).max() <= 2 * running.spec.dt / RAMP + 1e-6
    assert running.driver.weight == 1.0


@pytest.mark.parametrize('side', SIDES)
def test_each_hand_has_its_own_map_from_joints_to_motors(running, side):
    middle = running.spec.names.index(f'{side}_hand_middle_0_joint')
    index = running.spec.names.index(f'{side}_hand_index_0_joint')
    q = running.pose
    sign = -1.0 if side == 'left' else 1.0
    q[middle], q[index] = 0.2 * sign, 0.4 * sign
    running.run(0.1, running.command(q=q))
    motors = running.sent(hand_command(side))[-1]['motor_cmd']
    where = {'left': (3, 5), 'right': (5, 3)}[side]
    np.testing.assert_allclose(motors['q'][list(where)], [0.2 * sign, 0.4 * sign], atol=1e-6)
    assert motors['mode'].tolist() == [16, 17, 18, 19, 20, 21, 22]


def test_hands_are_told_at_their_own_rate_and_never_beyond_their_gains():
    rig = G1Rig(hands={'rate': 100.0, 'kp': 1.0, 'kd': 0.1})
    rig.started()
    rig.run(1.0, rig.command())
    commands = rig.sent(hand_command('right'))
    assert 80 <= len(commands) <= 126
    for command in commands:
        assert command['motor_cmd']['kp'].max() <= 1.0
        assert command['motor_cmd']['kd'].max() <= np.float32(0.1)


def test_feed_forward_stays_within_the_efforts_and_out_of_the_fingers(running):
    wild = np.full(28, 1e6)
    running.driver.write(running.command(a=wild), running.now())
    motors = running.sent(ARM_COMMAND)[-1]['motor_cmd']
    slots = g1_motors(running.spec, g1_config(running.spec)).slots
    np.testing.assert_allclose(motors['tau'][slots], running.spec.effort[:14])
    running.sleep_until(running.now() + 0.02)
    running.driver.write(running.command(a=wild), running.now())
    assert (running.sent(hand_command('left'))[-1]['motor_cmd']['tau'] == 0.0).all()


def test_a_number_that_is_not_finite_sends_nothing_to_arms_or_hands(running):
    before = len(running.bus.sent)
    for field in ('q', 'v', 'a'):
        for joint in (3, 20):
            values = np.zeros(28)
            values[joint] = np.nan
            with pytest.raises(CodecError, match=running.spec.names[joint]):
                running.driver.write(running.command(**{field: values}), running.now())
    assert len(running.bus.sent) == before


def test_bad_checksums_age_the_robot_and_trip_after_five(running):
    last = running.tick(running.command())
    running.board.bad_checksum = True
    running.board.q[20] += 0.5
    for _ in range(2):
        state = running.tick(running.command())
    assert state.q[5] == last.q[5]  # a dropped state moves nothing
    assert state.faults == ()
    for _ in range(5):
        state = running.tick(running.command())
    assert len(state.faults) == 1
    assert 'wrong checksum' in state.faults[0]
    assert state.age[:14].min() > 5 * running.spec.dt
    assert state.bus['bad_states'] >= 5
    running.board.bad_checksum = False
    assert running.tick(running.command()).faults == ()


@pytest.mark.parametrize(
    ('change', 'reason'),
    [
        (lambda b: setattr(b, 'buttons', ('L2', 'B')), r'L2\+B held'),
        (lambda b: setattr(b, 'battery', 15), 'battery at 15 percent, least 20'),
        (lambda b: b.broken.add(4), 'slot 4 reports error bits 0x40'),
        (lambda b: put(b.state['imu_state']['quaternion'], 1, 0.75), r'tilted by 1\.29 rad'),
        (lambda b: put(b.state['imu_state']['gyroscope'], 1, 7.0), r'turns at 7\.0 rad/s'),
        (lambda b: put(b.state['motor_state']['dq'], 3, -12.0), r'slot 3 turns at 12\.0'),
        (lambda b: put(b.state['motor_state']['dq'], 3, np.nan), 'slot 3 turns at nan'),
        (lambda b: put(b.state, 'mode_machine', 6), 'reports mode_machine 6'),
    ],
)
def test_a_fault_of_the_robot_as_a_whole_is_named_and_trips_the_watchdog(running, change, reason):
    assert running.tick(running.command()).faults == ()
    change(running.board)
    running.tick(running.command())
    state = running.tick(running.command())
    assert len(state.faults) == 1
    assert re.search(reason, state.faults[0])
    watchdogs = Watchdogs(running.spec)
    assert (Event.FAULT, state.faults[0]) in watchdogs.check(running.now(), state, None)
    assert state.faults[0] in watchdogs.unhealthy(state)


def test_one_button_alone_stops_nothing(running):
    running.board.buttons = ('L2',)
    running.tick(running.command())
    assert running.tick(running.command()).faults == ()


def test_a_second_commander_is_noticed_while_running(running):
    running.bus.strangers[ARM_COMMAND] = Peers(writers=(Peer(who='teleop on laptop'),))
    running.run(0.6, running.command())
    state = running.tick(running.command())
    assert state.faults == ('rt/arm_sdk is also commanded by teleop on laptop',)


def test_a_motor_error_of_an_arm_is_its_status(running):
    running.break_motor('left_elbow_joint')
    running.tick(running.command())
    state = running.tick(running.command())
    assert state.status[3] is MotorStatus.UNKNOWN
    with pytest.raises(RobotError, match='left_elbow_joint reports error bits 0x40'):
        running.driver.clear_faults(running.now())


def test_a_dead_body_holds_what_was_asked_last(running):
    q = running.pose
    q[0] += 0.05
    running.tick(running.command(q=q))
    running.board.silent.add('body')
    running.sleep_until(running.now() + 0.1)
    running.tick()
    motors = running.sent(ARM_COMMAND)[-1]['motor_cmd']
    assert motors['q'][15] == pytest.approx(q[0], abs=1e-6)


def test_lost_commands_leave_no_trace_in_the_driver(running):
    running.bus.lose = lambda topic, payload: True
    running.run(0.1, running.command())
    assert running.driver.weight == 1.0


@pytest.mark.parametrize(
    ('motor', 'message'),
    [
        ({'slot': 29}, r'slot: 29 is not within 0\.\.28'),
        ({'hand': 'left', 'index': 7}, 'index: 7'),
        ({'hand': 'both', 'index': 1}, 'give'),
        ({'slot': 16}, 'have the same motor'),
        ({'slot': 3}, 'legs'),
    ],
)
def test_wrong_motors_are_refused_by_name(motor, message):
    from dataclasses import replace

    spec = load_robot('g1')
    joints = (replace(spec.joints[0], motor=motor), *spec.joints[1:])
    with pytest.raises(ConfigError, match=message):
        G1(replace(spec, joints=joints), None, NoDynamics(), None)


@pytest.mark.parametrize(
    ('buttons', 'message'),
    [
        (['L2', 'b'], r"unknown \['b'\]; name buttons out of .*'L2'.*'B'"),
        (['L2+B'], 'unknown'),
        (['none', 'B'], 'unknown'),
        ([], 'empty, so the remote control would stop nothing'),
    ],
)
def test_stop_buttons_that_no_remote_control_has_are_refused(buttons, message):
    with pytest.raises(ConfigError, match=f'bus.stop_buttons: {message}'):
        G1Rig(stop_buttons=buttons)


def test_a_remote_control_that_is_to_stop_nothing_is_said_to():
    rig = G1Rig(stop_buttons=['none'])
    rig.started()
    rig.board.buttons = ('L2', 'B')
    rig.tick(rig.command())
    assert rig.tick(rig.command()).faults == ()


@pytest.mark.parametrize('interface', ['', 'auto', 'lo'])
def test_a_real_robot_needs_a_named_network_interface(interface):
    pytest.importorskip('cyclonedds')
    rig = G1Rig(interface={'real': interface, 'sim': 'lo'})
    with pytest.raises(ConfigError, match='an address in 192'):
        dds_config(rig.spec, 'real')
    assert dds_config(rig.spec, 'sim').interface == 'lo'
