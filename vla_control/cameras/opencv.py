# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""A camera, video file or image folder through OpenCV, read by a thread of its own."""

from collections.abc import Callable
import threading
import time

import cv2
import numpy as np

from vla_control.cameras.config import SourceConfig
from vla_control.cameras.frames import Frames, open_frames
from vla_control.core.errors import CameraError
from vla_control.core.messages import Image, Pixels

_FIRST_FRAME = 5.0  # [s] a device may take to deliver its first frame
_DAMAGED = 10  # frames in a row that may be damaged: USB cameras drop bytes now and then
_JOIN = 1.0  # [s] to wait for a grab under way when closing
_TURNS = {
    90: cv2.ROTATE_90_CLOCKWISE,
    180: cv2.ROTATE_180,
    270: cv2.ROTATE_90_COUNTERCLOCKWISE,
}


class OpenCvCamera:
    """
    Keeps only the newest frame, stamped when it was grabbed.

    A thread grabs all the time, so the device's own queue never fills with old frames. The
    thread owns the device: nobody else may release it while a grab is under way.
    """

    def __init__(
        self,
        source: SourceConfig,
        name: str,
        frame_id: str,
        now: Callable[[], float],
        opener: Callable[[SourceConfig], Frames] = open_frames,
    ) -> None:
        """
        Remember what to open.

        :param now: the clock that stamps frames.
        :param opener: opens the device.
        """
        self._source = source
        self._name = name
        self._frame_id = frame_id
        self._now = now
        self._opener = opener
        self._grabber: _Grabber | None = None
        self._sequence = 0  # never starts over, so a reopened camera repeats no number

    def open(self) -> None:
        """Open the device and start grabbing; see core.protocols.Camera."""
        self.close()
        try:
            frames = self._opener(self._source)
        except CameraError as error:
            raise CameraError(f'camera {self._name!r}: {error}') from error
        source = self._source
        self._grabber = _Grabber(
            frames, self._now, (source.height, source.width), _TURNS.get(source.rotate)
        )
        self._grabber.start()

    def read(self, timeout: float) -> Image | None:
        """Return the newest frame not yet returned; see core.protocols.Camera."""
        grabber = self._grabber
        if grabber is None:
            raise CameraError(f'camera {self._name!r}: read before open(); call open() first')
        frame = grabber.take(timeout)
        if frame is not None:
            self._sequence += 1
            stamp, pixels = frame
            return Image(
                stamp=stamp, pixels=pixels, frame_id=self._frame_id, sequence=self._sequence
            )
        reason = grabber.reason or self._silence(grabber)
        if reason:
            self.close()
            raise CameraError(
                f'camera {self._name!r} ({self._source.device}) is lost: {reason}; '
                'it may be opened again'
            )
        return None

    def close(self) -> None:
        """Stop grabbing; safe to call twice."""
        if self._grabber is not None:
            self._grabber.stop()
            self._grabber = None

    def _silence(self, grabber: '_Grabber') -> str:
        """Say for how long there was no frame where that is too long, else nothing."""
        allowed = self._source.patience * self._source.period
        if grabber.count == 0:
            allowed = max(allowed, _FIRST_FRAME)
        silent = time.monotonic() - grabber.arrival
        if silent <= allowed:
            return ''
        return f'no frame for {silent:.2f} s, allowed are {allowed:.2f} s'


class _Grabber(threading.Thread):
    """Grabs until told to stop or the source fails; made anew by every open()."""

    def __init__(
        self, frames: Frames, now: Callable[[], float], size: tuple[int, int], turn: int | None
    ) -> None:
        super().__init__(name='camera', daemon=True)
        self._frames = frames
        self._now = now
        self._size = size  # rows, columns [px] of the device
        self._turn = turn  # what OpenCV calls it; None: not at all
        self._change = threading.Condition()
        self._newest: tuple[float, Pixels] | None = None
        self._stop_asked = threading.Event()
        self.reason = ''  # why it ended by itself
        self.count = 0  # frames grabbed
        self.arrival = time.monotonic()  # [s] of the newest frame, or of the start

    def take(self, timeout: float) -> tuple[float, Pixels] | None:
        """Return stamp and pixels of the newest frame not yet taken."""
        with self._change:
            self._change.wait_for(lambda: self._newest is not None or self.reason, timeout)
            frame, self._newest = self._newest, None
            return frame

    def stop(self) -> None:
        """End the thread; one stuck in a grab is left behind and ends by itself."""
        self._stop_asked.set()
        if self.is_alive():
            self.join(_JOIN)

    def run(self) -> None:
        """Grab until there is a reason not to."""
        reason = 'it failed'
        try:
            reason = self._grab_all()
        except cv2.error as error:
            reason = str(error)
        finally:
            self._frames.release()
            with self._change:
                self.reason = reason
                self._change.notify_all()

    def _grab_all(self) -> str:
        due, damaged = time.monotonic(), 0
        while not self._stop_asked.is_set():
            if self._frames.period is not None:
                self._stop_asked.wait(max(0.0, due - time.monotonic()))
                due = max(due + self._frames.period, time.monotonic())
            if not self._frames.grab():
                return 'the end of the recording' if self._frames.period else 'reading failed'
            stamp = self._now()
            pixels = self._frames.retrieve()
            if pixels is None:
                damaged += 1
                if damaged > _DAMAGED:
                    return f'{damaged} frames in a row cannot be decoded'
                continue
            damaged = 0
            if pixels.shape[:2] != self._size:
                found, wanted = pixels.shape[:2], self._size
                return (
                    f'it gives {found[1]}x{found[0]} where its YAML file says '
                    f'{wanted[1]}x{wanted[0]}; set width and height to a size it has '
                    '(`v4l2-ctl --list-formats-ext` lists them)'
                )
            if self._turn is not None:
                pixels = np.asarray(cv2.rotate(pixels, self._turn), np.uint8)
            self._publish(stamp, pixels)
        return 'closed'

    def _publish(self, stamp: float, pixels: Pixels) -> None:
        pixels.setflags(write=False)
        with self._change:
            self._newest = (stamp, pixels)
            self.count += 1
            self.arrival = time.monotonic()
            self._change.notify_all()
