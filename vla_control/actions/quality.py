# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""What the motion has been like lately, in numbers cheap enough to keep in every tick."""

from dataclasses import dataclass
import math

import numpy as np

from vla_control.actions.splice import Seam
from vla_control.core.messages import ActionChunk, Floats, Reference

WINDOW = 10.0  # [s] looked back on
TICKS = 5000  # kept, 10 s at 500 Hz
CHUNKS = 1000  # kept, 10 s at 100 Hz


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """
    Of the last 10 s, counts since the last align; nan where there is nothing to tell yet.

    A chunk's true delay is from the capture of its images to its arrival. The delay used is from
    that capture to the splice: what was due in between is skipped.
    """

    time: float  # [s]
    ticks: int  # references given since the first chunk
    idle_ratio: float  # share of the references with no due point ahead
    rms_jerk: float  # [rad/s3] over ticks and arm joints, by differences of acceleration
    peak_jerk: float  # [rad/s3] arm joints
    seam_velocity_jump: float  # [rad/s] worst speed change at a seam unexplained by acceleration
    seam_velocity_gap: float  # [rad/s] worst disagreement of chunk and plan, bridged by a splice
    seam_position_gap: float  # [rad] the same in position
    age_p50: float  # [s] of the chunk in execution, since its capture
    age_p95: float  # [s]
    delay_true_p50: float  # [s]
    delay_true_p95: float  # [s]
    delay_used_p50: float  # [s]
    delay_used_p95: float  # [s]
    inference_p50: float  # [s] the policy took
    inference_p95: float  # [s]
    accepted: int  # chunks
    rejected: int  # chunks, since the start
    rejected_ratio: float  # share of the chunks of the last 10 s
    clipped: int  # positions moved inside the soft limits
    pace: float  # 0..1 at which the plan is played; below 1 where chunks come too late
    last_rejection: str  # reason, empty if none


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityBars:
    """From where on something is worth a warning."""

    delay: float = 0.3  # [s] true, median; a hand at 0.5 m/s is 15 cm further by then
    surplus: float = 0.1  # [s] of the delay used over the true one
    idle_ratio: float = 0.02
    pace: float = 0.95
    rejected_ratio: float = 0.1
    rms_jerk: float = 50.0  # [rad/s3] good chunks leave 3 to 20, switching between them 10000
    seam_velocity_jump: float = 0.02  # [rad/s]


def complaints(quality: Quality, bars: QualityBars = QualityBars()) -> tuple[str, ...]:
    """Say in plain words why the motion is bad; empty where it is not."""
    q, found = quality, []
    if q.delay_true_p50 > bars.delay:
        share = f', {q.inference_p50:.2f} s of it inference' if q.inference_p50 > 0.0 else ''
        found.append(f'chunks arrive {q.delay_true_p50:.2f} s after their images{share}')
    if q.delay_used_p50 > q.delay_true_p50 + bars.surplus:
        found.append(
            f'{q.delay_used_p50:.2f} s of each chunk are skipped, though it is only '
            f'{q.delay_true_p50:.2f} s late'
        )
    if q.idle_ratio > bars.idle_ratio:
        found.append(f'the plan ran out for {_percent(q.idle_ratio)} of the time')
    if q.pace < bars.pace:
        found.append(f'the plan is played at {_percent(q.pace)} of full pace')
    if q.rejected_ratio > bars.rejected_ratio:
        found.append(
            f'{_percent(q.rejected_ratio)} of the chunks were refused, the last one because: '
            f'{q.last_rejection}'
        )
    if q.rms_jerk > bars.rms_jerk:
        found.append(f'the motion is rough, {q.rms_jerk:.0f} rad/s3 of rms jerk')
    if q.seam_velocity_jump > bars.seam_velocity_jump:
        found.append(f'speed jumps by up to {q.seam_velocity_jump:.2g} rad/s where chunks join')
    return tuple(found)


class QualityMeter:
    """
    What the newest ticks and chunks were like.

    Ticks come from one thread, chunks from one other, and a third may ask; nobody waits.
    """

    def __init__(self, arms: 'np.ndarray[tuple[int], np.dtype[np.bool_]]') -> None:
        """Begin empty; ``arms`` (n,) masks the joints that count."""
        self._arms = np.flatnonzero(arms)
        self._rejected = 0
        self._last_rejection = ''
        self._refusals = _Ring(CHUNKS, 1)
        self.reset()

    def reset(self) -> None:
        """Forget the motion; refusals stay counted."""
        self._previous: Reference | None = None
        self._plan_start = -math.inf
        self._accepted = self._clipped = self._counted = 0
        self._ticks = _Ring(TICKS, 6)  # time, age, idle, mean square jerk, peak jerk, jump
        self._chunks = _Ring(CHUNKS, 6)  # time, true delay, used, inference, gaps of q and v

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
        self._counted += 1
        square = peak = jump = math.nan
        if before is not None and reference.stamp > before.stamp:
            step = reference.stamp - before.stamp
            jerk = ((reference.a - before.a) / step)[self._arms]
            square = float(jerk @ jerk) / max(len(jerk), 1)
            peak = float(np.abs(jerk).max(initial=0.0))
            if seam:
                explained = before.v + 0.5 * step * (before.a + reference.a)
                jump = float(np.abs(reference.v - explained)[self._arms].max(initial=0.0))
        age = reference.stamp - stamp
        self._ticks.add(reference.stamp, age, float(starved), square, peak, jump)

    def accept(self, chunk: ActionChunk, seam: Seam, now: float) -> None:
        """Count a chunk that came in now [s] and was spliced."""
        self._accepted += 1
        self._clipped += seam.clipped
        late = now - chunk.stamp
        gaps = (seam.position_gap, seam.velocity_gap)
        self._chunks.add(now, late, seam.delay, chunk.inference, *gaps)

    def reject(self, reason: str, now: float) -> None:
        """Count a chunk that was refused now [s]."""
        self._rejected += 1
        self._last_rejection = reason
        self._refusals.add(now)

    def snapshot(self, now: float, pace: float = 1.0) -> Quality:
        """Return what the last 10 s before now [s] were like, and the pace 0..1 of now."""
        _, age, idle, square, peak, jump = self._ticks.since(now - WINDOW)
        _, true, used, inference, position, velocity = self._chunks.since(now - WINDOW)
        refused = len(self._refusals.since(now - WINDOW)[0])
        offered = len(true) + refused
        return Quality(
            time=now,
            ticks=self._counted,
            idle_ratio=_mean(idle),
            rms_jerk=math.sqrt(_mean(square)),
            peak_jerk=_worst(peak),
            seam_velocity_jump=_worst(jump),
            seam_velocity_gap=_worst(velocity),
            seam_position_gap=_worst(position),
            age_p50=_percentile(age, 50),
            age_p95=_percentile(age, 95),
            delay_true_p50=_percentile(true, 50),
            delay_true_p95=_percentile(true, 95),
            delay_used_p50=_percentile(used, 50),
            delay_used_p95=_percentile(used, 95),
            inference_p50=_percentile(inference, 50),
            inference_p95=_percentile(inference, 95),
            accepted=self._accepted,
            rejected=self._rejected,
            rejected_ratio=refused / offered if offered else math.nan,
            clipped=self._clipped,
            pace=pace,
            last_rejection=self._last_rejection,
        )


class _Ring:
    """The newest rows, each beginning with its time [s]."""

    def __init__(self, rows: int, columns: int) -> None:
        self._rows = np.full((rows, columns), np.nan)
        self._next = 0

    def add(self, *row: float) -> None:
        """Overwrite the oldest row."""
        self._rows[self._next] = row
        self._next = (self._next + 1) % len(self._rows)

    def since(self, time: float) -> Floats:
        """Return the columns of the rows younger than a time [s], in any order."""
        rows = self._rows
        return np.asarray(rows[rows[:, 0] > time].T)


def _known(values: Floats) -> Floats:
    return np.asarray(values[~np.isnan(values)])


def _mean(values: Floats) -> float:
    values = _known(values)
    return float(values.mean()) if len(values) else math.nan


def _worst(values: Floats) -> float:
    return float(_known(values).max(initial=0.0))


def _percentile(values: Floats, q: float) -> float:
    values = _known(values)
    return float(np.percentile(values, q)) if len(values) else math.nan


def _percent(share: float) -> str:
    return f'{100.0 * share:.0f} %'
