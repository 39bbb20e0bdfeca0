# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
What chunks would have done, while something else moves the robot, or nothing does.

Every chunk is rehearsed by itself, from rest at the measured pose to its last step, by an
executor and a gate of its own that no motor hears. Once its steps are past, it is compared with
where the arm really went.
"""

from collections import deque
from dataclasses import dataclass
import math

import numpy as np

from vla_control.actions.blend import BlendConfig
from vla_control.actions.executor import ChunkExecutor
from vla_control.actions.quality import complaints, Quality, QualityMeter, WINDOW
from vla_control.core.messages import ActionChunk, Floats, JointState
from vla_control.core.spec import RobotSpec
from vla_control.safety.gate import Gate

KEPT = 1000  # joint states, 10 s at 100 Hz
PENDING = 500  # chunks that wait to be compared
STALE = 0.5  # [s] after which a measured pose is not where the arm is


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What one chunk would have done."""

    time: float  # [s] it came in
    travel: float  # [rad] the farthest an arm joint would have gone from where it was
    limited: float  # share of its ticks that a limit would have changed
    reason: str  # of the first limit met, empty if none
    due: Floats  # (k,) [s] of the steps that lay ahead
    positions: Floats  # (k, m) [rad] arm joints then
    pose: Floats  # (m,) [rad] arm joints as it came in


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A chunk beside what the arm did meanwhile."""

    time: float  # [s] its last step
    error: float  # [rad] rms of chunk minus arm, over its steps and arm joints
    moved: float  # [rad] rms of the arm's own way, over the same


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowReport:
    """Of the last 10 s; nan where there is nothing to tell yet."""

    rehearsed: int  # chunks
    refused: int  # chunks, since the start
    travel_p50: float  # [rad] the farthest an arm joint would have gone, by chunk
    travel_max: float  # [rad]
    limited_chunks: int  # that would have met a limit
    limited_ratio: float  # share of all rehearsed ticks
    limit_reason: str  # the newest, empty if none
    compared: int  # chunks
    error_p50: float  # [rad] rms of chunk minus arm
    error_max: float  # [rad]
    moved_p50: float  # [rad] rms of the arm's own way; an error as large says nothing was copied


class Shadow:
    """Takes chunks and measured joints in, from one thread, and moves nothing."""

    def __init__(self, spec: RobotSpec, blend: BlendConfig | None = None) -> None:
        """
        Begin with nothing seen.

        :param blend: how chunks are joined; it smooths a single one as well.
        """
        self.spec = spec
        self._arms = ~spec.gripper
        self._executor = ChunkExecutor(spec, blend)
        self._gate = Gate(spec)
        self._meter = QualityMeter(self._arms)
        self._history: deque[JointState] = deque(maxlen=KEPT)
        self._rehearsals: deque[Rehearsal] = deque(maxlen=PENDING)
        self._pending: deque[Rehearsal] = deque(maxlen=PENDING)
        self._compared: deque[Comparison] = deque(maxlen=PENDING)
        self._newest = -math.inf  # [s] stamp of the newest chunk

    def measure(self, state: JointState) -> None:
        """Take in where the arm is, and compare the chunks whose last step is past."""
        if self._history and state.stamp <= self._history[-1].stamp:
            return
        self._history.append(state)
        while self._pending and self._pending[0].due[-1] <= state.stamp:
            self._compare(self._pending.popleft())

    def offer(self, chunk: ActionChunk, now: float) -> str:
        """
        Rehearse a chunk.

        :param now: [s] its arrival.
        :returns: why it would have been refused, empty where it would not.
        """
        reason = self._unusable(chunk, now)
        if not reason:
            pose = self._history[-1].positions
            # Of a chunk's stamp, as if the driver had been resumed just before.
            self._executor.align(chunk.stamp, pose)
            verdict = self._executor.offer(chunk, now)
            reason = verdict.reason
        if reason or verdict.seam is None:
            self.reject(reason, now)
            return reason
        self._newest = chunk.stamp
        self._meter.accept(chunk, verdict.seam, now)
        rehearsal = self._rehearse(chunk, pose, now)
        self._rehearsals.append(rehearsal)
        self._pending.append(rehearsal)
        return ''

    def reject(self, reason: str, now: float) -> None:
        """Count a chunk that was refused now [s], here or before it came here."""
        self._meter.reject(reason, now)

    def quality(self, now: float) -> Quality:
        """Return how chunks came; of a motion there is nothing to tell."""
        return self._meter.snapshot(now)

    def report(self, now: float) -> ShadowReport:
        """Return what the chunks of the last 10 s would have done."""
        since = now - WINDOW
        rehearsed = [r for r in self._rehearsals if r.time > since]
        limited = [r for r in rehearsed if r.reason]
        compared = [c for c in self._compared if c.time > since]
        travel = [r.travel for r in rehearsed]
        errors = [c.error for c in compared]
        return ShadowReport(
            rehearsed=len(rehearsed),
            refused=self._meter.snapshot(now).rejected,
            travel_p50=_median(travel),
            travel_max=max(travel, default=math.nan),
            limited_chunks=len(limited),
            limited_ratio=float(np.mean([r.limited for r in rehearsed])) if travel else math.nan,
            limit_reason=limited[-1].reason if limited else '',
            compared=len(compared),
            error_p50=_median(errors),
            error_max=max(errors, default=math.nan),
            moved_p50=_median([c.moved for c in compared]),
        )

    def _unusable(self, chunk: ActionChunk, now: float) -> str:
        if not math.isfinite(chunk.stamp):
            return f'its stamp is {chunk.stamp}, must be a finite number of seconds'
        if chunk.stamp <= self._newest:
            return 'duplicate or out of order: a chunk captured later was rehearsed already'
        if not self._history:
            return 'no joint_states yet'
        age = now - self._history[-1].stamp
        if age > STALE:
            return f'the newest joint_states are {age:.2f} s old'
        if not np.isfinite(self._history[-1].positions).all():
            return 'a measured position is not finite'
        return ''

    def _rehearse(self, chunk: ActionChunk, pose: Floats, now: float) -> Rehearsal:
        """Play a chunk that was accepted, from its splice to its last step."""
        gate, dt = self._gate, self.spec.dt
        times = chunk.stamp + chunk.dt * np.arange(1.0, len(chunk.positions) + 1.0)
        ticks = np.arange(now + dt, times[-1] + dt, dt)
        gate.reset(pose)
        passed, farthest, reason = gate.passed, 0.0, ''
        for t in ticks:
            sent = gate.step(self._executor.tick(float(t)))
            reason = reason or gate.reason
            farthest = max(farthest, float(np.abs(sent.q - pose)[self._arms].max(initial=0.0)))
        ahead = times > now
        columns = [chunk.joints.index(name) for name in self.spec.names]
        return Rehearsal(
            time=now,
            travel=farthest,
            limited=1.0 - (gate.passed - passed) / len(ticks),
            reason=reason,
            due=times[ahead],
            positions=np.asarray(chunk.positions)[ahead][:, columns][:, self._arms],
            pose=pose[self._arms],
        )

    def _compare(self, chunk: Rehearsal) -> None:
        stamps = np.array([s.stamp for s in self._history])
        known = chunk.due >= stamps[0]
        if not known.any():
            return
        began = max(int(np.searchsorted(stamps, chunk.due[0])) - 1, 0)
        rows = [s.positions[self._arms] for s in list(self._history)[began:]]
        arm = _at(stamps[began:], np.array(rows), chunk.due[known])
        self._compared.append(
            Comparison(
                time=float(chunk.due[-1]),
                error=_rms(chunk.positions[known] - arm),
                moved=_rms(arm - chunk.pose),
            )
        )


def describe(report: ShadowReport, quality: Quality) -> tuple[str, ...]:
    """Say in plain words what speaks against letting these chunks move the robot."""
    found = list(complaints(quality))
    if report.limited_chunks:
        found.append(
            f'{report.limited_chunks} of {report.rehearsed} chunks would have met a limit: '
            f'{report.limit_reason}'
        )
    return tuple(found)


def _at(stamps: Floats, rows: Floats, times: Floats) -> Floats:
    """Return rows (T, m) of stamps (T,) at other times (k,), by straight lines between."""
    return np.stack([np.interp(times, stamps, column) for column in rows.T], axis=1)


def _rms(values: Floats) -> float:
    return float(np.sqrt(np.mean(values * values)))


def _median(values: list[float]) -> float:
    return float(np.median(values)) if values else math.nan
