# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
When one more sample may be sent: the limits hold now, and on a stop from it.

Limits are judged on backward differences of the sent positions, so the test runs on them and
not on what a reference says of itself. With three sent positions behind it a sample is legal if

* its own first, second and third differences keep the limits, the first that in force;
* so do those of any jerk-limited continuation: over one tick that adds at most ``j dt^3 / 6``
  to the position, over two at most ``5/6 j dt^3`` to the third difference;
* its velocity and acceleration are reachable from the last sample at bounded jerk: no further
  from one constant-jerk step than ``dt^3 j * 0.1284``, ``dt^2 j / 4``, ``dt j``, the most a
  jerk-limited motion can differ from it (j may jump inside a tick, where two polynomials meet);
* the fastest jerk-limited stop from it keeps the speed and position limits.

By induction a stop from the last sent sample always keeps every limit.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vla_control.core.messages import Floats
from vla_control.core.motion import Motion, peak_speed, Stop, stop
from vla_control.core.spec import RobotSpec

Mask = NDArray[np.bool_]

# The judge allows 1e-6 of a limit; a third of it leaves room for what rounding adds.
DIFFERENCE_SLACK = 3e-7
ROUNDING = 1e-12  # share of a limit on velocity and acceleration that rounding may add
POSITION_SLACK = 1e-12  # [rad] rounding of a stop that ends on a limit
# Integral over [0, 1] of |u^2/2 - 1/6|: how far, in j dt^3, bounded jerk can take the position
# from that of a constant jerk with the same change of acceleration.
_REACH = 2.0 / (9.0 * np.sqrt(3.0))

# Columns: q, v, a of the candidate, the last three sent positions, the last v and a.
_CONDITIONS = (
    'velocity of the sent positions',
    'acceleration of the sent positions',
    'jerk of the sent positions',
    'jerk one tick on',
    'jerk two ticks on',
    'change of acceleration',
    'velocity against the last sample',
    'position against the last sample',
    'velocity',
    'acceleration',
    'acceleration one tick on',
)
_LOOKAHEAD = len(_CONDITIONS) - 1  # sufficient only; the stop itself decides when it fails


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a robot at one control period."""

    dt: float  # [s]
    lower: Floats  # (n,) [rad], grippers [m]
    upper: Floats  # (n,) [rad]
    velocity: Floats  # (n,) [rad/s]
    acceleration: Floats  # (n,) [rad/s2]
    jerk: Floats  # (n,) [rad/s3]

    @classmethod
    def of(cls, spec: RobotSpec, dt: float) -> 'Limits':
        """Take the limits of a spec at a control period [s]."""
        return cls(dt, spec.lower, spec.upper, spec.velocity, spec.acceleration, spec.jerk)


class Legality:
    """The test of one sample, or of a stack of candidates at the price of one."""

    def __init__(self, limits: Limits) -> None:
        """Precompute the linear conditions as one matrix and its bounds."""
        self.limits = limits
        self._matrix = _conditions(limits.dt)
        self._bounds = _bounds(limits)
        self._rows = np.empty_like(self._bounds)
        self._within = np.empty(self._bounds.shape, dtype=bool)
        self._half_inverse_jerk = 0.5 / limits.jerk
        self._inverse_jerk = 1.0 / limits.jerk
        self._half_inverse_acceleration = 0.5 / limits.acceleration
        self._half_ramp = 0.5 * limits.acceleration / limits.jerk
        self._step = limits.dt * (1.0 + DIFFERENCE_SLACK)  # [s] a tick, for differences
        self._floor = limits.lower - POSITION_SLACK
        self._ceiling = limits.upper + POSITION_SLACK

    def surely_legal(self, x: Floats, speed: Floats) -> bool:
        """
        Accept quickly most of what is legal, and nothing that is not.

        :param x: (8, n) candidate, sent positions, last velocity and acceleration.
        :param speed: (n,) [rad/s] the velocity limit in force; that of the limits themselves is
            given as their very array.
        """
        rows = self._rows
        np.matmul(self._matrix, x, out=rows)
        np.abs(rows, out=rows)
        if not np.less_equal(rows, self._bounds, out=self._within).all():
            return False
        if speed is not self.limits.velocity and (rows[0] > speed * self._step).any():
            return False
        v, a = rows[8], rows[9]  # already absolute
        peak = v + a * a * self._half_inverse_jerk
        if (peak > speed).any():
            return False
        # Bringing a to zero at no more than the peak speed, then a stop from that speed.
        ease = a * self._inverse_jerk + self._half_ramp
        reach = peak * (ease + peak * self._half_inverse_acceleration)
        q = x[0]
        limits = self.limits
        return bool(((q - reach) >= limits.lower).all() and ((q + reach) <= limits.upper).all())

    def legal(
        self, x: Floats, speed: Floats, lower: Floats, upper: Floats, stays: Mask | None = None
    ) -> Mask:
        """
        Decide exactly, joint by joint.

        :param x: (c, 8, n) candidates, each with sent positions, last velocity, acceleration.
        :param speed: (c, n) or (n,) [rad/s] the velocity limit in force.
        :param lower: (n,) [rad] position limits in force, as upper; see stays_inside.
        :param stays: (c, n) what stays_inside says of their stops, where it was asked already.
        :return: (c, n) bool.
        """
        limits = self.limits
        rows = np.abs(self._matrix @ x)
        ok = rows <= self._bounds
        legal = ok[:, :_LOOKAHEAD].all(axis=1) & (rows[:, 0] <= speed * self._step)
        q, v, a = x[:, 0], x[:, 1], x[:, 2]
        way = None
        if stays is None:
            way = stop(q, v, a, limits.acceleration, limits.jerk)
            stays = self.stays_inside(way, way.end, lower, upper)
        peak = peak_speed(v, a, limits.jerk) if way is None else way.peak
        legal &= np.maximum(np.abs(peak), np.abs(v)) <= speed * (1.0 + 1e-9)
        legal &= stays
        if not (ok[:, _LOOKAHEAD] | ~legal).all():
            way = way or stop(q, v, a, limits.acceleration, limits.jerk)
            bend = way.sample(limits.dt).q - 2.0 * q + x[:, 3]
            legal &= np.abs(bend) <= self._bounds[1]
        return np.asarray(legal, dtype=np.bool_)

    def stays_inside(self, way: Stop, end: Floats, lower: Floats, upper: Floats) -> Mask:
        """
        Tell whether a stop keeps the position limits; a joint outside may only move inward.

        :param end: (..., n) [rad] where it ends.
        :param lower: (n,) [rad] soft limits, or what was sent last where that is outside; given
            as the very arrays of the limits, lower and upper spare most of the work.
        """
        low, high = way.extrema(end)
        q, limits = way.start.q, self.limits
        if lower is limits.lower and upper is limits.upper:
            return np.asarray((low >= self._floor) & (high <= self._ceiling), dtype=np.bool_)
        floor = np.minimum(limits.lower, np.maximum(q, lower))
        ceiling = np.maximum(limits.upper, np.minimum(q, upper))
        inside = (low >= floor - POSITION_SLACK) & (high <= ceiling + POSITION_SLACK)
        if bool(((q < limits.lower) | (q > limits.upper)).any()):
            # Not back outward from where it turns.
            inside &= end >= np.minimum(high, limits.lower) - POSITION_SLACK
            inside &= end <= np.maximum(low, limits.upper) + POSITION_SLACK
        return np.asarray(inside, dtype=np.bool_)

    def complaint(self, x: Floats, speed: Floats) -> tuple[int, str]:
        """
        Name the joint and the condition a sample fails worst.

        :param x: (8, n) as for surely_legal.
        :param speed: (n,) [rad/s] the velocity limit in force.
        """
        limits = self.limits
        ratio = np.abs(self._matrix[:_LOOKAHEAD] @ x) / self._bounds[:_LOOKAHEAD]
        row, joint = divmod(int(np.argmax(ratio)), ratio.shape[1])
        worst = float(ratio[row, joint])
        if worst > 1.0:
            return joint, f'{_CONDITIONS[row]} {worst:.4g} times what is allowed'
        way = stop(x[0], x[1], x[2], limits.acceleration, limits.jerk)
        low, high = way.extrema(way.end)
        excess = np.maximum(limits.lower - low, high - limits.upper)
        joint = int(np.argmax(excess))
        if excess[joint] > POSITION_SLACK:
            return joint, (
                f'a stop from {x[0, joint]:.4f} would leave '
                f'[{limits.lower[joint]:.4f}, {limits.upper[joint]:.4f}] by {excess[joint]:.4g}'
            )
        over = np.maximum(np.abs(peak_speed(x[1], x[2], limits.jerk)), np.abs(x[1])) / speed
        joint = int(np.argmax(over))
        return joint, f'speed {over[joint]:.4g} times the {speed[joint]:.4g} now allowed'


def advance(x: Floats, sent: Motion) -> None:
    """Shift the record (8, n) by one sent sample, in place."""
    x[5] = x[4]
    x[4] = x[3]
    x[3] = sent.q
    x[6] = sent.v
    x[7] = sent.a


def stack(x: Floats, candidates: Floats | Motion) -> Floats:
    """Put candidates, (c, 3, n) or a single one, on top of the same record: (c, 8, n)."""
    count = 1 if isinstance(candidates, Motion) else len(candidates)
    out = np.empty((count, *x.shape))
    out[:, :3] = candidates
    out[:, 3:] = x[3:]
    return out


def _conditions(dt: float) -> Floats:
    half, sixth = dt * dt / 2.0, dt * dt / 6.0
    return np.array(
        [
            # q, v, a, q1, q2, q3, v1, a1
            [1, 0, 0, -1, 0, 0, 0, 0],
            [1, 0, 0, -2, 1, 0, 0, 0],
            [1, 0, 0, -3, 3, -1, 0, 0],
            [2, -dt, -half, -3, 1, 0, 0, 0],
            [1, -dt, half, -1, 0, 0, 0, 0],
            [0, 0, 1, 0, 0, 0, 0, -1],
            [0, 1, -dt / 2.0, 0, 0, 0, -1, -dt / 2.0],
            [1, 0, -sixth, -1, 0, 0, -dt, sixth - half],
            [0, 1, 0, 0, 0, 0, 0, 0],
            [0, 0, 1, 0, 0, 0, 0, 0],
            [1, -dt, -half, -1, 0, 0, 0, 0],
        ],
        dtype=np.float64,
    )


def _bounds(limits: Limits) -> Floats:
    dt, some = limits.dt, 1.0 + DIFFERENCE_SLACK
    jerk = limits.jerk
    j3 = jerk * dt**3
    bend = limits.acceleration * dt * dt
    return np.stack(
        [
            limits.velocity * dt * some,
            bend * some,
            j3 * some,
            j3 * (5.0 / 6.0 + DIFFERENCE_SLACK),
            j3 * (1.0 / 6.0 + DIFFERENCE_SLACK),
            jerk * dt * some,
            jerk * dt * dt * 0.25 * some,
            j3 * _REACH * some,
            limits.velocity * (1.0 + ROUNDING),
            limits.acceleration * (1.0 + ROUNDING),
            # |s - 2q + q1| with s up to j dt^3/6 from q + v dt + a dt^2/2
            np.maximum(bend - j3 / 6.0, 0.0),
        ]
    )
