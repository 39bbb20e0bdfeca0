# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
From where a leader arm is to where its follower is to be, without a jump.

The follower is brought to the leader before it follows: on ``start + s(t) (leader - start)``, s a
quintic from 0 to 1, which ends on the leader wherever that has gone meanwhile. Whatever is wrong
with the leader, the follower brakes and stays, and is brought to it anew.

It follows a little behind, so that every chunk holds where the leader was: chunks that guess
where it goes on contradict each other 50 times a second, and what joins them begins to swing.
"""

from collections import deque
from dataclasses import dataclass, fields
from enum import Enum
import math

import numpy as np

from vla_control.core.errors import ConfigError, VlaControlError
from vla_control.core.messages import ActionChunk, Floats, frozen_floats
from vla_control.core.motion import Stop, stop
from vla_control.core.spec import RobotSpec

HORIZON = 3  # steps of a chunk: targets, which are never played more slowly than they were led
LONGEST = 0.04  # [s] of motion in one step, however late it comes
SHORTEST_RAMP = 1.0  # [s]
PAST = 32  # references kept, more than a chunk is made of
SPAN = 0.04  # [s] over which the leader's speed is measured; counts are coarse
PEAK = 1.875  # peak of a quintic's speed over its mean
GROSS = 0.5  # [rad] outside the soft limits before a reading is no pose of this robot
SPEED_SHARE = 0.9  # of a joint's limit of speed
BRAKE_SHARE = 0.5  # of the limits of acceleration and jerk


@dataclass(frozen=True, slots=True, kw_only=True)
class CouplingConfig:
    """When a follower is coupled, and how fast it is brought to its leader."""

    speed: float  # [rad/s] fastest joint on the way to the leader
    calm: float  # [rad/s] the leader stays slower than this for a while before that begins
    settle: float  # [s] for how long
    wild: float  # [rad/s] faster than this, and the way is given up
    lag: float  # [rad] the leader may be ahead of the follower
    silence: float  # [s] longest age of a reading
    behind: float  # [s] the follower is; chunks that come later than that make it stop and go

    def __post_init__(self) -> None:
        """Check what no type can."""
        for entry in fields(self):
            value = getattr(self, entry.name)
            if not 0.0 < value < math.inf:
                raise ConfigError(f'coupling.{entry.name} is {value}, must be finite and > 0')


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaderPose:
    """Where a leader was, in the follower's joints."""

    stamp: float  # [s] when it was read
    q: Floats  # (n,) [rad], grippers [m]


class Phase(Enum):
    """What the follower does."""

    HOLD = 'holding'
    ALIGN = 'approaching the leader'
    COUPLED = 'following the leader'


class Coupling:
    """One follower and its leader; reset() where the follower is, then step() at 50 Hz or so."""

    def __init__(self, spec: RobotSpec, config: CouplingConfig) -> None:
        """Begin without a pose; reset first."""
        self._spec = spec
        self._config = config
        self._pace = _Pace(spec)
        self._phase = Phase.HOLD
        self._reason = 'not started'
        self._now = -math.inf  # [s]
        self._q: Floats | None = None  # (n,) the reference
        self._v = np.zeros(len(spec.joints))  # (n,) its speed
        self._low, self._high = spec.lower, spec.upper
        self._past: deque[tuple[float, Floats]] = deque(maxlen=PAST)  # [s], references
        self._brake: Stop | None = None
        self._since = 0.0  # [s] start of the brake or the ramp
        self._start = self._v  # (n,) pose the ramp begins at
        self._ramp = 0.0  # [s]

    @property
    def phase(self) -> Phase:
        """What the follower does."""
        return self._phase

    @property
    def reason(self) -> str:
        """Why it does not follow; empty while it does."""
        return self._reason

    def reset(self, now: float, q: Floats) -> None:
        """
        Hold a pose, and begin anew to look at the leader.

        :param now: [s]
        :param q: (n,) [rad, m] where the follower is held.
        :raises VlaControlError: when it is not finite or not of this robot.
        """
        pose = frozen_floats(q)
        if pose.shape != (len(self._spec.joints),) or not np.isfinite(pose).all():
            raise VlaControlError(
                f'cannot couple at {pose}; expected {len(self._spec.joints)} finite positions'
            )
        self._q, self._v, self._now = pose, np.zeros_like(pose), now
        # A follower held a little outside its soft limits is not moved for that alone.
        self._low = np.minimum(self._spec.lower, pose)
        self._high = np.maximum(self._spec.upper, pose)
        self._past.clear()
        self._past.append((now, pose))
        self._pace.forget()
        self._hold('waiting for the leader')

    def step(self, now: float, pose: LeaderPose | None) -> Floats:
        """
        Return the reference (n,) [rad, m] for now; never further from the last than speed allows.

        :param now: [s] rising from call to call.
        :param pose: the newest reading, None where there is none.
        :raises VlaControlError: before reset().
        """
        before = self._q
        if before is None:
            raise VlaControlError('no pose to start from: call reset(now, q) before step')
        if now <= self._now:
            return before
        self._now = max(self._now, now - LONGEST)  # the time of the last reference, or as if
        passed = now - self._now
        leader = self._look(now, pose)
        if leader is not None and self._phase is Phase.HOLD:
            self._begin(now, leader, before)
        reach = self._spec.velocity * SPEED_SHARE
        if self._phase is Phase.ALIGN:
            reach = np.where(self._spec.gripper, reach, np.minimum(reach, self._config.wild))
        aim = self._aim(now, leader, before)
        q = before + np.clip(aim - before, -reach * passed, reach * passed)
        self._v = (q - before) / passed
        self._q, self._now = frozen_floats(np.clip(q, self._low, self._high)), now
        self._past.append((now, self._q))
        return self._q

    def chunk(self) -> ActionChunk:
        """
        Return the way to the last reference as a chunk, which ends there a little later.

        :raises VlaControlError: before reset().
        """
        if self._q is None:
            raise VlaControlError('no pose to start from: call reset(now, q) before chunk')
        step = self._config.behind / HORIZON
        wanted = self._now - step * np.arange(HORIZON - 1.0, -1.0, -1.0)
        times = [time for time, _ in self._past]
        way = np.array([q for _, q in self._past])
        return ActionChunk(
            stamp=self._now,
            dt=step,
            joints=self._spec.names,
            positions=frozen_floats(
                np.stack([np.interp(wanted, times, column) for column in way.T], axis=1)
            ),
        )

    def _look(self, now: float, pose: LeaderPose | None) -> Floats | None:
        """Return where the leader is within the follower's limits, or pause and say why."""
        trouble = self._trouble(now, pose)
        if trouble or pose is None:
            self._pace.forget()
            self._pause(trouble)
            return None
        self._pace.put(pose, self._config.calm)
        return np.clip(pose.q, self._spec.lower, self._spec.upper)

    def _trouble(self, now: float, pose: LeaderPose | None) -> str:
        if pose is None:
            return 'the leader is silent'
        if pose.q.shape != self._v.shape or not np.isfinite(pose.q).all():
            return f'the leader gives {pose.q.tolist()}, which is no pose'
        age = now - pose.stamp
        if age > self._config.silence:
            return f'the leader has been silent for {age:.3f} s'
        excess = np.maximum(self._spec.lower - pose.q, pose.q - self._spec.upper)
        excess = np.where(self._spec.gripper, 0.0, excess)
        worst = int(np.argmax(excess))
        if excess[worst] > GROSS:
            return (
                f'the leader has {self._spec.names[worst]} at {pose.q[worst]:.3f} rad, '
                f'{excess[worst]:.3f} outside its limits; was it calibrated in its rest pose?'
            )
        return ''

    def _begin(self, now: float, leader: Floats, before: Floats) -> None:
        """Set out for the leader, once the follower rests and the leader has been calm."""
        if self._brake is not None and now - self._since < float(self._brake.duration.max()):
            return
        if self._pace.calm < self._config.settle:
            self._reason = (
                f'hold the leader still for {self._config.settle:g} s; the follower then comes'
            )
            return
        self._phase, self._reason = Phase.ALIGN, Phase.ALIGN.value
        self._since, self._start, self._brake = now, before, None
        way = np.abs(np.where(self._spec.gripper, 0.0, leader - before)).max()
        self._ramp = max(PEAK * float(way) / self._config.speed, SHORTEST_RAMP)

    def _aim(self, now: float, leader: Floats | None, before: Floats) -> Floats:
        """Return where the reference is to be, were it not for limits of speed."""
        if self._phase is Phase.ALIGN and leader is not None:
            if self._pace.speed <= self._config.wild:
                s = min((now - self._since) / self._ramp, 1.0)
                if s == 1.0:
                    self._phase, self._reason = Phase.COUPLED, ''
                share = s**3 * (10.0 - 15.0 * s + 6.0 * s**2)
                return np.asarray(self._start + share * (leader - self._start))
            self._pause(f'the leader moves at {self._pace.speed:.2f} rad/s')
        if self._phase is Phase.COUPLED and leader is not None:
            lag = np.where(self._spec.gripper, 0.0, np.abs(leader - before))
            worst = int(np.argmax(lag))
            if lag[worst] <= self._config.lag:
                return leader
            self._pause(f'{self._spec.names[worst]} of the leader is {lag[worst]:.2f} rad ahead')
        return self._brake.sample(now - self._since).q if self._brake is not None else before

    def _pause(self, why: str) -> None:
        self._reason = why
        if self._phase is not Phase.HOLD:
            self._pace.forget()
            self._hold(why)

    def _hold(self, why: str) -> None:
        """Brake from the last reference and its speed, by half of what the limits allow."""
        self._phase, self._reason, self._since = Phase.HOLD, why, self._now
        q = self._q if self._q is not None else self._v
        limits = BRAKE_SHARE * self._spec.acceleration, BRAKE_SHARE * self._spec.jerk
        self._brake = stop(q, self._v, np.zeros_like(q), *limits)


class _Pace:
    """How fast the leader's arm moves, and for how long it has been calm."""

    def __init__(self, spec: RobotSpec) -> None:
        self._arm = ~spec.gripper
        self._kept: list[LeaderPose] = []
        self._calm_since = math.nan  # [s]
        self.speed = 0.0  # [rad/s]

    @property
    def calm(self) -> float:
        """Time [s] for which it has been calm."""
        return self._kept[-1].stamp - self._calm_since if self._kept else 0.0

    def forget(self) -> None:
        self._kept.clear()
        self.speed = 0.0

    def put(self, pose: LeaderPose, calm: float) -> None:
        """Take a reading; a repeated one says nothing."""
        if self._kept and pose.stamp <= self._kept[-1].stamp:
            return
        self._kept.append(pose)
        if len(self._kept) == 1:
            self._calm_since = pose.stamp
            return
        while len(self._kept) > 2 and pose.stamp - self._kept[1].stamp >= SPAN:
            del self._kept[0]
        first = self._kept[0]
        way = np.abs(pose.q - first.q)[self._arm]
        self.speed = float(way.max()) / (pose.stamp - first.stamp)
        if self.speed > calm:
            self._calm_since = pose.stamp
