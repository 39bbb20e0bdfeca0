# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
What the arm action service of a G1 says it does: wave, clap, and hold the last pose.

It moves the arms through rt/arm_sdk as we do, and refuses its callers with code 7400 while
somebody else does, with 7401 while it holds a pose of its own. To learn that from the codes one
would have to ask for an action; so its state is listened to instead, a JSON text on a topic.
"""

from dataclasses import dataclass
import json
import struct

from vla_control.buses.unitree_layout import HEADER
from vla_control.core.errors import CodecError

ARM_ACTION = 'rt/arm/action/state'
NO_ACTION, RELEASE_ACTION = 0, 99  # numbers of actions that leave the arms alone
_LENGTH = struct.Struct('<I')


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmAction:
    """One state of the service."""

    holding: bool = False  # whether it keeps the pose in which an action ended
    number: int = NO_ACTION
    name: str = ''

    @property
    def busy(self) -> bool:
        """Whether the arms are the service's."""
        return self.holding or self.number not in (NO_ACTION, RELEASE_ACTION)


def encode_arm_action(action: ArmAction) -> bytes:
    """Return the wire bytes of a state."""
    said = {'holding': action.holding, 'id': action.number, 'name': action.name}
    raw = json.dumps(said).encode() + b'\x00'
    return HEADER + _LENGTH.pack(len(raw)) + raw


def decode_arm_action(payload: bytes) -> ArmAction:
    """
    Read a state.

    :raises CodecError: when it is none.
    """
    start = len(HEADER) + _LENGTH.size
    try:
        (length,) = _LENGTH.unpack_from(payload, len(HEADER))
        said = json.loads(payload[start : start + length].rstrip(b'\x00'))
        return ArmAction(
            holding=bool(said['holding']), number=int(said['id']), name=str(said['name'])
        )
    except (struct.error, ValueError, KeyError, TypeError) as error:
        raise CodecError(
            f'{ARM_ACTION}: {payload[:60]!r} is no text of {{holding, id, name}}: {error!r}'
        ) from error
