# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The Unitree low-level protocol without its transport: messages, checksum, services, remote."""

from vla_control.buses.unitree_action import (
    ARM_ACTION,
    ArmAction,
    decode_arm_action,
    encode_arm_action,
)
from vla_control.buses.unitree_bus import Ends, Packet, Peer, Peers, UnitreeBus, UnitreeLoopback
from vla_control.buses.unitree_crc import crc32
from vla_control.buses.unitree_layout import (
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
    Message,
    motion,
    PRESS_SENSORS,
    seal,
    SLOTS,
    wire_low_cmd,
    wire_low_state,
)
from vla_control.buses.unitree_remote import (
    BUTTONS,
    buttons_held,
    decode_remote,
    encode_remote,
    Remote,
)
from vla_control.buses.unitree_rpc import (
    answer,
    call,
    CHECK_MODE,
    decode_request,
    decode_response,
    encode_request,
    encode_response,
    GET_FSM_ID,
    MOTION_SWITCHER,
    NOT_IMPLEMENTED,
    OK,
    Question,
    RELEASE_MODE,
    Request,
    request_topic,
    Response,
    response_topic,
    SPORT,
)

LOW_STATE = 'rt/lowstate'
LOW_COMMAND = 'rt/lowcmd'
ARM_COMMAND = 'rt/arm_sdk'
BATTERY = 'rt/lf/bmsstate'
SIDES = ('left', 'right')
ARM_WEIGHT_SLOT = 29  # its q is the share of rt/arm_sdk in what the robot does, 0..1
MOTORS = 29  # slots 0..28 are motors, the others are unused


def hand_command(side: str) -> str:
    """Return the command topic of a Dex3 hand."""
    return f'rt/dex3/{side}/cmd'


def hand_report(side: str) -> str:
    """Return the state topic of a Dex3 hand."""
    return f'rt/dex3/{side}/state'


def ends(command: str, hands: tuple[str, ...], sport: tuple[str, ...] = (SPORT,)) -> Ends:
    """
    Return the topics of a driver.

    :param command: ARM_COMMAND or LOW_COMMAND.
    :param hands: of SIDES.
    :param sport: names the service of the robot's own controller may have.
    """
    services = (MOTION_SWITCHER, *sport)
    return Ends(
        reads=(
            LOW_STATE,
            BATTERY,
            ARM_ACTION,
            *map(hand_report, hands),
            *map(response_topic, services),
        ),
        writes=(command, *map(hand_command, hands), *map(request_topic, services)),
    )


__all__ = [
    'ARM_ACTION',
    'ARM_COMMAND',
    'ARM_WEIGHT_SLOT',
    'BATTERY',
    'BMS_STATE',
    'BUTTONS',
    'CHECK_MODE',
    'GET_FSM_ID',
    'HAND_MOTORS',
    'LOW_COMMAND',
    'LOW_STATE',
    'MOTION_SWITCHER',
    'MOTORS',
    'NOT_IMPLEMENTED',
    'OK',
    'PRESS_SENSORS',
    'RELEASE_MODE',
    'SIDES',
    'SLOTS',
    'SPORT',
    'ArmAction',
    'Ends',
    'Message',
    'Packet',
    'Peer',
    'Peers',
    'Question',
    'Remote',
    'Request',
    'Response',
    'UnitreeBus',
    'UnitreeLoopback',
    'answer',
    'buttons_held',
    'call',
    'checksum_ok',
    'crc32',
    'decode_arm_action',
    'decode_bms',
    'decode_hand_cmd',
    'decode_hand_state',
    'decode_low_cmd',
    'decode_low_state',
    'decode_remote',
    'decode_request',
    'decode_response',
    'encode_arm_action',
    'encode_bms',
    'encode_hand_cmd',
    'encode_hand_state',
    'encode_low_cmd',
    'encode_low_state',
    'encode_remote',
    'encode_request',
    'encode_response',
    'ends',
    'hand_cmd',
    'hand_command',
    'hand_report',
    'hand_state',
    'low_cmd',
    'low_state',
    'motion',
    'request_topic',
    'response_topic',
    'seal',
    'wire_low_cmd',
    'wire_low_state',
]
