# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Where bytes come from and go to: a serial device, or a pair of ends in memory."""

import os
from pathlib import Path
import select
from typing import Protocol, Self

import serial

from vla_control.buses.frames import BusState
from vla_control.core.errors import BusError

BAUD = 921_600  # of no effect on a USB device, but others configure it so
_LARGEST = 65_536  # bytes taken in one read
_LOST = select.POLLHUP | select.POLLERR | select.POLLNVAL


class BytePort(Protocol):
    """Bytes both ways; nothing blocks but read() for as long as it is told."""

    @property
    def name(self) -> str:
        """What it is called in messages and by its lock."""

    @property
    def shared(self) -> bool:
        """Whether another process could open it, so that a lock is needed."""

    @property
    def state(self) -> BusState:
        """Whether it is there."""

    def open(self) -> None:
        """
        Take the port.

        :raises BusError: saying what is missing or who holds it.
        """

    def write(self, data: bytes) -> int:
        """
        Hand over bytes and return how many were taken.

        :raises BusError: when the port is closed or lost.
        """

    def read(self, timeout: float = 0.0) -> bytes:
        """
        Return what has arrived.

        :param timeout: [s] longest wait for the first byte.
        :raises BusError: when the port is closed or lost.
        """

    def close(self) -> None:
        """Give the port back; safe to call twice."""


class TtyPort:
    """
    A serial device, USB or pseudo-terminal.

    pyserial opens and configures it; after that bytes pass by plain reads and writes, which cost
    a fifth of pyserial's and report an unplugged adapter at once.
    """

    def __init__(self, path: str, baud: int = BAUD) -> None:
        """
        Prepare a port; nothing is opened yet.

        :param path: such as ``/dev/serial/by-path/...``, or a link to a pseudo-terminal.
        :param baud: [bit/s] where there is a wire behind the adapter.
        """
        self._path = path
        self._baud = baud
        self._serial: serial.Serial | None = None
        self._file = -1
        self._poll = select.poll()

    @property
    def name(self) -> str:
        """The device itself, so that one with two names has one lock."""
        return os.path.realpath(self._path)

    @property
    def shared(self) -> bool:
        """True: it is in the file system."""
        return True

    @property
    def state(self) -> BusState:
        """CLOSED, UP, or MISSING once the device has gone."""
        if self._serial is None:
            return BusState.CLOSED
        return BusState.UP if Path(self._path).exists() else BusState.MISSING

    def open(self) -> None:
        """
        Take the device; other programs that ask for it exclusively are refused meanwhile.

        :raises BusError: saying what is wrong with the path.
        """
        if not Path(self._path).exists():
            raise BusError(
                f'there is no serial device {self._path}; is the adapter plugged in (`ls '
                '/dev/serial/by-path`), and where the robot is simulated, is its simulation '
                'running?'
            )
        try:
            self._serial = serial.Serial(self._path, self._baud, timeout=0, exclusive=True)
        except (OSError, ValueError) as error:  # SerialException is an OSError
            raise BusError(
                f'cannot open {self._path}: {error}. Only one program may use it, and its user '
                'must be in the group dialout (`sudo usermod -aG dialout $USER`, then log in '
                'again)'
            ) from error
        self._file = self._serial.fileno()
        self._poll = select.poll()
        self._poll.register(self._file, select.POLLIN)
        self._serial.reset_input_buffer()

    def write(self, data: bytes) -> int:
        """
        Hand over bytes; a full queue takes fewer.

        :raises BusError: when the device is closed or gone.
        """
        self._check()
        try:
            return os.write(self._file, data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise self._gone(error) from error

    def read(self, timeout: float = 0.0) -> bytes:
        """
        Return what has arrived.

        :raises BusError: when the device is closed or gone.
        """
        self._check()
        events = self._poll.poll(max(timeout, 0.0) * 1e3)
        if not events:
            return b''
        try:
            data = os.read(self._file, _LARGEST)
        except BlockingIOError:
            data = b''
        except OSError as error:
            raise self._gone(error) from error
        if not data and events[0][1] & _LOST:
            raise self._gone(None)
        return data

    def close(self) -> None:
        """Give the device back."""
        if self._serial is not None:
            self._serial.close()
            self._serial = None
            self._file = -1

    def _check(self) -> None:
        if self._serial is None:
            raise BusError(f'{self._path} is closed; call open() first')

    def _gone(self, error: OSError | None) -> BusError:
        why = f': {error.strerror}' if error is not None else ''
        return BusError(f'{self._path} is gone{why}; plug the adapter in and connect again')


class MemoryPort:
    """One end of a pair in memory: the same bytes in the same order, no threads, no clock."""

    def __init__(self) -> None:
        """Make an end that is connected to nothing."""
        self._peer = self
        self._arrived = bytearray()
        self._opened = False
        self._unplugged = False

    @classmethod
    def pair(cls) -> tuple[Self, Self]:
        """Return two ends, both closed."""
        one, other = cls(), cls()
        one._peer, other._peer = other, one
        return one, other

    @property
    def name(self) -> str:
        """Only for messages."""
        return 'memory'

    @property
    def shared(self) -> bool:
        """False: only this process has it."""
        return False

    @property
    def state(self) -> BusState:
        """Whether this end is open and the cable whole."""
        if not self._opened:
            return BusState.CLOSED
        return BusState.MISSING if self._cut else BusState.UP

    def open(self) -> None:
        """
        Take this end.

        :raises BusError: when it is taken already.
        """
        if self._opened:
            raise BusError('this end of the port in memory is open already')
        self._opened = True
        self._arrived.clear()

    def write(self, data: bytes) -> int:
        """
        Put bytes in the other end's queue; a closed other end loses them, as a wire would.

        :raises BusError: when this end is closed or the cable pulled.
        """
        self._check()
        if self._peer._opened:
            self._peer._arrived += data
        return len(data)

    def read(self, timeout: float = 0.0) -> bytes:
        """
        Return what has arrived; never waits, as time passes elsewhere.

        :raises BusError: when this end is closed or the cable pulled.
        """
        self._check()
        data = bytes(self._arrived)
        self._arrived.clear()
        return data

    def close(self) -> None:
        """Give this end back."""
        self._opened = False

    def unplug(self) -> None:
        """Pull the cable: both ends fail from now on."""
        self._unplugged = True

    def plug(self) -> None:
        """Put the cable back; what was on its way is lost."""
        self._unplugged = False
        self._arrived.clear()
        self._peer._arrived.clear()

    @property
    def _cut(self) -> bool:
        return self._unplugged or self._peer._unplugged

    def _check(self) -> None:
        if not self._opened:
            raise BusError('this end of the port in memory is closed; call open() first')
        if self._cut:
            raise BusError('the port in memory is gone; its cable was pulled')
