# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""One joint of a RobotSpec: its limits and gains, and what they may be."""

from dataclasses import dataclass
from enum import Enum
import math
from typing import Any

from vla_control.core.errors import ConfigError


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
    rated: float | None = None  # [N·m | N] bearable for ever, by its maker; None: not known


def check_joint(robot: str, joint: JointSpec, home: float, margin: float) -> None:
    """
    Refuse numbers with which the joint could not be driven safely.

    :param robot: for messages.
    :param home: [rad | m] where the joint starts.
    :param margin: [rad] soft limit inside the mechanical stop, of arm joints.
    :raises ConfigError: naming the joint, the key and what would be right.
    """
    for key in ('lower', 'upper', 'velocity', 'acceleration', 'jerk', 'effort', 'kp', 'kd'):
        # A limit that is no number is never exceeded: every comparison with it is false.
        if not math.isfinite(getattr(joint, key)):
            raise ConfigError(
                f'{robot}: {joint.name}.{key} is {getattr(joint, key)}, must be a finite number'
            )
    if not joint.lower < joint.upper:
        raise ConfigError(
            f'{robot}: {joint.name}: lower {joint.lower} must be below upper {joint.upper}'
        )
    inside = 0.0 if joint.kind is JointKind.GRIPPER else margin
    lower, upper = joint.lower + inside, joint.upper - inside
    if not lower < upper:
        raise ConfigError(
            f'{robot}: {joint.name} may move within [{joint.lower}, {joint.upper}], and '
            f'safety.position_margin {margin} leaves nothing of that; it must be below '
            f'{(joint.upper - joint.lower) / 2.0:g} rad'
        )
    if not lower <= home <= upper:
        raise ConfigError(
            f'{robot}: home of {joint.name} is {home}, outside its soft limits '
            f'[{lower:g}, {upper:g}], which are {inside:g} inside its stops '
            '(safety.position_margin)'
        )
    for key in ('velocity', 'acceleration', 'jerk', 'effort'):
        if getattr(joint, key) <= 0.0:
            raise ConfigError(f'{robot}: {joint.name}.{key} is {getattr(joint, key)}, must be > 0')
    if joint.rated is not None and not 0.0 < joint.rated < math.inf:
        raise ConfigError(
            f'{robot}: {joint.name}.rated is {joint.rated}; give the effort in N·m (grippers N) '
            'its motor bears for ever, or leave the key out'
        )
    if joint.kp < 0.0 or joint.kd < 0.0 or (joint.kp > 0.0 and joint.kd == 0.0):
        raise ConfigError(
            f'{robot}: {joint.name} has kp {joint.kp} and kd {joint.kd}; both must '
            'be >= 0, and kd > 0 wherever kp > 0 or the motor oscillates'
        )
