# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Checks every driver makes before it moves a motor."""

from collections.abc import Iterator
from contextlib import contextmanager
import math

import numpy as np

from vla_control.core.errors import BusError, CodecError
from vla_control.core.messages import Floats, JointCommand
from vla_control.core.spec import RobotSpec

# Zeroing against the mechanical stops repeats to a few degrees, and fingers have soft pads.
ARM_TOLERANCE = 0.05  # [rad] beyond a stop
GRIPPER_TOLERANCE = 0.002  # [m] beyond a stop


def command_gain(spec: RobotSpec, command: JointCommand) -> float:
    """
    Check a command and return its gain, held to 0..1.

    :raises CodecError: when it has the wrong number of joints or a value that is not finite.
    """
    n = len(spec.joints)
    for label, values in (('q', command.q), ('v', command.v), ('a', command.a)):
        if values.shape != (n,):
            raise CodecError(
                f'{spec.name}: command.{label} has shape {values.shape}, expected ({n},) in the '
                f'order {list(spec.names)}'
            )
        if np.count_nonzero(np.isfinite(values)) < n:  # a third of what all() takes
            wrong = [
                f'{name} = {value}'
                for name, value in zip(spec.names, values, strict=True)
                if not math.isfinite(value)
            ]
            raise CodecError(f'{spec.name}: command.{label} is not finite: {", ".join(wrong)}')
    if not math.isfinite(command.gain):
        raise CodecError(f'{spec.name}: command.gain is {command.gain}, expected 0..1')
    return min(max(command.gain, 0.0), 1.0)


def outside_limits(spec: RobotSpec, q: Floats) -> dict[int, str]:
    """
    Describe every joint measured beyond its mechanical stop, a small tolerance allowed.

    :param q: (n,) [rad, grippers m].
    :returns: one sentence by joint index; empty when the pose is possible.
    """
    found = {}
    for i, (joint, value) in enumerate(zip(spec.joints, q, strict=True)):
        gripper = spec.gripper[i]
        slack = GRIPPER_TOLERANCE if gripper else ARM_TOLERANCE
        if joint.lower - slack <= value <= joint.upper + slack:
            continue
        unit = 'm' if gripper else 'rad'
        text = f'{joint.name} reads {value:.4f} {unit}, stops at [{joint.lower}, {joint.upper}]'
        turned = [value + turn for turn in (2 * math.pi, -2 * math.pi)]
        if not gripper and any(joint.lower <= t <= joint.upper for t in turned):
            text += (
                ', and is inside them one turn (2 pi) away: the encoder knows a single turn only, '
                'so it was powered up beyond half a turn. Move the arm to its zero pose by hand '
                'and power it up again'
            )
        found[i] = text
    return found


@contextmanager
def naming(side: str) -> Iterator[None]:
    """Put a side of a pair before what its bus has to say: both have motors of the same ids."""
    try:
        yield
    except BusError as error:
        raise BusError(f'{side}: {error}') from error
