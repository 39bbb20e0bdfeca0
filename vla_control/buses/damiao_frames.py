# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Command and state frames of Damiao motors as pure functions: values in, bytes out, and back.

Every field saturates at the range its motor has configured, is rounded to the nearest code and
refuses what is not finite. Rounding matters: the vendor's routines truncate, so each set-point is
up to one code low. Zero lies exactly between two codes; the lower one is taken, as everyone does.
Layouts and numbers: manufacturer's manuals of DM-J8009P, DM-J4340 and DM-J4310 (2024).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
import math
import struct
from typing import NamedTuple

from vla_control.core.errors import CodecError, ConfigError
from vla_control.core.messages import MotorStatus

ENABLE = bytes.fromhex('fffffffffffffffc')
DISABLE = bytes.fromhex('fffffffffffffffd')
SET_ZERO = bytes.fromhex('fffffffffffffffe')
CLEAR_ERROR = bytes.fromhex('fffffffffffffffb')

KP_MAX = 500.0  # [N·m/rad] the same for every model
KD_MAX = 5.0  # [N·m·s/rad]
SPEED_CODE = 100.0  # codes per rad/s in position-force mode
CURRENT_CODE = 10000.0  # codes per unit of the drive's largest current
POS_FORCE_MAX = 10000  # both fields are capped here by the firmware

_FLOAT32_MAX = 3.4028234663852886e38
_STATUS = {
    0x0: MotorStatus.DISABLED,
    0x1: MotorStatus.ENABLED,
    0x8: MotorStatus.OVER_VOLTAGE,
    0x9: MotorStatus.UNDER_VOLTAGE,
    0xA: MotorStatus.OVER_CURRENT,
    0xB: MotorStatus.DRIVE_HOT,
    0xC: MotorStatus.WINDING_HOT,
    0xD: MotorStatus.LOST_COMMUNICATION,
    0xE: MotorStatus.OVERLOAD,
}
_TWO_FLOATS = struct.Struct('<ff')
_FLOAT_AND_TWO_WORDS = struct.Struct('<fHH')


class Mode(IntEnum):
    """Value of register 10; decides how a command frame is read."""

    MIT = 1  # impedance: stiffness, damping, torque
    POS_VEL = 2  # position with a speed limit
    VEL = 3  # speed
    POS_FORCE = 4  # position with a speed and a current limit


@dataclass(frozen=True, slots=True)
class MitRanges:
    """Symmetric ranges of the packed fields: registers 21, 22 and 23 of the motor."""

    position: float  # [rad] PMAX
    velocity: float  # [rad/s] VMAX
    torque: float  # [N·m] TMAX

    def __post_init__(self) -> None:
        """Refuse a range nothing can be scaled by."""
        for name in ('position', 'velocity', 'torque'):
            value = getattr(self, name)
            if not 0.0 < value < math.inf:
                raise ConfigError(f'MIT range of {name} is {value}; it must be finite and > 0')


# Named tuples here, not dataclasses: they are made once per frame and cost a third.
class Feedback(NamedTuple):
    """A motor's state frame."""

    motor_id: int  # low four bits of the id it listens to
    status: int  # nibble; motor_status() names it
    q: float  # [rad]
    v: float  # [rad/s]
    tau: float  # [N·m]
    t_mos: int  # [deg C] drive
    t_rotor: int  # [deg C] winding


class MitCommand(NamedTuple):
    """The fields of an impedance command."""

    q: float  # [rad]
    v: float  # [rad/s]
    kp: float  # [N·m/rad]
    kd: float  # [N·m·s/rad]
    tau: float  # [N·m]


class PosForceCommand(NamedTuple):
    """The fields of a position-force command."""

    q: float  # [rad]
    speed: float  # [rad/s] limit
    current: float  # [1] limit, per unit of the drive's largest current


def command_id(mode: Mode, tx: int) -> int:
    """Return the arbitration id of a command in a mode; special frames go to plain ``tx``."""
    return tx + (mode - 1) * 0x100


def motor_status(nibble: int) -> MotorStatus:
    """Name a status nibble; the unassigned ones are faults."""
    return _STATUS.get(nibble, MotorStatus.UNKNOWN)


def encode_mit(ranges: MitRanges, q: float, v: float, kp: float, kd: float, tau: float) -> bytes:
    """
    Encode ``torque = kp (q - q_measured) + kd (v - v_measured) + tau``.

    :param ranges: the motor's own ranges, registers 21 to 23.
    :param q: [rad]
    :param v: [rad/s]
    :param kp: [N·m/rad] 0..500
    :param kd: [N·m·s/rad] 0..5; must not be 0 where kp > 0, or the motor oscillates.
    :param tau: [N·m]
    :raises CodecError: naming the field that is not a finite number.
    """
    try:
        q, v, kp, kd, tau = float(q), float(v), float(kp), float(kd), float(tau)
    except (TypeError, ValueError) as error:
        fields = {'q': q, 'v': v, 'kp': kp, 'kd': kd, 'tau': tau}
        raise CodecError(f'MIT command: not a number: {_first_bad(fields)}') from error
    # A NaN fails every comparison and an infinity the outer one: both land in _limit.
    p_max, v_max, t_max = ranges.position, ranges.velocity, ranges.torque
    if not -p_max <= q <= p_max:
        q = _limit('q', q, -p_max, p_max)
    if not -v_max <= v <= v_max:
        v = _limit('v', v, -v_max, v_max)
    if not 0.0 <= kp <= KP_MAX:
        kp = _limit('kp', kp, 0.0, KP_MAX)
    if not 0.0 <= kd <= KD_MAX:
        kd = _limit('kd', kd, 0.0, KD_MAX)
    if not -t_max <= tau <= t_max:
        tau = _limit('tau', tau, -t_max, t_max)
    # ceil(u - 1/2) is the nearest code, the lower one on a tie; measured about the middle code,
    # so that zero is an exact tie. 32767 = 32767.5 - 1/2 and 2047 = 2047.5 - 1/2.
    ceil = math.ceil
    word = (
        ceil(q * 32767.5 / p_max + 32767.0) << 48
        | ceil(v * 2047.5 / v_max + 2047.0) << 36
        | ceil(kp * (4095.0 / KP_MAX) - 0.5) << 24
        | ceil(kd * (4095.0 / KD_MAX) - 0.5) << 12
        | ceil(tau * 2047.5 / t_max + 2047.0)
    )
    return word.to_bytes(8, 'big')


def decode_mit(ranges: MitRanges, data: bytes) -> MitCommand:
    """
    Decode an impedance command as the motor does.

    :raises CodecError: when the frame is not 8 bytes.
    """
    word = _word(data, 'MIT command')
    return MitCommand(
        (2 * (word >> 48) - 65535) * ranges.position / 65535.0,
        (2 * (word >> 36 & 0xFFF) - 4095) * ranges.velocity / 4095.0,
        (word >> 24 & 0xFFF) * KP_MAX / 4095.0,
        (word >> 12 & 0xFFF) * KD_MAX / 4095.0,
        (2 * (word & 0xFFF) - 4095) * ranges.torque / 4095.0,
    )


def decode_feedback(ranges: MitRanges, data: bytes) -> Feedback:
    """
    Decode a state frame; the layout is the same in every mode.

    :raises CodecError: when the frame is not 8 bytes.
    """
    word = _word(data, 'state frame')
    return Feedback(
        word >> 56 & 0xF,
        word >> 60,
        (2 * (word >> 40 & 0xFFFF) - 65535) * ranges.position / 65535.0,
        (2 * (word >> 28 & 0xFFF) - 4095) * ranges.velocity / 4095.0,
        (2 * (word >> 16 & 0xFFF) - 4095) * ranges.torque / 4095.0,
        word >> 8 & 0xFF,
        word & 0xFF,
    )


def encode_feedback(ranges: MitRanges, feedback: Feedback) -> bytes:
    """
    Encode a state frame, as a motor does.

    :raises CodecError: naming the field that is not a finite number.
    """
    p_max, v_max, t_max = ranges.position, ranges.velocity, ranges.torque
    q, v, tau = feedback.q, feedback.v, feedback.tau
    # As in encode_mit, what is not within its range lands in _limit.
    if not -p_max <= q <= p_max:
        q = _limit('q', q, -p_max, p_max)
    if not -v_max <= v <= v_max:
        v = _limit('v', v, -v_max, v_max)
    if not -t_max <= tau <= t_max:
        tau = _limit('tau', tau, -t_max, t_max)
    word = (
        (feedback.status & 0xF) << 60
        | (feedback.motor_id & 0xF) << 56
        | math.ceil(q * 32767.5 / p_max + 32767.0) << 40
        | math.ceil(v * 2047.5 / v_max + 2047.0) << 28
        | math.ceil(tau * 2047.5 / t_max + 2047.0) << 16
        | min(max(feedback.t_mos, 0), 255) << 8
        | min(max(feedback.t_rotor, 0), 255)
    )
    return word.to_bytes(8, 'big')


def encode_pos_vel(q: float, speed: float) -> bytes:
    """
    Encode a position with a speed limit, both as float32.

    :param q: [rad]
    :param speed: [rad/s] limit, a magnitude; below zero saturates to zero.
    :raises CodecError: naming the field that is not a finite number.
    """
    return _TWO_FLOATS.pack(
        _limit('q', q, -_FLOAT32_MAX, _FLOAT32_MAX), _limit('speed', speed, 0.0, _FLOAT32_MAX)
    )


def decode_pos_vel(data: bytes) -> tuple[float, float]:
    """
    Return position [rad] and speed limit [rad/s].

    :raises CodecError: when the frame is not 8 bytes.
    """
    _word(data, 'POS_VEL command')
    q, speed = _TWO_FLOATS.unpack(data)
    return q, speed


def encode_vel(v: float) -> bytes:
    """
    Encode a speed [rad/s] as float32, padded with zeros to the 8 bytes FD adapters expect.

    :raises CodecError: when it is not a finite number.
    """
    return _TWO_FLOATS.pack(_limit('v', v, -_FLOAT32_MAX, _FLOAT32_MAX), 0.0)


def decode_vel(data: bytes) -> float:
    """
    Return the speed [rad/s]; the manual sends 4 bytes, most others 8.

    :raises CodecError: when the frame is shorter than 4 bytes.
    """
    if len(data) < 4:
        raise CodecError(f'VEL command: {len(data)} bytes, expected 4 or 8: {data.hex()}')
    return float(struct.unpack_from('<f', data)[0])


def encode_pos_force(q: float, speed: float, current: float) -> bytes:
    """
    Encode a position with a speed and a current limit.

    :param q: [rad]
    :param speed: [rad/s] 0..100
    :param current: [1] 0..1, per unit of the drive's largest current.
    :raises CodecError: naming the field that is not a finite number.
    """
    return _FLOAT_AND_TWO_WORDS.pack(
        _limit('q', q, -_FLOAT32_MAX, _FLOAT32_MAX),
        math.ceil(_limit('speed', speed, 0.0, POS_FORCE_MAX / SPEED_CODE) * SPEED_CODE - 0.5),
        math.ceil(_limit('current', current, 0.0, 1.0) * CURRENT_CODE - 0.5),
    )


def decode_pos_force(data: bytes) -> PosForceCommand:
    """
    Decode a position-force command; both limits are capped as the firmware caps them.

    :raises CodecError: when the frame is not 8 bytes.
    """
    _word(data, 'POS_FORCE command')
    q, speed, current = _FLOAT_AND_TWO_WORDS.unpack(data)
    return PosForceCommand(
        q, min(speed, POS_FORCE_MAX) / SPEED_CODE, min(current, POS_FORCE_MAX) / CURRENT_CODE
    )


def _word(data: bytes, what: str) -> int:
    if len(data) != 8:
        raise CodecError(f'{what}: {len(data)} bytes, expected 8: {bytes(data).hex()}')
    return int.from_bytes(data, 'big')


def _limit(field: str, value: float, low: float, high: float) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise CodecError(f'{field} is {value!r}, not a number; nothing was encoded') from error
    if not math.isfinite(number):
        raise CodecError(
            f'{field} is {number}; only finite numbers go on the wire, nothing was encoded'
        )
    return min(max(number, low), high)


def _first_bad(fields: Mapping[str, object]) -> str:
    for name, value in fields.items():
        try:
            float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            return f'{name} is {value!r}'
    return 'unknown field'
