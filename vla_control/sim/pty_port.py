# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The device's end of an emulated serial port: a pseudo-terminal under a name of its own."""

from contextlib import suppress
import os
from pathlib import Path
import select
import tty

from vla_control.buses.frames import BusState
from vla_control.buses.lock import BusLock
from vla_control.core.errors import BusError

_LARGEST = 65_536  # bytes taken in one read


class PtyPort:
    """
    Bytes to and from whoever opens the path.

    The path is a link to the terminal; it is replaced when an emulation before this one died.
    """

    def __init__(self, path: str, lock_folder: Path | None = None) -> None:
        """
        Prepare a port; nothing is opened yet.

        :param path: where the port is to appear, such as ``/tmp/vla_control-dk1``.
        :param lock_folder: where the lock file lives; the machine's own by default.
        """
        self._path = Path(path)
        self._lock = BusLock(f'emulated adapter {path}', lock_folder)
        self._master = self._slave = -1
        self._unplugged = False
        self._poll = select.poll()

    @property
    def name(self) -> str:
        """The path."""
        return str(self._path)

    @property
    def shared(self) -> bool:
        """True: the path is in the file system."""
        return True

    @property
    def state(self) -> BusState:
        """CLOSED, UP, or MISSING while unplugged."""
        if self._master >= 0:
            return BusState.UP
        return BusState.MISSING if self._unplugged else BusState.CLOSED

    def open(self) -> None:
        """
        Make the terminal and its link.

        :raises BusError: when another emulation holds the path, or something else is there.
        """
        if self._master >= 0:
            raise BusError(f'{self._path} is open already')
        self._lock.acquire()
        try:
            self.plug()
        except BusError:
            self._lock.release()
            raise

    def write(self, data: bytes) -> int:
        """Hand over bytes; with nobody reading, what the terminal does not hold is lost."""
        if self._master < 0:
            return 0
        try:
            return os.write(self._master, data)
        except BlockingIOError:
            return 0

    def read(self, timeout: float = 0.0) -> bytes:
        """
        Return what has arrived; nothing while unplugged.

        :param timeout: [s] longest wait for the first byte.
        :raises BusError: when the port is closed.
        """
        if self._master < 0:
            if self._unplugged:
                return b''
            raise BusError(f'{self._path} is closed; call open() first')
        if not self._poll.poll(max(timeout, 0.0) * 1e3):
            return b''
        with suppress(BlockingIOError):
            return os.read(self._master, _LARGEST)
        return b''

    def unplug(self) -> None:
        """Pull the cable: the terminal and its link go away under whoever has it open."""
        self._unplugged = True
        if self._master >= 0:
            with suppress(FileNotFoundError):
                self._path.unlink()
            os.close(self._master)
            os.close(self._slave)
            self._master = self._slave = -1

    def plug(self) -> None:
        """
        Put the cable back: a new terminal under the same path.

        :raises BusError: when something else is at the path.
        """
        if self._path.exists() and not self._path.is_symlink():
            raise BusError(f'{self._path} exists and is no link; choose another bus.channel.sim')
        try:
            self._master, self._slave = os.openpty()
            # Kept open here, so that a driver that goes away does not hang up the terminal.
            tty.setraw(self._slave)
            os.set_blocking(self._master, False)
            fresh = self._path.with_name(f'{self._path.name}.{os.getpid()}')
            fresh.symlink_to(os.ttyname(self._slave))
            fresh.replace(self._path)
        except OSError as error:
            raise BusError(f'cannot emulate a serial port at {self._path}: {error}') from error
        self._unplugged = False
        self._poll = select.poll()
        self._poll.register(self._master, select.POLLIN)

    def close(self) -> None:
        """Take the port away; safe to call twice."""
        self.unplug()
        self._unplugged = False
        self._lock.release()
