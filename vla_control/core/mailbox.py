# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""A slot that holds the newest value and wakes nobody."""

from typing import Generic, TypeVar

T = TypeVar('T')


class Mailbox(Generic[T]):
    """
    Latest-wins exchange between threads without a lock.

    One tuple is rebound on each put, which is atomic under the interpreter lock; a reader
    sees either the old or the new value, whole. Made for one writer and one reader.
    """

    def __init__(self) -> None:
        """Start empty."""
        self._slot: tuple[int, T] | None = None
        self._seen = 0

    def put(self, value: T) -> None:
        """Replace whatever is in the slot."""
        count = self._slot[0] if self._slot else 0
        self._slot = (count + 1, value)

    def peek(self) -> T | None:
        """Return the newest value, or None; it stays new."""
        return self._slot[1] if self._slot else None

    def take(self) -> T | None:
        """Return the newest value if it was not taken before, else None."""
        slot = self._slot
        if slot is None or slot[0] == self._seen:
            return None
        self._seen = slot[0]
        return slot[1]
