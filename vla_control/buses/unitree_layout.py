# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Unitree low-level messages (IDL package unitree_hg) as numpy records and as bytes on the wire.

A message is a 0-d structured array in the layout of the C struct, so ``m['motor_cmd']['q'][15]``
is slot 15. The wire carries the same fields in CDR: primitives are aligned, structs are not, so
the first motor's mode is packed right behind what precedes it; from its ``q`` on both layouts
are byte for byte the same. Payloads begin with the four bytes that name the encoding.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vla_control.buses.unitree_crc import crc32
from vla_control.core.errors import CodecError

Message = NDArray[np.void]

HEADER = b'\x00\x01\x00\x00'  # XCDR1, little endian
SLOTS = 35  # motors of a LowCmd_ and LowState_, used or not
HAND_MOTORS = 7
PRESS_SENSORS = 9

MOTOR_CMD = np.dtype(
    {
        'names': ['mode', 'q', 'dq', 'tau', 'kp', 'kd', 'reserve'],
        'formats': ['u1', '<f4', '<f4', '<f4', '<f4', '<f4', '<u4'],
        'offsets': [0, 4, 8, 12, 16, 20, 24],
        'itemsize': 28,
    }
)
MOTOR_STATE = np.dtype(
    {
        'names': [
            'mode', 'q', 'dq', 'ddq', 'tau_est', 'temperature', 'vol', 'sensor', 'motorstate',
            'reserve',
        ],
        'formats': [
            'u1', '<f4', '<f4', '<f4', '<f4', ('<i2', 2), '<f4', ('<u4', 2), '<u4', ('<u4', 4),
        ],
        'offsets': [0, 4, 8, 12, 16, 20, 24, 28, 36, 40],
        'itemsize': 56,
    }
)  # fmt: skip
IMU_STATE = np.dtype(
    {
        'names': ['quaternion', 'gyroscope', 'accelerometer', 'rpy', 'temperature'],
        'formats': [('<f4', 4), ('<f4', 3), ('<f4', 3), ('<f4', 3), '<i2'],
        'offsets': [0, 16, 28, 40, 52],
        'itemsize': 56,
    }
)
LOW_CMD = np.dtype(
    {
        'names': ['mode_pr', 'mode_machine', 'motor_cmd', 'reserve', 'crc'],
        'formats': ['u1', 'u1', (MOTOR_CMD, SLOTS), ('<u4', 4), '<u4'],
        'offsets': [0, 1, 4, 984, 1000],
        'itemsize': 1004,
    }
)
LOW_STATE = np.dtype(
    {
        'names': [
            'version', 'mode_pr', 'mode_machine', 'tick', 'imu_state', 'motor_state',
            'wireless_remote', 'reserve', 'crc',
        ],
        'formats': [
            ('<u4', 2), 'u1', 'u1', '<u4', IMU_STATE, (MOTOR_STATE, SLOTS), ('u1', 40),
            ('<u4', 4), '<u4',
        ],
        'offsets': [0, 8, 9, 12, 16, 72, 2032, 2072, 2088],
        'itemsize': 2092,
    }
)  # fmt: skip
PRESS_SENSOR = np.dtype(
    [('pressure', '<f4', 12), ('temperature', '<f4', 12), ('lost', '<u4'), ('reserve', '<u4')]
)
HAND_CMD = np.dtype(
    [('count', '<u4'), ('motor_cmd', MOTOR_CMD, HAND_MOTORS), ('reserve', '<u4', 4)]
)
HAND_STATE = np.dtype(
    [
        ('count', '<u4'),
        ('motor_state', MOTOR_STATE, HAND_MOTORS),
        ('press_count', '<u4'),
        ('press_sensor_state', PRESS_SENSOR, PRESS_SENSORS),
        ('imu_state', IMU_STATE),
        ('power_v', '<f4'),
        ('power_a', '<f4'),
        ('system_v', '<f4'),
        ('device_v', '<f4'),
        ('error', '<u4', 2),
        ('reserve', '<u4', 2),
    ]
)
BMS_STATE = np.dtype(
    {
        'names': [
            'version_high', 'version_low', 'fn', 'cell_vol', 'bmsvoltage', 'current', 'soc',
            'soh', 'temperature', 'cycle', 'manufacturer_date', 'bmsstate', 'reserve',
        ],
        'formats': [
            'u1', 'u1', 'u1', ('<u2', 40), ('<u4', 3), '<i4', 'u1', 'u1', ('<i2', 12), '<u2',
            '<u2', ('<u4', 5), ('<u4', 3),
        ],
        'offsets': [0, 1, 2, 4, 84, 96, 100, 101, 102, 126, 128, 132, 152],
        'itemsize': 164,
    }
)  # fmt: skip


def _padding_mask(dtype: np.dtype[Any]) -> NDArray[np.uint8]:
    """Return 255 where a byte of the layout belongs to a field, 0 where it is padding."""
    mask = np.zeros(dtype.itemsize, np.uint8)
    for kind, offset, *_ in (dtype.fields or {}).values():
        base, count = kind.base, int(np.prod(kind.shape))
        inner = _padding_mask(base) if base.fields else np.full(base.itemsize, 255, np.uint8)
        mask[offset : offset + kind.itemsize] = np.tile(inner, count)
    return mask


def _words(mask: NDArray[np.uint8]) -> NDArray[np.uint32]:
    return mask.view(np.uint32)


_CMD_MASK = _words(_padding_mask(LOW_CMD))
_STATE_MASK = _words(_padding_mask(LOW_STATE))
# Size of a message -> its motors: first byte, byte behind the last, bytes of each.
_MOTORS_AT = {LOW_CMD.itemsize: (4, 984, 28), LOW_STATE.itemsize: (72, 2032, 56)}
_NOTHING = bytes(SLOTS)
_CMD_SIZE, _STATE_SIZE = 1004, 2092  # [bytes] on the wire, header included
_HAND_CMD_SIZE, _HAND_STATE_SIZE, _BMS_SIZE = 220, 1428, 168
_MOST_PADS = 64  # a count beyond is rubbish
_PRESS_COUNT = 4 + HAND_STATE.fields['press_count'][1]  # type: ignore[index]  # on the wire


def low_cmd() -> Message:
    """Return a LowCmd_ of zeros."""
    return np.zeros((), LOW_CMD)


def low_state() -> Message:
    """Return a LowState_ of zeros."""
    return np.zeros((), LOW_STATE)


def hand_cmd() -> Message:
    """Return a HandCmd_ of zeros for seven motors."""
    message = np.zeros((), HAND_CMD)
    message['count'] = HAND_MOTORS
    return message


def hand_state() -> Message:
    """Return a HandState_ of zeros, seven motors and nine pressure sensors."""
    message = np.zeros((), HAND_STATE)
    message['count'], message['press_count'] = HAND_MOTORS, PRESS_SENSORS
    return message


def motion(motors: Message) -> NDArray[np.float32]:
    """Return q, dq, ddq and tau_est of (m,) motors of a state in one table (m, 4), a view."""
    return np.frombuffer(motors, np.float32).reshape(len(motors), -1)[:, 1:5]


def seal(message: Message) -> None:
    """Zero the padding of a LowCmd_ or LowState_ and write its checksum into it."""
    words = np.frombuffer(message, np.uint32)
    words &= _CMD_MASK if message.dtype == LOW_CMD else _STATE_MASK
    words[-1] = crc32(words[:-1].tobytes())


def checksum_ok(message: Message) -> bool:
    """Return whether the checksum of a decoded LowCmd_ or LowState_ is right."""
    image = message.tobytes()
    return int(message['crc']) == crc32(image[:-4])


def encode_low_cmd(message: Message) -> bytes:
    """
    Seal a LowCmd_ and return its wire bytes.

    :raises CodecError: when a motor's number is not finite; the message names slot and field.
    """
    _check_finite(message['motor_cmd'])
    seal(message)
    return wire_low_cmd(message)


def wire_low_cmd(message: Message) -> bytes:
    """Return the wire bytes of a LowCmd_ as it is, its checksum untouched."""
    image = message.tobytes()
    return b''.join((HEADER, image[0:2], image[4:5], b'\x00', image[8:]))


def decode_low_cmd(payload: bytes) -> Message:
    """
    Read a LowCmd_; its checksum is not judged.

    :raises CodecError: when it is no XCDR1 LowCmd_.
    """
    body = _body(payload, _CMD_SIZE, 'LowCmd_')
    image = b''.join((body[0:2], b'\x00\x00', body[2:3], b'\x00\x00\x00', body[4:]))
    return _clean(image, LOW_CMD)


def encode_low_state(message: Message) -> bytes:
    """Seal a LowState_ and return its wire bytes."""
    seal(message)
    return wire_low_state(message)


def wire_low_state(message: Message) -> bytes:
    """Return the wire bytes of a LowState_ as it is, its checksum untouched."""
    image = message.tobytes()
    return b''.join((HEADER, image[0:70], image[72:73], b'\x00', image[76:]))


def decode_low_state(payload: bytes) -> Message:
    """
    Read a LowState_; its checksum is not judged.

    :raises CodecError: when it is no XCDR1 LowState_.
    """
    body = _body(payload, _STATE_SIZE, 'LowState_')
    head = body[0:10], b'\x00\x00', body[12:70], b'\x00\x00'
    return _clean(b''.join((*head, body[70:71], b'\x00\x00\x00', body[72:])), LOW_STATE)


def encode_hand_cmd(message: Message) -> bytes:
    """
    Return the wire bytes of a HandCmd_; it has no checksum.

    :raises CodecError: when a motor's number is not finite.
    """
    _check_finite(message['motor_cmd'])
    return HEADER + message.tobytes()


def decode_hand_cmd(payload: bytes) -> Message:
    """
    Read a HandCmd_.

    :raises CodecError: when it is not one of seven motors.
    """
    return _counted(payload, _HAND_CMD_SIZE, HAND_CMD, 'HandCmd_')


def encode_hand_state(message: Message) -> bytes:
    """Return the wire bytes of a HandState_."""
    return HEADER + message.tobytes()


def decode_hand_state(payload: bytes) -> Message:
    """
    Read a HandState_; pressure sensors it has not got read zero, those beyond nine are dropped.

    :raises CodecError: when it is not one of seven motors.
    """
    start, count = _PRESS_COUNT, int.from_bytes(payload[_PRESS_COUNT : _PRESS_COUNT + 4], 'little')
    if count != PRESS_SENSORS and count <= _MOST_PADS:
        pads, rest = start + 4, start + 4 + count * PRESS_SENSOR.itemsize
        kept = payload[pads:rest][: PRESS_SENSORS * PRESS_SENSOR.itemsize]
        size = PRESS_SENSORS.to_bytes(4, 'little')
        kept = kept.ljust(PRESS_SENSORS * PRESS_SENSOR.itemsize, b'\x00')
        payload = payload[:start] + size + kept + payload[rest:]
    return _counted(payload, _HAND_STATE_SIZE, HAND_STATE, 'HandState_')


def encode_bms(message: Message) -> bytes:
    """Return the wire bytes of a BmsState_, a record of dtype BMS_STATE."""
    return HEADER + message.tobytes()


def decode_bms(payload: bytes) -> Message:
    """
    Read a BmsState_.

    :raises CodecError: when it is none.
    """
    return np.frombuffer(_body(payload, _BMS_SIZE, 'BmsState_'), BMS_STATE).reshape(())


def _body(payload: bytes, size: int, name: str) -> bytes:
    if payload[:4] != HEADER or len(payload) != size:
        raise CodecError(
            f'{name}: got {len(payload)} bytes that begin {payload[:4].hex()}, expected {size} '
            f'that begin {HEADER.hex()} (XCDR1, little endian)'
        )
    return payload[4:]


def _clean(image: bytes, dtype: np.dtype[Any]) -> Message:
    # What a sender leaves in the padding behind a mode is not part of the message, and not of its
    # checksum. A mask over the whole image takes longer.
    clean, (start, stop, step) = bytearray(image), _MOTORS_AT[dtype.itemsize]
    for padding in (1, 2, 3):
        clean[start + padding : stop : step] = _NOTHING
    return np.ndarray((), dtype, clean)


def _counted(payload: bytes, size: int, dtype: np.dtype[Any], name: str) -> Message:
    message = np.frombuffer(_body(payload, size, name), dtype).reshape(())
    count = int(message['count'])
    if count != HAND_MOTORS:
        raise CodecError(f'{name}: {count} motors, expected {HAND_MOTORS}')
    return message


def _check_finite(motors: NDArray[np.void]) -> None:
    block = np.frombuffer(motors, np.float32).reshape(len(motors), -1)[:, 1:6]
    if np.count_nonzero(np.isfinite(block)) == block.size:  # a third of what all() takes
        return
    slot, column = (int(i) for i in np.argwhere(~np.isfinite(block))[0])
    field = ('q', 'dq', 'tau', 'kp', 'kd')[column]
    raise CodecError(f'motor slot {slot}: {field} is {block[slot, column]}, expected a number')
