# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Between the ROS time of stamps and the steady clock that ages are measured on."""

import math
import time

from builtin_interfaces.msg import Time
from rclpy.clock import Clock

JUMP = 0.1  # [s] the system clock may be set by before anyone needs to know
NOISE = 1e-3  # [s] of a sample that was interrupted; smaller steps are not followed
SAMPLES = 5
NANO = 10**9


def seconds(stamp: Time) -> float:
    """Return a stamp as seconds [s] of ROS time."""
    return float(stamp.sec) + 1e-9 * float(stamp.nanosec)


def to_msg(stamp: float) -> Time:
    """Return seconds [s] of ROS time as a stamp."""
    whole = math.floor(stamp)
    return _time(whole * NANO + round((stamp - whole) * NANO))


class StampClock:
    """
    Converts by an offset that is sampled once and watched.

    Both clocks of a machine run at one rate, so the offset only changes when somebody sets the
    system clock; small corrections are taken over, jumps are reported as well. It is kept in
    whole nanoseconds: a float of today's time is only good to 0.2 microseconds, which would
    show as 1 rad/s3 of jerk in a reference.
    """

    def __init__(self, clock: Clock, simulated: bool = False) -> None:
        """
        Sample the offset.

        :param clock: the node's clock.
        :param simulated: whether it follows /clock, whose rate is anybody's guess.
        """
        self._clock = clock
        self._simulated = simulated
        self._offset = self._sample()

    def msg(self, steady: float) -> Time:
        """Return the stamp of an instant of the steady clock [s]."""
        return _time(round(steady * NANO) + self._current())

    def steady(self, stamp: Time) -> float:
        """Return the instant of the steady clock [s] of a stamp."""
        return float(stamp.sec * NANO + stamp.nanosec - self._current()) / NANO

    def ros(self, steady: float) -> float:
        """Return the ROS time [s] of an instant of the steady clock [s]."""
        return steady + self._current() / NANO

    def watch(self) -> float:
        """
        Sample again; call about once a second.

        :returns: how far the system clock jumped [s], 0 where it did not.
        """
        offset = self._sample()
        step = (offset - self._offset) / NANO
        self._offset = offset if abs(step) > NOISE else self._offset
        return step if abs(step) > JUMP and not self._simulated else 0.0

    def _current(self) -> int:
        return self._sample() if self._simulated else self._offset

    def _sample(self) -> int:
        """Take the offset [ns] of the reading that was interrupted least."""
        best_width, best = math.inf, 0
        for _ in range(SAMPLES):
            before = time.monotonic_ns()
            ros = self._clock.now().nanoseconds
            after = time.monotonic_ns()
            if after - before < best_width:
                best_width, best = after - before, ros - (before + after) // 2
        return best


def _time(nanoseconds: int) -> Time:
    return Time(sec=nanoseconds // NANO, nanosec=nanoseconds % NANO)
