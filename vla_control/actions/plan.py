# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The plan in execution: one immutable value that answers where to be at any instant."""

from dataclasses import dataclass, field, replace
import math

import numpy as np
from numpy.typing import NDArray

from vla_control.actions.grippers import GripperPath, resting_grippers
from vla_control.actions.pace import Pace
from vla_control.actions.spline import Brake, brake_from, CubicSpline, Fade
from vla_control.core.messages import Floats
from vla_control.core.spec import RobotSpec

SHARE = 0.8  # of the joint limits a stop may use; the rest is headroom for the gate


@dataclass(frozen=True, slots=True)
class Joined:
    """A chunk's curve and a fading offset; past its last due point it brakes to rest."""

    spline: CubicSpline
    fades: tuple[Fade | Brake, ...]  # their sum is the offset
    brake: Brake  # starts at the last due point; the offset fades on, so rest is where aimed

    @property
    def rest_time(self) -> float:
        """From when on nothing moves [s]."""
        return max(self.brake.end, *(f.end for f in self.fades))

    def at(self, t: float) -> Floats:
        """Return q, v, a at one instant, (3, n)."""
        state = self.spline.at(t) if t < self.brake.start else self.brake.at(t)
        for fade in self.fades:
            if t < fade.end:
                state = state + fade.at(t)
        return state

    def positions(self, times: Floats) -> Floats:
        """Return q at many instants, (T, n)."""
        q = self.spline.positions(times)
        late = times >= self.brake.start
        if late.any():
            q[late] = self.brake.positions(times[late])
        for fade in self.fades:
            q += fade.positions(times)
        return q


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """
    What moves the robot from its splice instant on, until another plan takes over.

    Its times are those of its own clock, ``pace``, but for the capture and arrival of chunks.
    Asked about earlier instants it answers with the plan it took over from, so that a splice may
    lie a little ahead of now.
    """

    epoch: int  # plans of a past epoch, still being made when it ended, are not executed
    start: float  # [s] the splice instant
    end: float  # [s] the last due point; -inf where there is none
    stamp: float  # [s] capture time of the newest chunk in it; -inf where there is none
    accepted: float  # [s] when that chunk came in; -inf where there is none
    arms: Joined | Brake  # columns of the grippers are zero
    grippers: GripperPath | None
    columns: NDArray[np.intp]  # (g,) where the grippers are among the joints
    previous: 'Plan | None'
    pace: Pace = field(default_factory=Pace)  # its clock, also of the previous plans

    @property
    def has_chunk(self) -> bool:
        """Whether a chunk is in it, as opposed to rest or a stop."""
        return self.end > -math.inf

    @property
    def rest_time(self) -> float:
        """From when on nothing moves and nothing is due [s]."""
        arms = self.arms.rest_time if isinstance(self.arms, Joined) else self.arms.end
        return max(self.end, arms, self.grippers.rest_time if self.grippers else arms)

    def at(self, t: float) -> Floats:
        """Return q, v, a at one instant, (3, n); exactly at rest once everything has ended."""
        if t < self.start and self.previous is not None:
            return self.previous.at(t)
        state = self.arms.at(t)
        if self.grippers is None:
            return state
        state = state.copy()
        state[:, self.columns] = self.grippers.at(t)
        return state

    def source_at(self, t: float) -> float:
        """Return the capture time [s] of the newest chunk that moves the robot at an instant."""
        if t < self.start and self.previous is not None:
            return self.previous.source_at(t)
        return self.stamp

    def trimmed(self, seen: float) -> 'Plan':
        """Return the plan without what came before it, if no earlier instant is asked any more."""
        if self.previous is None:
            return self
        return replace(self, previous=None if self.start <= seen else self.previous.trimmed(seen))


def resting_plan(spec: RobotSpec, epoch: int, now: float, q: Floats) -> Plan:
    """Return the plan that stays at a pose (n,) from now [s] on."""
    zero = np.zeros_like(q)
    return stopping_plan(spec, epoch, now, np.stack((q, zero, zero)), None)


def stopping_plan(
    spec: RobotSpec,
    epoch: int,
    now: float,
    state: Floats,
    grippers: GripperPath | None,
    pace: Pace | None = None,
    rate: float = 1.0,
) -> Plan:
    """
    Return the plan that comes to rest as soon as the limits allow.

    :param now: [s] the instant of the state.
    :param state: (3, n) q, v, a.
    :param grippers: the path they are on, or None to hold them where they are.
    :param pace: the clock of now, state and path; the time of the stamps if None.
    :param rate: largest of that clock during the stop.
    """
    columns = np.flatnonzero(spec.gripper)
    arms = np.where(spec.gripper, 0.0, state)
    path = None
    if len(columns) > 0:
        path = grippers.halted(now) if grippers else resting_grippers(spec, now, state[0, columns])
    return Plan(
        epoch=epoch,
        start=now,
        end=-math.inf,
        stamp=-math.inf,
        accepted=-math.inf,
        arms=brake_from(
            now, arms, SHARE * spec.acceleration / rate**2, SHARE * spec.jerk / rate**3
        ),
        grippers=path,
        columns=columns,
        previous=None,
        pace=pace or Pace(),
    )
