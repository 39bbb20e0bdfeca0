# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Play a recorded motion by time."""

from dataclasses import dataclass
import math
from pathlib import Path

import numpy as np

from vla_control.core.config import load_yaml, parse
from vla_control.core.errors import ConfigError, PolicyError
from vla_control.core.messages import ActionChunk, Floats, frozen_floats, Observation
from vla_control.core.protocols import PolicyDescription
from vla_control.core.spec import RobotSpec
from vla_control.policies.checks import check_observation, measured_positions
from vla_control.policies.transforms import JointMap

_PEAK = 1.875  # peak of a quintic's speed over its mean


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOptions:
    """What to play and how."""

    motion: str  # YAML or npz file, beside the policy's YAML file or absolute
    approach: float = 0.3  # [rad/s | m/s] fastest joint on the way to the first pose
    dt: float = 0.1  # [s] between steps of a chunk
    horizon: int = 16  # steps


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Motion:
    """A recording."""

    joints: tuple[str, ...]  # (n,) names
    times: Floats  # (T,) [s] rising
    positions: Floats  # (T, n) [rad], grippers [m]

    def at(self, times: Floats) -> Floats:
        """
        Return positions (H, n) at times (H,) since the start; the ends are held.

        Cubic between the points: a corner at every point would be a jerk at every point.
        """
        t = np.clip(times + self.times[0], self.times[0], self.times[-1])
        k = np.clip(np.searchsorted(self.times, t, side='right') - 1, 0, len(self.times) - 2)
        slopes = np.gradient(self.positions, self.times, axis=0)
        span = (self.times[k + 1] - self.times[k])[:, None]  # [s]
        s = (t - self.times[k])[:, None] / span
        return np.asarray(
            (1.0 + 2.0 * s) * (1.0 - s) ** 2 * self.positions[k]
            + s * (1.0 - s) ** 2 * span * slopes[k]
            + s**2 * (3.0 - 2.0 * s) * self.positions[k + 1]
            + s**2 * (s - 1.0) * span * slopes[k + 1]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _MotionFile:
    joints: tuple[str, ...]
    points: tuple['_Point', ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Point:
    time_from_start: float  # [s]
    positions: tuple[float, ...]  # (n,)


def load_motion(path: Path) -> Motion:
    """
    Read a motion.

    YAML as a JointTrajectory: ``joints`` and ``points`` of ``time_from_start`` [s] and
    ``positions``; npz: arrays ``joints``, ``times`` and ``positions``.

    :raises PolicyError: when it is missing or no motion.
    """
    if not path.is_file():
        raise PolicyError(f'no motion at {path}; set options.motion in the YAML of the policy')
    try:
        motion = _read_npz(path) if path.suffix == '.npz' else _read_yaml(path)
    except (ConfigError, KeyError, TypeError, ValueError) as error:
        raise PolicyError(f'{path} is no recorded motion: {error}') from error
    shape = (len(motion.times), len(motion.joints))
    if len(motion.times) < 2 or motion.positions.shape != shape:
        raise PolicyError(
            f'{path}: {len(motion.times)} times and positions of shape {motion.positions.shape} '
            f'for {len(motion.joints)} joints; it needs at least two points'
        )
    if not (np.isfinite(motion.positions).all() and (np.diff(motion.times) > 0.0).all()):
        raise PolicyError(f'{path}: times must rise and positions must be finite')
    return motion


class ReplayPolicy:
    """Goes to the first pose slowly, plays the motion once, and stays at its end."""

    def __init__(self, spec: RobotSpec, options: ReplayOptions, motion: Motion) -> None:
        """
        Fit a motion to a robot.

        :raises PolicyError: when it is another robot's, or leaves the limits of this one.
        """
        if set(motion.joints) != set(spec.names):
            raise PolicyError(
                f'the motion is of joints {list(motion.joints)}, {spec.name} has '
                f'{list(spec.names)}'
            )
        ordered = JointMap(source=motion.joints, target=spec.names).apply(motion.positions)
        _check_limits(spec, ordered)
        self._motion = Motion(
            joints=spec.names, times=motion.times, positions=frozen_floats(ordered)
        )
        self._options = options
        self._description = PolicyDescription(
            cameras={}, joints=spec.names, dt=options.dt, horizon=options.horizon,
            instruction=False,
        )  # fmt: skip
        self._begin: tuple[float, Floats] | None = None  # stamp [s], pose (n,)

    def describe(self) -> PolicyDescription:
        """Return what it needs and gives."""
        return self._description

    def infer(self, observation: Observation, prefix: ActionChunk | None) -> ActionChunk:
        """Return the motion from the observation on."""
        check_observation(self._description, observation)
        if self._begin is None:
            pose = measured_positions(observation, self._description.joints)
            self._begin = (observation.stamp, pose)
        start, pose = self._begin
        steps = np.arange(1, self._description.horizon + 1) * self._description.dt
        since = frozen_floats(observation.stamp - start + steps)
        return ActionChunk(
            stamp=observation.stamp,
            dt=self._description.dt,
            joints=self._description.joints,
            positions=frozen_floats(self._positions(since, pose)),
        )

    def reset(self) -> None:
        """Begin anew at the next observation."""
        self._begin = None

    def _positions(self, t: Floats, pose: Floats) -> Floats:
        """Return (H, n) at times (H,) [s] since the first observation."""
        way = self._motion.positions[0] - pose
        duration = _PEAK * float(np.abs(way).max()) / self._options.approach
        if duration == 0.0:
            return self._motion.at(t)
        s = np.clip(t / duration, 0.0, 1.0)[:, None]
        approach = pose + way * s**3 * (10.0 - 15.0 * s + 6.0 * s**2)
        return np.where((t < duration)[:, None], approach, self._motion.at(t - duration))


def _read_yaml(path: Path) -> Motion:
    content = parse(_MotionFile, load_yaml(path), path.name)
    return Motion(
        joints=content.joints,
        times=frozen_floats([p.time_from_start for p in content.points]),
        positions=frozen_floats([p.positions for p in content.points]),
    )


def _read_npz(path: Path) -> Motion:
    with np.load(path, allow_pickle=False) as content:
        return Motion(
            joints=tuple(str(name) for name in content['joints']),
            times=frozen_floats(content['times']),
            positions=frozen_floats(content['positions']),
        )


def _check_limits(spec: RobotSpec, positions: Floats) -> None:
    beyond = np.maximum(spec.lower - positions, positions - spec.upper).max(axis=0)
    worst = int(np.argmax(beyond))
    if beyond[worst] > 0.0:
        raise PolicyError(
            f'the motion leaves the soft limits of {spec.names[worst]} '
            f'[{spec.lower[worst]:.4g}, {spec.upper[worst]:.4g}] by {beyond[worst]:.4g}'
        )
    if not math.isfinite(beyond[worst]):
        raise PolicyError('the motion holds positions that are not finite')
