# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Motion of independent joints in closed form: jerk steps, the fastest stop, quintics.

Arrays end in the joint axis and broadcast, so a batch of candidates costs what one does.
``q, v, a`` are position, velocity and acceleration; grippers count in metres.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from vla_control.core.messages import Floats

Seconds = float | Floats  # scalar, or broadcasting against the joints


class Motion(NamedTuple):
    """The state of all joints at one instant."""

    q: Floats  # (..., n) [rad], grippers [m]
    v: Floats  # (..., n) [rad/s]
    a: Floats  # (..., n) [rad/s2]


def jerk_step(q: Floats, v: Floats, a: Floats, jerk: float | Floats, t: Seconds) -> Motion:
    """
    Move on at constant jerk.

    :param jerk: (..., n) [rad/s3].
    :param t: [s], scalar or one per joint; negative goes back in time.
    """
    jt = jerk * t
    return Motion(
        q=q + t * (v + t * (0.5 * a + jt * (1.0 / 6.0))),
        v=v + t * (a + 0.5 * jt),
        a=a + jt,
    )


def peak_speed(v: Floats, a: Floats, jerk: Floats) -> Floats:
    """
    Return the signed velocity at which the acceleration has been brought to zero at full jerk.

    No motion that keeps the jerk limit can avoid it, so it is what the velocity limit bounds.
    """
    return np.asarray(v + a * np.abs(a) / (2.0 * jerk))


@dataclass(frozen=True, slots=True)
class Stop:
    """The time-optimal jerk-limited way to rest: jerk -j, 0, +j for t1, t2, t3."""

    start: Motion
    jerk: Floats  # (..., n) [rad/s3] of the first phase, signed; the third has its negative
    t1: Floats  # (..., n) [s] towards full braking
    t2: Floats  # (..., n) [s] at full braking, 0 where that is not reached
    t3: Floats  # (..., n) [s] easing off
    peak: Floats  # (..., n) [rad/s] what ``peak_speed`` says of the start
    side: Floats  # (..., n) [1] its sign, +1 where it is zero

    @property
    def duration(self) -> Floats:
        """Time to rest of each joint, (..., n) [s]."""
        return self.t1 + self.t2 + self.t3

    @property
    def end(self) -> Floats:
        """Where each joint comes to rest, (..., n) [rad]."""
        q, v, a = jerk_step(*self.start, self.jerk, self.t1)
        # The third phase ends at rest, so seen from there it covers j t3^3/6.
        t3 = self.t3
        return np.asarray(q + self.t2 * (v + 0.5 * self.t2 * a) - self.jerk * (t3 * t3 * t3 / 6.0))

    def extrema(self, end: Floats) -> tuple[Floats, Floats]:
        """
        Return the lowest and highest position on the way, both (..., n) [rad].

        :param end: what ``end`` has returned.
        """
        q, v, a = self.start
        low, high = np.minimum(q, end), np.maximum(q, end)
        # The speed changes sign at most once: where it still points away from the way it will
        # have to brake. Mirrored, that is v < 0 < a with first jerk -j.
        side = self.side
        turns = (side * v < 0.0) & (side * a > 0.0)
        if turns.any():
            j = np.abs(self.jerk)
            root = np.sqrt(np.maximum(a * a + 2.0 * j * side * v, 0.0))
            tc = np.where(turns, (side * a - root) / j, 0.0)
            turn = q + tc * (v + tc * (0.5 * a + self.jerk * tc / 6.0))
            low, high = np.minimum(low, turn), np.maximum(high, turn)
        return low, high

    def sample(self, t: Seconds) -> Motion:
        """
        Return the state ``t`` after the start; exactly at rest from the duration on.

        :param t: [s] >= 0, broadcasts against the joints.
        """
        s1 = np.minimum(t, self.t1)
        s2 = np.minimum(np.maximum(t - self.t1, 0.0), self.t2)
        s3 = np.minimum(np.maximum(t - self.t1 - self.t2, 0.0), self.t3)
        first = jerk_step(*self.start, self.jerk, s1)
        second = jerk_step(*first, 0.0, s2)
        third = jerk_step(*second, -self.jerk, s3)
        moving = t < self.duration
        return Motion(third.q, third.v * moving, third.a * moving)


def stop(q: Floats, v: Floats, a: Floats, acceleration: Floats, jerk: Floats) -> Stop:
    """
    Solve the time-optimal jerk-limited stop of every joint on its own.

    Closed form: the sign of the speed left when the acceleration has been brought to zero
    says which way to brake; in the frame mirrored by it braking is negative.

    :param q: (..., n) [rad].
    :param v: (..., n) [rad/s].
    :param a: (..., n) [rad/s2], within the acceleration limit.
    :param acceleration: (n,) [rad/s2] limit, > 0.
    :param jerk: (n,) [rad/s3] limit, > 0.
    """
    peak = peak_speed(v, a, jerk)
    side = np.where(peak < 0.0, -1.0, 1.0)
    speed, pull = side * v, side * a
    square = np.maximum(jerk * speed + 0.5 * pull * pull, 0.0)  # of the braking wanted
    brake = np.minimum(np.sqrt(square), acceleration)
    t1 = np.maximum((pull + brake) / jerk, 0.0)
    t2 = np.maximum((square / acceleration - acceleration) / jerk, 0.0)
    return Stop(Motion(q, v, a), -side * jerk, t1, t2, brake / jerk, peak, side)


@dataclass(frozen=True, slots=True)
class Quintic:
    """A polynomial of fifth degree per joint, sum of c[k] t^k."""

    c: Floats  # (6, ..., n)
    duration: Floats  # () or (n,) [s]

    def sample(self, t: Seconds) -> Motion:
        """
        Return position, velocity and acceleration at ``t`` [s] from the start.

        :param t: scalar, (n,), or (m, 1) for m instants at once.
        """
        c0, c1, c2, c3, c4, c5 = self.c
        return Motion(
            q=c0 + t * (c1 + t * (c2 + t * (c3 + t * (c4 + t * c5)))),
            v=c1 + t * (2.0 * c2 + t * (3.0 * c3 + t * (4.0 * c4 + t * 5.0 * c5))),
            a=2.0 * c2 + t * (6.0 * c3 + t * (12.0 * c4 + t * 20.0 * c5)),
        )

    def jerk(self, t: Seconds) -> Floats:
        """Return the jerk at ``t`` [s] from the start, (..., n) [rad/s3]."""
        return np.asarray(6.0 * self.c[3] + t * (24.0 * self.c[4] + t * 60.0 * self.c[5]))


def quintic(
    p0: Floats,
    v0: Floats,
    a0: Floats,
    p1: Floats,
    v1: Floats,
    a1: Floats,
    duration: Seconds,
) -> Quintic:
    """
    Join two states by the quintic that meets position, velocity and acceleration of both.

    :param p0: (..., n) [rad], with v0 [rad/s] and a0 [rad/s2] at the start.
    :param p1: (..., n) [rad], with v1 [rad/s] and a1 [rad/s2] at the end.
    :param duration: [s] > 0, scalar or (n,).
    """
    t = np.asarray(duration, dtype=np.float64)
    dp = p1 - p0 - t * (v0 + 0.5 * t * a0)
    dv = t * (v1 - v0 - t * a0)
    da = t * t * (a1 - a0)
    t3 = t * t * t
    c3 = (10.0 * dp - 4.0 * dv + 0.5 * da) / t3
    c4 = (-15.0 * dp + 7.0 * dv - da) / (t3 * t)
    c5 = (6.0 * dp - 3.0 * dv + 0.5 * da) / (t3 * t * t)
    c0, c1, c2, c3, c4, c5 = np.broadcast_arrays(p0, v0, 0.5 * a0, c3, c4, c5)
    return Quintic(np.stack([c0, c1, c2, c3, c4, c5]), t)
