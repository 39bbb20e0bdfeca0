# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""One tick of a robot: read, judge, limit, write. The same in real time and in lockstep."""

from collections import deque
from dataclasses import dataclass

import numpy as np

from vla_control.actions.stream import ReferenceStream
from vla_control.core.errors import BusError, CodecError, RobotError
from vla_control.core.messages import JointCommand, Reference, RobotState
from vla_control.core.protocols import BlendedDriver, RobotDriver
from vla_control.core.spec import RobotSpec
from vla_control.runtime.homing import HomingWatch
from vla_control.runtime.tick_log import TickLog
from vla_control.safety.gate import Gate
from vla_control.safety.supervisor import Event, Mode, Supervisor
from vla_control.safety.watchdog import EnableWatch, Watchdogs

GRID_SLACK = 1.5  # control periods a tick may be off its nominal instant before the grid moves
FOLLOWING = (Mode.READY, Mode.RUN)  # where references are listened to
MOVES = (Event.RESUME, Event.HOME)  # what takes an enabling device where one is required
FIRST_AUTHORITY = 0.2  # share of the velocity limit right after a resume
LEAST_AUTHORITY = 0.01  # share of it while the robot does not yet take over our command


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlSnapshot:
    """What a tick left behind; replaced whole, so any thread may keep one."""

    time: float  # [s] the tick
    mode: Mode
    reason: str  # why this mode, in words
    measured: RobotState | None
    commanded: Reference | None  # what was sent, None before the first command
    served: int  # tickets of requests done so far
    passed: int  # ticks whose reference went through unchanged
    limited: int  # ticks whose reference was limited
    warnings: tuple[str, ...]  # of this tick


class RobotController:
    """
    Holds a robot inside its limits whatever comes in.

    One thread calls configure, activate, tick and shutdown. Any thread may call put(), enable()
    and request(); they only note what takes effect in the next tick.
    """

    def __init__(
        self,
        spec: RobotSpec,
        driver: RobotDriver,
        log: TickLog | None = None,
        *,
        require_enable: bool = False,
    ) -> None:
        """
        Compose gate, watchdogs and supervisor around a driver.

        :param log: where every tick is recorded, if anywhere.
        :param require_enable: whether it moves only while an enabling device is held.
        """
        self.spec = spec
        self.driver = driver
        # Asked here once: it takes as long as a watchdog, and no driver changes its kind.
        self._blended = driver if isinstance(driver, BlendedDriver) else None
        self.gate = Gate(spec)
        self.stream = ReferenceStream(spec.dt)
        self.supervisor = Supervisor()
        self.watchdogs = Watchdogs(spec)
        self._homing = HomingWatch(driver)
        self.log = log
        self._enable = EnableWatch(spec.safety.enable_timeout) if require_enable else None
        self._released = ''  # why nobody allows motion in this tick
        self._requests: deque[tuple[Event, str]] = deque()
        self._asked = 0
        self._served = 0
        self._gain_ramp = max(spec.safety.gain_ramp, spec.dt)  # [s]
        self._gain = 0.0  # share of the stiffness and damping of the spec
        self._running_since = 0.0
        self._resumed_at = np.inf
        self._due = -np.inf
        self._fed = -np.inf
        self._source = np.nan
        self._command: Reference | None = None
        self._state: RobotState | None = None
        self.snapshot = ControlSnapshot(
            time=0.0,
            mode=self.supervisor.mode,
            reason='not configured',
            measured=None,
            commanded=None,
            served=0,
            passed=0,
            limited=0,
            warnings=(),
        )

    @property
    def mode(self) -> Mode:
        """The supervisor's mode."""
        return self.supervisor.mode

    def configure(self, now: float) -> None:
        """
        Open the bus and identify the robot; nothing moves and nothing is enabled.

        :raises RobotError: when the robot is not the one the spec describes.
        :raises BusError: when the bus cannot be opened.
        """
        self.driver.connect(now)

    def activate(self, now: float) -> None:
        """
        Enable the motors and hold the measured pose, gains ramping up from zero.

        :raises RobotError: when a motor is silent, faulted or outside its limits.
        """
        state = self.driver.enable(now)
        self._align(state, now)
        self.supervisor.handle(Event.ALIGNED, now, 'holding the measured pose')
        self._publish(now, ())

    def put(self, reference: Reference) -> None:
        """Take in a joint command, stamped on the tick's own clock."""
        self.stream.put(reference)

    def enable(self, held: bool, now: float) -> None:
        """Take in a message of the enabling device, arrived at ``now`` [s]."""
        if self._enable is not None:
            self._enable.put(held, now)

    def request(self, event: Event, reason: str = '') -> int:
        """
        Ask for E_STOP, HOLD, RESUME, RESET, HOME or DEACTIVATE.

        :param reason: in words; that it was requested, when not given.
        :returns: a ticket; it is done once snapshot.served has reached it.
        """
        self._requests.append((event, reason or f'{event.value} requested'))
        self._asked += 1
        return self._asked

    def tick(self, now: float) -> None:
        """Do one control period; never raises for anything the robot or the bus does."""
        state = self.driver.read(now)
        self._state = state
        warnings = self._judge(state, now)
        self._serve(state, now)
        if ended := self._homing.ended():
            self._end_homing(state, now, ended)
        if self.mode not in FOLLOWING:
            # Kept until its time came, a reference of the far future would then be followed.
            self.stream.drop_future(now)
        if self.mode is Mode.FAULT:
            self._act_safely(now)
        elif self.mode is not Mode.UNCONFIGURED:
            self._move(now)
        if self.log is not None and self._command is not None:
            self.log.add(now, self._command.q, state.q, self.mode.value, self._source)
        self._publish(now, warnings)

    def shutdown(self, now: float) -> None:
        """Bring the robot to its documented end state and let go of the bus."""
        self.driver.close(now)
        self.supervisor.handle(Event.DEACTIVATE, now, 'shut down')

    def _judge(self, state: RobotState, now: float) -> tuple[str, ...]:
        """Run the watchdogs; return what they only warn of."""
        # Looked at in every mode, so that an old release does not stop a later motion.
        self._released = self._enable.problem(now) if self._enable is not None else ''
        if self.mode is Mode.FAULT:
            self.watchdogs.note(now, state)
        if self.mode in (Mode.UNCONFIGURED, Mode.FAULT):
            return ()
        if self._released:
            self.supervisor.handle(Event.RELEASED, now, self._released)
        warnings = []
        for event, reason in self.watchdogs.check(now, state, self._command):
            if event is Event.WARNING:
                warnings.append(reason)
            else:
                self.supervisor.handle(event, now, reason)
        return tuple(warnings)

    def _serve(self, state: RobotState, now: float) -> None:
        while self._requests:
            event, reason = self._requests.popleft()
            if event is Event.RESET:
                self._reset(state, now)
            elif event in MOVES and self._released and self.mode is Mode.HOLD:
                self.supervisor.refuse(f'{event.value} refused: {self._released}')
            elif event is Event.RESUME and self._homing.running:
                self.supervisor.refuse('resume refused: the gripper is being homed')
            elif event is Event.HOME:
                self.supervisor.refuse(self._homing.begin(self.mode, now))
            else:
                self.supervisor.handle(event, now, reason)
                if event is Event.RESUME:
                    self._resumed_at = now
            self._served += 1

    def _reset(self, state: RobotState, now: float) -> None:
        if self.mode is not Mode.FAULT:
            return
        problem = self.watchdogs.unhealthy(state)
        if not problem:
            try:
                self.driver.clear_faults(now)
                # Clearing may have taken several periods; align with what is measured after it.
                state = self._state = self.driver.read(now)
            except (BusError, CodecError, RobotError) as error:
                problem = str(error)
        if problem:
            self.supervisor.refuse(f'reset refused: {problem}')
            return
        self._align(state, now)
        self.supervisor.handle(Event.RESET, now, 'reset; holding the measured pose')

    def _end_homing(self, state: RobotState, now: float, how: str) -> None:
        """Hold the gripper where it is now read to be; the arm keeps what it is told."""
        self.supervisor.refuse(how)
        if self.mode is not Mode.HOLD or self._command is None:
            return
        q = np.where(self.spec.gripper, state.q, self._command.q)
        self.gate.reset(q)
        self._command = Reference(stamp=now, q=q, v=self._command.v, a=self._command.a)

    def _align(self, state: RobotState, now: float) -> None:
        self.gate.reset(state.q)
        self.watchdogs.reset(now)
        self.stream.clear()
        self._gain = 0.0
        zero = np.zeros(len(state.q))
        self._command = Reference(stamp=now, q=state.q, v=zero, a=zero)

    def _move(self, now: float) -> None:
        reference = self._reference(now)
        self.gate.velocity_scale = self._authority(now)
        command = self.gate.step(reference)
        if self.mode is Mode.STOPPING and self.gate.at_rest:
            self.supervisor.handle(Event.STOPPED, now, self.supervisor.reason)
        self._command = Reference(stamp=now, q=command.q, v=command.v, a=command.a)
        # Counted in ticks: enabling and clearing may have taken long, which is no reason to jump.
        self._gain = min(1.0, self._gain + self.spec.dt / self._gain_ramp)
        told = JointCommand(q=command.q, v=command.v, a=command.a, gain=self._gain)
        try:
            self.driver.write(told, now)
        except (BusError, CodecError) as error:
            self.supervisor.handle(Event.FAULT, now, str(error))

    def _reference(self, now: float) -> Reference | None:
        """
        Return what to follow in this tick, moving the supervisor where that decides.

        A missing reference brakes at once; the mode changes only when it stays missing.
        """
        if self.mode not in FOLLOWING:
            return None
        timeout = self.spec.safety.command_timeout
        reference = self.stream.sample(self._on_grid(now))
        if self.mode is Mode.READY:
            if reference is None or self.stream.first_stamp < self._resumed_at:
                return None
            self.supervisor.handle(Event.FRESH_COMMAND, now, 'following joint commands')
            self._running_since = now
        elif reference is None and not 0.0 <= now - self._fed <= timeout:
            self.supervisor.handle(Event.STARVED, now, f'no joint command for {timeout} s')
        if reference is not None:
            self._fed = now
            self._source = reference.source
        return reference

    def _on_grid(self, now: float) -> float:
        """
        Return the nominal instant of this tick [s].

        Sampled at the instants a thread really wakes up, a reference would show their jitter as
        jerk: 0.1 ms at 1 rad/s is 1.6 times the limit of an arm joint.
        """
        self._due += self.spec.dt
        if not abs(now - self._due) <= GRID_SLACK * self.spec.dt:
            self._due = now
        return self._due

    def _authority(self, now: float) -> float:
        ramp = self.spec.safety.authority_ramp
        share = min(1.0, max(0.0, (now - self._running_since) / ramp)) if ramp > 0 else 1.0
        authority = FIRST_AUTHORITY + (1.0 - FIRST_AUTHORITY) * share
        if self._blended is not None:
            # A robot that follows only in part would be left behind, which looks like a collision.
            authority *= self._blended.weight
        return max(authority, LEAST_AUTHORITY)

    def _act_safely(self, now: float) -> None:
        try:
            self.driver.safe_action(now)
        except (BusError, CodecError) as error:
            self.supervisor.refuse(f'safe action could not be sent: {error}')

    def _publish(self, now: float, warnings: tuple[str, ...]) -> None:
        self.snapshot = ControlSnapshot(
            time=now,
            mode=self.mode,
            reason=self.supervisor.reason,
            measured=self._state,
            commanded=self._command,
            served=self._served,
            passed=self.gate.passed,
            limited=self.gate.limited,
            warnings=warnings,
        )
