# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
A robot under test in virtual time: everything real but its joints, which go where they are told.

Executor, stream, gate, watchdogs, supervisor, driver, codec and the emulated electronics are the
objects that also run on the graph. Joints are first-order followers, so that a million chunks are
affordable; what is judged is what was sent, which physics cannot make better.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from vla_control.actions.executor import ChunkExecutor, Verdict
from vla_control.core.clock import ManualClock
from vla_control.core.messages import (
    ActionChunk,
    Floats,
    JointCommand,
    Reference,
    RobotState,
)
from vla_control.core.protocols import RobotDriver
from vla_control.core.spec import RobotSpec
from vla_control.robots.factory import make_driver
from vla_control.runtime.bench.bench_robot import in_harness
from vla_control.runtime.bench.safety_wire import open_wire
from vla_control.runtime.control import RobotController
from vla_control.safety.supervisor import Event, Mode
from vla_control.sim.devices import loopback

LAG = 0.02  # [s] time constant of a joint
FOLLOWING = (Mode.READY, Mode.RUN)


class Tap:
    """A driver that notes what it is told, and may change what it is told by the motors."""

    def __init__(self, driver: RobotDriver) -> None:
        """Wrap a driver."""
        self.driver = driver
        self.command: JointCommand | None = None  # of this tick, None where none was written
        self.state: RobotState | None = None  # last handed to the controller
        self.doctor: Callable[[RobotState, float], RobotState] | None = None

    def connect(self, now: float) -> None:
        """Pass on."""
        self.driver.connect(now)

    def enable(self, now: float) -> RobotState:
        """Pass on."""
        self.state = self.driver.enable(now)
        return self.state

    def read(self, now: float) -> RobotState:
        """Pass on, changed by the doctor."""
        state = self.driver.read(now)
        if self.doctor is not None:
            state = self.doctor(state, now)
        self.state = state
        return state

    def write(self, command: JointCommand, now: float) -> None:
        """Note and pass on."""
        self.command = command
        self.driver.write(command, now)

    def safe_action(self, now: float) -> None:
        """Pass on."""
        self.driver.safe_action(now)

    def clear_faults(self, now: float) -> None:
        """Pass on."""
        self.driver.clear_faults(now)

    def close(self, now: float) -> None:
        """Pass on."""
        self.driver.close(now)


class Follower:
    """The interpolator's rules without its node: when it aligns, takes chunks and publishes."""

    def __init__(self, spec: RobotSpec, lead: float) -> None:
        """Begin with a driver that does not follow; ``lead`` [s] is that of the references."""
        self.executor = ChunkExecutor(spec)
        self.offset = 0.0  # [s] of the clock the chunks are stamped by
        self.last: Reference | None = None  # of the executor, since it was aligned
        self._lead = lead
        self._turn: float | None = None  # [s] since then chunks count
        self._fed = False

    @property
    def open(self) -> bool:
        """Whether it takes chunks."""
        return self._turn is not None

    @property
    def since(self) -> float:
        """Chunks captured before are void [s], on the clock of the chunks."""
        return -np.inf if self._turn is None else self._turn

    def follow(self, now: float, mode: Mode, pose: Floats) -> None:
        """Take in the driver's mode and the pose commanded last."""
        if mode not in FOLLOWING:
            self._turn = None
        elif self._turn is None:
            self._turn = now + self.offset
            self._fed = False
            self.last = None
            self.executor.align(self._turn, pose)

    def offer(self, chunk: ActionChunk, now: float) -> Verdict:
        """Hand a chunk on."""
        verdict = self.executor.offer(chunk, now + self.offset)
        self._fed = self._fed or verdict.accepted
        return verdict

    def reference(self, now: float) -> Reference | None:
        """Return what it publishes in this tick, on the driver's clock."""
        if not self._fed or self._turn is None:
            return None
        executor = self.executor
        self.last = reference = executor.tick(now + self._lead + self.offset)
        if executor.held and executor.at_rest:
            return None
        if self.offset:
            reference = replace(reference, stamp=now + self._lead)
        return reference


class Rig:
    """One robot, driven tick by tick; ``now`` is the time of the next tick [s]."""

    def __init__(
        self,
        spec: RobotSpec,
        *,
        q: Floats | None = None,
        lead: float = 1.0,
        require_enable: bool = False,
    ) -> None:
        """
        Build and start it, up to HOLD.

        :param q: (n,) [rad, grippers m] where it stands; home when not given.
        :param lead: control periods that references are published ahead.
        :param require_enable: whether an enabling device must be held.
        """
        self.spec = spec = in_harness(spec)
        self.clock = ManualClock(wait=self._wait)
        bus, self.device = loopback(spec)
        self.wire = open_wire(spec, bus)
        self.tap = Tap(make_driver(spec, 'sim', self.clock, bus=self.wire.bus))
        self.controller = RobotController(spec, self.tap, require_enable=require_enable)
        self.follower = Follower(spec, lead * spec.dt)
        self.deaf = False  # the electronics hear nothing and say nothing
        self.held = np.zeros(len(spec.joints), dtype=np.bool_)  # joints somebody holds in place
        self.aligned = False  # whether the last tick's command is the first since an alignment
        self._gain = 2.0  # of the last command; more than any where there was none
        self.sink = np.zeros(len(spec.joints))  # [rad/s] while no command holds the joints
        self.q: Floats = np.array(spec.home if q is None else q, dtype=np.float64)
        self._share = 1.0 - np.exp(-spec.dt / LAG)
        self._lower = np.array([j.lower for j in spec.joints])
        self._upper = np.array([j.upper for j in spec.joints])
        self._still = np.zeros(len(spec.joints))
        self.device.measure(0.0, self.q, self._still)
        self.controller.configure(self.now)
        self.controller.activate(self.now)
        self.wire.end_tick()
        self.wire.decode()

    @property
    def now(self) -> float:
        """Time [s]."""
        return self.clock.now()

    @property
    def mode(self) -> Mode:
        """The supervisor's mode."""
        return self.controller.mode

    @property
    def pose(self) -> Floats:
        """What was commanded last, (n,) [rad, grippers m]."""
        commanded = self.controller.snapshot.commanded
        return self.q if commanded is None else commanded.q

    def request(self, event: Event) -> None:
        """Ask the controller."""
        self.controller.request(event)

    def tick(self, rogue: Reference | None = None, late: float = 0.0) -> bool:
        """
        Live through one control period.

        :param rogue: a reference from somewhere else, instead of the follower's.
        :param late: [s] by which the loop wakes up late.
        :returns: whether every motor was told something.
        """
        told = self.step(rogue, late)
        self.clock.advance(self.spec.dt)
        return told

    def step(self, rogue: Reference | None = None, late: float = 0.0) -> bool:
        """Do the same in no time at all, for a loop that waits for the next period itself."""
        now = self.clock.now()
        reference = rogue or self.follower.reference(now)
        if reference is not None:
            self.controller.put(reference)
        self.tap.command = None
        self.controller.tick(now + late)
        self.follower.follow(now, self.controller.mode, self.pose)
        sent = self.wire.end_tick()
        self._watch()
        self._live()
        return sent

    def stall(self, seconds: float) -> None:
        """Let time pass without a tick."""
        self.clock.sleep_until(self.now + seconds)

    def _watch(self) -> None:
        """See whether gains have begun to ramp up anew, as they do from each alignment on."""
        command, before = self.tap.command, self._gain
        self._gain = 2.0 if command is None else command.gain
        self.aligned = command is not None and command.gain <= before and command.gain < 1.0

    def _live(self) -> None:
        now = self.clock.now()
        if not self.deaf:
            self.device.serve(now)
        command = self.tap.command
        before = self.q
        if command is None:
            goal = before + self.sink * self.spec.dt
        else:
            goal = before + self._share * (command.q - before)
        q = np.where(self.held, before, goal)
        self.q = q = np.minimum(np.maximum(q, self._lower), self._upper)
        self.device.measure(now, q, (q - before) / self.spec.dt)

    def _wait(self, seconds: float) -> None:
        if not self.deaf:
            self.device.serve(self.clock.now())
