# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
How observations and chunks cross to the policy's process and back.

Large arrays go through memory both processes map, the rest as JSON through a pipe: no pickle,
and a message short enough for one write, so that neither end can be left half way through one.
"""

from collections.abc import Mapping
import json
import math
import mmap
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vla_control.core.errors import PolicyError
from vla_control.core.messages import ActionChunk, frozen_floats, Image, JointState, Observation
from vla_control.core.protocols import PolicyDescription

REGION = 64 * 2**20  # [bytes] mapped; only what is used takes memory
_LENGTH = struct.Struct('<I')
_ALIGN = 64
_DTYPES = {'f8': np.float64, 'u1': np.uint8}


class Region:
    """Arrays one after the other in shared memory."""

    def __init__(self, memory: mmap.mmap) -> None:
        """Begin at the start."""
        self._memory = memory
        self._end = 0

    def put(self, array: NDArray[Any], kind: str) -> list[Any]:
        """
        Append an array and return where it is, for JSON.

        :param kind: ``f8`` or ``u1``.
        :raises PolicyError: when the region is full.
        """
        values = np.ascontiguousarray(array, _DTYPES[kind])
        start = -(-self._end // _ALIGN) * _ALIGN
        if start + values.nbytes > len(self._memory):
            raise PolicyError(
                f'the observation is larger than {len(self._memory)} bytes; lower the size of '
                'the camera images'
            )
        self._memory[start : start + values.nbytes] = values.tobytes()
        self._end = start + values.nbytes
        return [kind, list(values.shape), start]

    def get(self, where: list[Any]) -> NDArray[Any]:
        """Return a copy of an array."""
        kind, shape, start = where
        count = int(np.prod(shape))
        return np.frombuffer(self._memory, _DTYPES[kind], count, start).reshape(shape).copy()


def pack_observation(
    region: Region, observation: Observation, prefix: ActionChunk | None
) -> dict[str, Any]:
    """Put an observation into the region and return the rest as JSON values."""
    joints = observation.joints
    return {
        'stamp': observation.stamp,
        'instruction': observation.instruction,
        'images': {
            name: [i.stamp, i.frame_id, i.sequence, region.put(i.pixels, 'u1')]
            for name, i in observation.images.items()
        },
        'joints': {
            'stamp': joints.stamp,
            'joints': list(joints.joints),
            'positions': region.put(joints.positions, 'f8'),
            'velocities': region.put(joints.velocities, 'f8'),
            'efforts': region.put(joints.efforts, 'f8'),
        },
        'prefix': None
        if prefix is None
        else {
            'stamp': prefix.stamp,
            'dt': prefix.dt,
            'joints': list(prefix.joints),
            'committed': prefix.committed,
            'positions': region.put(prefix.positions, 'f8'),
        },
    }


def unpack_observation(
    region: Region, values: Mapping[str, Any]
) -> tuple[Observation, ActionChunk | None]:
    """Undo pack_observation."""
    joints, prefix = values['joints'], values['prefix']
    return (
        Observation(
            stamp=values['stamp'],
            images={
                name: Image(
                    stamp=stamp, pixels=region.get(where), frame_id=frame_id, sequence=sequence
                )
                for name, (stamp, frame_id, sequence, where) in values['images'].items()
            },
            joints=JointState(
                stamp=joints['stamp'],
                joints=tuple(joints['joints']),
                positions=frozen_floats(region.get(joints['positions'])),
                velocities=frozen_floats(region.get(joints['velocities'])),
                efforts=frozen_floats(region.get(joints['efforts'])),
            ),
            instruction=values['instruction'],
        ),
        None
        if prefix is None
        else ActionChunk(
            stamp=prefix['stamp'],
            dt=prefix['dt'],
            joints=tuple(prefix['joints']),
            positions=frozen_floats(region.get(prefix['positions'])),
            committed=prefix['committed'],
        ),
    )


def pack_message(values: Mapping[str, Any], data: bytes = b'') -> bytes:
    """Return one message of the pipe: JSON, then raw bytes."""
    text = json.dumps(values).encode()
    return _LENGTH.pack(len(text)) + text + data


def unpack_message(message: bytes) -> tuple[dict[str, Any], bytes]:
    """Undo pack_message."""
    (length,) = _LENGTH.unpack_from(message)
    end = _LENGTH.size + length
    return json.loads(message[_LENGTH.size : end]), message[end:]


def pack_chunk(request: int, chunk: ActionChunk) -> bytes:
    """Return the message that answers a request."""
    return pack_message(
        {
            'answer': request,
            'stamp': chunk.stamp,
            'dt': chunk.dt,
            'joints': list(chunk.joints),
            'shape': list(chunk.positions.shape),
            'inference': None if math.isnan(chunk.inference) else chunk.inference,
        },
        np.ascontiguousarray(chunk.positions, np.float64).tobytes(),
    )


def unpack_chunk(values: Mapping[str, Any], data: bytes) -> ActionChunk:
    """Undo pack_chunk, after unpack_message."""
    positions = np.frombuffer(data, np.float64).reshape(values['shape'])
    return ActionChunk(
        stamp=values['stamp'],
        dt=values['dt'],
        joints=tuple(values['joints']),
        positions=frozen_floats(positions),
        inference=math.nan if values['inference'] is None else values['inference'],
    )


def pack_description(description: PolicyDescription) -> bytes:
    """Return the message that says what a loaded policy needs and gives."""
    return pack_message(
        {
            'ready': {
                'cameras': {name: list(size) for name, size in description.cameras.items()},
                'joints': list(description.joints),
                'dt': description.dt,
                'horizon': description.horizon,
                'instruction': description.instruction,
            }
        }
    )


def unpack_description(values: Mapping[str, Any]) -> PolicyDescription:
    """Undo pack_description, after unpack_message."""
    return PolicyDescription(
        cameras={name: (rows, columns) for name, (rows, columns) in values['cameras'].items()},
        joints=tuple(values['joints']),
        dt=values['dt'],
        horizon=values['horizon'],
        instruction=values['instruction'],
    )
