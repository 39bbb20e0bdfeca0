# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether a policy may be asked: a missing, stale, frozen or black camera starves it."""

from dataclasses import dataclass
import zlib

import numpy as np

from vla_control.core.messages import Image

BLACK = 8  # brightest pixel, of 255, of a picture without light


@dataclass(slots=True)
class _Seen:
    arrival: float  # [s] at the receiver
    checksum: int
    repeats: int  # pictures in a row with the same bytes while the robot moved
    black: bool


class FreshnessGuard:
    """
    Watches the cameras of one policy; ages are measured where pictures arrive.

    The same bytes again mean a frozen camera only while the robot moves: a simulated camera has
    no noise, so a scene at rest looks exactly the same.
    """

    def __init__(self, cameras: tuple[str, ...], longest_age: float, repeats: int = 5) -> None:
        """
        Begin with no picture of any camera.

        :param cameras: names of those the policy needs.
        :param longest_age: [s] ``image_timeout`` of the robot's safety section.
        :param repeats: same pictures in a row that count as frozen.
        """
        self._longest_age = longest_age
        self._repeats = repeats
        self._seen: dict[str, _Seen | None] = dict.fromkeys(cameras)

    def put(self, name: str, image: Image, arrival: float, *, moving: bool) -> None:
        """
        Note a picture; of a camera the policy does not need, nothing.

        :param arrival: [s] when it was received, on the clock of ``reason``.
        :param moving: whether the robot moved since the picture before.
        """
        if name not in self._seen:
            return
        checksum = zlib.crc32(np.ascontiguousarray(image.pixels).data)
        before = self._seen[name]
        same = before is not None and before.checksum == checksum
        repeats = before.repeats if before is not None and same else 0
        self._seen[name] = _Seen(
            arrival=arrival,
            checksum=checksum,
            repeats=repeats + (1 if same and moving else 0),
            black=int(image.pixels.max()) <= BLACK,
        )

    def reason(self, now: float) -> str | None:
        """
        Say why the policy must not be asked, or None where it may.

        :param now: [s] on the clock of the arrivals.
        """
        for name, seen in self._seen.items():
            if seen is None:
                return f'no picture of camera {name!r} yet'
            age = now - seen.arrival
            if age > self._longest_age:
                return (
                    f'the newest picture of camera {name!r} is {age:.2f} s old, '
                    f'allowed are {self._longest_age:.2f} s'
                )
            if seen.repeats >= self._repeats:
                return f'camera {name!r} is frozen: {seen.repeats + 1} equal pictures in motion'
            if seen.black:
                return f'camera {name!r} is black: no pixel is brighter than {BLACK} of 255'
        return None
