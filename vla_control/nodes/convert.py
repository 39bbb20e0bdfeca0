# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Joint messages from and to the values of the core; nothing else knows both."""

from array import array
from collections.abc import Callable, Sequence
import math

from builtin_interfaces.msg import Time
import numpy as np
from sensor_msgs.msg import JointState as JointStateMsg
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from vla_control.core.errors import ChunkRejected, RobotError
from vla_control.core.messages import (
    ActionChunk,
    Floats,
    frozen_floats,
    JointState,
    Reference,
)

STEP_TOLERANCE = 1e-6  # [s] between the points of a chunk
INFERENCE = 'inference '  # the policy took for a chunk, in its frame_id
AGE = 'age '  # of the images behind a command, in its frame_id


def joint_state_to_msg(
    names: Sequence[str], stamp: Time, q: Floats, v: Floats, effort: Floats | None = None
) -> JointStateMsg:
    """Build a JointState."""
    msg = JointStateMsg()
    msg.header.stamp = stamp
    msg.name = list(names)
    msg.position = array('d', q.tobytes())
    msg.velocity = array('d', v.tobytes())
    if effort is not None:
        msg.effort = array('d', effort.tobytes())
    return msg


def joint_state_from_msg(
    msg: JointStateMsg, names: tuple[str, ...], to_steady: Callable[[Time], float]
) -> JointState:
    """
    Pick our joints out of a JointState; velocities and efforts it lacks are nan.

    :raises RobotError: naming the joints that are missing, or the length that is wrong.
    """
    given = tuple(msg.name)
    missing = [n for n in names if n not in given]
    if missing or len(msg.position) != len(given):
        raise RobotError(
            f'joint_states lacks {missing}, has {len(given)} names and {len(msg.position)} '
            f'positions; expected {list(names)}'
        )
    order = [given.index(n) for n in names]

    def pick(values: Sequence[float]) -> Floats:
        if len(values) != len(given):
            return frozen_floats(np.full(len(names), np.nan))
        return frozen_floats(np.asarray(values)[order])

    return JointState(
        stamp=to_steady(msg.header.stamp),
        joints=names,
        positions=pick(msg.position),
        velocities=pick(msg.velocity),
        efforts=pick(msg.effort),
    )


def chunk_to_msg(chunk: ActionChunk, to_stamp: Callable[[float], Time]) -> JointTrajectory:
    """
    Build an action_chunk; point ``i`` is due at stamp + (i + 1) dt.

    The frame_id, which joints have no other use for, says how long the policy took:
    ``inference 0.012345`` in s.
    """
    msg = JointTrajectory()
    msg.header.stamp = to_stamp(chunk.stamp)
    if math.isfinite(chunk.inference):
        msg.header.frame_id = f'{INFERENCE}{chunk.inference:.6f}'
    msg.joint_names = list(chunk.joints)
    for i, positions in enumerate(chunk.positions):
        point = JointTrajectoryPoint(positions=array('d', positions.tobytes()))
        nanoseconds = round((i + 1) * chunk.dt * 1e9)
        point.time_from_start.sec = nanoseconds // 10**9
        point.time_from_start.nanosec = nanoseconds % 10**9
        msg.points.append(point)
    return msg


def chunk_from_msg(msg: JointTrajectory, to_steady: Callable[[Time], float]) -> ActionChunk:
    """
    Return the chunk in a trajectory; its names and numbers are the executor's to judge.

    :raises ChunkRejected: when it has no points, ragged rows or uneven times.
    """
    if not msg.points:
        raise ChunkRejected('the chunk has no points; send at least one')
    widths = sorted({len(p.positions) for p in msg.points})
    if widths != [len(msg.joint_names)]:
        raise ChunkRejected(
            f'the chunk has {len(msg.joint_names)} joint names and points of {widths} positions; '
            'every point needs one position per name'
        )
    times = np.array(
        [p.time_from_start.sec + 1e-9 * p.time_from_start.nanosec for p in msg.points]
    )
    dt = float(times[-1]) / len(times)
    due = dt * np.arange(1, len(times) + 1)
    if not dt > 0.0 or np.abs(times - due).max() > STEP_TOLERANCE:
        raise ChunkRejected(
            f'the points of the chunk are at {times[:4].tolist()} ... s; point i must be at '
            '(i + 1) * dt with one dt > 0, after the capture time in header.stamp'
        )
    return ActionChunk(
        stamp=to_steady(msg.header.stamp),
        dt=dt,
        joints=tuple(msg.joint_names),
        positions=frozen_floats([p.positions for p in msg.points]),
        inference=note(msg.header.frame_id, INFERENCE),
    )


def command_to_msg(reference: Reference, names: list[str], stamp: Time) -> JointTrajectory:
    """
    Build a joint_command; the stamp is the instant it is for.

    The frame_id, which joints have no other use for, says how old the images behind it are then:
    ``age 0.123456`` in s.
    """
    msg = JointTrajectory()
    msg.header.stamp = stamp
    if math.isfinite(reference.source):
        msg.header.frame_id = f'{AGE}{reference.stamp - reference.source:.6f}'
    msg.joint_names = names
    msg.points = [
        JointTrajectoryPoint(
            positions=array('d', reference.q.tobytes()),
            velocities=array('d', reference.v.tobytes()),
            accelerations=array('d', reference.a.tobytes()),
        )
    ]
    return msg


def command_from_msg(
    msg: JointTrajectory, names: tuple[str, ...], to_steady: Callable[[Time], float]
) -> Reference:
    """
    Return the reference in a joint_command, in the robot's joint order.

    :raises ChunkRejected: when joints or sizes are not the robot's, or a number is not finite.
    """
    given = tuple(msg.joint_names)
    if sorted(given) != sorted(names):
        missing = [n for n in names if n not in given]
        unknown = [n for n in given if n not in names]
        raise ChunkRejected(
            f'joint_command does not match the robot: missing {missing}, unknown {unknown}; '
            f'expected each of {list(names)} once'
        )
    if len(msg.points) != 1:
        raise ChunkRejected(f'joint_command has {len(msg.points)} points; send exactly one')
    point = msg.points[0]
    sizes = (len(point.positions), len(point.velocities), len(point.accelerations))
    if sizes != (len(names),) * 3:
        raise ChunkRejected(
            f'joint_command has {sizes} positions, velocities, accelerations; send '
            f'{len(names)} of each'
        )
    q, v, a = (np.asarray(x) for x in (point.positions, point.velocities, point.accelerations))
    if given != names:
        order = [given.index(n) for n in names]
        q, v, a = q[order], v[order], a[order]
    if not np.isfinite([q, v, a]).all():
        raise ChunkRejected('joint_command holds a number that is not finite')
    stamp = to_steady(msg.header.stamp)
    return Reference(
        stamp=stamp,
        q=frozen_floats(q),
        v=frozen_floats(v),
        a=frozen_floats(a),
        source=stamp - note(msg.header.frame_id, AGE),
    )


def note(frame_id: str, name: str) -> float:
    """Return the number of seconds a frame_id carries under a name, nan where it does not."""
    try:
        return float(frame_id[len(name) :]) if frame_id.startswith(name) else math.nan
    except ValueError:
        return math.nan
