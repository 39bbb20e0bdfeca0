# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
The serial protocol of the Damiao USB-CAN adapter: CAN frames in bytes, and back.

Towards the adapter a frame takes 30 bytes, from it 16, neither with a checksum that is looked at.
So a reader has to find frames in a stream that may begin anywhere, hold rubbish or lack bytes.
Layouts as two independent packages implement them, byte for byte equal (test/peers). A third
reads the id of an answer big-endian; no motor of this robot could be told apart that way.
"""

from collections.abc import Collection
from enum import IntEnum
import struct
from typing import NamedTuple

from vla_control.core.errors import CodecError

COMMAND_LENGTH = 30
ANSWER_LENGTH = 16
BIT_RATE_CODES = {1_000_000: 0, 500_000: 3, 250_000: 5}  # [bit/s]

# 55 AA, length, "forward, do not report", repeat once, 1 ms between repeats, standard id.
_COMMAND_HEAD = bytes.fromhex('55aa1e03010000000a00000000')
# Data frame of 8 bytes, neither id nor data counted up between repeats.
_COMMAND_MIDDLE = bytes.fromhex('00080000')
_MARK = b'\x55\xaa\x1e'
_BIT_RATE_LENGTH = 5
_LARGEST_ID = 0x7FF
_ID = struct.Struct('<I')


class Kind(IntEnum):
    """What an answer tells; its second byte."""

    HEARTBEAT = 0x00
    RECEIVE_FAILED = 0x01
    SEND_FAILED = 0x02
    BIT_RATE_FAILED = 0x03
    RECEIVED = 0x11  # a frame from the bus: the only kind that carries one
    SENT = 0x12
    BIT_RATE_SET = 0x13
    BUS_ERROR = 0xEE


FAILURES = frozenset({Kind.RECEIVE_FAILED, Kind.SEND_FAILED, Kind.BUS_ERROR})
_KINDS = frozenset(int(kind) for kind in Kind)


class Answer(NamedTuple):
    """One packet from the adapter."""

    kind: Kind
    arbitration_id: int
    data: bytes  # 8 bytes


class HostFrame(NamedTuple):
    """One packet to the adapter: a CAN frame to send."""

    arbitration_id: int
    data: bytes  # 8 bytes


class BitRate(NamedTuple):
    """A command that sets the adapter's CAN bit rate."""

    code: int  # one of BIT_RATE_CODES


def encode_command(arbitration_id: int, data: bytes) -> bytes:
    """
    Return the 30 bytes that make the adapter send one CAN frame.

    :param arbitration_id: standard, 0..0x7FF.
    :param data: 8 bytes; every frame of these motors has 8.
    :raises CodecError: when it is no such frame.
    """
    if len(data) != 8 or not 0 <= arbitration_id <= _LARGEST_ID:
        raise CodecError(
            f'frame id {arbitration_id:#x} with {len(data)} bytes: the adapter takes standard ids '
            '0..0x7ff and 8 bytes'
        )
    return _COMMAND_HEAD + _ID.pack(arbitration_id) + _COMMAND_MIDDLE + data + b'\x00'


def encode_bit_rate(bit_rate: int) -> bytes:
    """
    Return the 5 bytes that set the bit rate of the adapter's CAN side.

    :param bit_rate: [bit/s]
    :raises CodecError: when the adapter has no code for it.
    """
    code = BIT_RATE_CODES.get(bit_rate)
    if code is None:
        raise CodecError(f'the adapter has no {bit_rate} bit/s, only {sorted(BIT_RATE_CODES)}')
    return bytes((0x55, 0x05, code, 0xAA, 0x55))


def encode_answer(arbitration_id: int, data: bytes, kind: Kind = Kind.RECEIVED) -> bytes:
    """
    Return the 16 bytes the adapter sends for one frame from the bus.

    :param data: up to 8 bytes; the packet always carries 8.
    :raises CodecError: when it is longer.
    """
    if len(data) > 8:
        raise CodecError(f'an answer carries up to 8 bytes, not {len(data)}')
    head = bytes((0xAA, kind, len(data))) + _ID.pack(arbitration_id)
    return head + data.ljust(8, b'\x00') + b'\x55'


class AnswerReader:
    """
    Finds the adapter's answers in a stream of bytes.

    A packet is taken where head, kind, length, id and tail all fit and no second head stands
    within its data: that would be the rest of a packet whose end got lost, and half of it another
    motor's. Everything else is skipped byte by byte and counted as ``junk``.
    """

    def __init__(self, known: Collection[int] = ()) -> None:
        """
        Begin with an empty stream.

        :param known: ids that may answer, every standard id when empty. The fewer, the less
            rubbish can pass for a packet.
        """
        self._known = frozenset(known)
        self._buffer = b''
        self.junk = 0  # bytes skipped

    def feed(self, data: bytes) -> list[Answer]:
        """Take in bytes and return the packets they complete, oldest first."""
        buffer = self._buffer + data if self._buffer else data
        found: list[Answer] = []
        at, end = 0, len(buffer)
        while end - at >= ANSWER_LENGTH:
            if self._is_packet(buffer, at):
                arbitration_id = _ID.unpack_from(buffer, at + 3)[0]
                kind = Kind(buffer[at + 1])
                found.append(Answer(kind, arbitration_id, buffer[at + 7 : at + 15]))
                at += ANSWER_LENGTH
                continue
            after = buffer.find(b'\xaa', at + 1)
            after = end if after < 0 else after
            self.junk += after - at
            at = after
        rest = buffer[at:]
        if rest and rest[0] != 0xAA:
            start = rest.find(b'\xaa')
            self.junk += len(rest) if start < 0 else start
            rest = b'' if start < 0 else rest[start:]
        self._buffer = rest
        return found

    def _is_packet(self, buffer: bytes, at: int) -> bool:
        if buffer[at + 15] != 0x55 or not self._is_head(buffer, at):
            return False
        # A head of 7 bytes begins in the data of 8 at its first or second byte, if at all.
        return not any(buffer[i] == 0xAA and self._is_head(buffer, i) for i in (at + 7, at + 8))

    def _is_head(self, buffer: bytes, at: int) -> bool:
        if buffer[at] != 0xAA or buffer[at + 1] not in _KINDS or buffer[at + 2] & 0x3F > 8:
            return False
        arbitration_id = _ID.unpack_from(buffer, at + 3)[0]
        if buffer[at + 1] == Kind.RECEIVED and self._known:
            return arbitration_id in self._known
        return bool(arbitration_id <= _LARGEST_ID)


class CommandReader:
    """
    Finds commands in the stream towards the adapter, as the adapter does.

    Byte 29 is some hosts' checksum and others' zero, so it is not looked at.
    """

    def __init__(self) -> None:
        """Begin with an empty stream."""
        self._buffer = b''
        self.junk = 0  # bytes skipped

    def feed(self, data: bytes) -> list[HostFrame | BitRate]:
        """Take in bytes and return the commands they complete, oldest first."""
        buffer = self._buffer + data if self._buffer else data
        found: list[HostFrame | BitRate] = []
        at, end = 0, len(buffer)
        while end - at >= _BIT_RATE_LENGTH:
            if buffer.startswith(_MARK, at):
                if end - at < COMMAND_LENGTH:
                    break
                arbitration_id = _ID.unpack_from(buffer, at + 13)[0]
                found.append(HostFrame(arbitration_id, buffer[at + 21 : at + 29]))
                at += COMMAND_LENGTH
            elif buffer.startswith(b'\x55\x05', at) and buffer.startswith(b'\xaa\x55', at + 3):
                found.append(BitRate(buffer[at + 2]))
                at += _BIT_RATE_LENGTH
            else:
                at += 1
                self.junk += 1
        self._buffer = buffer[at:]
        return found
