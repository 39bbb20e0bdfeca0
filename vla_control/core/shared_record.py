# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
The newest of a stream of records in shared memory: one writer that never waits, many readers.

A plain file in /dev/shm, mapped by all. The writer holds an OS lock on it for as long as it
lives, so readers can tell a dead writer from a silent one even after kill -9; a new writer
replaces the file, never reuses it. Three slots and a checksum make a torn read visible on any
CPU, whatever its memory order.
"""

import fcntl
import mmap
import os
from pathlib import Path
import struct
import tempfile
import time
import zlib

from vla_control.core.errors import VlaControlError

_FILE = struct.Struct('<8sIIQ')  # magic, slots, capacity [bytes], newest record number
_SLOT = struct.Struct('<QII')  # record number (0 while being written), length, crc32
_NEWEST = struct.Struct('<Q')
_NEWEST_AT = 16
_MAGIC = b'vlactl01'
_SLOTS = 3
_ALIGN = 64


class SharedRecordError(VlaControlError):
    """A shared record is missing, abandoned, or already has a writer."""


def shared_path(name: str) -> Path:
    """Return where a record of this name lives; other users of the machine have their own."""
    folder = Path('/dev/shm')  # noqa: S108
    if not folder.is_dir():
        folder = Path(tempfile.gettempdir())
    safe = ''.join(c if c.isalnum() or c in '._-' else '-' for c in name)
    return folder / f'vla_control-{os.getuid()}-{safe}'


class SharedRecordWriter:
    """The one writer of a record."""

    def __init__(self, name: str, capacity: int) -> None:
        """
        Create the record, replacing what a dead writer left.

        :param capacity: [bytes] of the largest record.
        :raises SharedRecordError: when another process is writing it.
        """
        self.path = shared_path(name)
        self._capacity = capacity
        self._stride = _stride(capacity)
        self._number = 0
        _refuse_living_writer(self.path)
        fresh = self.path.with_name(f'{self.path.name}.{os.getpid()}')
        self._fd = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        size = _ALIGN + _SLOTS * self._stride
        os.ftruncate(self._fd, size)
        self._map: mmap.mmap | None = mmap.mmap(self._fd, size)
        _FILE.pack_into(self._map, 0, _MAGIC, _SLOTS, capacity, 0)
        fresh.replace(self.path)

    def write(self, *parts: 'bytes | memoryview') -> None:
        """
        Publish a record made of these parts, one after the other; never waits.

        :raises SharedRecordError: when it is too long or the writer is closed.
        """
        if self._map is None:
            raise SharedRecordError(f'{self.path.name}: written after close()')
        views = [memoryview(p).cast('B') for p in parts]
        length = sum(map(len, views))
        if length > self._capacity:
            raise SharedRecordError(
                f'{self.path.name}: a record of {length} bytes, capacity is {self._capacity}'
            )
        self._number += 1
        slot = _ALIGN + (self._number % _SLOTS) * self._stride
        _SLOT.pack_into(self._map, slot, 0, 0, 0)
        crc, at = 0, slot + _SLOT.size
        for view in views:
            self._map[at : at + len(view)] = view
            crc = zlib.crc32(view, crc)
            at += len(view)
        _SLOT.pack_into(self._map, slot, self._number, length, crc)
        _NEWEST.pack_into(self._map, _NEWEST_AT, self._number)

    def close(self) -> None:
        """Remove the record; safe to call twice."""
        if self._map is None:
            return
        self._map.close()
        self._map = None
        # Only what is still ours: a later writer may have replaced the file.
        if self.path.exists() and self.path.stat().st_ino == os.fstat(self._fd).st_ino:
            self.path.unlink()
        os.close(self._fd)


class SharedRecordReader:
    """One of any number of readers of a record."""

    def __init__(self, name: str) -> None:
        """
        Attach to a record.

        :raises SharedRecordError: when nobody is writing it.
        """
        self.path = shared_path(name)
        try:
            self._fd = os.open(self.path, os.O_RDONLY)
        except OSError as error:
            raise SharedRecordError(f'{self.path}: {error.strerror}') from error
        size = os.fstat(self._fd).st_size
        if size < _ALIGN or not self.writer_alive():
            os.close(self._fd)
            raise SharedRecordError(f'{self.path}: its writer is gone')
        self._map: mmap.mmap | None = mmap.mmap(self._fd, size, prot=mmap.PROT_READ)
        magic, _, capacity, _ = _FILE.unpack_from(self._map, 0)
        if magic != _MAGIC:
            self.close()
            raise SharedRecordError(f'{self.path}: not a record of this version')
        self._stride = _stride(capacity)
        self._seen = 0

    def read(self) -> tuple[int, bytes] | None:
        """
        Return the newest record not yet returned and its number, or None; never waits.

        :raises SharedRecordError: after close().
        """
        if self._map is None:
            raise SharedRecordError(f'{self.path.name}: read after close()')
        for _ in range(8):
            (number,) = _NEWEST.unpack_from(self._map, _NEWEST_AT)
            if number == self._seen:
                return None
            slot = _ALIGN + (number % _SLOTS) * self._stride
            before, length, crc = _SLOT.unpack_from(self._map, slot)
            data = self._map[slot + _SLOT.size : slot + _SLOT.size + length]
            (after,) = _NEWEST.unpack_from(self._map, slot)
            if before == after == number and zlib.crc32(data) == crc:
                self._seen = number
                return number, data
        return None

    def writer_alive(self) -> bool:
        """Tell whether the process that made this record still runs and has not closed it."""
        try:
            fcntl.flock(self._fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        fcntl.flock(self._fd, fcntl.LOCK_UN)
        return False

    def close(self) -> None:
        """Detach; safe to call twice."""
        if self._map is None:
            return
        self._map.close()
        self._map = None
        os.close(self._fd)


def _stride(capacity: int) -> int:
    return -(-(_SLOT.size + capacity) // _ALIGN) * _ALIGN


def _refuse_living_writer(path: Path) -> None:
    try:
        fd = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return
    try:
        # A reader asking whether the writer lives holds the lock for microseconds.
        for _ in range(20):
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(0.002)
            else:
                return
        raise SharedRecordError(
            f'{path} is being written by another process; stop the other simulation, or give '
            'this one its own ROS_DOMAIN_ID or namespace'
        )
    finally:
        os.close(fd)
