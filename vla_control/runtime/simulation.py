# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""A simulated robot in real time: its motors on the emulated bus, physics, and a judge."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vla_control.core.clock import SteadyClock
from vla_control.core.messages import Floats
from vla_control.core.spec import RobotSpec
from vla_control.sim.device import Device
from vla_control.sim.starts import Start
from vla_control.sim.tasks import Goal, Judge, TaskBook, Verdict
from vla_control.sim.world import World

LONGEST_CATCH_UP = 0.02  # [s] of physics done in one tick after the machine was busy
SHOWN = 0.008  # [s] between states shown to the renderer, whose pictures begin with a new one


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """How the task stands; replaced whole, so any thread may keep one."""

    instruction: str
    goal: Goal | None  # None where the words are not among those that can be judged
    verdict: Verdict
    seconds: float  # [s] of physics since it began, to the verdict once there is one
    number: int  # counts beginnings


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Where the objects are now."""

    cubes: Floats  # (3, 7) [m], quaternion w, x, y, z
    plate: Floats  # (3,) [m]


class BusClock(SteadyClock):
    """Waits by serving the bus, so that motors answer within a fraction of a millisecond."""

    def __init__(self, device: Device) -> None:
        """
        Wait on a bus.

        :param device: answers what arrives meanwhile.
        """
        self.device = device
        self.heard = -np.inf  # [s] when the newest frame came

    def sleep_until(self, deadline: float) -> None:
        """Answer frames until an absolute deadline [s]."""
        while (wait := deadline - (now := self.now())) > 0.0:
            self.serve(now, wait)

    def serve(self, now: float, wait: float = 0.0) -> None:
        """Answer what has arrived, or arrives within a time [s]."""
        if self.device.serve(now, wait):
            self.heard = now


class Simulation:
    """
    Physics that keeps up with the clock.

    Until a motor is enabled time stands still, as if somebody held the arm in its start pose.

    One thread calls tick. Any other may ask for a restart or a new task, which take effect in
    the next tick, and read ``episode`` and ``scene``.
    """

    def __init__(
        self,
        spec: RobotSpec,
        world: World,
        bus: BusClock,
        *,
        show: Callable[[float, Floats], object],
        trace_period: float = 0.0,
    ) -> None:
        """
        Compose what was built.

        :param show: called with the time [s] and a snapshot of the world, every SHOWN.
        :param trace_period: [s] between rows of the trace, 0 to keep none.
        """
        self.spec, self._world, self._device, self._bus = spec, world, bus.device, bus
        self._show = show
        self._trace_period = trace_period
        self._trace: list[tuple[float, Floats]] = []
        self._next_shown = self._next_row = -np.inf
        self._origin: float | None = None  # [s] clock when the world's time was 0
        self._carried = True  # somebody holds the arm until its motors do
        self._judge: Judge | None = None
        self._began = 0.0  # [s] physics time
        self._wanted_start: tuple[Start, bool] | None = None
        self._wanted_task: tuple[str, Goal | None] | None = None
        self.lost = 0.0  # [s] of physics never made up
        self.restarts = 0
        self.episode = Episode(
            instruction='', goal=None, verdict=Verdict.RUNNING, seconds=0.0, number=0
        )
        self.scene = self._look()

    @property
    def heard(self) -> float:
        """When the newest frame of a driver came [s]."""
        return self._bus.heard

    def restart(self, start: Start, *, move_arm: bool) -> None:
        """
        Put the objects, and the arm if asked, where a start says.

        :param move_arm: False leaves the arm where it is, as somebody tidying up would.
        """
        self._wanted_start = (start, move_arm)

    def ask(self, instruction: str, goal: Goal | None) -> None:
        """Judge a task from now on."""
        self._wanted_task = (instruction, goal)

    def tick(self, now: float) -> None:
        """Bring physics up to an instant [s] of the clock."""
        self._bus.serve(now)
        self._take_wishes()
        world = self._world
        if self._carried and self._device.holding:
            self._carried = False
        if not self._carried:
            self._catch_up(world, now)
        self._device.measure(now, world.positions, world.velocities)
        self._judge_now()
        self._record(now)

    def save_trace(self, path: Path) -> None:
        """Write ``time`` [s] on the steady clock and ``snapshots`` of the world to an .npz."""
        if not self._trace:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        times, snapshots = zip(*self._trace, strict=True)
        np.savez_compressed(path, time=np.array(times), snapshots=np.array(snapshots))

    def _catch_up(self, world: World, now: float) -> None:
        if self._origin is None:
            self._origin = now - world.time
        behind = now - self._origin - world.time
        if behind > LONGEST_CATCH_UP:
            self.lost += behind - LONGEST_CATCH_UP
            self._origin += behind - LONGEST_CATCH_UP
        while now - self._origin - world.time > 0.5 * world.timestep:
            self._device.measure(now, world.positions, world.velocities)
            self._bus.serve(now)
            world.step(self._device.torques(now))

    def _take_wishes(self) -> None:
        start, self._wanted_start = self._wanted_start, None
        if start is not None:
            q = start[0].q if start[1] else self._world.positions.copy()
            self._world.reset(start[0].layout, q)
            self._origin = None
            self._carried = not self._device.holding
            self.restarts += 1
            self._begin(self.episode.instruction, self.episode.goal)
        task, self._wanted_task = self._wanted_task, None
        if task is not None:
            self._begin(*task)

    def _begin(self, instruction: str, goal: Goal | None) -> None:
        self._began = self._world.time
        self._judge = Judge(self._world, goal) if goal is not None else None
        self.episode = Episode(
            instruction=instruction,
            goal=goal,
            verdict=Verdict.RUNNING,
            seconds=0.0,
            number=self.episode.number + 1,
        )

    def _judge_now(self) -> None:
        episode = self.episode
        if self._judge is None or episode.verdict is not Verdict.RUNNING:
            return
        self.episode = Episode(
            instruction=episode.instruction,
            goal=episode.goal,
            verdict=self._judge.update(),
            seconds=self._world.time - self._began,
            number=episode.number,
        )

    def _record(self, now: float) -> None:
        if now >= self._next_shown:
            self._next_shown = _next(self._next_shown, now, SHOWN)
            self._show(now, self._world.snapshot())
            self.scene = self._look()
        if self._trace_period and now >= self._next_row:
            self._next_row = _next(self._next_row, now, self._trace_period)
            self._trace.append((now, self._world.snapshot()))

    def _look(self) -> Scene:
        return Scene(cubes=self._world.cube_poses, plate=self._world.plate)


def goals_by_words(book: TaskBook, goals: tuple[Goal, ...]) -> dict[str, Goal]:
    """Return every instruction the book can make, in lower case, and what it asks for."""
    return {
        phrase.format(colour=goal.target).lower(): goal
        for goal in goals
        for unseen in (False, True)
        for phrase in book.phrasings(goal.task, unseen)
    }


def _next(due: float, now: float, period: float) -> float:
    """Return the next time [s] after one that was due; a long gap begins anew."""
    return due + period if now - due < period else now + period
