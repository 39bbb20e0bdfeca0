# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""RobotSpec: the one place of a robot's limits, gains, motors and safety numbers."""

from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Any

import numpy as np

from vla_control.core.config import find_config, load_yaml, parse
from vla_control.core.errors import ConfigError
from vla_control.core.messages import Floats, frozen_floats


class JointKind(Enum):
    """Whether a joint is smoothed as part of the arm or let through as a gripper."""

    ARM = 'arm'
    GRIPPER = 'gripper'


@dataclass(frozen=True, slots=True, kw_only=True)
class JointSpec:
    """One joint; arms in rad, grippers in metres of finger travel."""

    name: str
    kind: JointKind
    lower: float  # [rad | m] mechanical stop
    upper: float  # [rad | m] mechanical stop
    velocity: float  # [rad/s | m/s] largest commanded
    acceleration: float  # [rad/s2 | m/s2] largest commanded
    jerk: float  # [rad/s3 | m/s3] largest commanded
    effort: float  # [N·m | N] largest commanded at the joint
    kp: float  # [N·m/rad] stiffness; 0 where the motor's own position loop holds it
    kd: float  # [N·m·s/rad] damping
    motor: dict[str, Any]  # the driver's own section, checked by the driver


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetySpec:
    """The numbers of the safety invariants."""

    position_margin: float  # [rad] soft limit inside the mechanical stop, arm joints
    chunk_jump: float  # [rad] largest distance of a chunk's first due point from the plan
    chunk_timeout: float  # [s] without a chunk before HOLD latches
    command_timeout: float  # [s] without a joint command before the driver stops
    feedback_stop: float  # [s] oldest motor answer before the driver ramps to rest
    feedback_fault: float  # [s] oldest motor answer before FAULT
    frozen_feedback: float  # [s] of identical raw feedback in motion before FAULT
    image_timeout: float  # [s] oldest image a policy may be asked about
    tracking_warning: float  # [rad] reported
    tracking_stop: float  # [rad] FAULT when exceeded for tracking_time
    tracking_time: float  # [s]
    temperature_warning: float  # [deg C]
    temperature_stop: float  # [deg C]
    gain_ramp: float  # [s] from zero to full gains after enabling
    authority_ramp: float  # [s] from 20 % to 100 % of the velocity limit after resume
    motor_watchdog: float  # [s] of silence before the motors stop by themselves
    future_stamp: float  # [s] a chunk may be stamped ahead of now


@dataclass(frozen=True, kw_only=True)
class RobotSpec:
    """A robot as configured; joint order here is the order of every (n,) array."""

    name: str
    title: str  # for people
    driver: str  # which of robots/ drives it
    urdf: str  # file in urdf/
    control_rate: float  # [Hz] of the bus loop
    joints: tuple[JointSpec, ...]
    home: tuple[float, ...]  # (n,) [rad | m] a pose that is safe to start tasks from
    safety: SafetySpec
    bus: dict[str, Any]  # the driver's own section, checked by the driver
    urdf_args: dict[str, str] = field(default_factory=dict)
    scene: str = ''  # config/scenes/<scene>.yaml for simulation
    cameras: tuple[str, ...] = ()  # names of config/cameras/<name>.yaml mounted by default

    def __post_init__(self) -> None:
        """Check what no type can."""
        names = self.names
        twice = sorted({j for j in names if names.count(j) > 1})
        if twice:
            raise ConfigError(f'{self.name}: joints given twice: {twice}')
        if len(self.home) != len(self.joints):
            raise ConfigError(
                f'{self.name}: home has {len(self.home)} values for {len(self.joints)} joints'
            )
        for joint, home in zip(self.joints, self.home, strict=True):
            _check_joint(self.name, joint, home)
        if self.control_rate <= 0.0:
            raise ConfigError(f'{self.name}: control_rate {self.control_rate} must be > 0 Hz')

    @property
    def names(self) -> tuple[str, ...]:
        """Joint names, (n,)."""
        return tuple(j.name for j in self.joints)

    @property
    def dt(self) -> float:
        """Control period [s]."""
        return 1.0 / self.control_rate

    @cached_property
    def gripper(self) -> 'np.ndarray[Any, np.dtype[np.bool_]]':
        """Mask of the gripper joints, (n,) bool."""
        return np.array([j.kind is JointKind.GRIPPER for j in self.joints])

    @cached_property
    def lower(self) -> Floats:
        """Soft lower limits, (n,): the margin inside the stop for arms, the stop for grippers."""
        margin = np.where(self.gripper, 0.0, self.safety.position_margin)
        return frozen_floats(np.array([j.lower for j in self.joints]) + margin)

    @cached_property
    def upper(self) -> Floats:
        """Soft upper limits, (n,)."""
        margin = np.where(self.gripper, 0.0, self.safety.position_margin)
        return frozen_floats(np.array([j.upper for j in self.joints]) - margin)

    @cached_property
    def velocity(self) -> Floats:
        """Velocity limits, (n,)."""
        return frozen_floats([j.velocity for j in self.joints])

    @cached_property
    def acceleration(self) -> Floats:
        """Acceleration limits, (n,)."""
        return frozen_floats([j.acceleration for j in self.joints])

    @cached_property
    def jerk(self) -> Floats:
        """Jerk limits, (n,)."""
        return frozen_floats([j.jerk for j in self.joints])

    @cached_property
    def effort(self) -> Floats:
        """Effort limits, (n,)."""
        return frozen_floats([j.effort for j in self.joints])

    @cached_property
    def kp(self) -> Floats:
        """Stiffness, (n,)."""
        return frozen_floats([j.kp for j in self.joints])

    @cached_property
    def kd(self) -> Floats:
        """Damping, (n,)."""
        return frozen_floats([j.kd for j in self.joints])


def load_robot(name: str) -> RobotSpec:
    """
    Load a RobotSpec by name, or from a user's own YAML file.

    :param name: a name in config/robots, or a path ending in ``.yaml``.
    :raises ConfigError: naming the key path, or the robots there are.
    """
    path = find_config('robots', name)
    return parse(RobotSpec, load_yaml(path), path.name)


def _check_joint(robot: str, joint: JointSpec, home: float) -> None:
    if not joint.lower < joint.upper:
        raise ConfigError(
            f'{robot}: {joint.name}: lower {joint.lower} must be below upper {joint.upper}'
        )
    if not joint.lower <= home <= joint.upper:
        raise ConfigError(
            f'{robot}: home of {joint.name} is {home}, outside its limits '
            f'[{joint.lower}, {joint.upper}]'
        )
    for key in ('velocity', 'acceleration', 'jerk', 'effort'):
        if getattr(joint, key) <= 0.0:
            raise ConfigError(f'{robot}: {joint.name}.{key} is {getattr(joint, key)}, must be > 0')
    if joint.kp < 0.0 or joint.kd < 0.0 or (joint.kp > 0.0 and joint.kd == 0.0):
        raise ConfigError(
            f'{robot}: {joint.name} has kp {joint.kp} and kd {joint.kd}; both must '
            'be >= 0, and kd > 0 wherever kp > 0 or the motor oscillates'
        )
