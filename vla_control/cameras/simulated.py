# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Frames a simulation renders, handed over in shared memory. Both ends of the slot are here."""

import struct
import time

import numpy as np

from vla_control.cameras.config import SourceConfig
from vla_control.core.errors import CameraError
from vla_control.core.messages import Image, Pixels
from vla_control.core.shared_record import (
    SharedRecordError,
    SharedRecordReader,
    SharedRecordWriter,
)

_HEADER = struct.Struct('<dII')  # stamp [s], rows, columns
_POLL = 0.0005  # [s] between looks at the slot


def frame_slot(session: str, camera: str) -> str:
    """Return the name of the shared record of a camera."""
    return f'{session}-camera-{camera}'


class FrameWriter:
    """The simulation's end."""

    def __init__(self, session: str, camera: str, width: int, height: int) -> None:
        """
        Create the slot.

        :param session: what tells simulations on one machine apart.
        :raises SharedRecordError: when another simulation of the session is running.
        """
        self._record = SharedRecordWriter(
            frame_slot(session, camera), _HEADER.size + 3 * width * height
        )

    def write(self, stamp: float, pixels: Pixels) -> None:
        """
        Publish a frame; never waits.

        :param stamp: [s] on the clock of the graph, when the pictured state was true.
        :param pixels: (h, w, 3) uint8 RGB.
        """
        rows, columns, _ = pixels.shape
        self._record.write(_HEADER.pack(stamp, rows, columns), np.ascontiguousarray(pixels).data)

    def close(self) -> None:
        """Remove the slot; safe to call twice."""
        self._record.close()


class SimulatedCamera:
    """The camera's end: the newest frame of the simulation, stamped by it."""

    def __init__(self, source: SourceConfig, name: str, frame_id: str, session: str) -> None:
        """
        Remember where to look.

        :param session: the session of the simulation, as given to it.
        """
        self._source = source
        self._name = name
        self._frame_id = frame_id
        self._session = session
        self._record: SharedRecordReader | None = None
        self._sequence = 0  # never starts over, so a reopened camera repeats no number
        self._stamp = np.nan  # [s] of the newest frame returned

    def open(self) -> None:
        """
        Attach to the running simulation.

        :raises CameraError: when none is rendering this camera.
        """
        self.close()
        try:
            self._record = SharedRecordReader(frame_slot(self._session, self._name))
        except SharedRecordError as error:
            raise CameraError(
                f'camera {self._name!r}: no simulation renders it in session '
                f'{self._session!r} ({error}); start one with hardware:=sim, or check that '
                'ROS_DOMAIN_ID and the namespace are the same'
            ) from error

    def read(self, timeout: float) -> Image | None:
        """Return the newest frame not yet returned; see core.protocols.Camera."""
        if self._record is None:
            raise CameraError(f'camera {self._name!r}: read before open(); call open() first')
        end = time.monotonic() + timeout
        while True:
            found = self._record.read()
            image = self._image(found[1]) if found is not None else None
            if image is not None:
                return image
            left = end - time.monotonic()
            if left <= 0.0:
                break
            time.sleep(min(_POLL, left))
        if not self._record.writer_alive():
            self.close()
            raise CameraError(
                f'camera {self._name!r}: the simulation of session {self._session!r} has ended; '
                'open the camera again once it runs'
            )
        return None

    def close(self) -> None:
        """Detach; safe to call twice."""
        if self._record is not None:
            self._record.close()
            self._record = None

    def _image(self, data: bytes) -> Image | None:
        stamp, rows, columns = _HEADER.unpack_from(data)
        if (columns, rows) != (self._source.width, self._source.height):
            raise CameraError(
                f'camera {self._name!r}: the simulation renders {columns}x{rows}, the camera is '
                f'configured for {self._source.width}x{self._source.height}; set width and '
                f'height of sources.sim in its YAML file'
            )
        if stamp == self._stamp:  # the last frame before close(), still the newest after open()
            return None
        self._stamp = stamp
        self._sequence += 1
        pixels = np.frombuffer(data, np.uint8, offset=_HEADER.size).reshape(rows, columns, 3)
        return Image(stamp=stamp, pixels=pixels, frame_id=self._frame_id, sequence=self._sequence)
