# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Queues of counted actions, executed in closed loop: on time, causal, and as each peer joins."""

from functools import partial

import numpy as np
import pytest

from vla_control.core.messages import ActionChunk
from vla_control.core.spec import load_robot
from vla_control.runtime.bench import delay_loops, methods
from vla_control.runtime.bench.lipo import lipo_available
from vla_control.runtime.bench.queues import QueueExecutor
from vla_control.runtime.bench.run import Peer

SPEC = load_robot('openarm')
DT = 0.1
SPEED = 0.2  # rad/s
LOOPS = {
    'weighted_average': delay_loops.WeightedAverage,
    'linear_fade': delay_loops.LinearFade,
    'offset_fade': delay_loops.OffsetFade,
    'lipo': delay_loops.LipoLoop,
}
AVAILABLE = [m for m in LOOPS if m != 'lipo' or lipo_available()]


def peer(name):
    return partial(LOOPS[name].make, None)


def switching(dt):
    return Peer(methods.switch)


def chunk(stamp, positions, joints=SPEC.names):
    points = np.repeat(np.asarray(positions, dtype=float)[:, None], len(joints), axis=1)
    return ActionChunk(stamp=stamp, dt=DT, joints=joints, positions=points)


def ramp(stamp, steps=16, offset=0.0):
    return chunk(stamp, offset + SPEED * (stamp + DT * np.arange(1.0, steps + 1.0)))


def run(executor, seconds, arrivals=()):
    """Tick at 250 Hz; return times and what was asked of the first joint, q, v, a."""
    rows, pending = [], sorted(arrivals, key=lambda pair: pair[0])
    times = np.arange(round(seconds / SPEC.dt)) * SPEC.dt
    for now in times.tolist():
        while pending and now >= pending[0][0] - 1e-9:
            assert executor.offer(pending.pop(0)[1], now).accepted
        reference = executor.tick(now)
        rows.append((reference.q[0], reference.v[0], reference.a[0]))
    return times, np.array(rows)


def fresh(make=switching, pose=0.0):
    executor = QueueExecutor(SPEC, make)
    executor.align(0.0, np.full(len(SPEC.joints), pose))
    return executor


@pytest.mark.parametrize('name', AVAILABLE)
@pytest.mark.parametrize('delay', [0.0, 0.06, 0.3])
def test_exact_chunks_of_a_ramp_are_followed_by_the_count(name, delay):
    """Only what the first chunk was late by stays; a step off would be 20 mrad."""
    executor = fresh(peer(name))
    times, rows = run(executor, 4.0, [(s + delay, ramp(s)) for s in np.arange(0.0, 3.9, 0.25)])
    late = times > 2.5
    error = rows[late, 0] - SPEED * times[late]
    assert np.abs(error).max() < 0.6 * SPEED * DT
    assert np.abs(rows[late, 1] - SPEED).max() < 0.5 * SPEED


def test_what_it_says_of_speed_and_acceleration_is_true():
    executor = fresh(pose=0.02)
    _, rows = run(executor, 1.2, [(0.0, ramp(0.0))])
    v = np.gradient(rows[:, 0], SPEC.dt)
    np.testing.assert_allclose(rows[5:-5, 1], v[5:-5], atol=2e-3)


def test_a_switch_goes_on_from_where_it_is_with_a_corner_and_no_jump():
    executor = fresh()
    _, rows = run(executor, 1.0, [(0.0, ramp(0.0)), (0.45, ramp(0.4, offset=0.3))])
    steps = np.abs(np.diff(rows[:, 0]))
    assert steps.max() < 0.08, 'the position is continuous'
    assert np.abs(np.diff(rows[:, 1])).max() > 1.0, 'the speed is not'
    assert executor.seams == pytest.approx([0.0, 0.5], abs=SPEC.dt)


def test_a_chunk_waits_for_the_action_under_way():
    executor = fresh()
    arrivals = [(0.0, ramp(0.0)), (0.22, ramp(0.2, offset=0.3))]
    _, alone = run(fresh(), 0.3, arrivals[:1])
    _, both = run(executor, 0.3, arrivals)
    np.testing.assert_array_equal(alone[:75], both[:75])


def test_with_nothing_left_it_stays_at_the_last_target_and_goes_on_with_the_next_chunk():
    executor = fresh()
    assert executor.starved and executor.at_rest
    _, rows = run(executor, 1.0, [(0.0, chunk(0.0, [0.1, 0.2]))])
    assert executor.starved and executor.at_rest
    assert rows[-1].tolist() == [0.2, 0.0, 0.0]
    executor.offer(chunk(0.99, [0.3, 0.4]), 1.0)
    later = [executor.tick(1.0 + k * SPEC.dt).q[0] for k in range(100)]
    assert later[0] == pytest.approx(0.2)
    assert later[25] == pytest.approx(0.3, abs=1e-6), 'the wait was not counted'
    assert later[-1] == 0.4


def test_the_weighted_average_averages_and_grippers_are_exempt():
    executor = fresh(peer('weighted_average'))
    run(executor, 0.1, [(0.0, chunk(0.0, [0.0] * 16))])
    executor.offer(chunk(0.1, [0.01] * 16), 0.1)
    for k in range(26):
        reference = executor.tick(0.1 + k * SPEC.dt)
    arm, gripper = int(np.argmin(SPEC.gripper)), int(np.argmax(SPEC.gripper))
    assert reference.q[arm] == pytest.approx(0.007)
    assert reference.q[gripper] == pytest.approx(0.01)


def test_names_in_another_order_are_put_in_order_and_others_refused():
    executor, names = fresh(), SPEC.names[::-1]
    points = np.tile(np.arange(float(len(names))), (2, 1))
    executor.offer(ActionChunk(stamp=0.0, dt=DT, joints=names, positions=points), 0.0)
    for k in range(100):
        reference = executor.tick(k * SPEC.dt)
    np.testing.assert_allclose(reference.q, np.arange(float(len(names)))[::-1])
    assert not executor.offer(chunk(0.0, [0.0], joints=('elbow',)), 0.0).accepted


def test_a_fade_takes_its_time_whatever_the_policy_step():
    old, new = methods.Queue(0, np.zeros((40, 1))), methods.Queue(0, np.ones((40, 1)))
    for dt, steps in ((0.1, 5), (1 / 30, 15)):
        faded = LOOPS['linear_fade'].make(None, dt).join(np.zeros((0, 1)), old, new, 0)
        assert int(np.argmax(faded.points[:, 0] >= 1.0)) == steps - 1
        shifted = LOOPS['offset_fade'].make(None, dt).join(np.zeros((0, 1)), old, new, 0)
        assert int(np.argmax(shifted.points[:, 0] >= 1.0)) == 2 * steps


@pytest.mark.skipif(not lipo_available(), reason='needs action-lipo')
@pytest.mark.peer
def test_lipo_blends_over_the_steps_a_short_chunk_leaves():
    from vla_control.runtime.bench.lipo import Lipo

    lipo = Lipo(DT)
    old = methods.Queue(0, np.zeros((16, 1)))
    new = methods.Queue(8, np.full((16, 1), 0.03))  # eight steps of both, two of them past
    joined = lipo(np.zeros((10, 1)), old, new, 10)
    assert abs(joined.target(10)[0]) < 3e-3
    assert joined.target(20)[0] == pytest.approx(0.03, abs=5e-3)
    assert lipo.failed == 0
