# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Invariant 9: a chunk names each joint of the robot once, one row a step, 1 to 1000 steps.

Any order of the joints is put right; everything else is refused, and the motion goes on as if
it had never come.
"""

from benches import steady_chunk
from motions import middle
import numpy as np
import pytest

from vla_control.actions.chunks import check_chunk
from vla_control.actions.executor import ChunkExecutor
from vla_control.core.errors import ChunkRejected
from vla_control.core.messages import ActionChunk


def chunk(positions, joints):
    return ActionChunk(stamp=0.0, dt=1 / 30, joints=joints, positions=positions)


def check(robot, given):
    pose = middle(robot)
    return check_chunk(given, robot, 0.0, robot.dt, lambda t: pose)


def steps(robot, count=20):
    """Positions that tell the joints apart, within 0.2 rad of the middle."""
    sway = np.linspace(-0.2, 0.2, len(robot.joints)) * np.where(robot.gripper, 0.01, 1.0)
    return np.tile(middle(robot) + sway, (count, 1))


def test_every_order_of_the_joints_gives_the_same_motion(robot):
    positions, rng = steps(robot), np.random.default_rng(9)
    for _ in range(50):
        order = rng.permutation(len(robot.joints))
        names = tuple(robot.names[i] for i in order)
        checked = check(robot, chunk(positions[:, order], names))
        assert np.array_equal(checked.positions, positions)


def wrong_names(names):
    other = 'elbow_of_another_robot'
    return {
        'one missing': (names[1:], f'missing .*{names[0]}'),
        'one too many': ((*names, other), f'unknown .*{other}'),
        'one twice': ((*names, names[0]), f'repeated .*{names[0]}'),
        'one twice instead of another': ((names[1], *names[1:]), f'missing .*{names[0]}'),
        'one of another robot': ((other, *names[1:]), f'unknown .*{other}'),
        'one in capitals': ((names[0].upper(), *names[1:]), f'missing .*{names[0]}'),
        'none': ((), f'missing .*{names[-1]}'),
        'no list': ('abc', 'list of names'),
        'numbers': (tuple(range(len(names))), 'list of names'),
        'nothing': (None, 'list of names'),
    }


@pytest.mark.parametrize('case', wrong_names(('a', 'b')))
def test_names_that_are_not_those_of_the_robot_are_refused_by_name(robot, case):
    names, words = wrong_names(robot.names)[case]
    width = len(names) if isinstance(names, tuple) else len(robot.joints)
    with pytest.raises(ChunkRejected, match=words):
        check(robot, chunk(np.zeros((20, width)), names))


SHAPES = {
    'swapped': lambda n: (n, 20),
    'one step without a row': lambda n: (n,),
    'a single number': lambda n: (),
    'one axis too many': lambda n: (1, 20, n),
    'one joint less than named': lambda n: (20, n - 1),
    'one joint more than named': lambda n: (20, n + 1),
    'no step': lambda n: (0, n),
    'no joint': lambda n: (20, 0),
    'one step more than the longest': lambda n: (1001, n),
}


@pytest.mark.parametrize('case', SHAPES)
def test_positions_of_another_shape_are_refused_not_broadcast(robot, case):
    shape = SHAPES[case](len(robot.joints))
    with pytest.raises(ChunkRejected, match=r'rows|row|steps|shape'):
        check(robot, chunk(np.zeros(shape), robot.names))


def test_a_thousand_steps_and_one_step_are_taken(robot):
    for count in (1, 1000):
        assert len(check(robot, chunk(steps(robot, count), robot.names)).positions) == count


def test_a_refused_chunk_leaves_the_motion_as_it_was_to_the_bit(robot):
    def motion(spoil):
        executor = ChunkExecutor(robot)
        executor.align(0.0, middle(robot))
        assert executor.offer(chunk(steps(robot), robot.names), 0.01).accepted
        rows = []
        for k in range(1, 100):
            now = 0.01 + k * robot.dt
            if spoil and k == 40:
                good = steady_chunk(robot, stamp=now - 0.01)
                for names, _ in wrong_names(robot.names).values():
                    bad = ActionChunk(
                        stamp=good.stamp, dt=good.dt, joints=names, positions=good.positions
                    )
                    assert not executor.offer(bad, now).accepted
                for shape in SHAPES.values():
                    bad = ActionChunk(
                        stamp=good.stamp,
                        dt=good.dt,
                        joints=robot.names,
                        positions=np.zeros(shape(len(robot.joints))),
                    )
                    assert not executor.offer(bad, now).accepted
            reference = executor.tick(now)
            rows.append((reference.q, reference.v, reference.a))
        return np.array(rows).tobytes()

    assert motion(True) == motion(False)
