# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Invariant 10: a chunk begins within 0.5 rad of the plan, in radians and metres.

Degrees in the place of radians are refused, and the refusal says so, whichever check finds them.
"""

from motions import middle
import numpy as np
import pytest

from vla_control.actions.chunks import check_chunk
from vla_control.core.errors import ChunkRejected
from vla_control.core.messages import ActionChunk

DEGREES = r'look.* like degrees, the chunk must be in radians'
DT = 1 / 30


def check(robot, positions, pose, now=0.0):
    given = ActionChunk(stamp=0.0, dt=DT, joints=robot.names, positions=positions)
    return check_chunk(given, robot, now, now + robot.dt, lambda t: pose)


def path(robot, pose, speed=0.3, steps=20):
    """Return a path (steps, n) from a pose towards the middle of the ranges [rad, m]."""
    way = np.sign(middle(robot) - pose) * np.where(robot.gripper, 0.0, speed * DT)
    return pose + way * np.arange(1, steps + 1)[:, None]


def in_degrees(robot, positions):
    return np.where(robot.gripper, positions, np.degrees(positions))


def test_half_a_radian_is_the_most_a_joint_may_jump(robot, arm_joint):
    limit = robot.safety.chunk_jump
    assert limit == 0.5
    for way in (-1.0, 1.0):
        pose = middle(robot)
        for excess, refused in ((-1e-6, False), (1e-6, True)):
            first = pose.copy()
            first[arm_joint] += way * (limit + excess)
            positions = np.tile(first, (5, 1))
            if not refused:
                check(robot, positions, pose)
                continue
            with pytest.raises(ChunkRejected, match=f'{robot.names[arm_joint]} would jump 0.500'):
                check(robot, positions, pose)


def test_the_jump_is_measured_where_the_chunk_would_begin(robot):
    pose = middle(robot)
    positions = np.tile(pose, (30, 1))
    positions[:, np.argmax(robot.upper - robot.lower)] += 0.9 * np.linspace(0, 1, 30)
    check(robot, positions, pose)
    with pytest.raises(ChunkRejected, match='would jump'):
        check(robot, positions, pose, now=25 * DT)


def test_degrees_are_refused_with_that_hint_from_any_pose(robot):
    rng = np.random.default_rng(10)
    for _ in range(300):
        pose = rng.uniform(robot.lower, robot.upper)
        wrong = in_degrees(robot, path(robot, pose))
        with pytest.raises(ChunkRejected, match=DEGREES):
            check(robot, wrong, pose)


def test_one_joint_in_degrees_among_radians_is_refused_with_that_hint(robot, arm_joint):
    rng, judged = np.random.default_rng(arm_joint), 0
    for _ in range(100):
        pose = rng.uniform(robot.lower, robot.upper)
        positions = path(robot, pose)
        column = np.degrees(positions[:, arm_joint])
        if np.abs(column[0] - pose[arm_joint]) <= robot.safety.chunk_jump:
            continue  # a joint near zero: both readings are the same within what may be jumped
        positions[:, arm_joint] = column
        with pytest.raises(ChunkRejected, match=DEGREES):
            check(robot, positions, pose)
        judged += 1
    assert judged > 50


def test_a_jump_in_radians_is_not_called_degrees(robot, arm_joint):
    limit = robot.safety.chunk_jump
    ends = np.array([robot.lower[arm_joint], robot.upper[arm_joint]])
    far, near = ends[np.argsort(-np.abs(ends))]  # from zero, where degrees would be small radians
    pose, first = middle(robot), middle(robot)
    pose[arm_joint] = far
    if abs(far - near) <= limit:  # no place of this joint is an implausible jump away
        first[arm_joint] = near
        check(robot, np.tile(first, (5, 1)), pose)
        return
    first[arm_joint] = far - np.sign(far - near) * min(abs(far - near), limit + 0.4)
    in_radians = np.radians(first[arm_joint])
    assert abs(in_radians - far) > limit, 'nor would it be near if it were degrees'
    with pytest.raises(ChunkRejected, match='would jump') as refused:
        check(robot, np.tile(first, (5, 1)), pose)
    assert 'degrees' not in str(refused.value)


def test_degrees_that_begin_near_zero_are_found_where_they_leave_the_range(robot, arm_joint):
    pose = middle(robot)
    positions = np.tile(pose, (20, 1))
    goal = 0.9 * robot.upper[arm_joint] + 0.1 * robot.lower[arm_joint]
    positions[5:, arm_joint] = np.degrees(goal)
    if abs(np.degrees(goal)) <= max(abs(robot.upper[arm_joint]), abs(robot.lower[arm_joint])) + 1:
        pytest.skip('its degrees are inside its range')
    with pytest.raises(ChunkRejected, match=DEGREES):
        check(robot, positions, pose)


def test_a_gripper_in_shares_instead_of_metres_is_refused_with_that_hint(robot):
    if not robot.gripper.any():
        pytest.skip(f'{robot.name} has no gripper')
    if not robot.jaw.any():
        pytest.skip(f'the fingers of {robot.name} turn: they have no metres to be mistaken for')
    pose = middle(robot)
    positions = np.tile(pose, (20, 1))
    positions[:, robot.jaw] = 1.0
    with pytest.raises(ChunkRejected, match='metres of finger travel'):
        check(robot, positions, pose)
