# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The 40 bytes of the remote control in a LowState_."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
import struct

from vla_control.core.errors import CodecError

BUTTONS = (
    'R1', 'L1', 'start', 'select', 'R2', 'L2', 'F1', 'F2',
    'A', 'B', 'X', 'Y', 'up', 'right', 'down', 'left',
)  # fmt: skip
_LAYOUT = struct.Struct('<2xH5f16x')


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """What the operator does."""

    buttons: frozenset[str]  # names of BUTTONS held down
    left: tuple[float, float]  # stick x, y, -1..1
    right: tuple[float, float]  # stick x, y, -1..1


def decode_remote(data: bytes) -> Remote:
    """
    Read the remote control.

    :raises CodecError: when there are not 40 bytes.
    """
    if len(data) != _LAYOUT.size:
        raise CodecError(f'wireless_remote has {len(data)} bytes, expected {_LAYOUT.size}')
    bits, lx, rx, ry, _, ly = _LAYOUT.unpack(data)
    return Remote(buttons=_held(bits), left=(lx, ly), right=(rx, ry))


def buttons_held(data: bytes) -> frozenset[str]:
    """
    Return the names of the buttons held down, which is all that a control loop asks for.

    :param data: 40 bytes of the remote control.
    """
    return _held(int.from_bytes(data[2:4], 'little'))


def encode_remote(buttons: Collection[str]) -> bytes:
    """
    Return the bytes of a remote control with untouched sticks.

    :param buttons: names of BUTTONS held down.
    """
    bits = sum(1 << BUTTONS.index(name) for name in buttons)
    return _LAYOUT.pack(bits, 0.0, 0.0, 0.0, 0.0, 0.0)


@lru_cache(maxsize=256)
def _held(bits: int) -> frozenset[str]:
    return frozenset(name for i, name in enumerate(BUTTONS) if bits >> i & 1)
