# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
The last thing between a reference and the motors: it sends nothing it could not stop from.

Each tick a legal reference passes bit for bit; where it is not legal a joint takes a limited
step that leads back to it; and where that fails, or nothing was asked, one tick of the
verified stop of what was sent last. No branch ends without a command.
"""

import numpy as np

from vla_control.core.errors import ConfigError, RobotError
from vla_control.core.messages import Floats, Reference
from vla_control.core.motion import Motion, peak_speed, stop
from vla_control.core.spec import RobotSpec
from vla_control.safety.legality import advance, Legality, Limits, Mask, stack
from vla_control.safety.limiter import Limiter

_STILL = 1e-9  # share of a limit
_ABSURD = 1e9  # [any unit] beyond this a number is refused like one that is not finite


class Gate:
    """
    Jerk-limited, position-safe gate of one robot; called once a control period.

    ``passed``, ``limited`` and ``stopped`` count ticks by the worst that befell a joint.
    """

    def __init__(self, spec: RobotSpec, dt: float | None = None) -> None:
        """
        Take the limits of a robot; ``reset`` comes before the first ``step``.

        :param dt: [s] control period, by default that of the spec.
        :raises ConfigError: when the period is not positive.
        """
        period = spec.dt if dt is None else dt
        if not period > 0.0:
            raise ConfigError(f'{spec.name}: control period {period} s must be > 0')
        self._names = spec.names
        self._limits = Limits.of(spec, period)
        self._legality = Legality(self._limits)
        self._limiter = Limiter(self._legality)
        self._x = np.zeros((8, len(spec.joints)))
        self._motion = Motion(*np.zeros((3, len(spec.joints))))
        self._state: Reference | None = None
        self._scale = 1.0
        self._speed = self._limits.velocity
        self._speeds = np.empty((2, len(spec.joints)))
        self._lower, self._upper = spec.lower, spec.upper
        self._outside = False
        self._limiting = False
        self._refusal = ''
        self._tested: Floats | None = None
        self.passed = 0
        self.limited = 0
        self.stopped = 0

    @property
    def dt(self) -> float:
        """Control period [s]."""
        return self._limits.dt

    @property
    def state(self) -> Reference:
        """
        What was sent last.

        :raises RobotError: before the first reset.
        """
        if self._state is None:
            raise RobotError('the gate has no pose yet; call reset with the measured one first')
        return self._state

    @property
    def at_rest(self) -> bool:
        """True where what was sent last stands still, but for what rounding leaves."""
        _, v, a = self._motion
        limits = self._limits
        still = (np.abs(v) <= _STILL * limits.velocity) & (
            np.abs(a) <= _STILL * limits.acceleration
        )
        return bool(still.all())

    @property
    def reason(self) -> str:
        """Why the last reference did not pass whole; empty where it did."""
        if self._tested is None:
            return self._refusal
        joint, text = self._legality.complaint(self._tested, self._speed)
        return f'{self._refusal}{self._names[joint]}: {text}'

    @property
    def velocity_scale(self) -> float:
        """Share of the velocity limit in force, (0, 1]."""
        return self._scale

    @velocity_scale.setter
    def velocity_scale(self, scale: float) -> None:
        """
        Set the share; a faster motion is not cut off, it may only become slower.

        :raises ConfigError: when it is not in (0, 1].
        """
        if not 0.0 < scale <= 1.0:
            raise ConfigError(f'velocity_scale {scale} must be in (0, 1]')
        if scale != self._scale:
            self._scale = scale
            whole = self._limits.velocity
            self._speed = whole * scale if scale < 1.0 else whole

    def reset(self, q: Floats, stamp: float = 0.0) -> None:
        """
        Start at rest at a pose; outside the soft limits it may only move inward.

        :param q: (n,) [rad], grippers [m], measured.
        :param stamp: [s] of the state then reported.
        :raises RobotError: when the pose is not n finite numbers.
        """
        pose = np.array(q, dtype=np.float64)
        if pose.shape != self._limits.lower.shape or not np.isfinite(pose).all():
            raise RobotError(f'cannot start at {q!r}: need {len(self._names)} finite positions')
        zero = np.zeros_like(pose)
        self._x[3:6] = pose
        self._x[6:] = 0.0
        self._motion = Motion(pose, zero, zero)
        self._state = _reference(stamp, self._motion)
        self._bound(np.minimum(self._limits.lower, pose), np.maximum(self._limits.upper, pose))
        self._limiting = False
        self._limiter.forget()
        self._refusal, self._tested = '', None

    def step(self, reference: Reference | None) -> Reference:
        """
        Return what may be sent this tick: the reference itself where it is legal.

        :param reference: the motion asked for at this tick, or None to come to rest.
        :raises RobotError: before the first reset.
        """
        last = self.state
        if reference is None:
            return self._follow_stop(last.stamp + self.dt, 'nothing asked: verified stop')
        refusal = self._refuse(reference)
        if refusal:
            return self._follow_stop(last.stamp + self.dt, refusal)
        x = self._x
        x[0], x[1], x[2] = reference.q, reference.v, reference.a
        # False for NaN too, which compares false with everything.
        if not bool((np.abs(x[:3]) < _ABSURD).all()):
            return self._follow_stop(last.stamp + self.dt, self._not_finite())
        if self._legality.surely_legal(x, self._speed):
            return self._pass(reference)
        return self._limit(reference)

    def _refuse(self, reference: Reference) -> str:
        shape = self._limits.lower.shape
        for name in ('q', 'v', 'a'):
            value = getattr(reference, name)
            if type(value) is not np.ndarray or value.dtype != np.float64 or value.shape != shape:
                return (
                    f'reference refused: {name} is {np.shape(value)} of '
                    f'{getattr(value, "dtype", type(value).__name__)}, need {shape} of float64'
                )
        return ''

    def _not_finite(self) -> str:
        row, joint = np.argwhere(~(np.abs(self._x[:3]) < _ABSURD))[0]
        what = ('position', 'velocity', 'acceleration')[row]
        return f'reference refused: {what} of {self._names[joint]} is {self._x[row, joint]}'

    def _pass(self, reference: Reference) -> Reference:
        self.passed += 1
        self._refusal, self._tested = '', None
        self._state = reference
        # A copy: what its owner does with the reference later must not change the record.
        self._motion = sent = Motion(*self._x[:3].copy())
        advance(self._x, sent)
        if self._limiting:
            self._limiting = False
            self._limiter.forget()
        if self._outside:
            self._close_in()
        return reference

    def _limit(self, reference: Reference) -> Reference:
        """Pass, rejoin, approach or stop, joint by joint."""
        last, limiter, lower, upper = self._motion, self._limiter, self._lower, self._upper
        asked = Motion(reference.q, reference.v, reference.a)
        goal = limiter.goal(asked, last, self._speed, lower, upper)
        # What already moves faster than allowed now may go on, but not faster still.
        peak = np.abs(peak_speed(last.v, last.a, self._limits.jerk))
        fast = np.maximum(np.maximum(self._speed, peak), np.abs(last.v))
        x = stack(self._x, goal.candidates)
        self._speeds[0], self._speeds[1] = self._speed, fast
        ok = self._legality.legal(x, self._speeds, lower, upper, goal.stays)
        direct, riding = ok[0], ok[1] & ~ok[0]
        if bool((direct & goal.followable).all()):
            return self._pass(reference)
        out = Motion(*np.where(direct, goal.candidates[0], goal.candidates[1]))
        settled = direct | riding
        solved = np.zeros_like(settled)
        done = bool(settled.all())
        if not done and bool(((steady := limiter.steady(goal)) & ~settled).any()):
            plan = limiter.solve(goal, steady, last, self._speed)
            solved = self._legality.legal(stack(x[0], plan), fast, lower, upper)[0] & ~settled
            out = _choose(solved, plan, out)
            settled = settled | solved
            done = bool(settled.all())
        if not done:
            near = limiter.approach(goal, last, self._speed)
            closer = self._legality.legal(stack(x[0], near), fast, lower, upper)[0] & ~settled
            out = _choose(closer, near, out)
            settled = settled | closer
            done = bool(settled.all())
        if done:
            self.limited += 1
        else:
            self.stopped += 1
            out = _choose(settled, out, self._stop_tick())
        limiter.took(riding, solved)
        self._limiting = True
        self._refusal, self._tested = 'reference limited: ', self._x.copy()
        return self._send(reference.stamp, out)

    def _follow_stop(self, stamp: float, reason: str) -> Reference:
        self.stopped += 1
        self._limiter.forget()
        self._limiting = False
        self._refusal, self._tested = reason, None
        return self._send(stamp, self._stop_tick())

    def _stop_tick(self) -> Motion:
        q, v, a = self._motion
        # Solved anew each tick: the rest of a fastest stop is the fastest stop of its rest.
        way = stop(q, v, a, self._limits.acceleration, self._limits.jerk)
        return way.sample(self.dt)

    def _send(self, stamp: float, sent: Motion) -> Reference:
        self._motion = sent
        self._state = _reference(stamp, sent)
        advance(self._x, sent)
        if self._outside:
            self._close_in()
        return self._state

    def _close_in(self) -> None:
        """Move the limits of a start outside with the robot, back to where they belong."""
        limits, q = self._limits, self._motion.q
        self._bound(
            np.maximum(self._lower, np.minimum(limits.lower, q)),
            np.minimum(self._upper, np.maximum(limits.upper, q)),
        )

    def _bound(self, lower: Floats, upper: Floats) -> None:
        """Set the position limits in force; where none is wider, the soft ones themselves."""
        limits = self._limits
        self._outside = bool((lower < limits.lower).any() or (upper > limits.upper).any())
        self._lower, self._upper = (
            (lower, upper) if self._outside else (limits.lower, limits.upper)
        )


def _choose(mask: Mask, yes: Motion, no: Motion) -> Motion:
    return Motion(*(np.where(mask, y, n) for y, n in zip(yes, no, strict=True)))


def _reference(stamp: float, motion: Motion) -> Reference:
    for values in motion:
        values.setflags(write=False)
    return Reference(stamp=stamp, q=motion.q, v=motion.v, a=motion.a)
