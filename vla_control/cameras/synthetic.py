# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""A moving test pattern with its frame number written into it."""

from collections.abc import Callable
import math
import threading

import cv2
import numpy as np

from vla_control.cameras.config import SourceConfig
from vla_control.core.errors import CameraError
from vla_control.core.messages import Image, Pixels

NUMBER_BITS = 32  # of the frame number, as black and white cells along the top edge
_BARS = ((235, 235, 235), (235, 235, 16), (16, 235, 235), (16, 235, 16), (235, 16, 235))


def test_pattern(number: int, width: int, height: int) -> Pixels:
    """
    Return frame ``number`` of the pattern, (height, width, 3) uint8 RGB.

    Colour bars that move one pixel a frame, the number for people, and the same number in
    binary along the top edge for machines, see ``read_number``.
    """
    columns = (np.arange(width) + number) * len(_BARS) // max(width, 1) % len(_BARS)
    pixels = np.repeat(np.array(_BARS, np.uint8)[columns][None], height, axis=0).copy()
    scale = max(width, height) / 240.0
    cv2.putText(
        pixels, str(number), (2, height - 4), cv2.FONT_HERSHEY_SIMPLEX, scale, (0, 0, 0), 1
    )
    cell, rows = max(width // NUMBER_BITS, 1), max(height // 16, 1)
    for bit in range(min(NUMBER_BITS, width)):
        value = 255 if number >> bit & 1 else 0
        pixels[:rows, bit * cell : (bit + 1) * cell] = value
    return pixels


def read_number(pixels: Pixels) -> int:
    """Return the frame number written into a pattern, also after lossy compression."""
    width = pixels.shape[1]
    cell, rows = max(width // NUMBER_BITS, 1), max(pixels.shape[0] // 16, 1)
    middle = [cell * bit + cell // 2 for bit in range(min(NUMBER_BITS, width))]
    bright = pixels[rows // 2, middle].mean(axis=1) > 127.0
    return sum(1 << bit for bit, on in enumerate(bright) if on)


class SyntheticCamera:
    """
    The pattern at a steady rate; frame k is due k periods after open().

    Frames nobody read in time are skipped, as a device would do.
    """

    def __init__(self, source: SourceConfig, frame_id: str, now: Callable[[], float]) -> None:
        """
        Take the size and rate from a source.

        :param now: the clock that stamps frames and says when the next is due.
        """
        self._source = source
        self._frame_id = frame_id
        self._now = now
        self._start: float | None = None  # [s]
        self._last = -1  # number of the newest frame returned
        self._closed = threading.Event()

    def open(self) -> None:
        """Begin with frame 0, due now."""
        self._closed.clear()
        self._start = self._now()
        self._last = -1

    def read(self, timeout: float) -> Image | None:
        """Return the frame that is due, waiting for it up to the timeout [s]."""
        if self._start is None:
            raise CameraError('synthetic camera: read before open(); call open() first')
        now = self._now()
        due = self._start + (self._last + 1) * self._source.period
        if due > now:
            if due - now > timeout:
                self._closed.wait(timeout)
                return None
            self._closed.wait(due - now)
            now = max(self._now(), due)
        # A frame due exactly now must not be lost to rounding.
        number = max(
            math.floor((now - self._start) * self._source.rate + 1e-6),
            self._last + 1,
        )
        self._last = number
        return Image(
            stamp=self._start + number * self._source.period,
            pixels=test_pattern(number, self._source.width, self._source.height),
            frame_id=self._frame_id,
            sequence=number + 1,
        )

    def close(self) -> None:
        """End; safe to call twice."""
        self._start = None
        self._closed.set()
