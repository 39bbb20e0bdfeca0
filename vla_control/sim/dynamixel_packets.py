# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The packets of Dynamixel protocol 2.0, as a motor reads and writes them."""

from typing import NamedTuple

HEADER = b'\xff\xff\xfd\x00'
BROADCAST = 0xFE
PING, READ, WRITE, STATUS, SYNC_READ, SYNC_WRITE = 0x01, 0x02, 0x03, 0x55, 0x82, 0x83
INSTRUCTION_ERROR, LENGTH_ERROR, ACCESS_ERROR = 0x02, 0x05, 0x07
_LONGEST = 1024  # bytes of a packet; a longer length is noise


class Packet(NamedTuple):
    """One instruction or status, without stuffing."""

    id: int
    instruction: int
    data: bytes


def crc16(data: bytes) -> int:
    """Return the checksum: polynomial 0x8005, most significant bit first, from 0."""
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1) ^ 0x8005 if crc & 0x8000 else crc << 1
        crc &= 0xFFFF
    return crc


def encode(packet: Packet) -> bytes:
    """Return the bytes of a packet; FF FF FD inside is followed by another FD."""
    body = bytes([packet.instruction]) + packet.data
    body = body.replace(b'\xff\xff\xfd', b'\xff\xff\xfd\xfd')
    head = HEADER + bytes([packet.id]) + (len(body) + 2).to_bytes(2, 'little')
    return head + body + crc16(head + body).to_bytes(2, 'little')


def decode(buffer: bytearray) -> Packet | None:
    """Take the first whole packet off a buffer, and noise before it; None where there is none."""
    while True:
        start = buffer.find(HEADER)
        if start < 0:
            del buffer[: max(len(buffer) - len(HEADER) + 1, 0)]
            return None
        del buffer[:start]
        if len(buffer) < 7:
            return None
        length = int.from_bytes(buffer[5:7], 'little')
        if 3 <= length <= _LONGEST:
            if len(buffer) < 7 + length:
                return None
            whole = bytes(buffer[: 7 + length])
            if crc16(whole[:-2]) == int.from_bytes(whole[-2:], 'little'):
                del buffer[: len(whole)]
                body = whole[7:-2].replace(b'\xff\xff\xfd\xfd', b'\xff\xff\xfd')
                return Packet(whole[4], body[0], body[1:])
        del buffer[:1]
