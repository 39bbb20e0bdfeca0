# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
The CAN bus of a robot: one writer per machine, reads that never block, nothing lost silently.

The same class carries hardware (``socketcan``), the emulated robot in another process
(``udp_multicast``) and one process (``virtual``); LoopbackBus is its double in virtual time.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import can

from vla_control.buses.frames import BusState, Frame, FrameBus
from vla_control.buses.kernel_can import SocketCan, SYSFS, VirtualCan
from vla_control.buses.lock import BusLock
from vla_control.buses.loopback import COUNTERS, LoopbackBus
from vla_control.buses.udp_can import UdpCan
from vla_control.core.config import parse
from vla_control.core.errors import BusError, ConfigError
from vla_control.core.spec import RobotSpec

__all__ = ['BusState', 'CanBus', 'CanConfig', 'Frame', 'FrameBus', 'LoopbackBus']

INTERFACES = ('socketcan', 'udp_multicast', 'virtual')


@dataclass(frozen=True, slots=True, kw_only=True)
class CanConfig:
    """How to reach one bus, and as which of its two sides."""

    interface: str  # one of INTERFACES
    channel: str  # can0, a multicast address, or any name
    port: int = 0  # udp_multicast only
    fd: bool = True  # CAN-FD with bit-rate switch
    bitrate: int = 1_000_000  # [bit/s]
    data_bitrate: int = 5_000_000  # [bit/s]
    role: str = 'driver'  # or 'device': the emulated motors share the bus with their driver

    def __post_init__(self) -> None:
        """Check what no type can."""
        if self.interface not in INTERFACES:
            raise ConfigError(f'CAN interface {self.interface!r} is not one of {list(INTERFACES)}')
        if self.interface == 'udp_multicast' and not 1 <= self.port <= 65535:
            raise ConfigError(f'CAN port {self.port} is not within 1..65535')
        if self.role not in ('driver', 'device'):
            raise ConfigError(f"CAN role {self.role!r} is neither 'driver' nor 'device'")

    @classmethod
    def from_spec(cls, spec: RobotSpec, hardware: str, role: str = 'driver') -> Self:
        """
        Read the bus section of a robot.

        :param hardware: ``real`` or ``sim``; picks the interface and channel.
        :param role: ``driver``, or ``device`` for the emulated motors.
        :raises ConfigError: naming the key and what would be right.
        """
        where = f'{spec.name}: bus'
        section = parse(_BusSection, spec.bus, where)
        for name in ('interface', 'channel'):
            given = getattr(section, name)
            if hardware not in given:
                raise ConfigError(f'{where}.{name}: no {hardware!r}, only {sorted(given)}')
        return cls(
            interface=section.interface[hardware],
            channel=section.channel[hardware],
            port=section.port,
            fd=section.fd,
            bitrate=section.bitrate,
            data_bitrate=section.data_bitrate,
            role=role,
        )

    @property
    def name(self) -> str:
        """What this bus is called in messages and by its lock."""
        port = f':{self.port}' if self.interface == 'udp_multicast' else ''
        return f'{self.interface} {self.channel}{port}'


@dataclass(frozen=True, slots=True, kw_only=True)
class _BusSection:
    """The ``bus`` section of a RobotSpec; the ranges belong to the motor codec."""

    interface: dict[str, str]
    channel: dict[str, str]
    port: int = 0
    fd: bool
    bitrate: int
    data_bitrate: int
    ranges: dict[str, Any]


class _Transport(Protocol):
    @property
    def state(self) -> BusState: ...
    def send(self, arbitration_id: int, data: bytes) -> None: ...
    def receive(self, timeout: float) -> list[Frame]: ...
    def close(self) -> None: ...


class CanBus:
    """One CAN bus, open between open() and close()."""

    def __init__(
        self,
        config: CanConfig,
        ignore: Collection[int] = (),
        lock_folder: Path | None = None,
        sysfs: Path = SYSFS,
    ) -> None:
        """
        Prepare a bus; nothing is opened yet.

        :param config: which bus.
        :param ignore: arbitration ids never handed over; our own frames never are.
        :param lock_folder: where the lock file lives; the machine's own by default.
        :param sysfs: where the kernel shows its network interfaces.
        """
        self._config = config
        self._ignore = frozenset(ignore)
        self._sysfs = sysfs
        # A virtual channel exists once per process, every other bus once per machine.
        scope = f' process {id(self)}' if config.interface == 'virtual' else ''
        self._lock = BusLock(f'{config.name} {config.role}{scope}', lock_folder)
        self._transport: _Transport | None = None
        self._sent = self._received = self._errors = 0

    @property
    def state(self) -> BusState:
        """The wire's health; reads a file on hardware, so not for every tick."""
        return BusState.CLOSED if self._transport is None else self._transport.state

    @property
    def advice(self) -> str:
        """What brings the wire back, where there is a real one and the bus is open."""
        return str(getattr(self._transport, 'advice', ''))

    @property
    def counters(self) -> Mapping[str, int]:
        """
        Count what happened since open().

        :returns: frames ``sent`` and ``received``; ``errors``, calls that failed and rubbish
            received; ``enobufs``, sent frames a full queue did not take; ``error_frames``.
        """
        transport = self._transport
        extra = {name: getattr(transport, name, 0) for name in COUNTERS[2:]}
        extra['errors'] += self._errors
        return {'sent': self._sent, 'received': self._received, **extra}

    def open(self) -> None:
        """
        Take the bus; the lock first, so a refused second writer never touches the wire.

        :raises BusError: naming the holder, or what to do about a missing interface.
        """
        if self._transport is not None:
            raise BusError(f'bus {self._config.name} is open already')
        self._lock.acquire()
        try:
            self._transport = _make_transport(self._config, self._sysfs)
        except BusError:
            self._lock.release()
            raise
        self._sent = self._received = self._errors = 0

    def send(self, arbitration_id: int, data: bytes) -> None:
        """
        Send one frame without waiting for it to be acknowledged.

        :raises BusError: when the bus is closed, down or gone.
        """
        if self._transport is None:
            raise self._closed()
        try:
            self._transport.send(arbitration_id, data)
        except (OSError, can.CanError, BusError) as error:
            raise self._failed('sending', error) from error
        self._sent += 1

    def receive(self, timeout: float = 0.0) -> list[Frame]:
        """
        Return every frame that has arrived, oldest first, without our own.

        :param timeout: [s] longest wait for the first one; 0 never blocks, below 0 counts as 0.
        :raises BusError: when the bus is closed, down or gone.
        """
        if self._transport is None:
            raise self._closed()
        try:
            frames = self._transport.receive(max(timeout, 0.0))
        except (OSError, can.CanError, BusError) as error:
            raise self._failed('receiving', error) from error
        self._received += len(frames)
        if self._ignore:
            return [frame for frame in frames if frame.arbitration_id not in self._ignore]
        return frames

    def close(self) -> None:
        """Close the bus and give up the lock; safe to call twice."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None
        self._lock.release()

    def __enter__(self) -> Self:
        """Open for a with statement."""
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close at the end of a with statement."""
        self.close()

    def _closed(self) -> BusError:
        return BusError(f'bus {self._config.name} is closed; call open() first')

    def _failed(self, doing: str, error: Exception) -> BusError:
        self._errors += 1
        return BusError(f'bus {self._config.name} failed while {doing}: {error}')


def _make_transport(config: CanConfig, sysfs: Path) -> _Transport:
    if config.interface == 'udp_multicast':
        return UdpCan(config.channel, config.port, config.fd)
    if config.interface == 'virtual':
        return VirtualCan(config.channel, config.fd)
    return SocketCan(config.channel, config.fd, config.bitrate, config.data_bitrate, sysfs)
