# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Stay where the robot is: the policy to bring a robot up with."""

from dataclasses import dataclass

import numpy as np

from vla_control.core.messages import ActionChunk, Floats, frozen_floats, Observation
from vla_control.core.protocols import PolicyDescription
from vla_control.core.spec import RobotSpec
from vla_control.policies.checks import check_observation, measured_positions


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldOptions:
    """The chunks of the policy."""

    dt: float = 0.1  # [s] between steps
    horizon: int = 16  # steps


class HoldPolicy:
    """
    Holds the pose first measured after reset().

    The pose is latched: holding what is measured anew would sink a little every time.
    """

    def __init__(self, spec: RobotSpec, options: HoldOptions) -> None:
        """Hold every joint of a robot."""
        self._description = PolicyDescription(
            cameras={}, joints=spec.names, dt=options.dt, horizon=options.horizon,
            instruction=False,
        )  # fmt: skip
        self._pose: Floats | None = None  # (n,)

    def describe(self) -> PolicyDescription:
        """Return what it needs and gives."""
        return self._description

    def infer(self, observation: Observation, prefix: ActionChunk | None) -> ActionChunk:
        """Return the latched pose, for every step."""
        check_observation(self._description, observation)
        if self._pose is None:
            self._pose = measured_positions(observation, self._description.joints)
        return ActionChunk(
            stamp=observation.stamp,
            dt=self._description.dt,
            joints=self._description.joints,
            positions=frozen_floats(np.tile(self._pose, (self._description.horizon, 1))),
        )

    def reset(self) -> None:
        """Take the pose anew at the next observation."""
        self._pose = None
