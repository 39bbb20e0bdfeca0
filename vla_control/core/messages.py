# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
The values that flow from camera to motor.

Shapes use ``H`` = steps in a chunk, ``n`` = joints of the robot in RobotSpec order,
``h, w`` = image rows and columns. Positions are rad, grippers metres of finger travel.
Stamps are seconds of one clock per system: ROS time on the graph, virtual time in lockstep.
Arrays are made read-only, so a value may be handed across threads.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
import math
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Pixels = NDArray[np.uint8]


def frozen_floats(values: Any) -> Floats:
    """
    Copy to a read-only float64 array.

    :param values: anything numpy can turn into floats; complex and object input raises.
    :raises TypeError: when the values are not real numbers.
    """
    array = np.asarray(values)
    if array.dtype.kind not in 'fiu':
        raise TypeError(f'expected real numbers, got dtype {array.dtype}')
    out = np.array(array, dtype=np.float64)
    out.setflags(write=False)
    return out


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One camera frame, stamped when it was captured."""

    stamp: float  # [s] capture time
    pixels: Pixels  # (h, w, 3) uint8 RGB
    frame_id: str = ''  # optical frame
    sequence: int = 0  # counts frames of the source; equal numbers mean the same frame


@dataclass(frozen=True, slots=True, kw_only=True)
class JointState:
    """Measured joints."""

    stamp: float  # [s]
    joints: tuple[str, ...]  # (n,)
    positions: Floats  # (n,) [rad], grippers [m]
    velocities: Floats  # (n,) [rad/s], grippers [m/s]
    efforts: Floats  # (n,) [N·m], grippers [N]


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What a policy is asked about: the newest images, the joints then, and the words."""

    stamp: float  # [s] capture time of the newest image
    images: Mapping[str, Image]  # by camera name
    joints: JointState  # measured nearest to the stamp
    instruction: str

    def __post_init__(self) -> None:
        """Close the image map."""
        object.__setattr__(self, 'images', MappingProxyType(dict(self.images)))


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionChunk:
    """
    Joint targets a policy asks for, stamped by the image they came from.

    Step ``i`` is due at ``stamp + (i + 1) * dt``; step 0 is never "now".
    """

    stamp: float  # [s] capture time of the newest image it was computed from
    dt: float  # [s] between steps, > 0
    joints: tuple[str, ...]  # (n,) names, in the order of the columns
    positions: Floats  # (H, n) [rad], grippers [m]
    inference: float = math.nan  # [s] the policy took, for reports; nan where unknown
    committed: int = 0  # of a prefix: leading steps that are executed whatever comes


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The motion asked for at one instant, in RobotSpec order."""

    stamp: float  # [s] the instant it is meant for
    q: Floats  # (n,) [rad], grippers [m]
    v: Floats  # (n,) [rad/s], grippers [m/s]
    a: Floats  # (n,) [rad/s2], grippers [m/s2]
    source: float = math.nan  # [s] capture of the images it follows from; nan where from none


@dataclass(frozen=True, slots=True, kw_only=True)
class JointCommand:
    """What a driver is told each tick; torque feed-forward is the driver's own business."""

    q: Floats  # (n,) [rad], grippers [m]
    v: Floats  # (n,) [rad/s], grippers [m/s]
    a: Floats  # (n,) [rad/s2], grippers [m/s2]
    gain: float = 1.0  # 0..1, scales the stiffness and damping of the spec


class MotorStatus(Enum):
    """What a motor says of itself, whatever its bus."""

    DISABLED = 'disabled'
    ENABLED = 'enabled'
    SILENT = 'silent'
    OVER_VOLTAGE = 'over voltage'
    UNDER_VOLTAGE = 'under voltage'
    OVER_CURRENT = 'over current'
    DRIVE_HOT = 'drive over temperature'
    WINDING_HOT = 'winding over temperature'
    LOST_COMMUNICATION = 'communication lost'
    OVERLOAD = 'overload'
    UNKNOWN = 'unknown status'

    @property
    def healthy(self) -> bool:
        """True where the status alone is no reason to stop."""
        return self in (MotorStatus.DISABLED, MotorStatus.ENABLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class RobotState:
    """Everything a driver measured by one tick, in RobotSpec order."""

    stamp: float  # [s] the tick that read it
    q: Floats  # (n,) [rad], grippers [m]
    v: Floats  # (n,) [rad/s], grippers [m/s]
    effort: Floats  # (n,) [N·m], grippers [N]
    age: Floats  # (n,) [s] each motor last answered at most so long ago, inf if never
    temperature: Floats  # (n,) [deg C] of each motor, for the limits of the spec
    status: tuple[MotorStatus, ...]  # (n,)
    bus: Mapping[str, int] = field(default_factory=dict)  # counters: sent, received, errors, ...
    faults: tuple[str, ...] = ()  # why the robot as a whole must stop, in words with numbers
    warnings: tuple[str, ...] = ()  # what is not a fault yet, in words with numbers
