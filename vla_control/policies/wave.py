# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Sway about the pose the robot is in: the smallest policy that moves."""

from dataclasses import dataclass
import math

import numpy as np

from vla_control.core.errors import ConfigError
from vla_control.core.messages import ActionChunk, Floats, frozen_floats, Observation
from vla_control.core.protocols import PolicyDescription
from vla_control.core.spec import RobotSpec
from vla_control.policies.checks import check_observation, measured_positions


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveOptions:
    """The motion of the policy."""

    joints: tuple[str, ...]  # that move
    amplitude: float  # [rad | m]
    period: float  # [s]
    fade: float = 2.0  # [s] from rest to the full amplitude
    dt: float = 0.1  # [s] between steps
    horizon: int = 16  # steps
    cameras: tuple[str, ...] = ()  # it needs to see through, though it does not look


class WavePolicy:
    """A sine about the pose first measured after reset(), inside the limits of the robot."""

    def __init__(self, spec: RobotSpec, options: WaveOptions) -> None:
        """
        Choose the joints.

        :raises ConfigError: when the robot lacks one, or the motion is faster than its limits.
        """
        unknown = [j for j in options.joints if j not in spec.names]
        if unknown:
            raise ConfigError(
                f'options.joints: {unknown} are not joints of {spec.name}: {list(spec.names)}'
            )
        self._options = options
        self._spec = spec
        self._moving = np.array([name in options.joints for name in spec.names])
        rate = 2.0 * math.pi / options.period
        fastest = options.amplitude * rate
        slowest_limit = float(spec.velocity[self._moving].min(initial=math.inf))
        if fastest > slowest_limit:
            raise ConfigError(
                f'amplitude {options.amplitude} with period {options.period} s needs '
                f'{fastest:.3g} rad/s and {spec.name} allows {slowest_limit:.3g}; lengthen '
                'options.period'
            )
        self._rate = rate  # [rad/s] of the phase
        self._description = PolicyDescription(
            cameras=dict.fromkeys(options.cameras, (1, 1)), joints=spec.names, dt=options.dt,
            horizon=options.horizon, instruction=False,
        )  # fmt: skip
        self._begin: tuple[float, Floats] | None = None  # stamp [s], pose (n,)

    def describe(self) -> PolicyDescription:
        """Return what it needs and gives."""
        return self._description

    def infer(self, observation: Observation, prefix: ActionChunk | None) -> ActionChunk:
        """Return the sine from the observation on."""
        check_observation(self._description, observation)
        if self._begin is None:
            pose = measured_positions(observation, self._description.joints)
            self._begin = (observation.stamp, pose)
        start, pose = self._begin
        steps = np.arange(1, self._description.horizon + 1) * self._description.dt
        t = observation.stamp - start + steps  # (H,) [s]
        size = self._options.amplitude * np.clip(t / self._options.fade, 0.0, 1.0)
        offset = (size * np.sin(self._rate * t))[:, None] * self._moving
        positions = np.clip(pose + offset, self._spec.lower, self._spec.upper)
        return ActionChunk(
            stamp=observation.stamp,
            dt=self._description.dt,
            joints=self._description.joints,
            positions=frozen_floats(np.where(self._moving, positions, pose)),
        )

    def reset(self) -> None:
        """Begin anew at the next observation."""
        self._begin = None
