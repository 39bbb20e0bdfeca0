# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Unitree messages byte for byte: the vendor's checksums, and the stock serializer."""

from pathlib import Path

import numpy as np
import pytest
from unitree_random import each, random_messages
import yaml

from vla_control.buses.unitree import (
    BMS_STATE,
    checksum_ok,
    decode_bms,
    decode_hand_cmd,
    decode_hand_state,
    decode_low_cmd,
    decode_low_state,
    encode_bms,
    encode_hand_cmd,
    encode_hand_state,
    encode_low_cmd,
    encode_low_state,
    hand_cmd,
    HAND_MOTORS,
    hand_state,
    low_cmd,
    low_state,
    seal,
    wire_low_cmd,
    wire_low_state,
)
from vla_control.buses.unitree_layout import HAND_CMD
from vla_control.core.errors import CodecError

VECTORS = yaml.safe_load((Path(__file__).parents[1] / 'data/unitree_vectors.yaml').read_text())
COMMAND_FLOATS = ('q', 'dq', 'tau', 'kp', 'kd')


def fill_motors(motors, wanted):
    for i in range(wanted['slots']):
        for name, value in wanted.items():
            if name.endswith('_step'):
                motors[name.removesuffix('_step')][i] = value * i
            elif name != 'slots':
                motors[name][i] = value


def build(vector):
    """Return the message a golden vector describes."""
    command = vector['type'] == 'LowCmd_'
    message = low_cmd() if command else low_state()
    motors = message['motor_cmd' if command else 'motor_state']
    for name, value in vector['fields'].items():
        if name == 'motors':
            fill_motors(motors, value)
        elif name == 'arm':
            motors['kp'][value['slots']] = value['kp']
            motors['kd'][value['slots']] = value['kd']
            motors['q'][29] = value['weight']
        elif name == 'q':
            motors['q'][list(value)] = list(value.values())
        elif name == 'motor':
            for slot, fields in value.items():
                for field, number in fields.items():
                    motors[field][slot] = number
        elif name in ('quaternion', 'accelerometer'):
            message['imu_state'][name] = value
        elif name == 'imu_temperature':
            message['imu_state']['temperature'] = value
        elif name == 'remote':
            message['wireless_remote'] = np.arange(40)
        else:
            message[name] = value
    return message


def random_message(rng, kind):
    """Return a message of random bits whose floats are numbers."""
    message = kind()
    flat = message.reshape(1).view(np.uint8)
    flat[:] = rng.integers(0, 256, flat.size, dtype=np.uint8)
    return message


def random_command(rng, kind=low_cmd):
    message = random_message(rng, kind)
    for name in COMMAND_FLOATS:
        motors = message['motor_cmd'][name]
        motors[:] = rng.normal(0.0, 10.0, motors.shape)
    return message


@pytest.mark.parametrize('vector', VECTORS['crc'], ids=lambda v: f'{v["crc"]:08x}')
def test_checksums_are_those_of_the_vendor(vector):
    message = build(vector)
    seal(message)
    assert int(message['crc']) == vector['crc']
    assert checksum_ok(message)


def test_messages_have_the_sizes_of_the_vendor():
    sizes = {
        'LowCmd_': len(encode_low_cmd(low_cmd())),
        'LowState_': len(encode_low_state(low_state())),
        'HandCmd_': len(encode_hand_cmd(hand_cmd())),
        'HandState_': len(encode_hand_state(hand_state())),
    }
    assert sizes == VECTORS['sizes']


@pytest.mark.parametrize(
    ('kind', 'encode', 'decode'),
    [
        (low_cmd, encode_low_cmd, decode_low_cmd),
        (low_state, encode_low_state, decode_low_state),
    ],
)
def test_a_message_survives_the_wire_and_any_changed_bit_is_noticed(kind, encode, decode):
    rng = np.random.default_rng(1)
    message = random_command(rng) if kind is low_cmd else random_message(rng, kind)
    payload = encode(message)
    back = decode(payload)
    assert back.tobytes() == message.tobytes()
    assert checksum_ok(back)
    for byte in rng.integers(16, len(payload), 100):
        changed = bytearray(payload)
        changed[byte] ^= 1 << int(rng.integers(8))
        different = decode(bytes(changed)).tobytes() != message.tobytes()
        assert checksum_ok(decode(bytes(changed))) is not different


def test_what_a_sender_leaves_in_the_padding_does_not_matter():
    clean = encode_low_cmd(build(VECTORS['crc'][1]))
    dirty = bytearray(clean)
    dirty[7] = 0xAA  # behind the mode of motor 0
    dirty[33] = 0xBB  # behind the mode of motor 1
    assert checksum_ok(decode_low_cmd(bytes(dirty)))
    assert decode_low_cmd(bytes(dirty)).tobytes() == decode_low_cmd(clean).tobytes()


@pytest.mark.parametrize('field', COMMAND_FLOATS)
@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf])
def test_a_number_that_is_not_finite_is_refused_by_slot_and_field(field, value):
    for kind, encode in ((low_cmd, encode_low_cmd), (hand_cmd, encode_hand_cmd)):
        message = kind()
        message['motor_cmd'][field][3] = value
        with pytest.raises(CodecError, match=f'slot 3: {field}'):
            encode(message)


@pytest.mark.parametrize(
    'payload',
    [
        b'',
        encode_low_cmd(low_cmd())[:-1],
        encode_low_state(low_state()),
        b'\x00\x07' + encode_low_cmd(low_cmd())[2:],  # XCDR2
    ],
)
def test_what_is_no_command_is_refused(payload):
    with pytest.raises(CodecError, match='LowCmd_'):
        decode_low_cmd(payload)


def test_a_hand_with_another_number_of_motors_is_refused():
    payload = bytearray(encode_hand_state(hand_state()))
    payload[4] = 6
    with pytest.raises(CodecError, match='6 motors, expected 7'):
        decode_hand_state(bytes(payload))


@pytest.mark.parametrize('pads', [0, 7, 11])
def test_a_hand_with_other_pressure_sensors_is_understood(pads):
    state = hand_state()
    state['motor_state']['q'] = np.arange(7)
    state['press_sensor_state']['lost'] = np.arange(1, 10)
    state['power_v'] = 24.5
    whole = encode_hand_state(state)
    begin, end = 4 + 4 + 7 * 56, 4 + 4 + 7 * 56 + 4 + 9 * 104
    sensors = (whole[begin + 4 : end] + whole[begin + 4 : end])[: pads * 104]
    payload = whole[:begin] + pads.to_bytes(4, 'little') + sensors + whole[end:]
    back = decode_hand_state(payload)
    assert back['motor_state']['q'].tolist() == list(range(7))
    assert float(back['power_v']) == 24.5
    assert back['press_sensor_state']['lost'].tolist() == [
        i if i <= pads else 0 for i in range(1, 10)
    ]


def motor_cmds(idl, records):
    return [idl.MotorCmd_(*record) for record in records.tolist()]


def motor_states(idl, records):
    return [
        idl.MotorState_(*(v.tolist() if hasattr(v, 'tolist') else v for v in record))
        for record in records
    ]


def imu(idl, record):
    return idl.IMUState_(*(v.tolist() for v in record.item()))


@pytest.fixture(scope='module')
def idl():
    pytest.importorskip('cyclonedds')
    from vla_control.buses import unitree_idl

    return unitree_idl


def stock_bytes(message):
    from cyclonedds.idl import IdlStruct

    return IdlStruct.serialize(message, use_version_2=False)


def stock_command(idl, m):
    return idl.LowCmd_(
        int(m['mode_pr']),
        int(m['mode_machine']),
        motor_cmds(idl, m['motor_cmd']),
        m['reserve'].tolist(),
        int(m['crc']),
    )


@pytest.mark.slow
def test_20000_random_commands_equal_the_stock_serializer(idl):
    rng = np.random.default_rng(2)
    mismatches = 0
    for _ in range(20_000):
        message = random_command(rng)
        seal(message)
        mismatches += wire_low_cmd(message) != stock_bytes(stock_command(idl, message))
    assert mismatches == 0


def test_random_states_equal_the_stock_serializer(idl):
    rng = np.random.default_rng(3)
    for _ in range(100):
        m = low_state()
        flat = m.reshape(1).view(np.uint8)
        flat[:] = rng.integers(0, 128, flat.size, dtype=np.uint8)  # floats stay numbers
        seal(m)
        stock = idl.LowState_(
            m['version'].tolist(),
            int(m['mode_pr']),
            int(m['mode_machine']),
            int(m['tick']),
            idl.IMUState_(
                *(np.asarray(m['imu_state'][f]).tolist() for f in m['imu_state'].dtype.names)
            ),
            motor_states(idl, m['motor_state']),
            m['wireless_remote'].tolist(),
            m['reserve'].tolist(),
            int(m['crc']),
        )
        assert wire_low_state(m) == stock_bytes(stock)


def test_20000_random_hand_commands_equal_the_stock_serializer(idl):
    commands = random_messages(np.random.default_rng(4), HAND_CMD, 20_000)
    commands['count'] = HAND_MOTORS
    mismatches = 0
    for command in each(commands):
        stock = idl.HandCmd_(motor_cmds(idl, command['motor_cmd']), command['reserve'].tolist())
        payload = encode_hand_cmd(command)
        mismatches += without_padding(payload) != stock_bytes(stock)
        mismatches += decode_hand_cmd(payload).tobytes() != command.tobytes()
    assert mismatches == 0


def test_a_random_hand_state_equals_the_stock_serializer(idl):
    rng = np.random.default_rng(4)
    state = hand_state()
    state['motor_state']['q'] = rng.normal(size=7)
    state['press_sensor_state']['pressure'] = rng.normal(size=(9, 12))
    state['imu_state']['temperature'] = 31
    state['power_v'], state['error'] = 24.5, [7, 8]
    stock = idl.HandState_(
        motor_states(idl, state['motor_state']),
        [
            idl.PressSensorState_(r[0].tolist(), r[1].tolist(), int(r[2]), int(r[3]))
            for r in state['press_sensor_state']
        ],
        idl.IMUState_(
            *(np.asarray(state['imu_state'][f]).tolist() for f in state['imu_state'].dtype.names)
        ),
        *(float(state[f]) for f in ('power_v', 'power_a', 'system_v', 'device_v')),
        state['error'].tolist(),
        state['reserve'].tolist(),
    )
    assert encode_hand_state(state) == stock_bytes(stock)


def without_padding(payload):
    """Zero the three bytes behind each motor's mode."""
    clean = bytearray(payload)
    for motor in range(7):
        clean[9 + 28 * motor : 12 + 28 * motor] = b'\x00' * 3
    return bytes(clean)


def test_the_battery_equals_the_stock_serializer(idl):
    rng = np.random.default_rng(5)
    state = np.zeros((), BMS_STATE)
    for name in BMS_STATE.names:
        state[name] = rng.integers(0, 120, state[name].shape)
    stock = idl.BmsState_(*(np.asarray(state[f]).tolist() for f in BMS_STATE.names))
    assert encode_bms(state) == stock_bytes(stock)
    assert decode_bms(encode_bms(state)).tobytes() == state.tobytes()
