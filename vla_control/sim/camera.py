# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
The process that renders a simulation's cameras, so that physics never waits for a picture.

Physics publishes snapshots of its state, stamped on the graph's clock, into a shared record; the
renderer shows the newest one in a world of its own and publishes the picture with the stamp of
the snapshot. A paused or dead physics makes no new frames.
"""

from collections.abc import Mapping
from dataclasses import dataclass
import multiprocessing
from multiprocessing.process import BaseProcess, parent_process
import signal
import struct
import time

import numpy as np

from vla_control.cameras.simulated import FrameWriter
from vla_control.core.errors import SimulationError
from vla_control.core.graphics import select_renderer
from vla_control.core.messages import Floats, frozen_floats
from vla_control.core.realtime import request_realtime
from vla_control.core.shared_record import (
    SharedRecordError,
    SharedRecordReader,
    SharedRecordWriter,
)
from vla_control.core.spec import load_robot

_STAMP = struct.Struct('<d')
_POLL = 0.0005  # [s] between looks for a new snapshot
_NAP = 0.002  # [s] longest sleep while no view is due
_MOMENT = 0.02  # [s] for a new snapshot before an old one is shown
_STOP = 2.0  # [s] to wait for the renderer to end by itself


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One camera to render."""

    name: str  # of the scene
    width: int  # [px]
    height: int  # [px]
    rate: float  # [Hz]


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderJob:
    """What a renderer does; plain values, as it goes to another process."""

    robot: str  # name or YAML file
    session: str  # what tells simulations on one machine apart
    views: tuple[View, ...]
    priority: int = 0  # SCHED_FIFO; a camera's exposure waits for no program


class StateWriter:
    """The physics' end: publishes and never waits."""

    def __init__(self, session: str, size: int) -> None:
        """
        Create the record.

        :param size: numbers in a snapshot.
        :raises SharedRecordError: when another simulation of the session is running.
        """
        self._record = SharedRecordWriter(_slot(session), _STAMP.size + 8 * size)

    def write(self, stamp: float, snapshot: Floats) -> None:
        """
        Publish a state.

        :param stamp: [s] on the clock of the graph, when the state was true.
        :param snapshot: what ``World.snapshot()`` returned.
        """
        values = np.ascontiguousarray(snapshot, np.float64)
        self._record.write(_STAMP.pack(stamp), values.data)

    def close(self) -> None:
        """Remove the record; safe to call twice."""
        self._record.close()


class StateReader:
    """The renderer's end."""

    def __init__(self, session: str) -> None:
        """
        Attach.

        :raises SharedRecordError: when no simulation of the session is running.
        """
        self._record = SharedRecordReader(_slot(session))

    def read(self) -> tuple[float, Floats] | None:
        """Return stamp [s] and snapshot of the newest state not yet returned, or None."""
        found = self._record.read()
        if found is None:
            return None
        (stamp,) = _STAMP.unpack_from(found[1])
        return stamp, frozen_floats(np.frombuffer(found[1], np.float64, offset=_STAMP.size))

    def writer_alive(self) -> bool:
        """Tell whether physics still runs."""
        return self._record.writer_alive()

    def close(self) -> None:
        """Detach; safe to call twice."""
        self._record.close()


class Turns:
    """Which camera is due, spread evenly so that two never fall on the same moment."""

    def __init__(self, views: tuple[View, ...], now: float) -> None:
        """Give view k of n its first turn k/n of its period after ``now`` [s]."""
        self._views = views
        self._due = [now + k / (len(views) * v.rate) for k, v in enumerate(views)]

    def due(self, now: float) -> View | None:
        """Return the view that is longest overdue and give it its next turn, or None."""
        k = min(range(len(self._views)), key=self._due.__getitem__)
        if self._due[k] > now:
            return None
        period = 1.0 / self._views[k].rate
        # Turns missed are not made up; the phase stays.
        missed = max(0, int((now - self._due[k]) / period))
        self._due[k] += (missed + 1) * period
        return self._views[k]

    @property
    def next(self) -> float:
        """When the next view is due [s]."""
        return min(self._due)


def start_renderer(job: RenderJob) -> BaseProcess:
    """
    Start the renderer; make the StateWriter of the session first.

    It ends by itself when this process dies, however it dies. End it with ``stop_renderer``.
    """
    process = multiprocessing.get_context('spawn').Process(
        target=render_until_orphaned, args=(job,), name='renderer', daemon=True
    )
    process.start()
    return process


def stop_renderer(process: BaseProcess) -> None:
    """End the renderer; safe to call twice."""
    if process.is_alive():
        process.terminate()
        process.join(_STOP)
    if process.is_alive():
        process.kill()
        process.join(_STOP)


def render_until_orphaned(job: RenderJob) -> None:
    """Render the job's views until told to terminate, or physics or the parent is gone."""
    stopping = _Stop()
    signal.signal(signal.SIGTERM, stopping.ask)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the parent, who ends us
    if job.priority:
        request_realtime(job.priority)  # before the renderer starts threads, which inherit it
    select_renderer()
    # Only this process needs a renderer, and only after its kind was selected.
    from vla_control.sim.world import World

    parent = parent_process()
    states = StateReader(job.session)
    with World(load_robot(job.robot)) as world:
        writers = open_writers(job, tuple(world.scene.cameras))
        turns, fresh = Turns(job.views, time.monotonic()), _Fresh(states)
        try:
            while not stopping.asked and (parent is None or parent.is_alive()):
                view = turns.due(time.monotonic())
                if view is None:
                    if not states.writer_alive():
                        return
                    wait = turns.next - time.monotonic()
                    time.sleep(min(max(wait, 0.0), _NAP))
                elif (state := fresh.next(view.name)) is not None:
                    stamp, snapshot = state
                    world.restore(snapshot)
                    pixels = world.render(view.name, view.width, view.height)
                    writers[view.name].write(stamp, pixels)
        finally:
            for writer in writers.values():
                writer.close()
            states.close()


class _Fresh:
    """The states a view is drawn from: the next one, as one that lay there is older."""

    def __init__(self, states: StateReader) -> None:
        self._states = states
        self._newest: tuple[float, Floats] | None = None
        self._shown: dict[str, float] = {}  # [s] stamp of each view's last state

    def next(self, view: str) -> tuple[float, Floats] | None:
        """Wait a moment for a new state, else return one this view has not shown, or None."""
        self._newest = self._states.read() or self._newest
        end = time.monotonic() + _MOMENT
        while (state := self._states.read()) is None and time.monotonic() < end:
            time.sleep(_POLL)
        self._newest = state or self._newest
        if self._newest is None or self._shown.get(view) == self._newest[0]:
            return None
        self._shown[view] = self._newest[0]
        return self._newest


def open_writers(job: RenderJob, cameras: tuple[str, ...]) -> Mapping[str, FrameWriter]:
    """
    Create the frame slots of a job.

    :param cameras: those of the scene.
    :raises SimulationError: when a view is no camera of the scene, or a slot is taken.
    """
    unknown = [v.name for v in job.views if v.name not in cameras]
    if unknown:
        raise SimulationError(
            f'{job.robot}: the scene has no cameras {unknown}; it has {sorted(cameras)}. Add '
            'them to cameras in config/scenes'
        )
    try:
        return {v.name: FrameWriter(job.session, v.name, v.width, v.height) for v in job.views}
    except SharedRecordError as error:
        raise SimulationError(str(error)) from error


def _slot(session: str) -> str:
    return f'{session}-state'


class _Stop:
    """Set by a signal."""

    def __init__(self) -> None:
        self.asked = False

    def ask(self, *_: object) -> None:
        """Remember that termination was asked for."""
        self.asked = True
