# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""What a policy is given must be what it asked for, and what it gives what it promised."""

import numpy as np

from vla_control.core.errors import PolicyError
from vla_control.core.messages import ActionChunk, Floats, frozen_floats, Observation
from vla_control.core.protocols import PolicyDescription
from vla_control.policies.transforms import JointMap


def measured_positions(observation: Observation, joints: tuple[str, ...]) -> Floats:
    """
    Return the measured positions (n,) of some joints, in their order.

    :raises PolicyError: when a joint is missing or a position is not finite.
    """
    positions = JointMap(source=observation.joints.joints, target=joints).apply(
        observation.joints.positions
    )
    if not np.isfinite(positions).all():
        bad = [n for n, p in zip(joints, positions, strict=True) if not np.isfinite(p)]
        raise PolicyError(f'the measured position of {bad} is not a number; no inference')
    return frozen_floats(positions)


def check_observation(description: PolicyDescription, observation: Observation) -> None:
    """
    Check that an observation holds everything a policy needs; nothing is ever filled in.

    :raises PolicyError: naming what is missing and what there is.
    """
    missing = sorted(set(description.cameras) - set(observation.images))
    if missing:
        raise PolicyError(
            f'no image of cameras {missing}; the policy needs {sorted(description.cameras)}, '
            f'the observation has {sorted(observation.images)}'
        )
    for name in description.cameras:
        pixels = observation.images[name].pixels
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
            raise PolicyError(
                f'camera {name!r} gives {pixels.dtype} {pixels.shape}, not uint8 (h, w, 3) RGB'
            )
    measured_positions(observation, description.joints)
    if description.instruction and not observation.instruction.strip():
        raise PolicyError(
            'the policy follows an instruction and there is none; publish one on `instruction`'
        )


def check_chunk(
    description: PolicyDescription, observation: Observation, chunk: ActionChunk
) -> None:
    """
    Check that a chunk is what the policy described, for the observation it was asked about.

    :raises PolicyError: naming the difference.
    """
    promised = (description.joints, description.dt, (description.horizon, len(description.joints)))
    given = (chunk.joints, chunk.dt, chunk.positions.shape)
    for what, wanted, found in zip(('joints', 'dt', 'shape'), promised, given, strict=True):
        if wanted != found:
            raise PolicyError(f'the policy describes {what} {wanted} and gave {found}')
    if chunk.stamp != observation.stamp:
        raise PolicyError(
            f'the chunk is stamped {chunk.stamp!r} for an observation at {observation.stamp!r}; '
            'a chunk carries the stamp of the newest image it came from'
        )
    if not np.isfinite(chunk.positions).all():
        raise PolicyError('the policy gave positions that are not finite')
