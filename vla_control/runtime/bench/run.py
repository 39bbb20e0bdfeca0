# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""One run of one method in virtual time: what it sent, when it had nothing, what it cost."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
import math
import time

import numpy as np
from numpy.typing import NDArray

from vla_control.actions.blend import BlendConfig
from vla_control.actions.executor import ChunkExecutor
from vla_control.actions.spline import interpolate
from vla_control.core.messages import ActionChunk, Floats
from vla_control.core.spec import RobotSpec
from vla_control.runtime.bench.faults import Trouble
from vla_control.runtime.bench.methods import Join, led_in, Queue
from vla_control.runtime.bench.setting import Motion, Setting
from vla_control.runtime.bench.source import Client


def _nothing(new: Queue, now: int) -> None:
    """Need no preparation."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A method that counts actions."""

    join: Join
    waits: bool = False  # asks only once its queue is empty
    prepare: Callable[[Queue, int], None] = _nothing  # untimed, before a join


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """What a run left; T control ticks, K policy steps."""

    smooth: Floats  # (T, n) [rad] sent, by a C2 curve through the targets where it had targets
    linear: Floats  # (T, n) [rad] the same K targets joined by straight lines
    seams: NDArray[np.intp]  # (s,) first policy step at or after each change of chunks
    idle: NDArray[np.bool_]  # (T,) nothing due was left
    ages: Floats  # (T,) [s] since the capture of the image acted on, nan before the first
    cpu: Floats  # (s,) [s] of processor time each join took
    wall: Floats  # (s,) [s] that passed meanwhile
    not_finite: int = 0  # targets with a NaN that were sent
    refused: int = 0  # chunks
    held: str = ''  # why the method latched a hold, empty if it did not


@dataclass(slots=True)
class _Log:
    """What grows during a run."""

    seams: list[int] = field(default_factory=list)
    idle: list[bool] = field(default_factory=list)
    ages: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)


def run_peer(peer: Peer, setting: Setting, motion: Motion, delay: float, bad: Trouble) -> Trace:
    """
    Execute a method that counts actions, one target a policy step.

    With nothing left it repeats its last target, as they do.

    :param delay: [s] from capture to arrival.
    """
    client = Client(setting, motion, delay, bad)
    log = _Log()
    start = motion.at(np.zeros(1))[0]
    queue: Queue | None = None
    sent: list[Floats] = []  # by number of the action
    out: list[Floats] = []  # by policy step
    captured = math.nan
    for step, now in enumerate(setting.policy_times.tolist()):
        empty = queue is None or queue.end <= len(sent)
        if empty or not peer.waits:
            client.ask(now, len(sent))
        for answer in client.arrived(now):
            new = Queue(answer.tag + 1, answer.points)
            queue, kept = _timed_join(peer, np.array(sent), queue, new, len(sent), log)
            if peer.waits:
                queue = replace(queue, points=queue.points[: setting.replan])
            captured = answer.captured
            log.seams.append(step + kept)
        target = None
        if queue is not None:
            # What an empty queue made wait is not counted, so a late chunk starts where it can.
            sent.extend(out[-1:] * max(queue.first - len(sent), 0))
            target = queue.target(len(sent))
        log.idle.append(target is None)
        log.ages.append(now - captured)
        if target is not None:
            sent.append(target)
        out.append(target if target is not None else out[-1] if out else start)
    return _peer_trace(np.array(out), log, setting)


def run_executor(
    spec: RobotSpec,
    blend: BlendConfig,
    setting: Setting,
    motion: Motion,
    delay: float,
    bad: Trouble,
) -> Trace:
    """
    Execute this package's own executor at control rate.

    :param delay: [s] from capture to arrival.
    """
    client = Client(setting, motion, delay, bad)
    executor = ChunkExecutor(spec, blend)
    executor.align(bad.clock(0.0), motion.at(np.zeros(1))[0])
    log = _Log()
    out, captured = [], math.nan
    for tick, now in enumerate(setting.control_times.tolist()):
        if tick % setting.substeps == 0:
            client.ask(now, 0)
        clock = bad.clock(now)
        for answer in client.arrived(now):
            chunk = ActionChunk(
                stamp=bad.clock(answer.captured),
                dt=setting.dt,
                joints=spec.names,
                positions=answer.points,
            )
            if _timed_offer(executor, chunk, clock, log):
                captured = answer.captured
                log.seams.append(math.ceil((tick + 1) / setting.substeps))
        out.append(executor.tick(clock).q)
        log.idle.append(executor.starved or bool(executor.held))
        log.ages.append(now - captured)
    smooth = np.array(out)
    return Trace(
        smooth=smooth,
        linear=_lines(smooth[:: setting.substeps], setting),
        seams=np.array(log.seams, dtype=np.intp),
        idle=np.array(log.idle),
        ages=np.array(log.ages),
        cpu=np.array(log.cpu),
        wall=np.array(log.wall),
        refused=executor.quality(setting.control_times[-1]).rejected,
        held=executor.held,
    )


def _timed_join(
    peer: Peer, sent: Floats, old: Queue | None, new: Queue, now: int, log: _Log
) -> tuple[Queue, int]:
    """Return the new queue and how many targets of the old one still come first."""
    peer.prepare(new, now)
    cpu, wall = time.thread_time(), time.perf_counter()
    queue = peer.join(sent, old, new, now)
    log.cpu.append(time.thread_time() - cpu)
    log.wall.append(time.perf_counter() - wall)
    return led_in(queue, old, now)


def _timed_offer(executor: ChunkExecutor, chunk: ActionChunk, now: float, log: _Log) -> bool:
    cpu, wall = time.thread_time(), time.perf_counter()
    verdict = executor.offer(chunk, now)
    log.cpu.append(time.thread_time() - cpu)
    log.wall.append(time.perf_counter() - wall)
    return verdict.accepted


def _peer_trace(targets: Floats, log: _Log, setting: Setting) -> Trace:
    broken = ~np.isfinite(targets).all(axis=1)
    for step in np.flatnonzero(broken):
        # A motor ignores what is no number, so the arm stays where the last number sent it.
        bad = ~np.isfinite(targets[step])
        targets[step, bad] = targets[step - 1, bad]
    curve = interpolate(0.0, setting.dt, targets)
    ticks = np.minimum(np.arange(len(setting.control_times)) // setting.substeps, len(targets) - 1)
    return Trace(
        smooth=curve.positions(setting.control_times),
        linear=_lines(targets, setting),
        seams=np.array(log.seams, dtype=np.intp),
        idle=np.array(log.idle)[ticks],
        ages=np.array(log.ages)[ticks] + (setting.control_times - setting.policy_times[ticks]),
        cpu=np.array(log.cpu),
        wall=np.array(log.wall),
        not_finite=int(broken.sum()),
    )


def _lines(targets: Floats, setting: Setting) -> Floats:
    """Return targets (K, n) joined by straight lines at control rate, (T, n)."""
    times, knots = setting.control_times, setting.policy_times
    return np.stack([np.interp(times, knots, column) for column in targets.T], axis=1)
