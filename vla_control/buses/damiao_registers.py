# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Registers of Damiao motors: the table, the request frames and the safe reading of replies."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum, IntEnum
import math
import struct
from typing import NamedTuple

from vla_control.core.errors import CodecError

REGISTER_ID = 0x7FF  # every register and refresh request goes to this arbitration id
WATCHDOG_TICK = 50e-6  # [s] one count of register 9

BIT_RATES = {  # register 35 -> [bit/s]; codes above 4 are CAN-FD data rates
    0: 125_000,
    1: 200_000,
    2: 250_000,
    3: 500_000,
    4: 1_000_000,
    5: 2_000_000,
    6: 2_500_000,
    7: 3_200_000,
    8: 4_000_000,
    9: 5_000_000,
    10: 8_000_000,
    11: 10_000_000,
}

READ = 0x33
WRITE = 0x55
STORE = 0xAA
REFRESH = 0xCC

_INF = math.inf
_FLOAT32_MAX = 3.4028234663852886e38


class Kind(Enum):
    """How the four value bytes are read."""

    U32 = 'u32'
    F32 = 'f32'


class Reg(IntEnum):
    """The registers this package uses by name; REGISTERS has all of them."""

    UV_VALUE = 0
    OT_VALUE = 2
    ACC = 4
    DEC = 5
    MAX_SPD = 6
    MST_ID = 7
    ESC_ID = 8
    TIMEOUT = 9
    CTRL_MODE = 10
    HW_VER = 13
    SW_VER = 14
    SN = 15
    NPP = 16
    GEAR = 20
    PMAX = 21
    VMAX = 22
    TMAX = 23
    KP_ASR = 25
    KI_ASR = 26
    KP_APR = 27
    KI_APR = 28
    CAN_BR = 35
    SUB_VER = 36
    M_OFF = 54
    IMAX = 59
    VBUS = 60
    T_PCB = 61
    T_MOTOR = 62
    P_M = 80
    XOUT = 81


@dataclass(frozen=True, slots=True)
class Register:
    """One register and what may be written to it."""

    rid: int
    name: str
    kind: Kind
    writable: bool
    meaning: str
    low: float = -_INF
    high: float = _INF
    low_open: bool = False  # whether low itself is refused
    high_open: bool = False

    def accepts(self, value: float) -> bool:
        """Return whether the manual allows this value."""
        if not math.isfinite(value):
            return False
        above = value > self.low if self.low_open else value >= self.low
        below = value < self.high if self.high_open else value <= self.high
        return above and below


class RegisterReply(NamedTuple):
    """A motor's answer to a register request."""

    operation: int  # READ, WRITE or STORE
    rid: int  # register; for STORE the motor's result byte
    value: float  # int for u32 registers; 0 for STORE


def _table() -> dict[int, Register]:
    f32, u32 = Kind.F32, Kind.U32
    rows = (
        Register(0, 'UV_Value', f32, True, 'under-voltage trip [V]', 10.0, low_open=True),
        Register(1, 'KT_Value', f32, True, 'torque constant [N·m/A], 0 = identified', 0.0),
        Register(2, 'OT_Value', f32, True, 'winding trip [deg C]', 80.0, 200.0, False, True),
        Register(3, 'OC_Value', f32, True, 'over-current trip, share of Imax', 0, 1, True, True),
        Register(4, 'ACC', f32, True, 'acceleration [rad/s2]', 0.0, low_open=True),
        Register(5, 'DEC', f32, True, 'deceleration [rad/s2]', high=0.0, high_open=True),
        Register(6, 'MAX_SPD', f32, True, 'largest speed [rad/s]', 0.0, low_open=True),
        Register(7, 'MST_ID', u32, True, 'id of answers', 0, 0x7FF),
        Register(8, 'ESC_ID', u32, True, 'id it listens to', 0, 0x7FF),
        Register(9, 'TIMEOUT', u32, True, 'watchdog in counts of 50 us, 0 = off', 0, 2**32 - 1),
        Register(10, 'CTRL_MODE', u32, True, 'control mode', 1, 4),
        Register(11, 'Damp', f32, False, 'viscous coefficient'),
        Register(12, 'Inertia', f32, False, 'rotor inertia'),
        Register(13, 'hw_ver', u32, False, 'hardware version'),
        Register(14, 'sw_ver', u32, False, 'software version'),
        Register(15, 'SN', u32, False, 'serial number'),
        Register(16, 'NPP', u32, False, 'pole pairs'),
        Register(17, 'Rs', f32, False, 'phase resistance'),
        Register(18, 'Ls', f32, False, 'phase inductance'),
        Register(19, 'Flux', f32, False, 'flux linkage'),
        Register(20, 'Gr', f32, False, 'gear ratio'),
        Register(21, 'PMAX', f32, True, 'position range [rad]', 0.0, low_open=True),
        Register(22, 'VMAX', f32, True, 'velocity range [rad/s]', 0.0, low_open=True),
        Register(23, 'TMAX', f32, True, 'torque range [N·m]', 0.0, low_open=True),
        Register(24, 'I_BW', f32, True, 'current loop bandwidth', 100.0, 1e4),
        Register(25, 'KP_ASR', f32, True, 'speed loop proportional gain', 0.0),
        Register(26, 'KI_ASR', f32, True, 'speed loop integral gain', 0.0),
        Register(27, 'KP_APR', f32, True, 'position loop proportional gain', 0.0),
        Register(28, 'KI_APR', f32, True, 'position loop integral gain', 0.0),
        Register(29, 'OV_Value', f32, True, 'over-voltage trip [V]', 0.0),
        Register(30, 'GREF', f32, True, 'gear efficiency', 0.0, 1.0, True),
        Register(31, 'Deta', f32, True, 'speed loop damping factor', 1.0, 30.0),
        Register(32, 'V_BW', f32, True, 'speed filter bandwidth', 0.0, 500.0, True, True),
        Register(33, 'IQ_c1', f32, True, 'current loop gain', 100.0, 1e4),
        Register(34, 'VL_c1', f32, True, 'speed loop gain', 0.0, 1e4, True),
        Register(35, 'can_br', u32, True, 'bit-rate code', 0, 11),
        Register(36, 'sub_ver', u32, False, 'sub version'),
        Register(50, 'u_off', f32, False, 'phase u offset'),
        Register(51, 'v_off', f32, False, 'phase v offset'),
        Register(52, 'k1', f32, False, 'compensation 1'),
        Register(53, 'k2', f32, False, 'compensation 2'),
        Register(54, 'm_off', f32, False, 'angle offset'),
        Register(55, 'dir', f32, False, 'direction'),
        Register(59, 'Imax', f32, False, 'largest current of the drive [A]'),
        Register(60, 'VBus', f32, False, 'supply [V]'),
        Register(61, 'Tpcb', f32, False, 'drive temperature [deg C]'),
        Register(62, 'Tmtr', f32, False, 'winding temperature [deg C]'),
        Register(80, 'p_m', f32, False, 'position of the motor side [rad]'),
        Register(81, 'xout', f32, False, 'position of the output shaft [rad]'),
    )
    return {row.rid: row for row in rows}


REGISTERS: dict[int, Register] = _table()


def read_register(tx: int, rid: int) -> tuple[int, bytes]:
    """Return the frame (arbitration id, data) that asks one motor for a register."""
    return REGISTER_ID, struct.pack('<HBBI', tx, READ, _known(rid).rid, 0)


def write_register(tx: int, rid: int, value: float) -> tuple[int, bytes]:
    """
    Return the frame that writes a register.

    :raises CodecError: when the register is read-only or the value outside the manual's range.
    """
    register = _known(rid)
    if not register.writable:
        raise CodecError(f'register {rid} ({register.name}) is read-only')
    if not register.accepts(float(value)):
        raise CodecError(
            f'register {rid} ({register.name}) does not take {value!r}; it takes '
            f'{"(" if register.low_open else "["}{register.low}, '
            f'{register.high}{")" if register.high_open else "]"}'
        )
    return REGISTER_ID, struct.pack('<HBB', tx, WRITE, rid) + pack_register(rid, value)


def store(tx: int) -> tuple[int, bytes]:
    """
    Return the frame that keeps all registers over power loss.

    Only a disabled motor obeys; it takes up to 30 ms, and the flash lasts about 10,000 of them.
    """
    # There is no register to name, as all are stored. Software for these motors puts 1 in its
    # place, as here and on an OpenArm, or 0, as on a DK1, and both are in use.
    return REGISTER_ID, struct.pack('<HBBI', tx, STORE, 1, 0)


def refresh(tx: int) -> tuple[int, bytes]:
    """Return the frame that asks one motor for its state without commanding it."""
    return REGISTER_ID, struct.pack('<HBBI', tx, REFRESH, 0, 0)


def decode_register_reply(data: bytes, tx: int, pending: Collection[int]) -> RegisterReply | None:
    """
    Read a frame from a motor as a register reply, or return None: it is a state frame.

    Both kinds share the motor's answer id. A reply is taken for one only while that register is
    awaited and the whole header matches, so a state frame can be misread only while a request
    is open and at q within 0.025 rad of -PMAX; the byte 0x33 alone would misread 1 in 256.

    :param data: as received.
    :param tx: the id the motor listens to.
    :param pending: register ids asked for and not yet answered; STORE for a store request.
    """
    if len(data) < 4 or data[0] | data[1] << 8 != tx:
        return None
    operation, rid = data[2], data[3]
    if operation == STORE and STORE in pending and (len(data) == 4 or not any(data[4:])):
        return RegisterReply(STORE, rid, 0)
    if operation not in (READ, WRITE) or len(data) != 8:
        return None
    if rid not in pending or rid not in REGISTERS:
        return None
    return RegisterReply(operation, rid, unpack_register(rid, data[4:8]))


def pack_register(rid: int, value: float) -> bytes:
    """
    Return the four value bytes of a register.

    :raises CodecError: when the value does not fit the register's type.
    """
    register = _known(rid)
    number = float(value)
    if register.kind is Kind.U32:
        if not 0 <= number <= 2**32 - 1 or number != int(number):
            raise CodecError(
                f'register {rid} ({register.name}) takes whole numbers 0..2^32-1, not {value!r}'
            )
        return struct.pack('<I', int(value))
    if not abs(number) <= _FLOAT32_MAX:
        raise CodecError(f'register {rid} ({register.name}) takes a finite float32, not {value!r}')
    return struct.pack('<f', number)


def unpack_register(rid: int, data: bytes) -> float:
    """Return the value in four bytes: an int for u32 registers, a float for the others."""
    if _known(rid).kind is Kind.U32:
        return int.from_bytes(data, 'little')
    return float(struct.unpack('<f', data)[0])


def watchdog_counts(seconds: float) -> int:
    """
    Return the value of register 9 for a silence of so many seconds; 0 turns it off.

    :raises CodecError: when the time is negative, not finite, or needs more than 32 bits.
    """
    if not 0.0 <= seconds <= (2**32 - 1) * WATCHDOG_TICK:
        raise CodecError(f'watchdog of {seconds} s; it must be finite and >= 0 s')
    return round(seconds / WATCHDOG_TICK)


def _known(rid: int) -> Register:
    register = REGISTERS.get(rid)
    if register is None:
        raise CodecError(f'no register {rid}; there are {sorted(REGISTERS)}')
    return register
