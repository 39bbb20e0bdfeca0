# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Watches what the motors answer and who enables motion, on the receiver's own clock.

Ages are counted from arrival, never from a header stamp: one from the future is never stale.
"""

from collections.abc import Callable

import numpy as np

from vla_control.core.messages import Floats, MotorStatus, Reference, RobotState
from vla_control.core.spec import RobotSpec
from vla_control.safety.findings import Finding, ms, named
from vla_control.safety.legality import Mask
from vla_control.safety.overload import Overload
from vla_control.safety.supervisor import Event

FROZEN_SPEED = 0.1  # [rad/s] commanded speed at which an encoder must be seen to move
_TRACKING_WARNING_TIME = 0.05  # [s]


class Watchdogs:
    """
    All watchdogs of one robot; each check returns what it found, in words with numbers.

    Grippers are left out of frozen feedback, tracking, effort and speed: one that holds an object
    stands still short of its target, as it should. The squeeze is bounded by its motor.
    """

    def __init__(self, spec: RobotSpec) -> None:
        """Begin with nothing suspected."""
        self._spec = spec
        self._arm = ~spec.gripper
        self._raw: Floats | None = None
        n = len(spec.joints)
        self._frozen = np.full(n, np.inf)  # [s] since then identical, inf while it moves
        self._warned = np.full(n, np.inf)  # [s] since then beyond tracking_warning
        self._strayed = np.full(n, np.inf)  # [s] since then beyond tracking_stop
        self._overload = Overload(spec)

    def reset(self, now: float = 0.0) -> None:
        """Forget the past; called when the robot is aligned again, at ``now`` [s]."""
        self._raw = None
        for since in (self._frozen, self._warned, self._strayed):
            since[:] = np.inf
        self._overload.reset()  # all but the heat: no reset cools a motor

    def note(self, now: float, state: RobotState) -> None:
        """Keep count of the heat of a robot that is not checked, as in FAULT."""
        self._overload.warm(now, state.effort)

    def check(self, now: float, state: RobotState, command: Reference | None) -> list[Finding]:
        """
        Compare one tick's measurements with the limits of the spec.

        :param now: [s] monotonic, of this tick.
        :param state: measured.
        :param command: what was sent last, or None while no motion is commanded.
        :return: most urgent first within each watchdog; empty when all is well.
        """
        found: list[Finding] = [(Event.FAULT, reason) for reason in state.faults]
        found += [(Event.WARNING, reason) for reason in state.warnings]
        self._check_age(state, found)
        self._check_status(state, command, found)
        self._check_temperature(state, found)
        self._check_frozen(now, state, command, found)
        self._check_tracking(now, state, command, found)
        self._overload.check(now, state, found)
        return found

    def unhealthy(self, state: RobotState) -> str:
        """
        Say why a robot with this feedback may not leave FAULT; empty where it may.

        A fault a motor has latched is no reason here: the reset is what clears it, and it
        faults again in the next tick if it stays.
        """
        found: list[Finding] = [(Event.FAULT, reason) for reason in state.faults]
        self._check_age(state, found)
        self._check_temperature(state, found)
        self._overload.check_heat(found)
        for name, status in zip(self._spec.names, state.status, strict=True):
            if status is MotorStatus.SILENT:
                found.append((Event.FAULT, f'motor of {name} is silent'))
        if not bool((np.isfinite(state.q) & np.isfinite(state.v)).all()):
            found.append((Event.FAULT, 'a measured position or velocity is not finite'))
        return '; '.join(why for event, why in found if event is not Event.WARNING)

    def _check_age(self, state: RobotState, found: list[Finding]) -> None:
        safety = self._spec.safety
        if bool((state.age <= safety.feedback_stop).all()):
            return
        for event, limit in (
            (Event.FAULT, safety.feedback_fault),
            (Event.FEEDBACK_LATE, safety.feedback_stop),
        ):
            late = ~(state.age <= limit)  # NaN is late
            if late.any():
                who = self._name(late, lambda i: ms(state.age[i]))
                found.append((event, f'no answer for {who}, limit {ms(limit)}'))
                return

    def _check_status(
        self, state: RobotState, command: Reference | None, found: list[Finding]
    ) -> None:
        for name, status in zip(self._spec.names, state.status, strict=True):
            if status is MotorStatus.ENABLED:
                continue
            if not status.healthy:
                found.append((Event.FAULT, f'motor of {name} reports {status.value}'))
            elif command is not None:
                found.append((Event.FAULT, f'motor of {name} is disabled while commanded'))

    def _check_temperature(self, state: RobotState, found: list[Finding]) -> None:
        safety = self._spec.safety
        if bool((state.temperature < safety.temperature_warning).all()):
            return
        for event, limit in (
            (Event.FAULT, safety.temperature_stop),
            (Event.WARNING, safety.temperature_warning),
        ):
            hot = state.temperature >= limit
            if hot.any():
                who = self._name(hot, lambda i: f'{state.temperature[i]:.0f} deg C')
                found.append((event, f'hot: {who}, limit {limit:.0f} deg C'))
                break
        unknown = np.isnan(state.temperature)
        if unknown.any():
            found.append(
                (Event.WARNING, f'no temperature from {self._name(unknown, lambda _: "nan")}')
            )

    def _check_frozen(
        self, now: float, state: RobotState, command: Reference | None, found: list[Finding]
    ) -> None:
        raw = np.array((state.q, state.v, state.effort))
        before, self._raw = self._raw, raw
        if before is None or command is None:
            self._frozen[:] = np.inf
            return
        suspect = (raw == before).all(axis=0) & (np.abs(command.v) > FROZEN_SPEED) & self._arm
        self._frozen = np.where(suspect, np.minimum(self._frozen, now), np.inf)
        limit = self._spec.safety.frozen_feedback
        frozen = now - self._frozen >= limit
        if frozen.any():
            who = self._name(frozen, lambda i: f'commanded at {command.v[i]:.2f} rad/s')
            found.append((Event.FAULT, f'identical feedback for {ms(limit)} from {who}'))

    def _check_tracking(
        self, now: float, state: RobotState, command: Reference | None, found: list[Finding]
    ) -> None:
        if command is None:
            self._warned[:] = np.inf
            self._strayed[:] = np.inf
            return
        safety = self._spec.safety
        error = np.abs(command.q - state.q)
        # Comparisons are turned round so that a NaN measurement counts as astray.
        warn = ~(error <= safety.tracking_warning) & self._arm
        stray = ~(error <= safety.tracking_stop) & self._arm
        self._warned = np.where(warn, np.minimum(self._warned, now), np.inf)
        self._strayed = np.where(stray, np.minimum(self._strayed, now), np.inf)
        for event, since, limit, time in (
            (Event.FAULT, self._strayed, safety.tracking_stop, safety.tracking_time),
            (Event.WARNING, self._warned, safety.tracking_warning, _TRACKING_WARNING_TIME),
        ):
            over = now - since >= time
            if over.any():
                who = self._name(over, lambda i: f'{error[i]:.3f} rad')
                found.append((event, f'off the command for {ms(time)}: {who}, limit {limit} rad'))
                return

    def _name(self, which: Mask, value: Callable[[int], str]) -> str:
        return named(self._spec.names, which, value)


class EnableWatch:
    """
    Watches an enabling device: a stream that says it is held, at 20 Hz or more.

    Any thread may put; one thread asks. A release or a gap between two looks is not missed,
    however short, because it was counted when it was put in.
    """

    def __init__(self, timeout: float) -> None:
        """
        Begin with nobody holding it.

        :param timeout: [s] without a message before it counts as released.
        """
        self._timeout = timeout
        self._heard = (False, -np.inf)  # held, [s] of arrival
        self._losses = 0
        self._seen = 0

    def put(self, held: bool, now: float) -> None:
        """Take in a message; ``now`` [s] is its arrival on the receiver's clock."""
        if not held or not now - self._heard[1] <= self._timeout:
            self._losses += 1
        self._heard = (held, now)

    def problem(self, now: float) -> str:
        """Say why the robot may not move, or may not have since the last look; else empty."""
        losses, self._seen = self._losses - self._seen, self._losses
        held, heard = self._heard
        limit = ms(self._timeout)
        if np.isinf(heard):
            return 'the enabling device was never heard; hold it, or publish on the topic enable'
        if not held:
            return 'the enabling device is not held'
        if not now - heard <= self._timeout:
            return f'the enabling device is silent for {ms(now - heard)}, limit {limit}'
        return f'the enabling device was let go, or silent for over {limit}' if losses else ''
