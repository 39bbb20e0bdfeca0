# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""One robot made of several, each on a bus of its own: they start, move and stop together."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, ExitStack
import math

import numpy as np

from vla_control.buses.frames import WiredDriver
from vla_control.core.errors import BusError, CodecError, RobotError
from vla_control.core.messages import frozen_floats, JointCommand, RobotState
from vla_control.core.protocols import Clock, HomingDriver, HomingReport, RobotDriver
from vla_control.core.spec import RobotSpec
from vla_control.robots.guards import command_gain, naming

Duty = Callable[[float], None]


class SharedClock:
    """
    The clock of all parts: while one of them waits for its motors, the others get their frames.

    Motors switch themselves off after ``motor_watchdog`` of silence, and a part may wait longer.
    """

    def __init__(self, clock: Clock, period: float) -> None:
        """
        Wrap a clock.

        :param period: [s] between two frames of a part that is not the one waiting.
        """
        self._clock = clock
        self._period = period
        self._duty: Duty | None = None
        self._done = -math.inf  # [s] when the duty was last done

    @contextmanager
    def meanwhile(self, duty: Duty) -> Iterator[None]:
        """Call ``duty`` with the time [s], once a period, whenever the time is looked at."""
        self._duty = duty
        try:
            yield
        finally:
            self._duty = None

    def now(self) -> float:
        """Return the time in s."""
        now, duty = self._clock.now(), self._duty
        if duty is not None and now - self._done >= self._period:
            # Its own looks at the time must not start it again.
            self._done, self._duty = now, None
            try:
                duty(now)
            finally:
                self._duty = duty
        return now

    def sleep_until(self, deadline: float) -> None:
        """Return at the deadline [s]; all waits of drivers are shorter than a watchdog."""
        self.now()
        self._clock.sleep_until(deadline)


class Pair:
    """
    Drives the parts of a robot in one tick.

    A command is checked as a whole before any part gets its share, and a part that cannot take
    its share puts all of them into their safe action within the same tick. What one part has
    lost, another never goes on without.
    """

    def __init__(
        self, spec: RobotSpec, drivers: Mapping[str, RobotDriver], clock: SharedClock
    ) -> None:
        """
        Compose; nothing is opened.

        :param drivers: by part, in the order of the spec's parts, waiting on ``clock``.
        """
        self._spec = spec
        self._clock = clock
        self._drivers = tuple(drivers.values())
        wired = [d.wires for d in self._drivers if isinstance(d, WiredDriver)]
        self.wires = {name: bus for wires in wired for name, bus in wires.items()}
        self._sides = tuple(drivers)
        self._open: set[int] = set()  # parts that are connected

    def connect(self, now: float) -> None:
        """
        Connect every part; when one fails, those before it are let go again.

        :raises RobotError: when a part is not the robot its spec describes.
        :raises BusError: naming the part whose bus cannot be opened.
        """
        with ExitStack() as undo:
            for i in range(len(self._drivers)):
                self._connect(i)
                undo.callback(self._close, i)
            undo.pop_all()

    def enable(self, now: float) -> RobotState:
        """
        Enable every part; when one fails, those before it are switched off again.

        :raises RobotError: when a motor is silent, faulted or outside its limits.
        """
        with ExitStack() as undo:
            for i, driver in enumerate(self._drivers):
                with self._tending(range(i), _carry):
                    driver.enable(self._clock.now())
                undo.callback(self._switch_off, i)
            undo.pop_all()
        return self.read(self._clock.now())

    def read(self, now: float) -> RobotState:
        """
        Collect what has arrived on every bus; counters are sums.

        :raises RobotError: before connect().
        """
        states = [driver.read(now) for driver in self._drivers]
        counters: dict[str, int] = {}
        for state in states:
            for name, count in state.bus.items():
                counters[name] = counters.get(name, 0) + count
        return RobotState(
            stamp=now,
            q=frozen_floats(np.concatenate([s.q for s in states])),
            v=frozen_floats(np.concatenate([s.v for s in states])),
            effort=frozen_floats(np.concatenate([s.effort for s in states])),
            age=frozen_floats(np.concatenate([s.age for s in states])),
            temperature=frozen_floats(np.concatenate([s.temperature for s in states])),
            status=tuple(status for state in states for status in state.status),
            bus=counters,
            faults=tuple(fault for state in states for fault in state.faults),
            warnings=tuple(warning for state in states for warning in state.warnings),
        )

    def write(self, command: JointCommand, now: float) -> None:
        """
        Send every part its share, or none of them a motion.

        :raises CodecError: when any value is not finite or the shape is wrong; nothing is sent.
        :raises RobotError: before enable().
        :raises BusError: naming the part whose bus did not take its frames; all are damped then.
        """
        command_gain(self._spec, command)
        try:
            for i, mine in enumerate(self._spec.shares):
                share = JointCommand(
                    q=command.q[mine], v=command.v[mine], a=command.a[mine], gain=command.gain
                )
                with naming(self._sides[i]):
                    self._drivers[i].write(share, now)
        except (BusError, CodecError, RobotError):
            self.safe_action(now)
            raise

    def safe_action(self, now: float) -> None:
        """Send every part one tick of its safe action, whatever becomes of the others."""
        with ExitStack() as every:
            for driver in reversed(self._drivers):
                every.callback(driver.safe_action, now)

    def clear_faults(self, now: float) -> None:
        """
        Clear the faults of every part while the others keep being damped.

        :raises RobotError: when a motor keeps its fault, is silent or outside its limits.
        """
        with ExitStack() as every:
            for i in reversed(range(len(self._drivers))):
                every.callback(self._clear, i)

    def close(self, now: float) -> None:
        """
        Close part after part, even where one raises; the rest is damped until its turn.

        Safe to call twice.
        """
        with ExitStack() as every:
            for i in reversed(range(len(self._drivers))):
                every.callback(self._close, i)

    def _connect(self, index: int) -> None:
        with naming(self._sides[index]):
            self._drivers[index].connect(self._clock.now())
        self._open.add(index)

    def _clear(self, index: int) -> None:
        with self._tending(self._open - {index}, _damp):
            self._drivers[index].clear_faults(self._clock.now())

    def _close(self, index: int) -> None:
        self._open.discard(index)
        with self._tending(self._open, _damp):
            self._drivers[index].close(self._clock.now())

    def _switch_off(self, index: int) -> None:
        """Return an enabled part to what connect() left it as."""
        self._close(index)
        self._connect(index)

    @contextmanager
    def _tending(
        self, parts: Collection[int], frame: Callable[[RobotDriver, float], None]
    ) -> Iterator[None]:
        def tend(now: float) -> None:
            for i in parts:
                frame(self._drivers[i], now)

        with self._clock.meanwhile(tend):
            yield


class HomingPair(Pair):
    """A pair of parts whose grippers look for their zero; both do it at once."""

    @property
    def homing(self) -> HomingReport:
        """How it stands in all parts; any thread may ask."""
        reports = {
            side: driver.homing
            for side, driver in zip(self._sides, self._drivers, strict=True)
            if isinstance(driver, HomingDriver)
        }
        return HomingReport(
            needed=any(r.needed for r in reports.values()),
            running=any(r.running for r in reports.values()),
            reason='; '.join(f'{side}: {r.reason}' for side, r in reports.items()),
        )

    def home_gripper(self, now: float) -> None:
        """
        Begin in every part; the ticks that follow do it, and safe_action() ends it.

        :raises RobotError: before enable().
        """
        for driver in self._drivers:
            if isinstance(driver, HomingDriver):
                driver.home_gripper(now)


def _carry(driver: RobotDriver, now: float) -> None:
    """Carry the weight and no more, as right after enabling."""
    q = driver.read(now).q
    still = np.zeros(len(q))
    driver.write(JointCommand(q=q, v=still, a=still, gain=0.0), now)


def _damp(driver: RobotDriver, now: float) -> None:
    driver.read(now)
    driver.safe_action(now)
