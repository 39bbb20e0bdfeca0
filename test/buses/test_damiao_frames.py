# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The frame codec against recorded frames, every code, and what must never reach the wire."""

from functools import cache
import math
from pathlib import Path
import struct

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest
import yaml

from vla_control.buses.damiao import (
    CLEAR_ERROR,
    command_id,
    decode_feedback,
    decode_mit,
    decode_pos_force,
    decode_pos_vel,
    decode_vel,
    DISABLE,
    ENABLE,
    encode_feedback,
    encode_mit,
    encode_pos_force,
    encode_pos_vel,
    encode_vel,
    Feedback,
    MitRanges,
    Mode,
    motor_status,
    SET_ZERO,
)
from vla_control.core.errors import CodecError, ConfigError
from vla_control.core.messages import MotorStatus

VECTORS = yaml.safe_load((Path(__file__).parents[1] / 'data' / 'damiao_vectors.yaml').read_text())
RANGES = {model: MitRanges(**section) for model, section in VECTORS['ranges'].items()}
MODELS = sorted(RANGES)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
NOT_FINITE = (math.nan, math.inf, -math.inf, np.float64('nan'), np.float32('inf'))


def fields(data):
    """The codes of an impedance frame: q, v, kp, kd, tau."""
    word = int.from_bytes(data, 'big')
    return [word >> 48, word >> 36 & 0xFFF, word >> 24 & 0xFFF, word >> 12 & 0xFFF, word & 0xFFF]


@cache
def full_scales(model):
    ranges = RANGES[model]
    return (
        (-ranges.position, ranges.position, 65535),
        (-ranges.velocity, ranges.velocity, 4095),
        (0.0, 500.0, 4095),
        (0.0, 5.0, 4095),
        (-ranges.torque, ranges.torque, 4095),
    )


@pytest.mark.parametrize('case', VECTORS['mit_encode'], ids=lambda c: c['id'])
def test_recorded_commands_are_met_within_the_truncation_of_their_encoders(case):
    ours = encode_mit(
        RANGES[case['model']], case['q'], case['v'], case['kp'], case['kd'], case['tau']
    )
    theirs = bytes.fromhex(case['hex'])
    differences = [a - b for a, b in zip(fields(ours), fields(theirs), strict=True)]
    assert all(0 <= d <= (0 if case['on_code'] else 1) for d in differences), ours.hex()


@pytest.mark.parametrize('case', VECTORS['mit_encode'], ids=lambda c: c['id'])
def test_recorded_commands_encode_to_the_nearest_code_of_every_field(case):
    ours = encode_mit(
        RANGES[case['model']], case['q'], case['v'], case['kp'], case['kd'], case['tau']
    )
    wanted = (case['q'], case['v'], case['kp'], case['kd'], case['tau'])
    for value, code, (low, high, top) in zip(
        wanted, fields(ours), full_scales(case['model']), strict=True
    ):
        exact = (min(max(value, low), high) - low) / (high - low) * top
        assert abs(code - exact) <= 0.5 + 1e-9


@pytest.mark.parametrize('case', VECTORS['mit_encode'], ids=lambda c: c['id'])
def test_recorded_commands_decode_and_encode_to_themselves(case):
    data = bytes.fromhex(case['hex'])
    assert encode_mit(RANGES[case['model']], *decode_mit(RANGES[case['model']], data)) == data


@pytest.mark.parametrize('case', VECTORS['feedback_decode'], ids=lambda c: c['id'])
def test_recorded_states_decode_to_their_values(case):
    data = bytes.fromhex(case['hex'])
    state = decode_feedback(RANGES[case['model']], data)
    for name in ('motor_id', 'status', 't_mos', 't_rotor'):
        assert getattr(state, name) == case[name]
    for name in ('q', 'v', 'tau'):
        assert getattr(state, name) == pytest.approx(case[name], abs=1e-9)
    assert encode_feedback(RANGES[case['model']], state) == data


def test_special_frames_are_the_recorded_ones():
    recorded = VECTORS['special_frames']
    assert recorded['enable'] == ENABLE.hex()
    assert recorded['disable'] == DISABLE.hex()
    assert recorded['set_zero'] == SET_ZERO.hex()
    assert recorded['clear_error'] == CLEAR_ERROR.hex()


def test_the_other_modes_encode_to_the_recorded_frames():
    case = VECTORS['pos_vel']
    assert encode_pos_vel(case['q'], case['speed']).hex() == case['hex']
    assert command_id(Mode.POS_VEL, 8) == case['arbitration_id']
    case = VECTORS['vel']
    assert encode_vel(case['v']).hex() == case['hex']
    assert command_id(Mode.VEL, 8) == case['arbitration_id']
    case = VECTORS['pos_force']
    assert encode_pos_force(case['q'], case['speed'], case['current']).hex() == case['hex']
    assert command_id(Mode.POS_FORCE, 8) == case['arbitration_id']
    assert command_id(Mode.MIT, 8) == 8


@pytest.mark.parametrize('model', MODELS)
def test_every_position_code_survives_decoding_and_encoding(model):
    ranges = RANGES[model]
    for code in range(1 << 16):
        data = (code << 48).to_bytes(8, 'big')
        q = decode_mit(ranges, data).q
        assert encode_mit(ranges, q, -ranges.velocity, 0.0, 0.0, -ranges.torque) == data


@pytest.mark.parametrize('model', MODELS)
def test_every_twelve_bit_code_survives_decoding_and_encoding_in_every_field(model):
    ranges = RANGES[model]
    for code in range(1 << 12):
        data = (code << 36 | code << 24 | code << 12 | code).to_bytes(8, 'big')
        assert encode_mit(ranges, *decode_mit(ranges, data)) == data


@given(model=st.sampled_from(MODELS), q=FINITE, v=FINITE, kp=FINITE, kd=FINITE, tau=FINITE)
def test_any_finite_command_lands_within_half_a_code_of_its_saturated_self(
    model, q, v, kp, kd, tau
):
    command = decode_mit(RANGES[model], encode_mit(RANGES[model], q, v, kp, kd, tau))
    for value, found, (low, high, top) in zip(
        (q, v, kp, kd, tau), command, full_scales(model), strict=True
    ):
        saturated = min(max(value, low), high)
        assert abs(found - saturated) <= (high - low) / top * (0.5 + 1e-9)


@given(model=st.sampled_from(MODELS), q=FINITE, v=FINITE, tau=FINITE)
def test_any_finite_state_lands_within_half_a_code_of_its_saturated_self(model, q, v, tau):
    ranges = RANGES[model]
    state = decode_feedback(ranges, encode_feedback(ranges, Feedback(3, 1, q, v, tau, 300, -4)))
    scales = [full_scales(model)[i] for i in (0, 1, 4)]
    for value, found, (low, high, top) in zip(
        (q, v, tau), (state.q, state.v, state.tau), scales, strict=True
    ):
        assert abs(found - min(max(value, low), high)) <= (high - low) / top * (0.5 + 1e-9)
    assert (state.motor_id, state.status, state.t_mos, state.t_rotor) == (3, 1, 255, 0)


@pytest.mark.parametrize('model', MODELS)
def test_zero_takes_the_code_just_below_it_as_every_encoder_does(model):
    assert encode_mit(RANGES[model], 0.0, 0.0, 0.0, 0.0, 0.0).hex() == '7fff7ff0000007ff'
    assert encode_mit(RANGES[model], -0.0, -0.0, -0.0, -0.0, -0.0).hex() == '7fff7ff0000007ff'


def test_a_hair_above_zero_takes_the_code_just_above_it():
    assert fields(encode_mit(RANGES['DM8009'], 1e-6, 1e-6, 0.0, 0.0, 1e-6)) == [
        0x8000,
        0x800,
        0,
        0,
        0x800,
    ]


@pytest.mark.parametrize('bad', NOT_FINITE)
@pytest.mark.parametrize('field', ['q', 'v', 'kp', 'kd', 'tau'])
def test_no_command_with_a_field_that_is_not_finite_becomes_bytes(field, bad):
    values = {'q': 0.1, 'v': 0.1, 'kp': 1.0, 'kd': 1.0, 'tau': 0.1, field: bad}
    with pytest.raises(CodecError, match=rf'^{field} is (nan|-?inf)'):
        encode_mit(RANGES['DM4310'], **values)


@pytest.mark.parametrize('bad', [None, 'fast', [1.0, 2.0], 1j, {}])
@pytest.mark.parametrize('field', ['q', 'v', 'kp', 'kd', 'tau'])
def test_what_is_not_a_number_is_refused_by_name(field, bad):
    values = {'q': 0.1, 'v': 0.1, 'kp': 1.0, 'kd': 1.0, 'tau': 0.1, field: bad}
    with pytest.raises(CodecError, match=f'{field} is'):
        encode_mit(RANGES['DM4310'], **values)


@pytest.mark.parametrize('bad', NOT_FINITE)
def test_the_other_modes_refuse_what_is_not_finite(bad):
    with pytest.raises(CodecError, match='q is'):
        encode_pos_vel(bad, 1.0)
    with pytest.raises(CodecError, match='speed is'):
        encode_pos_vel(0.0, bad)
    with pytest.raises(CodecError, match='v is'):
        encode_vel(bad)
    with pytest.raises(CodecError, match='q is'):
        encode_pos_force(bad, 1.0, 0.5)
    with pytest.raises(CodecError, match='speed is'):
        encode_pos_force(0.0, bad, 0.5)
    with pytest.raises(CodecError, match='current is'):
        encode_pos_force(0.0, 1.0, bad)
    with pytest.raises(CodecError, match='tau is'):
        encode_feedback(RANGES['DM4310'], Feedback(1, 1, 0.0, 0.0, bad, 25, 25))


def test_numpy_scalars_encode_as_floats_do():
    plain = encode_mit(RANGES['DM8009'], 0.5, -0.25, 70.0, 2.75, 1.5)
    for kind in (np.float64, np.float32):
        values = [kind(x) for x in (0.5, -0.25, 70.0, 2.75, 1.5)]
        assert encode_mit(RANGES['DM8009'], *values) == plain
    assert encode_mit(RANGES['DM8009'], np.int64(1), 0, 0, 0, 0) == encode_mit(
        RANGES['DM8009'], 1.0, 0.0, 0.0, 0.0, 0.0
    )


def test_position_force_limits_saturate_and_round():
    assert decode_pos_force(encode_pos_force(1.0, 1e9, 7.0)) == (1.0, 100.0, 1.0)
    assert decode_pos_force(encode_pos_force(1.0, -3.0, -1.0)) == (1.0, 0.0, 0.0)
    assert decode_pos_force(encode_pos_force(1.0, 0.127, 0.12346)) == (1.0, 0.13, 0.1235)
    beyond = struct.pack('<fHH', 1.0, 65535, 20000)
    assert decode_pos_force(beyond) == (1.0, 100.0, 1.0)


def test_position_speed_and_speed_saturate_at_what_a_float32_holds():
    q, speed = decode_pos_vel(encode_pos_vel(1e300, -2.0))
    assert (q, speed) == (pytest.approx(3.4028235e38), 0.0)
    assert decode_vel(encode_vel(-1e300)) == pytest.approx(-3.4028235e38)
    assert decode_vel(bytes.fromhex('0000c03f')) == 1.5


@pytest.mark.parametrize('length', [0, 4, 7, 9, 64])
def test_frames_of_another_length_are_refused(length):
    data = bytes(length)
    for decode in (decode_feedback, decode_mit):
        with pytest.raises(CodecError, match=f'{length} bytes, expected 8'):
            decode(RANGES['DM4310'], data)
    for decode in (decode_pos_vel, decode_pos_force):
        with pytest.raises(CodecError, match=f'{length} bytes, expected 8'):
            decode(data)


def test_every_status_nibble_has_a_name_and_unassigned_ones_are_unhealthy():
    names = {n: motor_status(n) for n in range(16)}
    assert names[0x0] is MotorStatus.DISABLED
    assert names[0x1] is MotorStatus.ENABLED
    assert names[0x8] is MotorStatus.OVER_VOLTAGE
    assert names[0x9] is MotorStatus.UNDER_VOLTAGE
    assert names[0xA] is MotorStatus.OVER_CURRENT
    assert names[0xB] is MotorStatus.DRIVE_HOT
    assert names[0xC] is MotorStatus.WINDING_HOT
    assert names[0xD] is MotorStatus.LOST_COMMUNICATION
    assert names[0xE] is MotorStatus.OVERLOAD
    assert [n for n, s in names.items() if s.healthy] == [0, 1]


@pytest.mark.parametrize('bad', [0.0, -1.0, math.nan, math.inf])
def test_a_range_nothing_can_be_scaled_by_is_refused(bad):
    with pytest.raises(ConfigError, match='range of velocity'):
        MitRanges(12.5, bad, 10.0)
