# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""In shadow mode a chunk tells what it would have done, and is measured against the arm."""

import math

import numpy as np
import pytest

from vla_control.core.messages import ActionChunk, frozen_floats, JointState
from vla_control.core.spec import load_robot
from vla_control.runtime.shadow import describe, Shadow

SPEC = load_robot('openarm')
HOME = np.array(SPEC.home)
ARMS = ~SPEC.gripper
DT, STEPS, LATE = 0.1, 10, 0.05


def state(stamp, q=HOME):
    return JointState(
        stamp=stamp,
        joints=SPEC.names,
        positions=frozen_floats(q),
        velocities=frozen_floats(0.0 * HOME),
        efforts=frozen_floats(0.0 * HOME),
    )


def chunk(stamp, way, joints=SPEC.names):
    """Return the chunk that goes where ``way`` is at each step."""
    times = stamp + DT * np.arange(1, STEPS + 1)
    positions = np.array([way(t) for t in times])
    order = [SPEC.names.index(j) for j in joints]
    return ActionChunk(stamp=stamp, dt=DT, joints=joints, positions=positions[:, order])


def still(t):
    return HOME


def drift(t):
    """Move every arm joint at 0.1 rad/s."""
    return HOME + np.where(ARMS, 0.1 * t, 0.0)


def watch(shadow, way, wanted, seconds=3.0):
    """Let the arm go its way at 100 Hz while a policy wants another, asked every 0.3 s."""
    for k in range(round(100 * seconds)):
        now = 0.01 * k
        shadow.measure(state(now, way(now)))
        if k % 30 == 6:
            assert shadow.offer(chunk(now - LATE, wanted), now) == ''
    return seconds


@pytest.fixture
def shadow():
    return Shadow(SPEC)


def test_an_arm_that_does_what_the_chunks_say_is_no_distance_from_them(shadow):
    report = shadow.report(watch(shadow, drift, drift))
    assert report.compared >= 5
    assert report.error_max < 1e-6
    assert report.moved_p50 == pytest.approx(0.1 * 0.6, rel=0.1)


def test_the_distance_to_an_arm_that_holds_is_the_way_the_chunks_wanted(shadow):
    end = watch(shadow, still, lambda t: HOME + np.where(ARMS, 0.02, 0.0))
    report = shadow.report(end)
    assert report.error_p50 == pytest.approx(0.02, rel=1e-3)
    assert report.moved_p50 == 0.0
    assert report.travel_p50 == pytest.approx(0.02, abs=0.004)
    assert report.rehearsed == 10
    assert (report.limited_chunks, report.limited_ratio) == (0, 0.0)
    assert describe(report, shadow.quality(end)) == ()


def test_every_chunk_starts_from_where_the_arm_is_now(shadow):
    report = shadow.report(watch(shadow, drift, lambda t: HOME))
    assert report.travel_max < 0.1 * 3.0 + 0.01
    assert report.refused == 0, 'however far the arm has gone from the first pose'


def test_joints_may_come_in_another_order(shadow):
    shadow.measure(state(0.0))
    mixed = tuple(reversed(SPEC.names))
    assert shadow.offer(chunk(-LATE, drift, mixed), 0.0) == ''
    for k in range(1, 120):
        shadow.measure(state(0.01 * k, drift(0.01 * k)))
    assert shadow.report(1.2).error_max < 1e-6


def test_a_chunk_that_would_meet_a_limit_says_which(shadow):
    shadow.measure(state(0.0))
    elbow = SPEC.names.index('openarm_right_joint5')

    def rush(t):
        q = HOME.copy()
        q[elbow] += 0.2 * np.sin(40.0 * t)
        return q

    assert shadow.offer(chunk(-LATE, rush), 0.0) == ''
    report = shadow.report(0.1)
    assert report.limited_chunks == 1
    assert 0.0 < report.limited_ratio <= 1.0
    (text,) = describe(report, shadow.quality(0.1))
    assert text.startswith('1 of 1 chunks would have met a limit: ')
    assert 'openarm_right_joint5: acceleration' in text


@pytest.mark.parametrize(
    ('spoil', 'reason'),
    [
        (lambda q: q.__setitem__((3, 2), math.nan), 'finite'),
        (lambda q: q.__iadd__(3.0), 'jump'),
    ],
)
def test_a_chunk_that_the_robot_would_refuse_is_counted(shadow, spoil, reason):
    shadow.measure(state(0.0))
    bad = chunk(-LATE, still)
    spoil(bad.positions)
    assert reason in shadow.offer(bad, 0.0)
    report = shadow.report(0.1)
    assert (report.rehearsed, report.refused) == (0, 1)
    assert reason in describe(report, shadow.quality(0.1))[0]


def test_without_a_fresh_pose_there_is_nowhere_to_start(shadow):
    assert shadow.offer(chunk(-LATE, still), 0.0) == 'no joint_states yet'
    shadow.measure(state(0.0))
    assert 'are 2.00 s old' in shadow.offer(chunk(2.0 - LATE, still), 2.0)


def test_a_chunk_counts_once(shadow):
    shadow.measure(state(0.0))
    assert shadow.offer(chunk(-LATE, still), 0.0) == ''
    assert 'duplicate' in shadow.offer(chunk(-LATE, still), 0.01)
    assert 'finite' in shadow.offer(chunk(math.inf, still), 0.02)


def test_late_chunks_are_told_in_shadow_mode_too(shadow):
    for k in range(100):
        now = 0.01 * k
        shadow.measure(state(now))
        if k % 20 == 0:
            shadow.offer(chunk(now - 0.42, still), now)
    (text,) = describe(shadow.report(1.0), shadow.quality(1.0))
    assert text.startswith('chunks arrive 0.42 s after their images')
