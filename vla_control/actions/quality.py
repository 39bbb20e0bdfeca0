# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""What the motion was like, in numbers cheap enough to keep in every tick."""

from collections import deque
from dataclasses import dataclass
import math

import numpy as np

from vla_control.core.messages import Floats, Reference

WINDOW = 500  # ticks, and chunks, that percentiles look back on


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Since the last align; nan where there is nothing to tell yet."""

    time: float  # [s]
    ticks: int  # references given since the first chunk
    idle_ratio: float  # share of those with no due point ahead
    rms_jerk: float  # [rad/s3] over ticks and arm joints, by differences of acceleration
    peak_jerk: float  # [rad/s3] arm joints
    seam_velocity_jump: float  # [rad/s] worst speed change at a seam unexplained by acceleration
    seam_velocity_gap: float  # [rad/s] worst disagreement of chunk and plan, bridged by a splice
    seam_position_gap: float  # [rad] the same in position
    age_p50: float  # [s] of the chunk in execution, since its capture, newest ticks
    age_p95: float  # [s]
    delay_p50: float  # [s] from capture to splice, newest chunks
    delay_p95: float  # [s]
    accepted: int  # chunks
    rejected: int  # chunks
    clipped: int  # positions moved inside the soft limits
    last_rejection: str  # reason, empty if none


class QualityMeter:
    """Running sums. Ticks come from one thread, chunks from one other; neither waits."""

    def __init__(self, arms: 'np.ndarray[tuple[int], np.dtype[np.bool_]]') -> None:
        """Begin empty; ``arms`` (n,) masks the joints that count."""
        self._arms = np.flatnonzero(arms)
        self._rejected = 0
        self._last_rejection = ''
        self.reset()

    def reset(self) -> None:
        """Forget the motion; refusals stay counted."""
        self._previous: Reference | None = None
        self._plan_start = -math.inf
        self._ticks = self._idle = self._jerks = 0
        self._square = self._peak = self._jump = 0.0
        self._ages: deque[float] = deque(maxlen=WINDOW)
        self._delays: deque[float] = deque(maxlen=WINDOW)
        self._accepted = self._clipped = 0
        self._velocity_gap = self._position_gap = 0.0

    def tick(self, reference: Reference, stamp: float, starved: bool, plan_start: float) -> None:
        """
        Count one reference.

        :param stamp: [s] capture time of the chunk in execution; -inf before the first.
        :param starved: whether no due point is ahead.
        :param plan_start: [s] splice instant of the plan that gave it.
        """
        before, self._previous = self._previous, reference
        seam = plan_start != self._plan_start and self._plan_start > -math.inf
        self._plan_start = plan_start
        if stamp == -math.inf:
            return
        self._ticks += 1
        self._idle += starved
        self._ages.append(reference.stamp - stamp)
        if before is None or not reference.stamp > before.stamp:
            return
        step = reference.stamp - before.stamp
        jerk = ((reference.a - before.a) / step)[self._arms]
        self._square += float(jerk @ jerk)
        self._jerks += len(jerk)
        self._peak = max(self._peak, float(np.abs(jerk).max(initial=0.0)))
        if seam:
            explained = before.v + 0.5 * step * (before.a + reference.a)
            jump = np.abs(reference.v - explained)[self._arms]
            self._jump = max(self._jump, float(jump.max(initial=0.0)))

    def accept(self, delay: float, clipped: int, position_gap: float, velocity_gap: float) -> None:
        """Count a chunk that was spliced; units as in `Quality`."""
        self._accepted += 1
        self._clipped += clipped
        self._delays.append(delay)
        self._position_gap = max(self._position_gap, position_gap)
        self._velocity_gap = max(self._velocity_gap, velocity_gap)

    def reject(self, reason: str) -> None:
        """Count a chunk that was refused."""
        self._rejected += 1
        self._last_rejection = reason

    def snapshot(self, now: float) -> Quality:
        """Return everything so far."""
        ages, delays = np.array(self._ages), np.array(self._delays)
        return Quality(
            time=now,
            ticks=self._ticks,
            idle_ratio=self._idle / self._ticks if self._ticks else math.nan,
            rms_jerk=math.sqrt(self._square / self._jerks) if self._jerks else math.nan,
            peak_jerk=self._peak,
            seam_velocity_jump=self._jump,
            seam_velocity_gap=self._velocity_gap,
            seam_position_gap=self._position_gap,
            age_p50=_percentile(ages, 50),
            age_p95=_percentile(ages, 95),
            delay_p50=_percentile(delays, 50),
            delay_p95=_percentile(delays, 95),
            accepted=self._accepted,
            rejected=self._rejected,
            clipped=self._clipped,
            last_rejection=self._last_rejection,
        )


def _percentile(values: Floats, q: float) -> float:
    return float(np.percentile(values, q)) if len(values) else math.nan
