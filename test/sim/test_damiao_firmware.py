# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The emulated motor obeys registers, modes, watchdog and faults as the manuals say."""

import math

import pytest

from vla_control.buses.damiao import (
    CLEAR_ERROR,
    decode_feedback,
    decode_mit,
    decode_register_reply,
    DISABLE,
    ENABLE,
    encode_mit,
    encode_pos_force,
    encode_pos_vel,
    encode_vel,
    Kind,
    MitRanges,
    Mode,
    pack_register,
    READ,
    read_register,
    refresh,
    Reg,
    REGISTER_ID,
    REGISTERS,
    SET_ZERO,
    STORE,
    store,
    unpack_register,
    watchdog_counts,
    WRITE,
)
from vla_control.sim.damiao_firmware import DamiaoMotor
from vla_control.sim.damiao_models import AMBIENT, MODELS

RANGES = MitRanges(12.5, 30.0, 10.0)
TX, RX = 0x08, 0x18
FAULTS = (0x8, 0x9, 0xA, 0xB, 0xC, 0xD, 0xE)


@pytest.fixture
def motor():
    return DamiaoMotor(MODELS['DM4310'], RANGES, TX, RX)


def ask(motor, data, now=0.0, arbitration_id=TX):
    """Send a frame and return its decoded state frame."""
    [(sender, answer)] = motor.on_frame(arbitration_id, data, now)
    assert sender == RX
    return decode_feedback(RANGES, answer)


def register(motor, rid, raw=None, now=0.0):
    """Read a register, or write four raw bytes, and return the value answered."""
    operation = READ if raw is None else WRITE
    request = bytes([TX, 0, operation, rid]) + (raw or bytes(4))
    [(_, answer)] = motor.on_frame(REGISTER_ID, request, now)
    reply = decode_register_reply(answer, TX, {rid})
    assert reply.operation == operation
    return reply.value


def write(motor, rid, value):
    return register(motor, rid, pack_register(rid, value))


def in_mode(motor, mode):
    write(motor, Reg.CTRL_MODE, mode)
    ask(motor, ENABLE)
    return motor


def mit(motor, q=0.0, v=0.0, kp=0.0, kd=0.0, tau=0.0, now=0.0):
    return ask(motor, encode_mit(RANGES, q, v, kp, kd, tau), now)


# Registers


@pytest.mark.parametrize('rid', sorted(REGISTERS))
def test_every_register_can_be_read(motor, rid):
    value = register(motor, rid)
    assert type(value) is (int if REGISTERS[rid].kind is Kind.U32 else float)


def test_the_motor_is_shipped_as_its_manual_says(motor):
    assert register(motor, Reg.MST_ID) == RX
    assert register(motor, Reg.ESC_ID) == TX
    assert register(motor, Reg.TIMEOUT) == 0
    assert register(motor, Reg.CTRL_MODE) == Mode.MIT
    assert register(motor, Reg.NPP) == 14
    assert register(motor, Reg.GEAR) == 10.0
    assert [register(motor, r) for r in (21, 22, 23)] == [12.5, 30.0, 10.0]
    assert register(motor, Reg.CAN_BR) == 9


@pytest.mark.parametrize('rid', sorted(r for r in REGISTERS if not REGISTERS[r].writable))
def test_read_only_registers_answer_a_write_with_what_they_hold(motor, rid):
    before = register(motor, rid)
    assert register(motor, rid, b'\x07\x00\x00\x00') == before
    assert register(motor, rid) == before


WRITABLE = {
    rid: (5e-3 if rid == 3 else r.low + 1 if math.isfinite(r.low) else r.high - 1)
    for rid, r in REGISTERS.items()
    if r.writable and rid not in (Reg.MST_ID, Reg.ESC_ID)
} | {30: 0.5}


@pytest.mark.parametrize('rid', sorted(WRITABLE))
def test_writable_registers_echo_and_keep_what_is_written(motor, rid):
    wanted = unpack_register(rid, pack_register(rid, WRITABLE[rid]))
    assert write(motor, rid, WRITABLE[rid]) == wanted
    assert register(motor, rid) == wanted


@pytest.mark.parametrize(
    ('rid', 'value'),
    [
        (Reg.UV_VALUE, 10.0),
        (Reg.OT_VALUE, 79.0),
        (Reg.OT_VALUE, 200.0),
        (Reg.DEC, 1.0),
        (Reg.CTRL_MODE, 0),
        (Reg.CTRL_MODE, 5),
        (Reg.MST_ID, 0x800),
        (Reg.VMAX, 0.0),
        (Reg.TMAX, -1.0),
        (24, 99.0),
        (30, 1.5),
        (32, 500.0),
    ],
)
def test_a_value_out_of_range_changes_nothing(motor, rid, value):
    before = register(motor, rid)
    assert write(motor, rid, value) == before
    assert register(motor, rid) == before


@pytest.mark.parametrize('raw', ['0000c07f', '0000807f', '000080ff'])
def test_a_register_never_holds_what_is_not_finite(motor, raw):
    assert register(motor, Reg.VMAX, bytes.fromhex(raw)) == 30.0


def test_an_unknown_register_is_not_answered(motor):
    assert motor.on_frame(REGISTER_ID, bytes([TX, 0, READ, 40, 0, 0, 0, 0]), 0.0) == []


def test_new_ids_count_at_once(motor):
    write(motor, Reg.ESC_ID, 0x05)
    assert motor.on_frame(TX, ENABLE, 0.0) == []
    assert motor.on_frame(0x05, ENABLE, 0.0)[0][0] == RX
    request = bytes([0x05, 0, WRITE, Reg.MST_ID]) + pack_register(Reg.MST_ID, 0x15)
    assert motor.on_frame(REGISTER_ID, request, 0.0)[0][0] == 0x15


def test_new_ranges_count_at_once(motor):
    ask(motor, ENABLE)
    write(motor, Reg.TMAX, 5.0)
    mit(motor, tau=10.0)
    assert motor.torque(0.0) == 5.0


def test_only_what_is_stored_survives_power_loss(motor):
    write(motor, Reg.TIMEOUT, 2000)
    motor.on_frame(*store(TX), 0.0)
    write(motor, Reg.TIMEOUT, 1000)
    write(motor, Reg.CTRL_MODE, Mode.VEL)
    motor.power_cycle()
    assert register(motor, Reg.TIMEOUT) == 2000
    assert register(motor, Reg.CTRL_MODE) == Mode.MIT
    assert motor.memory.flash_cycles == 1


def test_registers_survive_disabling_faults_and_clearing(motor):
    write(motor, Reg.TIMEOUT, 2000)
    for frame in (ENABLE, DISABLE, ENABLE):
        ask(motor, frame)
    motor.set_fault(0xA)
    ask(motor, CLEAR_ERROR)
    assert register(motor, Reg.TIMEOUT) == 2000


def test_a_store_is_taken_as_either_vendor_sends_it(motor):
    ours, data = store(TX)
    for fourth in (0, 1):  # DK1, OpenArm
        [(_, answer)] = motor.on_frame(ours, data[:3] + bytes([fourth]) + data[4:], 0.0)
        assert decode_register_reply(answer, TX, {STORE}) is not None


def test_an_enabled_motor_does_not_store(motor):
    ask(motor, ENABLE)
    assert motor.on_frame(*store(TX), 0.0) == []
    assert motor.memory.flash_cycles == 0
    ask(motor, DISABLE)
    [(_, answer)] = motor.on_frame(*store(TX), 0.0)
    assert decode_register_reply(answer, TX, {STORE}) == (STORE, 1, 0)


def test_measurement_registers_show_the_motor(motor):
    motor.measure(0.5, 0.0)
    assert register(motor, Reg.XOUT) == pytest.approx(0.5)
    assert register(motor, Reg.P_M) == pytest.approx(5.0)
    assert register(motor, Reg.T_MOTOR) == AMBIENT


# Frames and states


def test_one_answer_for_every_frame(motor):
    for arbitration_id, data in (
        (TX, ENABLE),
        (TX, encode_mit(RANGES, 0.0, 0.0, 0.0, 0.0, 0.0)),
        (TX, SET_ZERO),
        (TX, CLEAR_ERROR),
        (TX, DISABLE),
        refresh(TX),
        (REGISTER_ID, refresh(TX)[1][:4]),
        read_register(TX, 7),
    ):
        assert len(motor.on_frame(arbitration_id, data, 0.0)) == 1


def test_frames_for_others_are_not_heard(motor):
    for arbitration_id, data in ((0x07, ENABLE), (RX, ENABLE), refresh(0x07)):
        assert motor.on_frame(arbitration_id, data, 0.0) == []
    assert not motor.enabled


@pytest.mark.parametrize('offset', [0x000, 0x100, 0x200, 0x300])
def test_special_frames_are_obeyed_at_every_mode_offset(motor, offset):
    assert ask(motor, ENABLE, arbitration_id=TX + offset).status == 1
    assert ask(motor, DISABLE, arbitration_id=TX + offset).status == 0


def test_a_state_frame_carries_what_is_measured(motor):
    motor.measure(1.25, -3.0)
    state = ask(motor, ENABLE)
    assert (state.motor_id, state.status) == (TX, 1)
    assert state.q == pytest.approx(1.25, abs=2e-4)
    assert state.v == pytest.approx(-3.0, abs=8e-3)
    assert state.tau == pytest.approx(0.0, abs=3e-3)
    assert (state.t_mos, state.t_rotor) == (25, 25)


def test_a_disabled_motor_makes_no_torque_whatever_it_is_told(motor):
    assert mit(motor, q=1.0, kp=100.0, kd=1.0, tau=5.0).status == 0
    assert motor.torque(0.0) == 0.0
    ask(motor, ENABLE)
    assert motor.torque(0.001) == 0.0, 'a command from before enabling counts for nothing'


def test_disabling_and_enabling_forget_the_command(motor):
    ask(motor, ENABLE)
    mit(motor, tau=3.0)
    assert motor.torque(0.0) > 2.9
    ask(motor, DISABLE)
    assert motor.torque(0.001) == 0.0
    ask(motor, ENABLE)
    assert motor.torque(0.002) == 0.0


def test_a_mode_switch_takes_effect_at_once_and_forgets_the_command(motor):
    ask(motor, ENABLE)
    mit(motor, tau=3.0)
    write(motor, Reg.CTRL_MODE, Mode.VEL)
    assert motor.torque(0.0) == 0.0
    assert motor.enabled


@pytest.mark.parametrize('mode', list(Mode))
def test_a_command_for_another_mode_moves_nothing_and_is_answered(motor, mode):
    in_mode(motor, mode)
    payloads = {
        0x000: encode_mit(RANGES, 1.0, 1.0, 50.0, 1.0, 3.0),
        0x100: encode_pos_vel(1.0, 2.0),
        0x200: encode_vel(2.0),
        0x300: encode_pos_force(1.0, 2.0, 0.5),
    }
    del payloads[(mode - 1) * 0x100]
    for offset, data in payloads.items():
        assert ask(motor, data, arbitration_id=TX + offset).status == 1
        assert motor.torque(0.0) == 0.0
    assert motor.ignored == 3


@pytest.mark.parametrize(
    ('mode', 'data'),
    [
        (Mode.POS_VEL, '0000c07f00000040'),
        (Mode.POS_VEL, '000000bf0000807f'),
        (Mode.VEL, '0000c07f00000000'),
        (Mode.POS_FORCE, '0000c07ff401dc05'),
        (Mode.MIT, '7fff7ff0'),
        (Mode.POS_FORCE, '000000bf'),
    ],
)
def test_what_is_not_finite_or_not_whole_moves_nothing(motor, mode, data):
    in_mode(motor, mode)
    ask(motor, bytes.fromhex(data), arbitration_id=TX + (mode - 1) * 0x100)
    assert motor.torque(0.0) == 0.0
    assert motor.ignored == 1


def test_zero_is_set_where_the_shaft_is_and_kept_over_power_loss(motor):
    motor.measure(0.75, 0.0)
    assert ask(motor, SET_ZERO).q == pytest.approx(0.0, abs=2e-4)
    motor.measure(1.0, 0.0)
    motor.power_cycle()
    assert ask(motor, ENABLE).q == pytest.approx(0.25, abs=2e-4)


def test_after_power_loss_the_angle_is_within_one_turn(motor):
    motor.measure(3.4, 0.0)
    assert ask(motor, ENABLE).q == pytest.approx(3.4, abs=2e-4)
    motor.power_cycle()
    state = ask(motor, ENABLE)
    assert state.q == pytest.approx(3.4 - math.tau, abs=2e-4)


# Laws


@pytest.mark.parametrize(
    'command',
    [
        (0.5, 0.0, 10.0, 0.7, 0.3),
        (-0.2, 1.5, 5.0, 1.0, -1.0),
        (0.0, 0.0, 0.0, 2.0, 0.0),
        (0.31, -0.4, 0.0, 0.0, 2.5),
    ],
)
def test_mit_mode_evaluates_the_quantised_command_at_every_step(motor, command):
    ask(motor, ENABLE)
    data = encode_mit(RANGES, *command)
    ask(motor, data)
    q, v, kp, kd, tau = decode_mit(RANGES, data)
    for q_measured, v_measured in ((0.0, 0.0), (0.1, -0.5), (0.45, 1.0)):
        motor.measure(q_measured, v_measured)
        wanted = kp * (q - q_measured) + kd * (v - v_measured) + tau
        assert motor.torque(0.0) == pytest.approx(wanted, abs=1e-12)


def test_torque_saturates_at_the_peak_of_the_motor_and_is_reported(motor):
    ask(motor, ENABLE)
    mit(motor, tau=9.0)
    assert motor.torque(0.0) == 7.0
    assert ask(motor, refresh(TX)[1], arbitration_id=REGISTER_ID).tau == pytest.approx(
        7.0, abs=3e-3
    )
    mit(motor, tau=-9.0)
    assert motor.torque(0.001) == -7.0


def test_position_speed_mode_goes_no_faster_than_its_limit(motor):
    in_mode(motor, Mode.POS_VEL)
    ask(motor, encode_pos_vel(2.0, 1.5), arbitration_id=TX + 0x100)
    q, speeds = simulate(motor, seconds=3.0)
    assert max(speeds) == pytest.approx(1.5, rel=0.05)
    assert q == pytest.approx(2.0, abs=5e-3)


def test_position_speed_mode_starts_with_the_cascade_of_its_formula(motor):
    in_mode(motor, Mode.POS_VEL)
    ask(motor, encode_pos_vel(0.05, 9.0), arbitration_id=TX + 0x100)
    motor.measure(0.01, 0.2)
    model = motor.model
    error = model.position_gain * (0.05 - 0.01) - 0.2
    assert motor.torque(0.0) == pytest.approx(model.speed_gain * error, rel=1e-5)


def test_speed_mode_reaches_its_speed_against_a_load(motor):
    in_mode(motor, Mode.VEL)
    ask(motor, encode_vel(-3.0), arbitration_id=TX + 0x200)
    _, speeds = simulate(motor, seconds=3.0, load=1.0)
    assert speeds[-1] == pytest.approx(-3.0, abs=0.02)


def test_position_force_mode_never_pushes_harder_than_its_current(motor):
    in_mode(motor, Mode.POS_FORCE)
    current = 1.5 / motor.model.full_torque
    ask(motor, encode_pos_force(-1.0, 8.0, current), arbitration_id=TX + 0x300)
    torques = [motor.torque(0.002 * i) for i in range(1000)]
    assert min(torques) == pytest.approx(-1.5, abs=motor.model.full_torque / 10000)
    assert torques[-1] == min(torques), 'a blocked gripper squeezes with all it is allowed'


def test_position_force_mode_arrives_within_its_speed(motor):
    in_mode(motor, Mode.POS_FORCE)
    ask(motor, encode_pos_force(-1.0472, 2.0, 0.3), arbitration_id=TX + 0x300)
    q, speeds = simulate(motor, seconds=3.0)
    assert q == pytest.approx(-1.0472, abs=5e-3)
    assert min(speeds) > -2.2


def test_full_current_is_the_drive_current_times_the_torque_constant():
    assert MODELS['DM4310'].full_torque == pytest.approx(10.26 * 0.945)
    assert MODELS['DM8009'].full_torque == pytest.approx(41.04 * 1.2616)


def simulate(motor, seconds, inertia=0.004, load=0.0, dt=0.002):
    """Turn an inertia [kg·m2] with the motor; return the last angle and all speeds."""
    q = v = 0.0
    speeds = []
    for i in range(round(seconds / dt)):
        motor.measure(q, v)
        v += (motor.torque(i * dt) + load) / inertia * dt
        q += v * dt
        speeds.append(v)
    return q, speeds


# Watchdog


def watched(motor, now):
    write(motor, Reg.TIMEOUT, watchdog_counts(0.1))
    ask(motor, ENABLE, now)


def test_the_watchdog_trips_at_its_time_and_not_before(motor):
    watched(motor, 5.0)
    mit(motor, tau=2.0, now=5.0)
    assert motor.torque(5.0999) > 1.9
    assert motor.torque(5.1) == 0.0
    state = ask(motor, refresh(TX)[1], 5.1, REGISTER_ID)
    assert (state.status, motor.enabled) == (0xD, False)


def test_the_watchdog_trips_without_physics_asking(motor):
    watched(motor, 5.0)
    mit(motor, tau=2.0, now=5.0)
    assert mit(motor, tau=2.0, now=5.2).status == 0xD, 'too late'
    assert motor.torque(5.2) == 0.0


def test_commands_feed_the_watchdog_and_reading_does_not(motor):
    watched(motor, 0.0)
    for i in range(20):
        assert mit(motor, now=0.09 * i).status == 1
    for i in range(20):
        motor.on_frame(*refresh(TX), 1.71 + 0.005 * i)
        motor.on_frame(*read_register(TX, 7), 1.71 + 0.005 * i)
    assert ask(motor, refresh(TX)[1], 1.81, REGISTER_ID).status == 0xD


def test_the_watchdog_sleeps_while_disabled_or_set_to_zero(motor):
    write(motor, Reg.TIMEOUT, 2000)
    motor.torque(100.0)
    assert ask(motor, ENABLE, 100.0).status == 1, 'enabling starts its time'
    motor.torque(100.05)
    assert motor.enabled
    ask(motor, DISABLE, 100.06)
    motor.torque(200.0)
    write(motor, Reg.TIMEOUT, 0)
    ask(motor, ENABLE, 200.0)
    motor.torque(1000.0)
    assert motor.enabled


def test_after_the_watchdog_only_clearing_and_enabling_bring_torque_back(motor):
    watched(motor, 0.0)
    motor.torque(1.0)
    assert ask(motor, ENABLE, 1.0).status == 0xD
    assert mit(motor, tau=2.0, now=1.0).status == 0xD
    assert ask(motor, CLEAR_ERROR, 1.0).status == 0
    assert mit(motor, tau=2.0, now=1.0).status == 0
    assert motor.torque(1.0) == 0.0
    assert ask(motor, ENABLE, 1.0).status == 1
    mit(motor, tau=2.0, now=1.0)
    assert motor.torque(1.0) > 1.9


# Faults


@pytest.mark.parametrize('nibble', FAULTS)
def test_a_fault_drops_the_torque_and_stays(motor, nibble):
    ask(motor, ENABLE)
    mit(motor, tau=3.0)
    motor.set_fault(nibble)
    assert motor.torque(0.0) == 0.0
    assert ask(motor, ENABLE).status == nibble
    assert ask(motor, DISABLE).status == nibble
    motor.set_fault(0xA)
    assert motor.status == nibble, 'the first fault is the one to report'
    assert ask(motor, CLEAR_ERROR).status == 0


def test_clearing_does_not_disable_a_healthy_motor(motor):
    ask(motor, ENABLE)
    assert ask(motor, CLEAR_ERROR).status == 1


def test_a_silent_motor_neither_hears_nor_answers(motor):
    ask(motor, ENABLE)
    motor.silent = True
    assert motor.on_frame(TX, DISABLE, 0.0) == []
    assert motor.enabled


def test_a_mute_motor_obeys_unheard(motor):
    motor.mute = True
    assert motor.on_frame(TX, ENABLE, 0.0) == []
    assert motor.enabled


def test_every_kth_answer_is_lost(motor):
    motor.drop_every = 3
    answered = [len(motor.on_frame(*refresh(TX), 0.0)) for _ in range(9)]
    assert answered == [1, 1, 0] * 3


def test_a_stuck_encoder_repeats_itself_on_the_bus_and_in_the_loop(motor):
    ask(motor, ENABLE)
    motor.measure(0.5, 1.0)
    motor.stuck = True
    motor.measure(0.9, -2.0)
    state = mit(motor, q=0.5, kp=50.0, kd=1.0)
    assert state.q == pytest.approx(0.5, abs=2e-4)
    assert state.v == pytest.approx(1.0, abs=8e-3)


# Temperature


def heated(motor, torque, seconds, dt=0.1):
    ask(motor, ENABLE)
    mit(motor, tau=torque)
    for i in range(round(seconds / dt)):
        motor.torque(i * dt)
    return motor


def test_rated_torque_for_ever_stays_below_every_trip(motor):
    heated(motor, motor.model.rated_torque, 3000.0)
    assert motor.heat.winding == pytest.approx(85.0, abs=0.5)
    assert motor.heat.drive == pytest.approx(40.0, abs=0.5)
    assert motor.enabled


def test_peak_torque_overheats_the_winding_and_switches_off(motor):
    heated(motor, motor.model.peak_torque, 300.0)
    state = ask(motor, refresh(TX)[1], 300.0, REGISTER_ID)
    assert state.status == 0xC
    assert motor.torque(300.0) == 0.0
    assert 25 < state.t_rotor <= 100


def test_a_hot_motor_cannot_be_cleared_until_it_has_cooled(motor):
    motor.heat.drive = 130.0
    motor.torque(0.0)
    assert ask(motor, CLEAR_ERROR).status == 0
    motor.torque(0.1)
    assert motor.status == 0xB
    for i in range(600):
        motor.torque(0.1 * i)
    ask(motor, CLEAR_ERROR)
    motor.torque(60.0)
    assert motor.status == 0
    assert motor.heat.drive < 120.0


def test_the_winding_trip_is_register_two(motor):
    write(motor, Reg.OT_VALUE, 80.0)
    motor.heat.winding = 80.5
    motor.torque(0.0)
    assert motor.status == 0xC


def test_temperatures_show_in_the_state(motor):
    motor.heat.drive, motor.heat.winding = 61.7, 48.2
    state = ask(motor, ENABLE)
    assert (state.t_mos, state.t_rotor) == (61, 48)
