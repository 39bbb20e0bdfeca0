# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Candidate motions for references that may not be sent as they are.

A joint that differs from its reference rejoins it by a quintic in the *difference*, solved
once: reference + difference reaches the reference exactly after a known time, however the
reference moves meanwhile, and from then on the reference passes untouched. Chasing by the
newest error instead never arrives. What cannot be rejoined (too far, too fast, out of range)
is approached at full jerk so that the stop from here ends where a stop of the reference would.
Nothing here is trusted: every candidate is judged before it is sent.
"""

from dataclasses import dataclass

import numpy as np

from vla_control.core.messages import Floats
from vla_control.core.motion import Motion, Quintic, quintic, stop
from vla_control.safety.legality import Legality, Mask, ROUNDING

_SHORTEST = 0.06  # [s] a rejoin; shorter ones turn timing noise of references into jerk
_LONGEST = 1.0  # [s] a rejoin; what takes longer is first approached at full speed
_GROWTH = 1.15  # between the durations tried
_INSTANTS = 9  # at which a rejoin is checked
_RAMPS = 9  # accelerations tried by an approach
_FORGET = 0.98  # per tick, of how hard the reference was seen to move
_SHARE = 0.98  # of a limit that a rejoin may plan with; the reference is only predicted
_RESERVE = 0.6  # largest share of acceleration and jerk left to the reference


@dataclass(frozen=True, slots=True)
class Goal:
    """What is aimed at: the reference where it can be followed, else a rest near it."""

    motion: Motion  # after this tick
    candidates: Floats  # (2, 3, n) that motion; the same plus what is left of the rejoin under way
    stays: Mask  # (2, n) whether a stop from each of the two keeps the position limits
    end: Floats  # (n,) [rad] where a stop of the reference ends, inside the limits or not
    bounds: tuple[Floats, Floats]  # (n,) each, the position limits in force
    followable: Mask  # (n,)

    @property
    def rest(self) -> Floats:
        """The place inside the limits nearest to that end, (n,) [rad]."""
        lower, upper = self.bounds
        return np.minimum(np.maximum(self.end, lower), upper)


class Limiter:
    """Plans, per joint, how to come back to the reference."""

    def __init__(self, legality: Legality) -> None:
        """Precompute the durations to try and the quintic's derivatives on a grid."""
        self._legality = legality
        self._limits = limits = legality.limits
        n = len(limits.velocity)
        ticks = [max(3.0, _SHORTEST / limits.dt)]
        while ticks[-1] * limits.dt < _LONGEST:
            ticks.append(ticks[-1] * _GROWTH)
        self._times = np.unique(np.ceil(ticks))[:, None] * limits.dt  # (k, 1) [s]
        self._derivatives = _unit_derivatives()
        self._c = np.zeros((6, n))
        self._age = np.zeros(n)
        self._duration = np.zeros(n)
        self._active = np.zeros(n, dtype=bool)
        self._solved_c = self._c.copy()
        self._solved_duration = self._duration.copy()
        # [rad/s2] how hard the reference was seen to accelerate, [rad/s3] and the jerk it had
        self._seen = np.zeros((2, n))
        self._reserve = _RESERVE * np.stack((limits.acceleration, limits.jerk))
        self._nothing = np.zeros((3, n))
        self._most = limits.acceleration * (1.0 + ROUNDING)
        self._goal: Goal | None = None
        self._before: Goal | None = None  # that of the tick before

    def forget(self) -> None:
        """Drop every rejoin; called when the reference passes again."""
        self._active[:] = False
        self._seen[:] = 0.0
        self._goal = self._before = None

    def goal(
        self, reference: Motion, last: Motion, speed: Floats, lower: Floats, upper: Floats
    ) -> Goal:
        """
        Say what to aim at, and learn how hard the reference moves.

        :param reference: the motion asked for after this tick.
        :param last: the last sent sample.
        :param speed: (n,) [rad/s] the velocity limit in force.
        :param lower: (n,) [rad] position limits in force, as upper.
        """
        limits = self._limits
        most = self._most
        inside = np.minimum(np.maximum(reference.q, lower), upper)
        # At the price of one: the stop of the reference, and that of a ride if the reference is
        # followed and if it is not.
        starts = np.empty((3, 3, len(inside)))  # q, v, a of each
        asked, (q, v, a) = starts[:, 0], starts[:, 0]
        q[:] = reference.q
        np.minimum(np.maximum(reference.v, -speed), speed, out=v)
        np.minimum(np.maximum(reference.a, -most), most, out=a)
        starts[:, 2] = left = self._left()
        np.add(asked, left, out=starts[:, 1])
        starts[0, 2] += inside
        way = stop(starts[0], starts[1], starts[2], limits.acceleration, limits.jerk)
        ends = way.end
        stays = self._legality.stays_inside(way, ends, lower, upper)
        followable = (v == reference.v) & (a == reference.a) & stays[0]
        followable &= np.abs(way.peak[0]) <= speed
        candidates = np.empty((2, 3, len(inside)))
        candidates[0, 0] = np.where(followable, q, inside)
        np.multiply(asked[1:], followable, out=candidates[0, 1:])
        candidates[1] = np.where(followable, starts[:, 1], starts[:, 2])
        motion = Motion(*candidates[0])
        kept = np.empty((2, len(inside)), dtype=np.bool_)
        kept[0] = ~followable | stays[0]  # a rest inside the limits is kept by staying there
        kept[1] = np.where(followable, stays[1], stays[2])
        self._before = before = self._goal
        self._goal = goal = Goal(motion, candidates, kept, ends[0], (lower, upper), followable)
        self._learn(motion.a, before.motion.a if before else last.a)
        return goal

    def steady(self, goal: Goal) -> Mask:
        """Return which joints are worth a rejoin, (n,): followable, or the rest did not move."""
        before = self._before
        if before is None:
            return np.ones_like(goal.followable)
        same = (goal.motion.q == before.motion.q) & ~before.followable
        return np.asarray(goal.followable | same, dtype=np.bool_)

    def solve(self, goal: Goal, steady: Mask, last: Motion, speed: Floats) -> Motion:
        """
        Plan the soonest rejoin that leaves the reference room to move, and take its first tick.

        Where there is none, the goal itself is returned, which will not be legal.

        :param steady: (n,) where one is wanted.
        :param last: the last sent sample.
        :param speed: (n,) [rad/s] the velocity limit in force.
        """
        q, v, a = goal.motion
        dt = self._limits.dt
        # The reference seen from its next sample back, at constant acceleration.
        e = Motion(last.q - (q - dt * (v - 0.5 * dt * a)), last.v - (v - dt * a), last.a - a)
        fits = self._fits(e, v, last, speed)
        first = np.argmax(fits, axis=0)
        found = fits.any(axis=0) & steady
        duration = self._times[first, 0]
        zero = np.zeros_like(q)
        plan = quintic(e.q, e.v, e.a, zero, zero, zero, duration)
        self._solved_c, self._solved_duration = plan.c, duration
        step = plan.sample(dt)
        return Motion(*(g + d * found for g, d in zip(goal.motion, step, strict=True)))

    def approach(self, goal: Goal, last: Motion, speed: Floats) -> Motion:
        """
        Take one tick towards the rest of the goal, as fast as the limits allow.

        Where a stop ends grows with the acceleration of this tick, so a few are tried and the
        one that ends on the goal is interpolated.

        :param last: the last sent sample.
        :param speed: (n,) [rad/s] the velocity limit in force.
        """
        limits = self._limits
        dt, jerk = limits.dt, limits.jerk
        q, v, a = last
        most, swing = limits.acceleration, jerk * dt
        floor, ceiling = np.maximum(a - swing, -most), np.minimum(a + swing, most)
        # Where the acceleration ends between two ticks the speed gains up to j dt^2/8 more.
        spare = np.minimum(0.125 * swing * dt, 0.25 * speed)
        room, back = speed - v - 0.5 * a * dt, speed + v + 0.5 * a * dt
        high = _ramp_to(np.where(room > 0.0, np.maximum(room - spare, 0.0), room), jerk, dt)
        low = -_ramp_to(np.where(back > 0.0, np.maximum(back - spare, 0.0), back), jerk, dt)
        high = np.minimum(np.maximum(high, floor), ceiling)
        low = np.minimum(np.maximum(low, floor), high)
        share = np.linspace(0.0, 1.0, _RAMPS)[:, None]
        tried = low + share * (high - low)
        q1, v1, a1 = _ramp(last, tried, dt)
        ends = stop(q1, v1, a1, most, jerk).end
        rest = goal.rest
        after = np.minimum(np.maximum((ends < rest).sum(axis=0), 1), _RAMPS - 1)
        columns = np.arange(len(q))
        e0, e1 = ends[after - 1, columns], ends[after, columns]
        part = (rest - e0) / np.where(e1 > e0, e1 - e0, 1.0)
        part = np.minimum(np.maximum(part, 0.0), 1.0)
        a0 = tried[after - 1, columns]
        return _ramp(last, a0 + part * (tried[after, columns] - a0), dt)

    def took(self, riding: Mask, solved: Mask) -> None:
        """
        Note which joints follow their rejoin, and which begin the one just solved.

        :param riding: (n,), as solved.
        """
        if solved.any():
            self._c[:, solved] = self._solved_c[:, solved]
            self._duration[solved] = self._solved_duration[solved]
        self._age = np.where(riding, self._age, 0.0) + self._limits.dt
        self._active = (riding & self._active) | solved
        self._active &= self._age < self._duration - 0.5 * self._limits.dt

    def _left(self) -> Floats:
        """Return what is left of the difference in one tick, (3, n), zero without a rejoin."""
        t = self._age + self._limits.dt
        left = self._active & (t < self._duration)
        if not left.any():
            return self._nothing
        return np.array(Quintic(self._c, self._duration).sample(t)) * left

    def _fits(self, e: Motion, v: Floats, last: Motion, speed: Floats) -> Mask:
        """Return which durations (k, n) keep the difference within what is left of the limits."""
        limits, times = self._limits, self._times
        ends = np.stack([np.broadcast_to(e.q, (len(times), len(v))), e.v * times, e.a * times**2])
        grid = (self._derivatives @ ends.reshape(3, -1)).reshape(3, _INSTANTS, *ends.shape[1:])
        velocity, pull, tug = grid[0] / times, grid[1] / times**2, grid[2] / times**3
        half = 0.5 / limits.jerk
        peak = np.abs(v + velocity) + pull * pull * half
        now = np.abs(last.v) + e.a * e.a * half
        ok = peak <= np.maximum(_SHARE * speed, now)
        seen_pull, seen_tug = self._seen
        room = np.maximum(_SHARE * limits.acceleration - seen_pull, np.abs(e.a) * 1.001)
        ok &= np.abs(pull) <= room
        ok &= np.abs(tug) <= _SHARE * limits.jerk - seen_tug
        return np.asarray(ok.all(axis=0), dtype=np.bool_)

    def _learn(self, a: Floats, before: Floats) -> None:
        limits = self._limits
        tug = np.abs(a - before) / limits.dt
        seen = _FORGET * self._seen
        np.maximum(seen[0], np.abs(a), out=seen[0])
        # A jump says nothing of the motion.
        np.maximum(seen[1], tug, out=seen[1], where=tug <= limits.jerk)
        self._seen = np.minimum(seen, self._reserve)


def _ramp(last: Motion, a: Floats, dt: float) -> Motion:
    q, v, a0 = last
    return Motion(q + dt * (v + dt * (a0 / 3.0 + a / 6.0)), v + 0.5 * dt * (a0 + a), a)


def _ramp_to(room: Floats, jerk: Floats, dt: float) -> Floats:
    """Solve a dt/2 + a|a|/2j = room for a: the acceleration whose peak speed is the limit."""
    half = 0.5 * jerk * dt
    return np.asarray(np.sign(room) * (np.sqrt(half * half + 2.0 * jerk * np.abs(room)) - half))


def _unit_derivatives() -> Floats:
    """Map (e, e' T, e'' T^2) to v T, a T^2, j T^3 of the quintic to zero, on a grid of [0, 1]."""
    s = np.linspace(0.0, 1.0, _INSTANTS)[:, None]
    one = np.eye(3)
    plan = quintic(one[0], one[1], one[2], np.zeros(3), np.zeros(3), np.zeros(3), 1.0)
    _, v, a = plan.sample(s)
    return np.concatenate([v, a, plan.jerk(s)])  # (3 * instants, 3)
