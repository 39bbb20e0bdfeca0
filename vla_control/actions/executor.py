# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Chunks in, a smooth reference out, whatever arrives or does not."""

from dataclasses import dataclass, replace
import math
from typing import Any

import numpy as np

from vla_control.actions.blend import BlendConfig, Memory
from vla_control.actions.chunks import check_chunk
from vla_control.actions.pace import Pace, Rhythm
from vla_control.actions.plan import Plan, resting_plan, stopping_plan
from vla_control.actions.quality import Quality, QualityMeter
from vla_control.actions.splice import Seam, splice
from vla_control.core.errors import ChunkRejected, VlaControlError
from vla_control.core.messages import ActionChunk, Reference
from vla_control.core.spec import RobotSpec

CLOCK_JUMP = 0.1  # [s] between two ticks, either way, that is a broken clock and not a late tick
# Control periods each attempt at a splice lies ahead of the newest tick. One that falls between
# the making of a splice and its end voids it; the last attempt lies beyond that tick.
SPLICE_LEADS = (0.0, 0.0, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of a chunk."""

    accepted: bool
    reason: str  # why not, empty when accepted
    seam: Seam | None = None  # of the splice, when accepted
    note: str = ''  # what had to be done for it, empty if nothing


class ChunkExecutor:
    """
    Follows the newest chunk, and rests where there is none.

    One thread calls tick, align, hold and resume; another may call offer at the same time. All
    that offer changes is one attribute bound to an immutable plan, which tick reads once. All
    times are of one clock, the one of the chunks' stamps.
    """

    def __init__(self, spec: RobotSpec, blend: BlendConfig | None = None) -> None:
        """
        Begin without a pose; align first.

        :param blend: how chunks are joined; None means the defaults of BlendConfig.
        """
        self.spec = spec
        self.blend = blend or BlendConfig()
        self._plan: Plan | None = None
        self._anchor: Plan | None = None  # executed while _plan is of a past epoch
        self._epoch = 0
        self._held = ''
        self._aligned_at = -math.inf
        self._last: Reference | None = None
        self._memory = (0, Memory())  # epoch, chunks
        self._rhythm = (0, Rhythm())  # epoch, arrivals
        self._note = ''
        self._meter = QualityMeter(~spec.gripper)

    @property
    def held(self) -> str:
        """Why it holds until align or resume; empty while it follows chunks."""
        return self._held

    @property
    def note(self) -> str:
        """Why the plan is played more slowly than it was made; empty where it is not."""
        return self._note

    @property
    def starved(self) -> bool:
        """Whether no due point lay ahead at the last tick."""
        plan = self._current()
        last = self._last
        return plan is None or last is None or plan.pace.clock(last.stamp) > plan.end

    @property
    def at_rest(self) -> bool:
        """Whether the last reference was one of rest."""
        last = self._last
        return last is None or not (np.any(last.v) or np.any(last.a))

    def align(self, now: float, q: Any) -> None:
        """
        Rest at a pose, forget all chunks, and accept those captured from now on.

        :param now: [s].
        :param q: (n,) [rad, m] the pose the robot is held at.
        :raises VlaControlError: when the pose is not finite or not of this robot.
        """
        pose = np.array(q, dtype=np.float64)
        if pose.shape != (len(self.spec.joints),) or not np.isfinite(pose).all():
            raise VlaControlError(
                f'cannot align to {pose}; expected {len(self.spec.joints)} finite positions '
                f'in the order {list(self.spec.names)}'
            )
        self._renew(resting_plan(self.spec, self._epoch + 1, now, pose))
        self._aligned_at = now
        self._held = ''
        self._last = None
        self._meter.reset()

    def offer(self, chunk: ActionChunk, now: float) -> Verdict:
        """
        Splice a chunk into the plan in execution, or say why not; never raises for a chunk.

        :param now: [s] its arrival.
        """
        try:
            seam = self._offer(chunk, now)
        except ChunkRejected as error:
            self._meter.reject(str(error), now)
            return Verdict(accepted=False, reason=str(error))
        self._meter.accept(chunk, seam, now)
        return Verdict(accepted=True, reason='', seam=seam, note=self._note)

    def tick(self, now: float) -> Reference:
        """
        Return the reference for an instant; at rest the same pose each time, with v = a = 0.

        :param now: [s] the instant, rising by about a control period from call to call.
        :raises VlaControlError: when no pose was ever given, or the time is not finite.
        """
        plan = self._current()
        if plan is None:
            raise VlaControlError('no pose to start from: call align(now, q) before tick')
        if not math.isfinite(now):
            raise VlaControlError(f'tick at {now} s: the clock must give a finite time')
        last = self._last
        if last is not None and not abs(now - last.stamp) <= CLOCK_JUMP:
            plan = self._flush(last, now)
        clock, rate, _ = plan.pace.at(now)
        if plan.has_chunk and clock > plan.end and not self._held:
            self._check_timeout(plan, (clock - plan.end) / rate)
        state = plan.pace.warp(now, plan.at(clock))
        state.setflags(write=False)
        reference = Reference(
            stamp=now, q=state[0], v=state[1], a=state[2], source=plan.source_at(clock)
        )
        self._last = reference
        self._meter.tick(reference, plan.stamp, clock > plan.end, plan.start)
        return reference

    def hold(self, now: float, reason: str = 'hold requested') -> None:
        """
        Stop within the limits of acceleration and jerk, and stay until align or resume.

        :param now: [s] the instant to start braking.
        """
        plan = self._current()
        if plan is None or self._held:
            return
        clock, rate, _ = plan.pace.at(now)
        stop = stopping_plan(
            self.spec,
            self._epoch + 1,
            clock,
            plan.at(clock),
            plan.grippers,
            plan.pace,
            max(rate, plan.pace.after),
        )
        self._renew(replace(stop, previous=plan.trimmed(clock)))
        self._held = reason

    def resume(self, now: float) -> None:
        """Accept chunks again, those captured from now [s] on; moves nothing by itself."""
        plan = self._current()
        if plan is None or not self._held:
            return
        self._renew(replace(plan, epoch=self._epoch + 1, stamp=-math.inf, end=-math.inf))
        self._aligned_at = now
        self._held = ''

    def quality(self, now: float) -> Quality:
        """Return what the motion was like since the last align."""
        plan = self._current()
        return self._meter.snapshot(now, plan.pace.at(now)[1] if plan else 1.0)

    def _current(self) -> Plan | None:
        """Return the plan in execution; one spliced while its epoch ended does not count."""
        plan = self._plan
        return plan if plan is not None and plan.epoch == self._epoch else self._anchor

    def _renew(self, plan: Plan) -> None:
        """Begin the epoch of a plan; the order matters to a reader in between."""
        self._anchor = plan
        self._epoch = plan.epoch
        self._plan = plan
        self._note = ''

    def _offer(self, chunk: ActionChunk, now: float) -> Seam:
        plan = self._current()
        if plan is None:
            raise ChunkRejected('no pose to start from yet: the executor is not aligned')
        if not math.isfinite(now):
            raise ChunkRejected(f'arrived at {now} s: the clock must give a finite time')
        if self._held:
            raise ChunkRejected(f'held: {self._held}; resume first')
        rhythm = self._rhythm_of(plan)
        rhythm.arrived(now)
        for lead in SPLICE_LEADS:
            last = self._last
            joined, seam, memory, note = self._join(chunk, now, plan, last, lead)
            if self._last is last:
                break
        self._note = note
        self._memory = (plan.epoch, memory)
        self._plan = joined
        return seam

    def _join(
        self, chunk: ActionChunk, now: float, plan: Plan, last: Reference | None, lead: float
    ) -> tuple[Plan, Seam, Memory, str]:
        """Return the plan that goes over to a chunk `lead` periods after the newest tick."""
        seen = last.stamp if last else now
        start = max(now, seen + lead * self.spec.dt)
        pace = plan.pace.resumed(start, plan.rest_time)
        checked = check_chunk(
            chunk,
            self.spec,
            now,
            pace.clock(start),
            lambda t: plan.at(t)[0],
            newest=plan.stamp,
            since=self._aligned_at,
            clock=pace.clock,
        )
        at_rest = pace is not plan.pace
        rhythm = self._rhythm_of(plan)
        steps, age = len(checked.times), start - checked.stamp
        rate, note = rhythm.fit(steps * checked.dt, steps, age, pace.after, self.blend.reach)
        pace = pace.changed(start, rate, at_rest)
        epoch, memory = self._memory
        memory = memory if epoch == plan.epoch else Memory()
        seen = max(seen, now - CLOCK_JUMP)  # a tick later than that does not ask the plan
        joined, seam, memory = splice(
            plan, checked, pace, start, now, seen, self.spec, self.blend, memory
        )
        return joined, seam, memory, note

    def _rhythm_of(self, plan: Plan) -> Rhythm:
        """Return when chunks came in the epoch of a plan."""
        epoch, rhythm = self._rhythm
        if epoch != plan.epoch:
            rhythm = Rhythm()
            self._rhythm = (plan.epoch, rhythm)
        return rhythm

    def _check_timeout(self, plan: Plan, silent: float) -> None:
        """Latch a hold when the robot has had nothing to do for too long [s]."""
        if silent > self.spec.safety.chunk_timeout:
            self._renew(replace(plan, epoch=self._epoch + 1))
            self._held = (
                f'no action chunk for {silent:.2f} s since the last was due to end, more than '
                f'{self.spec.safety.chunk_timeout} s (safety.chunk_timeout)'
            )

    def _flush(self, last: Reference, now: float) -> Plan:
        """Brake from the last reference on the new time; stamps of the old time are void."""
        plan = self._current()
        grippers = plan.grippers if plan else None
        clock, rate, _ = plan.pace.at(last.stamp) if plan else (last.stamp, 1.0, 0.0)
        begin = now - self.spec.dt  # the last reference counts as one period old
        pace = Pace(start=begin, origin=clock, before=rate, after=rate)
        state = np.stack((last.q, last.v / rate, last.a / rate**2))
        stop = stopping_plan(self.spec, self._epoch + 1, clock, state, grippers, pace, rate)
        self._renew(stop)
        self._aligned_at = now
        if not self._held:
            self._held = f'the clock jumped by {now - last.stamp:.3f} s between two ticks'
        return stop
