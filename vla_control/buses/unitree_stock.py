# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""cyclonedds' own serializer of Unitree messages: what the fixed layouts are measured against."""

from typing import Any

from cyclonedds.idl import IdlStruct

from vla_control.buses.unitree_idl import LowCmd_, LowState_, MotorCmd_
from vla_control.buses.unitree_layout import Message


def stock_low_cmd(message: Message) -> Any:
    """Return a LowCmd_ as cyclonedds' own object."""
    return LowCmd_(
        int(message['mode_pr']),
        int(message['mode_machine']),
        [MotorCmd_(*motor) for motor in message['motor_cmd'].tolist()],
        message['reserve'].tolist(),
        int(message['crc']),
    )


def stock_encode(message: Any) -> bytes:
    """Return the wire bytes of one of cyclonedds' own objects."""
    return IdlStruct.serialize(message, use_version_2=False)


def stock_decode_low_state(payload: bytes) -> Any:
    """Return a LowState_ as cyclonedds' own object."""
    return LowState_.__idl__.deserialize(payload)
