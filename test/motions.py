# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""References for the safety tests: smooth, abrupt and absurd, and a robot of many arms."""

import dataclasses

import numpy as np

from vla_control.core.messages import frozen_floats, MotorStatus, Reference, RobotState
from vla_control.core.motion import quintic


def reference(q, v=None, a=None, stamp=0.0):
    """Return a reference, at rest where no motion is given."""
    q = frozen_floats(q)
    v = np.zeros(len(q)) if v is None else v
    a = np.zeros(len(q)) if a is None else a
    return Reference(stamp=stamp, q=q, v=frozen_floats(v), a=frozen_floats(a))


def measured(spec, **change):
    """Return healthy feedback of a robot in the middle of its ranges, or changed."""
    n = len(spec.joints)
    fields = {
        'q': (spec.lower + spec.upper) / 2,
        'v': np.zeros(n),
        'effort': np.zeros(n),
        'age': np.full(n, 0.004),
        'temperature': np.full(n, 35.0),
        'status': (MotorStatus.ENABLED,) * n,
    }
    return RobotState(stamp=0.0, **(fields | change))


def middle(spec):
    return (spec.lower + spec.upper) / 2


def fleet(spec, robots):
    """Return one robot with the joints of many; its joints are limited independently."""
    joints = [
        dataclasses.replace(joint, name=f'{joint.name}_{k}')
        for k in range(robots)
        for joint in spec.joints
    ]
    return dataclasses.replace(spec, joints=tuple(joints), home=spec.home * robots)


def turned(spec, rng):
    """Return the robot with ranges and limits drawn anew, over orders of magnitude."""
    joints = []
    for joint in spec.joints:
        lower = rng.uniform(-4.0, 4.0)
        velocity = 10 ** rng.uniform(-1.0, 1.0)
        acceleration = velocity * 10 ** rng.uniform(0.0, 1.5)
        joints.append(
            dataclasses.replace(
                joint,
                lower=lower,
                upper=lower + 10 ** rng.uniform(-1.0, 0.8),
                velocity=velocity,
                acceleration=acceleration,
                jerk=acceleration * 10 ** rng.uniform(0.4, 2.2),
            )
        )
    home = tuple((j.lower + j.upper) / 2 for j in joints)
    rate = float(rng.choice([100.0, 250.0, 500.0, 1000.0]))
    return dataclasses.replace(spec, joints=tuple(joints), home=home, control_rate=rate)


class Swing:
    """Sines about the middle that use a share of every limit."""

    def __init__(self, spec, share=0.5):
        self.centre = middle(spec)
        v, a, j = share * spec.velocity, share * spec.acceleration, share * spec.jerk
        room = share * (spec.upper - spec.lower) / 2
        self.w = np.sqrt(j / v)
        self.amplitude = np.minimum.reduce([v / self.w, a / self.w**2, j / self.w**3, room])

    def at(self, t, offset=0.0):
        s, c = self.amplitude * np.sin(self.w * t), self.amplitude * np.cos(self.w * t)
        return reference(self.centre + offset + s, self.w * c, -(self.w**2) * s, stamp=t)


class Move:
    """A rest-to-rest quintic between two poses that uses a share of every limit."""

    def __init__(self, spec, start, end, share=0.9):
        d = np.abs(end - start)
        times = [
            1.875 * d / (share * spec.velocity),
            np.sqrt(5.7735 * d / (share * spec.acceleration)),
            np.cbrt(60.0 * d / (share * spec.jerk)),
        ]
        self.duration = float(np.max(times))
        zero = np.zeros(len(spec.joints))
        self.end = end
        self.path = quintic(start, zero, zero, end, zero, zero, self.duration)

    def at(self, t):
        if t >= self.duration:
            return reference(self.end, stamp=t)
        return reference(*self.path.sample(t), stamp=t)


class Wild:
    """
    References no policy should give: jumps, squares, lies about speed, too fast, out of range.

    Each robot of a fleet draws anew on its own schedule; ``drawn`` counts how often.
    """

    def __init__(self, spec, robots, rng, longest=20):
        self.spec, self.robots, self.rng, self.longest = spec, robots, rng, longest
        self.n = len(spec.joints) // robots
        self.left = np.zeros(robots, dtype=int)
        self.kind = np.zeros(robots, dtype=int)
        self.q, self.v, self.a = np.zeros((3, len(spec.joints)))
        self.w = np.ones(len(spec.joints))
        self.drawn = 0

    def next(self, k, state):
        """Return the reference of tick k, knowing what was sent last, or None for silence."""
        self._draw()
        spec, rng, dt = self.spec, self.rng, self.spec.dt
        t = k * dt
        kind = np.repeat(self.kind, self.n)
        left = np.repeat(self.left, self.n)
        ahead, swing = self.q + self.v * dt * left, self.v / self.w
        noise = 10 ** rng.uniform(-9, 0) * rng.normal(size=(3, len(kind)))
        j = rng.uniform(-1.2, 1.2, len(kind)) * spec.jerk
        q0, v0, a0 = state.q, state.v, state.a
        options = [
            (self.q, 0 * self.v, 0 * self.a),  # steps
            (self.q, self.v, self.a),  # stands still and says it moves
            (ahead, self.v, 0 * self.a),  # ramps at up to 10x
            (
                self.q + swing * np.sin(self.w * t),
                self.v * np.cos(self.w * t),
                -self.v * self.w * np.sin(self.w * t),
            ),
            (self.q + np.sign(np.sin(self.w * t)) * swing, 0 * self.v, 0 * self.a),  # squares
            (q0 + noise[0], v0 + noise[1], a0 + noise[2]),
            (
                q0 + dt * (v0 + dt * (a0 / 2 + j * dt / 6 * (1 + 0.3 * noise[0]))),
                v0 + dt * (a0 + j * dt / 2 * (1 + 0.1 * noise[1])),
                a0 + j * dt,
            ),
        ]
        q, v, a = (
            np.select([kind == i for i in range(7)], rows) for rows in zip(*options, strict=True)
        )
        luck = rng.random()
        if luck < 0.02:
            return None
        if luck < 0.04:
            q = q.copy()
            q[rng.integers(len(q))] = rng.choice([np.nan, np.inf, -np.inf, 1e308])
        return reference(q, v, a, stamp=t)

    def _draw(self):
        spec, rng = self.spec, self.rng
        for i in np.flatnonzero(self.left == 0):
            part = slice(i * self.n, (i + 1) * self.n)
            self.left[i] = rng.integers(1, self.longest)
            self.kind[i] = rng.integers(0, 7)
            times = rng.choice([0.5, 2.0, 10.0])
            self.q[part] = rng.uniform(spec.lower[part] - 0.5, spec.upper[part] + 0.5)
            self.v[part] = rng.uniform(-times, times, self.n) * spec.velocity[part]
            self.a[part] = rng.uniform(-times, times, self.n) * spec.acceleration[part]
            self.w[part] = rng.uniform(1.0, 60.0)
            self.drawn += 1
        self.left -= 1
