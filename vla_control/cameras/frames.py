# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Frames one after the other, through OpenCV: from a device, a video file or a folder."""

from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from vla_control.cameras.config import SourceConfig
from vla_control.core.errors import CameraError
from vla_control.core.messages import Pixels

_PICTURES = {'.png', '.jpg', '.jpeg', '.bmp', '.ppm', '.webp'}


class Frames(Protocol):
    """A source of frames, used by one thread."""

    period: float | None  # [s] to pace a recording at, None where the device sets the pace

    def grab(self) -> bool:
        """Wait for the next frame to be captured; False at the end or when the device fails."""

    def retrieve(self) -> Pixels | None:
        """Decode what was grabbed, (h, w, 3) RGB; None when it is damaged."""

    def release(self) -> None:
        """Let the device go."""


def open_frames(source: SourceConfig) -> Frames:
    """
    Open what ``source.device`` names.

    :raises CameraError: naming the device and what would be right.
    """
    device = source.device
    path = Path(device)
    if path.is_dir():
        return FolderFrames(source)
    if device.isdigit() or device.startswith('/dev/'):
        return DeviceFrames(source)
    if not path.is_file():
        raise CameraError(
            f'{device!r} is no device, file or folder; give an index, a '
            '/dev/v4l/by-path/... link, a video file or a folder of images'
        )
    return VideoFrames(source)


class DeviceFrames:
    """A V4L2 camera."""

    period: float | None = None

    def __init__(self, source: SourceConfig) -> None:
        """
        Open and set up the device.

        :raises CameraError: when it is missing, busy, or gives another image size.
        """
        target: int | str = source.device
        if source.device.isdigit():
            target = int(source.device)
        elif not Path(source.device).exists():
            raise CameraError(
                f'no camera at {source.device}; it is unplugged, or on another port: '
                f'found {_links()}. Set sources.real.device in its YAML file'
            )
        else:
            target = str(Path(source.device).resolve())
        self._capture = cv2.VideoCapture(target, cv2.CAP_V4L2)
        if not self._capture.isOpened():
            self._capture.release()
            raise CameraError(
                f'cannot open {source.device}; another process holds it (`fuser {target}` tells), '
                'or it may not be read (join the group video)'
            )
        # The pixel format first: it decides which sizes and rates there are.
        if source.fourcc:
            code = cv2.VideoWriter.fourcc(*source.fourcc)
            self._capture.set(cv2.CAP_PROP_FOURCC, code)
        self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, source.width)
        self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, source.height)
        self._capture.set(cv2.CAP_PROP_FPS, source.rate)
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)

    def grab(self) -> bool:
        """See Frames."""
        return bool(self._capture.grab())

    def retrieve(self) -> Pixels | None:
        """See Frames."""
        return _decode(self._capture)

    def release(self) -> None:
        """See Frames."""
        self._capture.release()


class VideoFrames:
    """A recording, at the pace it was recorded."""

    def __init__(self, source: SourceConfig) -> None:
        """
        Open the file.

        :raises CameraError: when it is no video this OpenCV can read.
        """
        self._loop = source.loop
        self._capture = cv2.VideoCapture(source.device)
        if not self._capture.isOpened():
            raise CameraError(f'{source.device} is not a video OpenCV can read')
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self.period: float | None = 1.0 / rate if rate > 0.0 else source.period

    def grab(self) -> bool:
        """See Frames."""
        if self._capture.grab():
            return True
        if not self._loop:
            return False
        self._capture.set(cv2.CAP_PROP_POS_FRAMES, 0)
        return bool(self._capture.grab())

    def retrieve(self) -> Pixels | None:
        """See Frames."""
        return _decode(self._capture)

    def release(self) -> None:
        """See Frames."""
        self._capture.release()


class FolderFrames:
    """The pictures of a folder in order of their names, at the rate of the source."""

    def __init__(self, source: SourceConfig) -> None:
        """
        List the pictures.

        :raises CameraError: when there are none.
        """
        self.period: float | None = source.period
        self._loop = source.loop
        folder = Path(source.device)
        self._paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in _PICTURES)
        if not self._paths:
            raise CameraError(f'no pictures in {folder}; it needs {sorted(_PICTURES)}')
        self._next = 0

    def grab(self) -> bool:
        """See Frames."""
        if self._next >= len(self._paths):
            if not self._loop:
                return False
            self._next = 0
        self._next += 1
        return True

    def retrieve(self) -> Pixels | None:
        """See Frames."""
        pixels = cv2.imread(str(self._paths[self._next - 1]), cv2.IMREAD_COLOR)
        return None if pixels is None else _rgb(pixels)

    def release(self) -> None:
        """See Frames; a folder needs no release."""


def _decode(capture: cv2.VideoCapture) -> Pixels | None:
    good, pixels = capture.retrieve()
    return _rgb(np.asarray(pixels, np.uint8)) if good and pixels is not None else None


def _rgb(pixels: 'np.ndarray') -> Pixels:  # type: ignore[type-arg]
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8)


def _links() -> list[str]:
    return [str(p) for p in sorted(Path('/dev/v4l/by-path').glob('*'))] or [
        str(p) for p in sorted(Path('/dev').glob('video*'))
    ]
