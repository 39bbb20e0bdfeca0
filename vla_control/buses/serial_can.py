# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The CAN bus behind a Damiao USB adapter: a FrameBus over serial bytes."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
import time
from typing import Any, Self

from vla_control.buses.byte_ports import BytePort, TtyPort
from vla_control.buses.damiao_adapter import (
    AnswerReader,
    COMMAND_LENGTH,
    encode_bit_rate,
    encode_command,
    FAILURES,
    Kind,
)
from vla_control.buses.frames import BusState, Frame
from vla_control.buses.lock import BusLock
from vla_control.buses.usb_ports import ADAPTER, find_port
from vla_control.core.config import parse
from vla_control.core.errors import BusError, ConfigError
from vla_control.core.spec import RobotSpec

INTERFACE = 'damiao_usb'


@dataclass(frozen=True, slots=True, kw_only=True)
class SerialConfig:
    """How to reach the adapter of one bus."""

    path: str  # of the serial device; auto where it is to be found by its USB ids
    usb: bool = True  # False: a pseudo-terminal, which has no USB ids to check
    bitrate: int = 1_000_000  # [bit/s] of the CAN side

    @classmethod
    def from_spec(cls, spec: RobotSpec, hardware: str) -> Self:
        """
        Read the bus section of a robot.

        :param hardware: ``real`` or ``sim``; picks the channel.
        :raises ConfigError: naming the key and what would be right.
        """
        where = f'{spec.name}: bus'
        section = parse(_BusSection, spec.bus, where)
        for name in ('interface', 'channel'):
            given = getattr(section, name)
            if hardware not in given:
                raise ConfigError(f'{where}.{name}: no {hardware!r}, only {sorted(given)}')
        if section.interface[hardware] != INTERFACE:
            raise ConfigError(
                f'{where}.interface.{hardware}: {section.interface[hardware]!r} is not '
                f'{INTERFACE!r}, the only one for this robot'
            )
        if section.fd:
            raise ConfigError(f'{where}.fd: the adapter is for classic CAN; set it to false')
        encode_bit_rate(section.bitrate)
        return cls(path=section.channel[hardware], usb=hardware == 'real', bitrate=section.bitrate)


@dataclass(frozen=True, slots=True, kw_only=True)
class _BusSection:
    """The ``bus`` section of a RobotSpec; the ranges belong to the motor codec."""

    interface: dict[str, str]
    channel: dict[str, str]
    fd: bool
    bitrate: int
    ranges: dict[str, Any]


class SerialCan:
    """
    One bus behind one adapter, open between open() and close().

    All frames of a tick leave in one write: the adapter is polled once a millisecond, and seven
    writes cost the host seven times the time.
    """

    def __init__(
        self, port: BytePort, known: Collection[int] = (), lock_folder: Path | None = None
    ) -> None:
        """
        Prepare a bus; nothing is opened yet.

        :param port: where the adapter is.
        :param known: arbitration ids that may answer, every standard one when empty.
        :param lock_folder: where the lock file lives; the machine's own by default.
        """
        self._port = port
        self._known = frozenset(known)
        self._lock_folder = lock_folder
        self._lock: BusLock | None = None
        self._opened = False
        self._reader = AnswerReader()
        self._tail = b''  # of a packet the port took a part of
        self._sent = self._received = self._errors = 0
        self._dropped = self._failures = 0

    @classmethod
    def from_config(cls, config: SerialConfig, known: Collection[int] = ()) -> Self:
        """
        Prepare the bus of a robot.

        :raises BusError: when what is plugged in there is not the adapter.
        """
        path = find_port(config.path, ADAPTER, 'bus.channel.real') if config.usb else config.path
        return cls(TtyPort(path), known)

    @property
    def state(self) -> BusState:
        """The adapter's health; may read a file, so not for every tick."""
        return self._port.state if self._opened else BusState.CLOSED

    @property
    def advice(self) -> str:
        """What brings the adapter back."""
        return (
            f'`ls -l /dev/serial/by-path` shows the adapters there are; this was {self._port.name}'
        )

    @property
    def counters(self) -> Mapping[str, int]:
        """
        Count what happened since open().

        :returns: frames ``sent`` and ``received``; ``errors``, calls that failed; ``enobufs``,
            frames a full queue did not take; ``error_frames``, failures the adapter reports;
            ``junk_bytes``, what was received and is no packet.
        """
        return {
            'sent': self._sent,
            'received': self._received,
            'errors': self._errors,
            'enobufs': self._dropped,
            'error_frames': self._failures,
            'junk_bytes': self._reader.junk,
        }

    def open(self) -> None:
        """
        Take the bus; the lock first, so a refused second writer never touches the wire.

        :raises BusError: naming the holder, or what to do about a missing device.
        """
        if self._opened:
            raise BusError(f'bus {self._port.name} is open already')
        if self._port.shared:
            self._lock = BusLock(f'serial {self._port.name}', self._lock_folder)
            self._lock.acquire()
        try:
            self._port.open()
            self._opened = True
        finally:
            if not self._opened:
                self._release()
        self._reader = AnswerReader(self._known)
        self._tail = b''
        self._sent = self._received = self._errors = 0
        self._dropped = self._failures = 0

    def send(self, arbitration_id: int, data: bytes) -> None:
        """
        Send one frame.

        :raises BusError: when the bus is closed or lost.
        """
        self.send_all(((arbitration_id, data),))

    def send_all(self, frames: Iterable[tuple[int, bytes]]) -> None:
        """
        Send frames in one write, without waiting for them to be acknowledged.

        What a full queue does not take is counted and dropped, whole packets only: the next tick
        brings newer ones.

        :param frames: arbitration id and 8 bytes each.
        :raises BusError: when the bus is closed or lost.
        """
        packets = [encode_command(arbitration_id, data) for arbitration_id, data in frames]
        stream = self._tail + b''.join(packets)
        try:
            taken = self._port.write(stream)
        except BusError:
            self._errors += 1
            raise
        if taken == len(stream):
            self._tail = b''
            self._sent += len(packets)
            return
        begun = -(-(taken - len(self._tail)) // COMMAND_LENGTH)  # packets at least begun
        begun = max(begun, 0)
        end = len(self._tail) + begun * COMMAND_LENGTH
        self._tail = stream[taken:end]
        self._sent += begun
        self._dropped += len(packets) - begun

    def receive(self, timeout: float = 0.0) -> list[Frame]:
        """
        Return every frame that has arrived, oldest first, stamped with the time of this call.

        :param timeout: [s] longest wait for the first byte; 0 never blocks.
        :raises BusError: when the bus is closed or lost.
        """
        try:
            data = self._port.read(timeout)
        except BusError:
            self._errors += 1
            raise
        if not data:
            return []
        stamp = time.time()
        frames = []
        for kind, arbitration_id, payload in self._reader.feed(data):
            if kind is Kind.RECEIVED:
                frames.append(Frame(arbitration_id, payload, stamp))
            elif kind in FAILURES:
                self._failures += 1
        self._received += len(frames)
        return frames

    def close(self) -> None:
        """Close the port and give up the lock; safe to call twice."""
        self._port.close()
        self._opened = False
        self._release()

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None
