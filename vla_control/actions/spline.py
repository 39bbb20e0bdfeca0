# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Curves with continuous acceleration: a spline through points, a fading offset, a stop.

Every curve answers ``at(t) -> (3, n)``, the rows q, v, a of one instant (a few microseconds,
for the tick), and ``positions(times) -> (T, n)`` of many instants at once (for a splice).
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from vla_control.core.messages import Floats
from vla_control.core.motion import Quintic, Stop, stop


@dataclass(frozen=True, slots=True)
class CubicSpline:
    """
    A C2 piecewise cubic over uniform segments; constant acceleration outside of them.

    Segment ``i`` starts at ``start + i * step``; its row ``k`` multiplies ``u**k``, ``u`` in s.
    """

    start: float  # [s]
    step: float  # [s] length of a segment
    powers: Floats  # (m, 4, n) [rad/s**k], m >= 1 segments

    @property
    def end(self) -> float:
        """The last instant the points cover [s]; the start itself for a single point."""
        return self.start + self.step * len(self.powers)

    def at(self, t: float) -> Floats:
        """Return q, v, a at one instant, (3, n)."""
        x = t - self.start
        i = min(max(int(x / self.step), 0), len(self.powers) - 1)
        past = x - i * self.step
        u = min(past, self.step)
        w = max(u, 0.0)  # drops the jerk before the first segment
        weights = ((1.0, u, u * u, u * u * w), (0.0, 1.0, 2 * u, 3 * u * w), (0, 0, 2.0, 6 * w))
        state = np.array(weights) @ self.powers[i]
        return state if u == past else _continue(state, past - u)

    def positions(self, times: Floats) -> Floats:
        """
        Return q at many instants, (T, n).

        :param times: (T,) [s].
        """
        x = times - self.start
        inside = np.minimum(np.maximum(x, 0.0), self.step * len(self.powers))
        i = np.minimum((inside / self.step).astype(np.intp), len(self.powers) - 1)
        u = inside - i * self.step
        weights = np.ones((len(u), 1, 4))
        weights[:, 0, 1] = u
        weights[:, 0, 2] = u * u
        weights[:, 0, 3] = u * u * u
        powers = self.powers[i]
        q: Floats = (weights @ powers)[:, 0]
        beyond = (x - inside)[:, None]
        if beyond.any():
            u = u[:, None]
            _, c1, c2, c3 = powers.transpose(1, 0, 2)
            v = c1 + u * (2.0 * c2 + 3.0 * u * c3)
            q = q + beyond * (v + beyond * (c2 + 3.0 * u * c3))
        return q


def interpolate(start: float, step: float, points: Floats) -> CubicSpline:
    """
    Return the C2 spline through points at uniform times.

    The acceleration runs on straight over the first and last two segments ("not a knot"), which
    is exact for a cubic: a curve cut in the middle of a swing is not pulled straight there, as
    by natural ends. They leave 1 % of error at the seams of a 0.5 Hz motion in steps of 0.1 s,
    ends of constant acceleration 3 %.

    :param start: [s] time of the first point.
    :param step: [s] between points.
    :param points: (H, n) with H >= 1.
    """
    if len(points) == 1:
        powers = np.zeros((1, 4, points.shape[1]))
        powers[0, 0] = points[0]
        return CubicSpline(start, step, powers)
    bend = bending_matrix(len(points)) @ points / (step * step)
    rise = (points[1:] - points[:-1]) / step
    powers = np.empty((len(points) - 1, 4, points.shape[1]))
    powers[:, 0] = points[:-1]
    powers[:, 1] = rise - step / 6.0 * (2.0 * bend[:-1] + bend[1:])
    powers[:, 2] = 0.5 * bend[:-1]
    powers[:, 3] = (bend[1:] - bend[:-1]) / (6.0 * step)
    return CubicSpline(start, step, powers)


@lru_cache(maxsize=32)
def bending_matrix(count: int) -> Floats:
    """Return K (H, H) with ``K @ points / step**2`` the accelerations at the points."""
    if count < 3:
        return np.zeros((count, count))
    left = np.zeros((count, count))
    right = np.zeros((count, count))
    rows = np.arange(1, count - 1)
    left[rows, rows - 1] = left[rows, rows + 1] = 1.0
    left[rows, rows] = 4.0
    right[rows, rows - 1] = right[rows, rows + 1] = 6.0
    right[rows, rows] = -12.0
    ends = (1.0, -2.0, 1.0) if count > 3 else (1.0, -1.0, 0.0)
    left[0, :3] = ends
    left[-1, -3:] = ends[::-1]
    matrix = np.asarray(np.linalg.solve(left, right), dtype=np.float64)
    matrix.setflags(write=False)
    return matrix


@dataclass(frozen=True, slots=True)
class Fade:
    """An offset that leaves with given q, v, a and is zero, to C2, after its duration."""

    start: float  # [s]
    duration: float  # [s] > 0
    curve: Quintic  # of the time since the start

    @property
    def end(self) -> float:
        """When the offset is gone [s]."""
        return self.start + self.duration

    def at(self, t: float) -> Floats:
        """Return q, v, a at one instant, (3, n); held before the start, zero after the end."""
        u = min(max(t - self.start, 0.0), self.duration)
        u2 = u * u
        u3 = u2 * u
        weights = (
            (1.0, u, u2, u3, u2 * u2, u2 * u3),
            (0.0, 1.0, 2 * u, 3 * u2, 4 * u3, 5 * u2 * u2),
            (0.0, 0.0, 2.0, 6 * u, 12 * u2, 20 * u3),
        )
        return np.array(weights) @ self.curve.c

    def positions(self, times: Floats) -> Floats:
        """Return q at many instants, (T, n)."""
        since = np.minimum(np.maximum(times - self.start, 0.0), self.duration)
        powers = np.ones((len(since), 6))
        powers[:, 1:] = since[:, None]
        np.multiply.accumulate(powers[:, 1:], axis=1, out=powers[:, 1:])
        return powers @ self.curve.c


def fade_out(start: float, duration: float, gap: Floats) -> Fade:
    """
    Return the quintic that starts with a gap and ends at rest at zero.

    :param start: [s].
    :param duration: [s] > 0.
    :param gap: (3, n) its q, v, a at the start.
    """
    r = 1.0 / duration
    r3 = r * r * r
    # `motion.quintic` with its end at zero, written out: a splice makes two, at 4 us not 25.
    weights = (
        (1.0, 0.0, 0.0),
        (0.0, 1.0, 0.0),
        (0.0, 0.0, 0.5),
        (-10.0 * r3, -6.0 * r * r, -1.5 * r),
        (15.0 * r3 * r, 8.0 * r3, 1.5 * r * r),
        (-6.0 * r3 * r * r, -3.0 * r3 * r, -0.5 * r3),
    )
    return Fade(start, duration, Quintic(np.array(weights) @ gap, np.asarray(duration)))


@dataclass(frozen=True, slots=True)
class Brake:
    """A stop placed in time: holds its first pose before, its last one, bit for bit, after."""

    start: float  # [s]
    end: float  # [s] when the slowest joint rests
    way: Stop
    final: Floats  # (3, n) v and a are exactly 0

    def at(self, t: float) -> Floats:
        """Return q, v, a at one instant, (3, n)."""
        if t >= self.end:
            return self.final
        return np.stack(self.way.sample(max(t - self.start, 0.0)))

    def positions(self, times: Floats) -> Floats:
        """Return q at many instants, (T, n)."""
        return self.way.sample(np.maximum(times - self.start, 0.0)[:, None]).q


def brake_from(start: float, state: Floats, acceleration: Floats, jerk: Floats) -> Brake:
    """
    Return the soonest stop of every joint.

    :param start: [s] the instant of the state.
    :param state: (3, n) q, v, a; an acceleration beyond the limit is worn down, not exceeded.
    :param acceleration: (n,) [rad/s2] limit.
    :param jerk: (n,) [rad/s3] limit.
    """
    q, v, a = state
    way = stop(q, v, a, np.maximum(acceleration, np.abs(a)), jerk)
    longest = float(way.duration.max(initial=0.0))
    final = np.stack(way.sample(longest))  # not way.end, which differs in the last bit
    final[1:] = 0.0
    final.setflags(write=False)
    return Brake(start, start + longest, way, final)


def _continue(state: Floats, seconds: 'float | Floats') -> Floats:
    """Move q, v, a on at constant acceleration."""
    q, v, a = state
    return np.stack(
        (q + seconds * (v + 0.5 * seconds * a), v + seconds * a, np.broadcast_to(a, q.shape))
    )
