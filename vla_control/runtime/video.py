# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""A video of what happened: the scene, and what the cameras saw, redrawn from a trace."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from vla_control.core.messages import Floats, Pixels
from vla_control.core.spec import RobotSpec
from vla_control.sim.world import World

SCENE_SIZE = (640, 480)  # [px] width, height
CAMERA_SIDE = 240  # [px] at most; three cameras share the height
FRAME_RATE = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """The state of a simulated world over time."""

    time: Floats  # (T,) [s] rising
    snapshots: Floats  # (T, k) of World.snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Caption:
    """Words to show from one time on."""

    start: float  # [s] of the trace's clock
    title: str
    detail: str = ''


def load_trace(path: Path) -> Trace:
    """Read the .npz a simulation wrote: arrays ``time`` and ``snapshots``."""
    with np.load(path, allow_pickle=False) as data:
        return Trace(time=data['time'], snapshots=data['snapshots'])


def write_video(
    path: Path, spec: RobotSpec, trace: Trace, captions: Sequence[Caption], speed: float = 1.0
) -> int:
    """
    Draw a trace and encode it as H.264.

    :param path: an .mp4 file.
    :param captions: in order of time.
    :param speed: of playback, 1 is real time.
    :returns: number of frames written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    return encode(path, draw_frames(spec, trace, captions, speed))


def draw_frames(
    spec: RobotSpec, trace: Trace, captions: Sequence[Caption], speed: float
) -> Iterator[Pixels]:
    """Yield one picture a video frame: the scene, a column of cameras, and the words."""
    times = np.arange(trace.time[0], trace.time[-1], speed / FRAME_RATE)
    rows = np.searchsorted(trace.time, times, side='right') - 1
    starts = [c.start for c in captions]
    with World(spec) as world:
        for time, row in zip(times, rows, strict=True):
            world.restore(trace.snapshots[row])
            current = int(np.searchsorted(starts, time, side='right')) - 1
            yield draw(world, captions[current] if current >= 0 else None)


def draw(world: World, caption: Caption | None) -> Pixels:
    """Return one video frame (480, 640 and the cameras, 3) uint8 RGB of the world as it is."""
    scene = world.render('overview', *SCENE_SIZE)
    names = world.spec.cameras
    side = min(CAMERA_SIDE, SCENE_SIZE[1] // max(1, len(names)))
    column = np.zeros((SCENE_SIZE[1], side if names else 0, 3), dtype=np.uint8)
    for k, name in enumerate(names):
        column[k * side : (k + 1) * side] = labelled_view(world, name, side)
    frame = np.ascontiguousarray(np.hstack([scene, column]))
    if caption:
        cv2.rectangle(frame, (0, 0), (SCENE_SIZE[0] - 1, 40), (24, 26, 30), -1)
        text(frame, f'"{caption.title}"', (14, 27), 0.68, (255, 255, 255))
        text(frame, caption.detail, (440, 27), 0.5, (190, 200, 210))
    return frame


def labelled_view(world: World, camera: str, side: int) -> Pixels:
    """Return a camera's picture as the policy gets it, ``side`` px wide and high, and named."""
    small = world.render(camera, 192, 192)
    view = np.asarray(
        cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC), dtype=np.uint8
    )
    text(view, camera, (8, 20), 0.5, (255, 255, 255))
    return view


def text(
    image: Pixels, words: str, at: tuple[int, int], size: float, colour: tuple[int, int, int]
) -> None:
    """Write words into an image, in place."""
    font, line = cv2.FONT_HERSHEY_SIMPLEX, cv2.LINE_AA
    cv2.putText(image, words, at, font, size, (0, 0, 0), 3, line)
    cv2.putText(image, words, at, font, size, colour, 1, line)


def encode(path: Path, frames: Iterator[Pixels], rate: int = FRAME_RATE) -> int:
    """
    Encode frames of one size; the file appears whole or not at all.

    :returns: number of frames written.
    """
    import av

    part = path.with_suffix('.part.mp4')
    count = 0
    with av.open(str(part), 'w') as container:
        stream = container.add_stream('libx264', rate=Fraction(rate))
        stream.options = {'crf': '23', 'preset': 'veryfast'}
        stream.pix_fmt = 'yuv420p'
        for pixels in frames:
            if not count:
                stream.height, stream.width = pixels.shape[:2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format='rgb24')))
            count += 1
        container.mux(stream.encode())
    part.replace(path)
    return count
