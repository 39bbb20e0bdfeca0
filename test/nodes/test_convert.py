# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Messages and core values carry the same numbers."""

import numpy as np
import pytest

pytest.importorskip('rclpy')

from sensor_msgs.msg import JointState as JointStateMsg

from vla_control.core.errors import ChunkRejected, RobotError
from vla_control.core.messages import ActionChunk, Reference
from vla_control.nodes import convert
from vla_control.nodes.stamps import seconds, to_msg

pytestmark = pytest.mark.ros
RNG = np.random.default_rng(3)


def test_a_chunk_comes_back_as_it_went():
    chunk = ActionChunk(stamp=100.5, dt=0.05, joints=('a', 'b'), positions=RNG.random((16, 2)))
    msg = convert.chunk_to_msg(chunk, lambda t: to_msg(t + 1000.0))
    assert msg.header.stamp.sec == 1100
    assert msg.points[0].time_from_start.nanosec == 50_000_000
    back = convert.chunk_from_msg(msg, lambda t: seconds(t) - 1000.0)
    assert back.stamp == pytest.approx(100.5)
    assert back.dt == pytest.approx(0.05)
    assert back.joints == ('a', 'b')
    np.testing.assert_array_equal(back.positions, chunk.positions)


def test_a_chunk_may_carry_nan_for_the_executor_to_refuse():
    chunk = ActionChunk(stamp=1.0, dt=0.1, joints=('a',), positions=np.array([[np.nan]]))
    assert np.isnan(convert.chunk_from_msg(convert.chunk_to_msg(chunk, to_msg), seconds).positions)


@pytest.mark.parametrize(
    ('spoil', 'message'),
    [
        (lambda m: m.points.clear(), 'no points'),
        (lambda m: m.joint_names.pop(), '1 joint names'),
        (lambda m: setattr(m.points[0].time_from_start, 'nanosec', 0), r'\(i \+ 1\) \* dt'),
        (lambda m: m.points.pop(0), r'\(i \+ 1\) \* dt'),
    ],
)
def test_a_chunk_of_the_wrong_form_is_refused(spoil, message):
    chunk = ActionChunk(stamp=1.0, dt=0.1, joints=('a', 'b'), positions=RNG.random((3, 2)))
    msg = convert.chunk_to_msg(chunk, to_msg)
    spoil(msg)
    with pytest.raises(ChunkRejected, match=message):
        convert.chunk_from_msg(msg, seconds)


def reference():
    return Reference(stamp=5.0, q=RNG.random(2), v=RNG.random(2), a=RNG.random(2))


def test_a_joint_command_comes_back_as_it_went():
    sent = reference()
    back = convert.command_from_msg(
        convert.command_to_msg(sent, ['a', 'b'], to_msg(sent.stamp)), ('a', 'b'), seconds
    )
    for key in ('q', 'v', 'a'):
        np.testing.assert_array_equal(getattr(back, key), getattr(sent, key))


def test_a_joint_command_in_another_order_is_sorted():
    sent = reference()
    msg = convert.command_to_msg(sent, ['b', 'a'], to_msg(5.0))
    np.testing.assert_array_equal(
        convert.command_from_msg(msg, ('a', 'b'), seconds).q, sent.q[::-1]
    )


@pytest.mark.parametrize(
    ('spoil', 'message'),
    [
        (lambda m: m.joint_names.__setitem__(1, 'x'), r"missing \['b'\], unknown \['x'\]"),
        (lambda m: m.points.clear(), '0 points'),
        (lambda m: m.points[0].velocities.pop(), r'\(2, 1, 2\)'),
        (lambda m: m.points[0].positions.__setitem__(0, np.inf), 'not finite'),
    ],
)
def test_a_joint_command_of_the_wrong_form_is_refused(spoil, message):
    msg = convert.command_to_msg(reference(), ['a', 'b'], to_msg(5.0))
    spoil(msg)
    with pytest.raises(ChunkRejected, match=message):
        convert.command_from_msg(msg, ('a', 'b'), seconds)


def test_our_joints_are_picked_by_name():
    msg = JointStateMsg(name=['z', 'b', 'a'], position=[9.0, 2.0, 1.0], velocity=[9.0, 4.0, 3.0])
    state = convert.joint_state_from_msg(msg, ('a', 'b'), seconds)
    assert state.positions.tolist() == [1.0, 2.0]
    assert state.velocities.tolist() == [3.0, 4.0]
    assert np.isnan(state.efforts).all(), 'what was not measured is not zero'


def test_a_missing_joint_is_an_error_and_never_a_zero():
    with pytest.raises(RobotError, match=r"lacks \['b'\]"):
        convert.joint_state_from_msg(
            JointStateMsg(name=['a'], position=[1.0]), ('a', 'b'), seconds
        )
