# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The OpenArm driver against emulated motors: identity, frames, gravity, falling, faults."""

from dataclasses import replace
import math

import numpy as np
import pytest
from rigs import OpenArmRig

from vla_control.buses.can import CanBus, CanConfig
from vla_control.buses.damiao import CLEAR_ERROR, DISABLE, ENABLE, Reg, write_register
from vla_control.core.errors import BusError, ConfigError, RobotError
from vla_control.core.messages import MotorStatus
from vla_control.core.spec import load_robot
from vla_control.robots.damiao_motors import motors_of
from vla_control.robots.openarm import OpenArm

J1, J2, J3, J4, J5, J6, J7, FINGER = load_robot('openarm').names
# Torques of the vendor's model (pinocchio on its URDF) with the straight arm held forward.
FORWARD = [math.pi / 2, 0, 0, 0, 0, 0, 0, 0]
FORWARD_TORQUE = [10.8118, 0.0, -0.0601, 4.2295, -0.0477, 0.0, 0.7106]
HALF_CODE = 0.0133  # [N·m] of the coarsest motor; zero lies between two codes
HALF_CODES = [54 / 4095, 54 / 4095, 28 / 4095, 28 / 4095, 10 / 4095, 10 / 4095, 10 / 4095]


@pytest.fixture
def rig():
    return OpenArmRig()


def set_register(rig, joint, rid, value):
    motor = rig.motors.motor(joint)
    motor.on_frame(*write_register(motor.address, rid, value), rig.now())
    rig.motors._index()


def refused(rig):
    """Connect, expect a refusal, check that it left nothing behind, and return its words."""
    with pytest.raises(RobotError) as error:
        rig.driver.connect(rig.now())
    assert not any(m.enabled for m in rig.motors.motors)
    rig.bus.open()  # raises if the driver still held it
    rig.bus.close()
    return str(error.value)


# Identification


def test_a_healthy_arm_connects_and_tells_who_it_is(rig):
    rig.driver.connect(rig.now())
    assert [identity[Reg.GEAR] for identity in rig.driver.identity] == [
        9,
        9,
        40,
        40,
        10,
        10,
        10,
        10,
    ]
    assert rig.driver.identity[0][Reg.SW_VER] == 6417


def test_a_wrong_range_is_refused_with_both_numbers_and_the_place_to_change(rig):
    set_register(rig, J4, Reg.VMAX, 8.0)
    message = refused(rig)
    assert f'{J4} (motor 0x04): register 22 (VMAX) is 8, expected 10' in message
    assert 'bus.ranges.DM4340' in message
    assert J3 not in message


def test_swapped_ids_are_recognised_by_the_ranges_of_the_other_model(rig):
    set_register(rig, J4, Reg.MST_ID, 0x15)
    set_register(rig, J5, Reg.MST_ID, 0x14)
    set_register(rig, J4, Reg.ESC_ID, 5)
    set_register(rig, J5, Reg.ESC_ID, 4)
    message = refused(rig)
    assert 'ranges of a DM4310: are the ids of two motors swapped?' in message
    assert J4 in message
    assert J5 in message


def test_two_motors_with_one_id_are_refused(rig):
    set_register(rig, J5, Reg.ESC_ID, 4)
    message = refused(rig)
    assert 'two motors answer to id 0x04' in message
    assert f'{J5} (motor 0x05): no answer' in message


def test_a_silent_motor_is_named_with_what_to_check(rig):
    rig.silence(J6)
    message = refused(rig)
    assert f'{J6} (motor 0x06): no answer to id 0x06; check power' in message
    assert J5 not in message


def test_a_motor_that_answers_on_another_id_is_refused(rig):
    set_register(rig, J2, Reg.MST_ID, 0x13)
    assert 'register 7 (MST_ID) is 19, expected 18' in refused(rig)


def test_a_motor_set_to_another_bit_rate_is_refused(rig):
    set_register(rig, J7, Reg.CAN_BR, 4)
    message = refused(rig)
    assert f'{J7} (motor 0x07): register 35 (can_br) is 4, expected 9' in message


def test_every_wrong_motor_is_named_at_once(rig):
    set_register(rig, J1, Reg.PMAX, 12.566)
    set_register(rig, J3, Reg.TMAX, 20.0)
    rig.silence(J5)
    rig.silence(FINGER)
    message = refused(rig)
    assert all(joint in message for joint in (J1, J3, J5, FINGER))


def test_lost_answers_are_asked_for_again(rig):
    for motor in rig.motors.motors:
        motor.drop_every = 3
    state = rig.started()
    assert (state.age < 0.02).all()


def test_the_watchdog_and_the_gripper_mode_are_in_the_motors_after_connecting(rig):
    rig.driver.connect(rig.now())
    for joint in rig.spec.names:
        memory = rig.motors.motor(joint).memory
        assert memory[Reg.TIMEOUT] == 2000  # 100 ms in counts of 50 us
        assert memory[Reg.CTRL_MODE] == (4 if joint == FINGER else 1)
        assert memory.flash_cycles == 0


@pytest.mark.parametrize(('rid', 'joint'), [(Reg.TIMEOUT, J3), (Reg.CTRL_MODE, FINGER)])
def test_a_setting_that_does_not_read_back_is_refused(rig, rid, joint):
    tx = rig.motors.motor(joint).address
    rig.bus.lose = lambda f: f.data[0] == tx and f.data[2] == 0x55 and f.data[3] == rid
    message = refused(rig)
    assert joint in message
    assert f'register {int(rid)}' in message


def test_an_enabled_motor_in_another_mode_is_not_switched_under_load(rig):
    gripper = rig.motors.motor(FINGER)
    gripper.on_frame(gripper.address, ENABLE, rig.now())
    with pytest.raises(RobotError, match=f'{FINGER}.*is enabled in mode 1, expected 4'):
        rig.driver.connect(rig.now())


def test_no_register_is_touched_once_enabled(rig):
    rig.started()
    rig.bus.sent.clear()
    for _ in range(20):
        rig.tick(rig.command())
    for _ in range(20):
        rig.tick()
    assert 0x7FF not in {f.arbitration_id for f in rig.bus.sent}


def test_a_second_driver_on_the_bus_is_refused_by_name(tmp_path):
    spec = load_robot('openarm')
    config = replace(CanConfig.from_spec(spec, 'sim'), port=43797)
    first, second = CanBus(config, lock_folder=tmp_path), CanBus(config, lock_folder=tmp_path)
    rig = OpenArmRig()
    with first, pytest.raises(BusError, match='held by process'):
        OpenArm(spec, second, rig.dynamics, rig).connect(rig.now())


# Enabling


@pytest.mark.parametrize(('nibble', 'words'), [(0x9, 'under voltage'), (0xE, 'overload')])
def test_a_fault_at_the_start_is_named_and_goes_only_on_request(rig, nibble, words):
    rig.motors.motor(J3).set_fault(nibble)
    rig.driver.connect(rig.now())
    with pytest.raises(RobotError, match=f'{J3}.*has a fault.*{words}'):
        rig.driver.enable(rig.now())
    assert ENABLE not in {f.data for f in rig.bus.sent}
    rig.driver.clear_faults(rig.now())
    assert not any(m.enabled for m in rig.motors.motors)
    assert rig.driver.enable(rig.now()).status == (MotorStatus.ENABLED,) * 8


def test_what_a_driver_that_died_left_behind_does_not_keep_the_next_one_out(rig):
    for motor in rig.motors.motors:
        motor.set_fault(0xD)
    rig.driver.connect(rig.now())
    assert rig.driver.enable(rig.now()).status == (MotorStatus.ENABLED,) * 8
    frames = [f.data for f in rig.bus.sent]
    assert frames.index(CLEAR_ERROR) < frames.index(ENABLE)
    assert not any(command.kp for command in rig.commands()), 'it holds nothing by itself'


def test_a_joint_one_turn_away_is_refused_with_the_reason(rig):
    rig.place(J1, 3.4 - math.tau)
    rig.driver.connect(rig.now())
    with pytest.raises(RobotError, match=f'{J1} reads -2.88.*one turn'):
        rig.driver.enable(rig.now())


def test_a_joint_against_its_soft_stop_still_enables(rig):
    rig.place(J4, -0.03)
    assert rig.started().q[3] == pytest.approx(-0.03, abs=2e-4)


def test_one_motor_that_does_not_enable_leaves_none_enabled(rig):
    rig.bus.lose = lambda f: f.arbitration_id == 0x02 and f.data == ENABLE
    rig.driver.connect(rig.now())
    with pytest.raises(RobotError, match=f'{J2}.*does not enable'):
        rig.driver.enable(rig.now())
    assert {m.status for m in rig.motors.motors} == {0x0}  # off, and not by their watchdog


def test_a_raised_arm_does_not_sag_while_it_is_enabled_and_its_gains_ramp():
    rig = OpenArmRig(q=FORWARD)
    rig.started()
    rig.stand = False
    start = rig.pose
    for k in range(250):
        rig.tick(rig.command(q=start, gain=k / 250))
    np.testing.assert_allclose(rig.pose, start, atol=0.01)


# Frames


def test_the_first_frame_carries_the_full_weight_at_zero_gain():
    rig = OpenArmRig(q=FORWARD)
    rig.started()
    rig.commands()
    rig.driver.write(rig.command(q=np.array(FORWARD), gain=0.0), rig.now())
    sent = [s for s in rig.commands() if s.mit]
    assert [s.joint for s in sent] == list(rig.spec.names[:7])
    for frame, torque, half in zip(sent, FORWARD_TORQUE, HALF_CODES, strict=True):
        assert frame.tau == pytest.approx(torque, abs=half + 1e-4)
        assert (frame.kp, frame.kd) == (0.0, 0.0)


def test_enabling_itself_carries_the_weight():
    rig = OpenArmRig(q=FORWARD)
    rig.started()
    shoulder = [s.tau for s in rig.commands() if s.joint == J1]
    assert shoulder[0] == pytest.approx(0.0, abs=HALF_CODE)  # while still disabled
    assert shoulder[-1] == pytest.approx(10.81, abs=0.02)


def test_inertia_of_a_commanded_acceleration_is_added(rig):
    rig.started()
    a = np.zeros(8)
    a[0] = 2.0
    expected = rig.dynamics.inverse(rig.pose, np.zeros(8), a)
    rig.commands()
    rig.driver.write(rig.command(a=a), rig.now())
    sent = [s for s in rig.commands() if s.mit]
    np.testing.assert_allclose([s.tau for s in sent], expected[:7], atol=HALF_CODE)
    assert abs(expected[0] - rig.dynamics.gravity(rig.pose)[0]) > 0.1


def test_gains_and_targets_arrive_as_the_spec_says(rig):
    rig.started()
    v = np.full(8, 0.5)
    rig.commands()
    rig.driver.write(rig.command(v=v, gain=0.5), rig.now())
    for frame, joint, q in zip(rig.commands(), rig.spec.joints, rig.pose, strict=True):
        if frame.mit:
            assert frame.q == pytest.approx(q, abs=2e-4)
            assert frame.v == pytest.approx(0.5, abs=0.0111)
            assert frame.kp == pytest.approx(0.5 * joint.kp, abs=0.062)
            assert frame.kd == pytest.approx(0.5 * joint.kd, abs=0.0007)


@pytest.mark.parametrize(('metres', 'radians'), [(0.0, 0.0), (0.022, -0.5236), (0.044, -1.0472)])
def test_the_finger_is_metres_here_and_negative_radians_at_the_motor(rig, metres, radians):
    rig.place(FINGER, metres)
    state = rig.started()
    assert rig.motors.motor(FINGER)._q == pytest.approx(radians, abs=1e-4)
    assert state.q[7] == pytest.approx(metres, abs=1e-5)
    rig.commands()
    target = rig.pose
    target[7] = metres
    rig.driver.write(rig.command(q=target), rig.now())
    (frame,) = (s for s in rig.commands() if s.joint == FINGER)
    assert frame.q == pytest.approx(radians, abs=1e-4)


def test_the_grip_is_bounded_in_speed_and_force(rig):
    rig.started()
    rig.commands()
    target = rig.pose
    target[7] = 0.0
    rig.driver.write(rig.command(q=target), rig.now())
    (frame,) = (s for s in rig.commands() if s.joint == FINGER)
    assert frame.v == pytest.approx(8.0)  # [rad/s]
    # 1.5 N·m of the 9.7 N·m at full current: 10.26 A x 0.945 N·m/A.
    assert frame.tau == pytest.approx(1.5 / 9.7, abs=1e-4)


def test_a_blocked_finger_pushes_with_the_configured_torque(rig):
    rig.started()
    target = rig.pose
    target[7] = 0.0  # closing, with the finger held at its place by the stand
    for _ in range(500):
        state = rig.tick(rig.command(q=target))
    torque = rig.motors.motor(FINGER).applied
    assert torque == pytest.approx(1.5, abs=0.02)  # positive motor torque closes
    assert state.effort[7] == pytest.approx(-23.8 * 1.5, abs=0.5)  # [N] towards closed


# Listening


def test_a_late_register_reply_is_not_a_pose(rig):
    rig.started()
    before = rig.tick(rig.command())
    rig._device.send(0x14, bytes.fromhex('0400331600002041'))
    state = rig.driver.read(rig.now())
    assert state.q[3] == before.q[3]
    assert state.status[3] is MotorStatus.ENABLED
    assert state.bus['late_registers'] == 1


def test_a_state_frame_whose_third_byte_looks_like_a_register_is_a_pose(rig):
    rig.started()
    rig._device.send(0x14, bytes([0x14, 0x84, 0x33, 0x7F, 0xF7, 0xFF, 30, 31]))
    state = rig.driver.read(rig.now())
    assert state.q[3] == pytest.approx(25 * 0x8433 / 65535 - 12.5)
    assert state.temperature[3] == 31.0


def test_strangers_on_the_bus_are_counted_and_ignored(rig):
    rig.started()
    before = rig.tick(rig.command())
    rig._device.send(0x29, bytes(8))
    rig._device.send(0x11, bytes.fromhex('12ffffffffffff00'))  # says it is motor 2
    rig._device.send(0x11, b'\x11')
    state = rig.driver.read(rig.now())
    np.testing.assert_array_equal(state.q[0], before.q[0])
    assert state.bus['unknown_frames'] == 1
    assert state.bus['malformed_frames'] == 2


def test_the_hotter_of_the_two_sensors_is_reported(rig):
    rig.started()
    rig.motors.motor(J2).heat.winding = 81.0
    rig.motors.motor(J5).heat.drive = 64.0
    rig.tick(rig.command())
    state = rig.tick(rig.command())
    assert state.temperature[1] == pytest.approx(81.0, abs=1.0)
    assert state.temperature[4] == pytest.approx(64.0, abs=1.0)


@pytest.mark.parametrize('gap', [0.004, 0.015, 0.07])
def test_answers_are_as_old_as_what_they_answer_however_late_they_are_found(rig, gap):
    rig.started()
    rig.tick(rig.command())
    rig.sleep_until(rig.now() + gap)  # they came within a millisecond, and lie there since
    np.testing.assert_allclose(rig.driver.read(rig.now()).age, gap, atol=1e-9)


def test_a_lost_answer_leaves_the_age_of_the_one_before(rig):
    rig.started()
    rig.tick(rig.command())
    rig.silence(J2)
    ages = [rig.tick(rig.command()).age for _ in range(3)]
    dt = rig.spec.dt
    np.testing.assert_allclose([age[1] for age in ages], [2 * dt, 3 * dt, 4 * dt], atol=1e-9)
    np.testing.assert_allclose([age[0] for age in ages], dt, atol=1e-9)


# Dying, falling, coming back


def test_a_killed_writer_trips_the_motors_own_watchdog(rig):
    rig.started()
    rig.tick(rig.command())
    rig.sleep_until(rig.now() + 0.095)
    assert all(m.enabled for m in rig.motors.motors)
    rig.sleep_until(rig.now() + 0.01)
    assert {m.status for m in rig.motors.motors} == {0xD}
    assert {m.applied for m in rig.motors.motors} == {0.0}


def test_motors_that_dropped_out_are_reported_and_stay_off(rig):
    rig.started()
    rig.sleep_until(rig.now() + 0.2)
    for _ in range(10):
        state = rig.tick()
    assert state.status == (MotorStatus.LOST_COMMUNICATION,) * 8
    assert {m.status for m in rig.motors.motors} == {0xD}


def test_the_safe_action_floats_a_raised_arm():
    rig = OpenArmRig(q=FORWARD)
    rig.started()
    rig.stand = False
    for _ in range(250):
        rig.tick()
    np.testing.assert_allclose(rig.pose[:7], FORWARD[:7], atol=0.03)


def test_the_safe_action_keeps_the_grip(rig):
    rig.started()
    target = rig.pose
    target[7] = 0.005
    rig.tick(rig.command(q=target))
    rig.commands()
    rig.tick()
    (frame,) = (s for s in rig.commands() if s.joint == FINGER)
    assert frame.q == pytest.approx(-23.8 * 0.005, abs=1e-6)
    assert frame.tau == pytest.approx(1.5 / 9.7, abs=1e-4)


def test_without_fresh_feedback_the_safe_action_only_damps():
    rig = OpenArmRig(q=FORWARD)
    rig.started()
    rig.tick()
    assert max(abs(s.tau) for s in rig.commands() if s.mit) > 10.0
    rig.silence(J4)
    rig.sleep_until(rig.now() + 0.11)
    rig.tick()
    sent = [s for s in rig.commands() if s.mit]
    assert max(abs(s.tau) for s in sent) < HALF_CODE
    assert min(s.kd for s in sent) > 0.0


def test_clearing_a_fault_of_one_motor_lets_the_raised_arm_float_meanwhile():
    rig = OpenArmRig(q=[0.8, 0, 0, 0, 0, 0, 0, 0])
    rig.started()
    rig.stand = False
    rig.motors.motor(J7).set_fault(0xE)
    for _ in range(5):
        rig.tick()
    before, v = rig.pose, rig.v.copy()
    rig.commands()
    rig.driver.clear_faults(rig.now())
    assert all(s.kp == 0.0 for s in rig.commands())
    assert all(m.enabled for m in rig.motors.motors)
    np.testing.assert_allclose(rig.pose[:4], before[:4], atol=0.02)
    assert np.abs(v).max() < 1.5


def test_a_motor_that_lost_power_gets_its_settings_back_before_it_is_enabled(rig):
    rig.started()
    rig.motors.motor(FINGER).power_cycle()
    for _ in range(3):
        rig.tick()
    rig.driver.clear_faults(rig.now())
    memory = rig.motors.motor(FINGER).memory
    assert (memory[Reg.TIMEOUT], memory[Reg.CTRL_MODE]) == (2000, 4)
    assert rig.motors.motor(FINGER).enabled


def test_the_other_motors_outlive_a_long_repair_of_one(rig):
    rig.started()
    gripper = rig.motors.motor(FINGER)
    gripper.power_cycle()
    rig.tick()
    rig.tick()
    rig.bus.lose = lambda f: f.data[:3] == bytes([gripper.address, 0, 0x55])
    start = rig.now()
    with pytest.raises(RobotError, match=f'{FINGER}.*reads back 0'):
        rig.driver.clear_faults(rig.now())
    assert rig.now() - start > rig.spec.safety.motor_watchdog
    assert not gripper.enabled
    assert all(m.enabled for m in rig.motors.motors[:7])


def test_a_fault_that_does_not_clear_is_named(rig):
    rig.started()
    rig.motors.motor(J2).set_fault(0xE)
    rig.bus.lose = lambda f: f.arbitration_id == 0x02 and f.data.endswith(b'\xfb')
    rig.tick()
    rig.tick()
    with pytest.raises(RobotError, match=f'{J2}.*keeps its fault.*overload'):
        rig.driver.clear_faults(rig.now())
    assert rig.motors.motor(J1).enabled


def test_closing_lets_a_raised_arm_sink_slowly_and_then_switches_off():
    rig = OpenArmRig(q=[0.8, 0, 0, 0, 0, 0, 0, 0.04])
    rig.started()
    rig.stand = False
    rig.tick(rig.command())
    rig.bus.sent.clear()
    start = rig.now()
    rig.driver.close(rig.now())
    frames = list(rig.bus.sent)
    assert not any(m.enabled for m in rig.motors.motors)
    assert rig.now() - start < 1.2
    off = [f for f in frames if f.data == DISABLE]
    assert len(off) >= 3 * 8
    assert [f.data for f in frames[-8:]] == [DISABLE] * 8
    shoulder = [s for s in rig.commands() if s.joint == J1]
    assert {s.kp for s in shoulder} == {0.0}
    assert shoulder[0].tau > 7.0
    assert shoulder[-1].tau == pytest.approx(0.0, abs=HALF_CODE)
    assert rig.pose[0] < 0.6
    assert np.abs(rig.v).max() < 2.5


def test_closing_an_arm_at_rest_takes_no_longer_than_it_must():
    rig = OpenArmRig(q=np.zeros(8))
    rig.started()
    start = rig.now()
    rig.driver.close(start)
    assert rig.now() - start < 0.6


def test_a_motor_that_cannot_be_switched_off_is_reported(rig, caplog):
    rig.started()
    rig.silence(J3)
    rig.driver.close(rig.now())
    assert J3 in caplog.text
    assert 'cut the power' in caplog.text
    assert not any(m.enabled for m in rig.motors.motors if m is not rig.motors.motor(J3))


# Configuration


def spec_with_motor(index, **changes):
    spec = load_robot('openarm')
    joint = spec.joints[index]
    motor = {k: v for k, v in (joint.motor | changes).items() if v is not None}
    joints = list(spec.joints)
    joints[index] = replace(joint, motor=motor)
    return replace(spec, joints=tuple(joints))


@pytest.mark.parametrize(
    ('index', 'changes', 'words'),
    [
        (0, {'speeed': 1.0}, "unknown key 'speeed'"),
        (0, {'model': 'DM9999'}, 'DM9999'),
        (0, {'mode': 'vel'}, 'mode'),
        (0, {'tx': 0x02}, 'twice'),
        (7, {'rad_per_metre': None}, 'rad_per_metre'),
        (7, {'force': None}, 'force'),
        (7, {'model': 'DM4340'}, 'full current'),
    ],
)
def test_a_motor_section_that_is_wrong_is_refused(index, changes, words):
    with pytest.raises(ConfigError, match=words):
        motors_of(spec_with_motor(index, **changes))


def test_the_effort_of_the_joint_bounds_the_grip():
    spec = spec_with_motor(7, force=9.0)
    assert motors_of(spec)[7].current == pytest.approx(40.0 / 23.8 / 9.7)
