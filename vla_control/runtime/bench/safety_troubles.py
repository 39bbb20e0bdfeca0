# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""What goes wrong around any robot besides its chunks: feedback, bus, clock, references."""

from dataclasses import replace
from enum import Enum

import numpy as np

from vla_control.core.messages import Floats, MotorStatus, Reference, RobotState
from vla_control.runtime.bench.safety_rig import Rig
from vla_control.runtime.bench.safety_wire import ASTRAY
from vla_control.safety.supervisor import Event

FAULTY = tuple(s for s in MotorStatus if not s.healthy and s is not MotorStatus.SILENT)


class Trouble(Enum):
    """What can go wrong, and for how long at least and at most [s]."""

    E_STOP = ('e-stop', 0.0, 0.0)
    HOLD = ('hold', 0.0, 0.0)
    DEAF = ('no answer of any motor', 0.004, 0.4)
    SILENT = ('no answer of one motor', 0.004, 0.4)
    FROZEN = ('frozen feedback of one motor', 0.05, 1.0)
    STATUS = ('fault of one motor', 0.004, 0.2)
    HOT = ('one motor too hot', 0.004, 0.2)
    NAN = ('a measurement that is no number', 0.004, 0.3)
    ASTRAY = ('a joint is not where it was sent', 0.004, 0.4)
    BLOCKED = ('a joint is blocked', 0.1, 1.0)
    CLOCK = ('the clock of the chunks jumps', 0.0, 0.0)
    STALL = ('the loop stands still', 0.004, 0.3)
    SILENCE = ('no chunks', 0.1, 2.0)

    def __init__(self, words: str, shortest: float, longest: float) -> None:
        """Take the entry apart."""
        self.words, self.shortest, self.longest = words, shortest, longest


class Troubles:
    """Brings one trouble at a time upon a rig and lifts it again."""

    def __init__(self, rig: Rig, rng: np.random.Generator) -> None:
        """Begin without any."""
        self._rig, self._rng = rig, rng
        self._seen: RobotState | None = None
        self._from = 0.0
        self._until = -np.inf
        self.active: Trouble | None = None
        self.joint = 0
        self.status = MotorStatus.OVERLOAD

    def begin(self, trouble: Trouble, seconds: float | None = None) -> None:
        """Start one; by default for as long as chance has it."""
        rig, rng = self._rig, self._rng
        self.lift()
        if seconds is None:
            seconds = float(rng.uniform(trouble.shortest, trouble.longest))
        arms = np.flatnonzero(~rig.spec.gripper)
        self.joint = int(rng.choice(arms))
        self.status = FAULTY[rng.integers(len(FAULTY))]
        self.active, self._from, self._until = trouble, rig.now, rig.now + seconds
        self._seen = rig.tap.state
        rig.sink = np.where(rig.spec.gripper, 0.0, rng.uniform(-0.3, 0.3, len(rig.sink)))
        if trouble is Trouble.E_STOP:
            rig.request(Event.E_STOP)
        elif trouble is Trouble.HOLD:
            rig.request(Event.HOLD)
        elif trouble is Trouble.DEAF:
            rig.deaf = True
        elif trouble is Trouble.BLOCKED:
            rig.held[self.joint] = True
        elif trouble is Trouble.CLOCK:
            rig.follower.offset += float(rng.choice((-1.0, 1.0)) * 10.0 ** rng.uniform(-0.9, 3.5))
        elif trouble is Trouble.STALL:
            rig.stall(seconds)
        elif trouble in _DOCTORS:
            rig.tap.doctor = self._doctor

    def update(self) -> None:
        """Lift what is over."""
        if self.active is not None and self._rig.now >= self._until:
            self.lift()

    def lift(self) -> None:
        """End what is active."""
        self.active = None
        self._rig.deaf = False
        self._rig.held[:] = False
        self._rig.tap.doctor = None

    def _doctor(self, state: RobotState, now: float) -> RobotState:
        seen, joint, trouble = self._seen or state, self.joint, self.active
        if trouble is Trouble.STATUS:
            return replace(state, status=_with(state.status, joint, self.status))
        if trouble is Trouble.HOT:
            hot = self._rig.spec.safety.temperature_stop + 1.0
            return replace(state, temperature=_put(state.temperature, joint, hot))
        if trouble is Trouble.NAN:
            return replace(state, q=_put(state.q, joint, np.nan))
        if trouble is Trouble.ASTRAY:
            far = ASTRAY * self._rig.spec.safety.tracking_stop
            return replace(state, q=_put(state.q, joint, state.q[joint] + far))
        state = replace(
            state,
            q=_put(state.q, joint, seen.q[joint]),
            v=_put(state.v, joint, seen.v[joint]),
            effort=_put(state.effort, joint, seen.effort[joint]),
        )
        if trouble is Trouble.FROZEN:
            return state
        age = now - self._from + self._rig.spec.dt
        status = state.status
        if age > self._rig.spec.safety.feedback_fault:
            status = _with(status, joint, MotorStatus.SILENT)
        return replace(state, age=_put(state.age, joint, age), status=status)


_DOCTORS = (
    Trouble.SILENT,
    Trouble.FROZEN,
    Trouble.STATUS,
    Trouble.HOT,
    Trouble.NAN,
    Trouble.ASTRAY,
)


class Rogue:
    """References that do not come from the executor: jumps, squares, lies about speed, NaN."""

    KINDS = 9

    def __init__(self, rig: Rig, rng: np.random.Generator) -> None:
        """Begin quiet."""
        self._rig, self._rng = rig, rng
        self._left = 0
        self._kind = 0

    def next(self, chance: float) -> Reference | None:
        """Return the reference of this tick, or None where the executor's is used."""
        if self._left == 0:
            if self._rng.random() >= chance:
                return None
            self._draw()
        self._left -= 1
        rig, rng, dt = self._rig, self._rng, self._rig.spec.dt
        commanded = rig.controller.snapshot.commanded
        if commanded is None:
            return None
        q0, v0, a0 = commanded.q, commanded.v, commanded.a
        q, v, a = self._q, np.zeros_like(self._v), np.zeros_like(self._a)
        if self._kind == 1:
            v, a = self._v, self._a
        elif self._kind == 2:
            q, v = q0 + dt * self._v, self._v
        elif self._kind == 3:
            q = q0 + np.where(self._left % 2, 1.0, -1.0) * dt * self._v
        elif self._kind == 4:
            noise = 10.0 ** rng.uniform(-9, 0) * rng.normal(size=(3, len(q)))
            q, v, a = q0 + noise[0], v0 + noise[1], a0 + noise[2]
        elif self._kind >= 5:
            jerk = rng.uniform(-1.2, 1.2, len(q)) * rig.spec.jerk
            q = q0 + dt * (v0 + dt * (a0 / 2.0 + dt * jerk / 6.0))
            v, a = v0 + dt * (a0 + dt * jerk / 2.0), a0 + dt * jerk
        if self._kind == 7:
            q[rng.integers(len(q))] = float(rng.choice((np.nan, np.inf, -np.inf)))
        ahead = dt if self._kind != 8 else 10.0 ** rng.uniform(0.0, 4.0)
        return Reference(stamp=rig.now + ahead, q=q, v=v, a=a)

    @property
    def wrong(self) -> str:
        """What the last one must be refused for, as a measure of the ledger."""
        return {7: 'non_finite_references', 8: 'future_references'}.get(self._kind, '')

    def _draw(self) -> None:
        spec, rng, n = self._rig.spec, self._rng, len(self._rig.spec.joints)
        self._left = int(rng.integers(1, 30))
        self._kind = int(rng.integers(self.KINDS))
        times = float(rng.choice((0.5, 2.0, 10.0)))
        self._q: Floats = rng.uniform(spec.lower - 0.5, spec.upper + 0.5)
        self._v: Floats = rng.uniform(-times, times, n) * spec.velocity
        self._a: Floats = rng.uniform(-times, times, n) * spec.acceleration


def _put(values: Floats, index: int, value: float) -> Floats:
    out = values.copy()
    out[index] = value
    return out


def _with(
    status: tuple[MotorStatus, ...], index: int, value: MotorStatus
) -> tuple[MotorStatus, ...]:
    return (*status[:index], value, *status[index + 1 :])
