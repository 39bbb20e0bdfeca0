# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
The independent judge: what was sent, differenced, against the limits. Nothing of the gate's.

Divided differences of samples are weighted means of the derivatives between them, so a motion
that keeps its limits passes whatever the sampling, and no state of the limiter is believed.
"""

from dataclasses import dataclass

import numpy as np

from vla_control.core.errors import VlaControlError
from vla_control.core.messages import Floats
from vla_control.core.spec import RobotSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Worst:
    """How close a log came to the limits, over all joints and samples."""

    position: float  # [rad] furthest outside the soft limits, negative inside
    outward: float  # [rad] the same, but of a joint that began outside only what led further out
    velocity: float  # largest share of the limit, 1 at it
    acceleration: float  # largest share of the limit
    jerk: float  # largest share of the limit
    samples: int  # judged

    def kept(self, *, position: float = 1e-9, ratio: float = 1e-6) -> bool:
        """
        Tell whether all limits were kept.

        :param position: [rad] excess forgiven.
        :param ratio: share above a limit forgiven.
        """
        worst = max(self.velocity, self.acceleration, self.jerk)
        return self.position <= position and worst <= 1.0 + ratio


def worst_ratios(
    times: Floats, q_sent: Floats, spec: RobotSpec, *, from_rest: bool = False
) -> Worst:
    """
    Judge a log of sent positions by backward differences.

    Commands leave on a schedule of the control period, so intervals are rounded to whole
    periods: a clock is read with an error that a third difference would blow up.

    :param times: (m,) [s] when each was due, increasing.
    :param q_sent: (m, n) [rad], grippers [m], in RobotSpec order.
    :param from_rest: judge the first samples too, as if the robot had stood at the first one.
    :raises VlaControlError: when the log is empty, misshapen, not finite or goes back in time.
    """
    t, q = np.asarray(times, dtype=np.float64), np.asarray(q_sent, dtype=np.float64)
    if q.ndim != 2 or q.shape != (len(t), len(spec.joints)) or not len(t):
        raise VlaControlError(
            f'log of {q.shape} positions at {t.shape} times; need (m, {len(spec.joints)}) and (m,)'
        )
    if not (np.isfinite(t).all() and np.isfinite(q).all()):
        raise VlaControlError('log with a time or position that is not finite: a sent NaN is one')
    periods = np.rint(np.diff(t) * spec.control_rate)
    if (periods < 1.0).any():
        at = int(np.argmax(periods < 1.0))
        raise VlaControlError(
            f'log goes from {t[at]} s to {t[at + 1]} s; need at least one period of {spec.dt} s'
        )
    if from_rest:
        q = np.concatenate([np.repeat(q[:1], 3, axis=0), q])
        periods = np.concatenate([np.ones(3), periods])
    outside = np.maximum(spec.lower - q, q - spec.upper)
    h = (periods * spec.dt)[:, None]
    v = np.diff(q, axis=0) / h
    a = np.diff(v, axis=0) / ((h[1:] + h[:-1]) / 2.0)
    j = np.diff(a, axis=0) / ((h[2:] + h[1:-1] + h[:-2]) / 3.0)
    return Worst(
        position=float(outside.max()),
        outward=_outward(q, spec),
        velocity=_largest(v / spec.velocity),
        acceleration=_largest(a / spec.acceleration),
        jerk=_largest(j / spec.jerk),
        samples=len(t),
    )


def _outward(q: Floats, spec: RobotSpec) -> float:
    """A limb at rest on its stop reads beyond it; it is held there, and may only come in."""
    before = np.concatenate([q[:1], q[:-1]])
    began_low = np.logical_and.accumulate(before < spec.lower)
    began_high = np.logical_and.accumulate(before > spec.upper)
    lower = np.where(began_low, before, spec.lower)
    upper = np.where(began_high, before, spec.upper)
    return float(np.maximum(lower - q, q - upper).max())


def _largest(ratio: Floats) -> float:
    return float(np.abs(ratio).max()) if ratio.size else 0.0
