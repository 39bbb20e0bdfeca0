# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""One writer per bus and machine: an advisory file lock that names its holder."""

import fcntl
import os
from pathlib import Path
import re
import sys
import tempfile

from vla_control.core.errors import BusError

# World-writable and cleared at boot on every Linux this runs on; containers may lack it.
LOCK_FOLDER = Path('/run/lock')


class BusLock:
    """
    Holds a bus for this process until release() or death.

    The kernel drops a flock with its holder, however that ends, so there are no stale locks. A
    forked child inherits it, though: start other processes with spawn.
    """

    def __init__(self, name: str, folder: Path | None = None) -> None:
        """
        Prepare a lock; nothing is held yet.

        :param name: what is locked, such as ``socketcan-can0``.
        :param folder: where lock files live; the machine's own by default.
        """
        safe = re.sub(r'[^A-Za-z0-9.]+', '-', name)
        self.path = (folder or _folder()) / f'vla_control-{safe}.lock'
        self._name = name
        self._descriptor = -1

    def acquire(self) -> None:
        """
        Take the lock at once or not at all.

        :raises BusError: naming the process that holds it, or why the file cannot be used.
        """
        try:
            descriptor = _open(self.path)
        except OSError as error:
            raise BusError(
                f'cannot open the lock {self.path} of bus {self._name}: {error.strerror}; it must '
                'be writable, as another user of this machine may have made it'
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(descriptor, 4096, 0).decode(errors='replace').strip()
            os.close(descriptor)
            raise BusError(
                f'bus {self._name} is held by {holder or "another process"}; a bus has one '
                'writer, so end that process or choose another channel or port'
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f'process {os.getpid()} ({_command()})\n'.encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back; safe to call twice. The file stays, or a waiter would lose it."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _folder() -> Path:
    return LOCK_FOLDER if os.access(LOCK_FOLDER, os.W_OK) else Path(tempfile.gettempdir())


def _open(path: Path) -> int:
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        # O_CREAT on another user's file is refused in sticky folders, so it comes second.
        return os.open(path, flags)
    except FileNotFoundError:
        descriptor = os.open(path, flags | os.O_CREAT, 0o666)
        os.fchmod(descriptor, 0o666)  # the umask must not lock other users out
        return descriptor


def _command() -> str:
    return ' '.join([Path(sys.argv[0]).name, *sys.argv[1:]])[:200] or 'python'
