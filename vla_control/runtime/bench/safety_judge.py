# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
The verdict on a tape of ticks: what was written and what went over the bus, many ticks at once.

Motion begins anew where the robot was aligned with its measured pose, and ends with each safe
action. Judged is every tick on the schedule of the control period, by the independent checker.
"""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from vla_control.core.messages import Floats, JointCommand
from vla_control.core.spec import RobotSpec
from vla_control.runtime.bench.safety_ledger import Ledger
from vla_control.runtime.bench.safety_rig import Rig
from vla_control.runtime.bench.safety_wire import Sent
from vla_control.runtime.control import FIRST_AUTHORITY
from vla_control.safety.checker import worst_ratios
from vla_control.safety.supervisor import Mode

BATCH = 2048  # ticks judged at once
_PAST = 3  # samples a third difference needs behind it


@dataclass(slots=True)
class Tape:
    """Ticks not judged yet; lists of one entry a tick."""

    commands: list[JointCommand | None] = field(default_factory=list)
    told: list[bool] = field(default_factory=list)  # whether every motor was told something
    gain: list[float] = field(default_factory=list)  # most that the ramp of gains allows
    since_run: list[float] = field(default_factory=list)  # [s] nan unless following
    holding: list[int] = field(default_factory=list)  # 0 no, 1 holds, 2 holds after silence
    seams: list[bool] = field(default_factory=list)  # a chunk was joined just before
    measured: dict[int, Floats] = field(default_factory=dict)  # by tick, where aligned

    def __len__(self) -> int:
        """Ticks."""
        return len(self.commands)


class Judge:
    """Records the ticks of a rig and writes what they were like into a ledger."""

    def __init__(self, rig: Rig, ledger: Ledger) -> None:
        """Begin before the first tick."""
        self._rig, self.ledger = rig, ledger
        self._spec = rig.spec
        self._half = rig.wire.half_code
        self._tape = Tape()
        self._run_since: float | None = None
        self._mode = rig.mode
        self._enabled = rig.tap.state if rig.mode is Mode.HOLD else None
        self._seam = 0
        self._ramp = 0  # ticks since the last alignment
        self._stiff: Floats = np.zeros((1, len(rig.spec.joints)))  # [N·m/rad] told last
        self._open: tuple[Floats, Floats, bool] | None = None  # last samples, begun from rest
        self._box: tuple[Floats, Floats] = (rig.spec.lower, rig.spec.upper)
        self.ticks = 0

    def note(self, told: bool, late: float, asked: bool, *, seam: bool) -> None:
        """
        Take in the tick a rig has just lived through.

        :param told: what its tick() returned.
        :param late: [s] by which its loop woke up late.
        :param asked: whether a reset or resume was asked for in it.
        :param seam: whether a chunk was accepted since the tick before.
        """
        rig, tape = self._rig, self._tape
        mode, before = rig.mode, self._mode
        now = rig.now - self._spec.dt + late
        if mode is not before:
            self._change(before, mode, now, asked)
        command = rig.tap.command
        state, self._enabled = self._enabled or rig.tap.state, None
        if rig.aligned and state is not None:
            tape.measured[len(tape)] = state.q
        self._ramp = 1 if rig.aligned else self._ramp + 1
        tape.gain.append(min(self._ramp * self._spec.dt / self._spec.safety.gain_ramp, 1.0))
        following = mode in (Mode.RUN, Mode.STOPPING) and self._run_since is not None
        tape.commands.append(command)
        tape.told.append(told)
        tape.since_run.append(now - (self._run_since or 0.0) if following else np.nan)
        hold = mode is Mode.HOLD and before is Mode.HOLD and command is not None
        silent = hold and 'no joint command' in rig.controller.snapshot.reason
        tape.holding.append(1 + silent if hold else 0)
        self._seam = 4 if seam else max(self._seam - 1, 0)
        tape.seams.append(self._seam > 0)
        self.ticks += 1
        if len(tape) >= BATCH:
            self.close()

    def _change(self, before: Mode, mode: Mode, now: float, asked: bool) -> None:
        self._mode = mode
        if mode is Mode.RUN:
            self._run_since = now
        self.ledger.count(
            'unasked', before is Mode.HOLD and mode in (Mode.READY, Mode.RUN) and not asked
        )
        self.ledger.count('cleared', before is Mode.FAULT and not asked)

    def close(self) -> None:
        """Judge what is on the tape."""
        tape, self._tape = self._tape, Tape()
        sent = self._rig.wire.decode()
        if len(sent):
            self._judge_gains(sent, tape)
        row = np.cumsum(tape.told) - 1  # of a tick among the decoded ones
        start: int | None = 0 if self._open is not None else None
        for k, command in enumerate(tape.commands):
            whole = command is not None and tape.told[k]
            begins = k in tape.measured
            if start is not None and (begins or not whole):
                self._piece(tape, sent, row, start, k)
                self._open, start = None, None
            if whole and start is None:
                start = k
        if start is not None:
            self._piece(tape, sent, row, start, len(tape))

    def _piece(self, tape: Tape, sent: Sent, row: NDArray[np.intp], start: int, end: int) -> None:
        """Judge ticks of one uninterrupted motion."""
        if end <= start:
            return
        commands = [c for c in tape.commands[start:end] if c is not None]
        q = np.array([c.q for c in commands])
        frames = sent.q[row[start:end]]
        fresh = self._open is None
        if fresh:
            self._begin(tape, start, q[0], frames[0])
            past, past_frames = (
                np.repeat(q[:1], _PAST, axis=0),
                np.repeat(frames[:1], _PAST, axis=0),
            )
        else:
            past, past_frames, _ = self._open or (q, frames, True)
        every, every_frames = np.concatenate([past, q]), np.concatenate([past_frames, frames])
        self._judge_commands(every, q)
        self._judge_frames(every_frames, frames)
        self._judge_codec(commands, sent, row[start:end])
        self._judge_moments(every, tape, start, end)
        self._open = (every[-_PAST:], every_frames[-_PAST:], True)

    def _begin(self, tape: Tape, k: int, q: Floats, frame: Floats) -> None:
        spec = self._spec
        self._box = (np.minimum(spec.lower, q), np.maximum(spec.upper, q))
        if k in tape.measured:
            measured = tape.measured[k]
            self.ledger.note('first_command', np.abs(q - measured).max())
            self.ledger.note('first_frame', _largest(np.abs(frame - measured) / self._half.q))

    def _judge_commands(self, q: Floats, new: Floats) -> None:
        spec, ledger = self._spec, self.ledger
        judged, outside = spec, np.maximum(spec.lower - q, q - spec.upper).max() > 0.0
        if outside:
            # Where it stood outside it may only move inward, so that is its limit.
            judged = _widened(spec, *self._box)
            beyond = np.maximum(np.maximum(spec.lower - q, q - spec.upper), 0.0)
            ledger.note('outward', np.diff(beyond, axis=0).max(), len(new))
        worst = worst_ratios(np.arange(len(q), dtype=np.float64) * spec.dt, q, judged)
        ledger.note('position', worst.position, len(new))
        ledger.note('velocity', worst.velocity, len(new))
        ledger.note('acceleration', worst.acceleration, len(new))
        ledger.note('jerk', worst.jerk, len(new))

    def _judge_frames(self, q: Floats, new: Floats) -> None:
        spec, half, dt = self._spec, self._half.q, self._spec.dt
        beyond = np.maximum(self._box[0] - new, new - self._box[1]) / half
        self.ledger.note('position_frames', _largest(beyond), len(new))
        difference = q
        for order, (key, limit) in enumerate(
            (
                ('velocity_frames', spec.velocity),
                ('acceleration_frames', spec.acceleration),
                ('jerk_frames', spec.jerk),
            ),
            start=1,
        ):
            difference = np.diff(difference, axis=0) / dt
            allowed = limit + 2.0**order * half / dt**order
            self.ledger.note(key, _largest(np.abs(difference) / allowed), len(new))

    def _judge_codec(
        self, commands: list[JointCommand], sent: Sent, rows: NDArray[np.intp]
    ) -> None:
        for key, decoded, half, given in (
            ('codec_q', sent.q[rows], self._half.q, np.array([c.q for c in commands])),
            ('codec_v', sent.v[rows], self._half.v, np.array([c.v for c in commands])),
        ):
            error = np.abs(decoded - given) / half
            if not np.isnan(error).all():
                self.ledger.note(key, np.nanmax(error), len(commands))

    def _judge_moments(self, q: Floats, tape: Tape, start: int, end: int) -> None:
        """Judge seams, holds and the ramp of authority, each at its own ticks."""
        spec, ledger, dt = self._spec, self.ledger, self._spec.dt
        v = np.diff(q, axis=0) / dt
        a = np.diff(v, axis=0) / dt
        pull = np.abs(a[1:] / spec.acceleration).max(axis=1)
        tug = np.abs(np.diff(a, axis=0) / dt / spec.jerk).max(axis=1)
        seams = np.array(tape.seams[start:end])
        if seams.any():
            ledger.note('seam_velocity', pull[seams].max(), int(seams.sum()))
            ledger.note('seam_acceleration', tug[seams].max(), int(seams.sum()))
        since = np.array(tape.since_run[start:end]) / spec.safety.authority_ramp
        ramping = since < 1.0
        if ramping.any():
            cap = FIRST_AUTHORITY + (1.0 - FIRST_AUTHORITY) * since[ramping]
            speed = np.abs(v[2:][ramping] / spec.velocity).max(axis=1)
            ledger.note('authority', (speed / cap).max(), int(ramping.sum()))
        holding = np.array(tape.holding[start:end])
        for key, which in (('hold_drift', holding > 0), ('starved_drift', holding == 2)):
            if which.any():
                ledger.note(key, np.abs(v[2:][which] * dt).max(), int(which.sum()))

    def _judge_gains(self, sent: Sent, tape: Tape) -> None:
        spec, half, ledger = self._spec, self._half, self.ledger
        for key, value, code, limit in (
            ('kp', sent.kp, half.kp, spec.kp),
            ('kd', sent.kd, half.kd, self._rig.wire.most_damping),
            ('torque', sent.tau, half.tau, spec.effort),
        ):
            share = np.abs(value) / (limit + code)
            if not np.isnan(share).all():
                ledger.note(key, np.nanmax(share), len(sent))
        told = np.array(tape.told)
        ramp = np.array(tape.gain)[told][:, None]
        written = np.array([c is not None for c in tape.commands])[told]
        ramping = written & (ramp[:, 0] < 1.0)
        # A robot that is taken over by a weight is let go of by it too, and never at once: where
        # it was stiffer than the ramp, it may only get softer.
        before = np.concatenate([self._stiff, sent.kp])[:-1]
        self._stiff = sent.kp[-1:]
        allowed = np.fmax(ramp * spec.kp, before)
        share = (sent.kp / (allowed + half.kp))[ramping]
        if share.size and not np.isnan(share).all():
            ledger.note('gain_ramp', np.nanmax(share), int(ramping.sum()))


def _largest(values: Floats) -> float:
    """Return the largest; what was not sent, nan, does not count."""
    return float(np.fmax.reduce(values, axis=None))


def _widened(spec: RobotSpec, lower: Floats, upper: Floats) -> RobotSpec:
    """Return the robot with other soft limits."""
    low = lower - (spec.lower - np.array([j.lower for j in spec.joints]))
    high = upper + (np.array([j.upper for j in spec.joints]) - spec.upper)
    return replace(
        spec,
        joints=tuple(
            replace(joint, lower=float(a), upper=float(b))
            for joint, a, b in zip(spec.joints, low, high, strict=True)
        ),
    )
