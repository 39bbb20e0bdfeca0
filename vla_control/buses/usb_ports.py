# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Which serial device is plugged in where, so that no arm is mistaken for another."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
import os
from pathlib import Path
from typing import Protocol

from serial.tools import list_ports

from vla_control.core.errors import BusError


class UsbPort(Protocol):
    """A serial port as the operating system lists it."""

    device: str
    vid: int | None
    pid: int | None


@dataclass(frozen=True, slots=True)
class UsbKind:
    """One kind of serial device."""

    vid: int
    pid: int
    title: str  # for people
    plural: str

    def __str__(self) -> str:
        """Return the title and the USB ids."""
        return f'{self.title} ({self.vid:04x}:{self.pid:04x})'

    def is_at(self, port: UsbPort) -> bool:
        """Tell whether a port is of this kind."""
        return (port.vid, port.pid) == (self.vid, self.pid)


ADAPTER = UsbKind(0x2E88, 0x4603, 'the CAN adapter of a follower', 'CAN adapters')
LEADER = UsbKind(0x1A86, 0x55D3, 'a leader arm', 'leader arms')
_KINDS = (ADAPTER, LEADER)


def find_port(
    path: str,
    wanted: UsbKind,
    setting: str,
    listed: Callable[[], Iterable[UsbPort]] = list_ports.comports,
) -> str:
    """
    Return the path of a device of one kind, after looking at what is plugged in there.

    :param path: a device, best by /dev/serial/by-path as adapters may share a serial number; or
        ``auto`` where only one is plugged in.
    :param setting: where the path is configured, for people.
    :param listed: what the operating system lists.
    :raises BusError: when it is of another kind, or not to be told.
    """
    ports = list(listed())
    if path == 'auto':
        found = sorted(p.device for p in ports if wanted.is_at(p))
        if len(found) == 1:
            return found[0]
        raise BusError(
            f'{setting} is auto and {len(found)} {wanted.plural} '
            f'({wanted.vid:04x}:{wanted.pid:04x}) are plugged in'
            f'{": " + ", ".join(found) if found else ""}; give the path of one, from `ls -l '
            '/dev/serial/by-path`'
        )
    device = os.path.realpath(path)
    for port in ports:
        if os.path.realpath(port.device) != device:
            continue
        if wanted.is_at(port):
            return path
        other = next((str(kind) for kind in _KINDS if kind.is_at(port)), '')
        ids = f'{port.vid:04x}:{port.pid:04x}' if port.vid and port.pid else 'not a USB device'
        raise BusError(f'{path} is {other or ids}; {setting} must be {wanted}')
    if not Path(path).exists():
        raise BusError(f'there is no serial device {path}; see `ls /dev/serial/by-path`')
    raise BusError(f'{path} is not listed among the serial ports, so it is not {wanted}')
