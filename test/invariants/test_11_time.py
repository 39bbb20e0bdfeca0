# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Invariant 11: no time, however wrong, moves the robot by more than two periods' worth.

A chunk is at most 50 ms ahead of now and not wholly past. A period that was short or long counts
as 0.5 to 2 nominal ones: what is sent in one tick is never further than that. A clock that jumps
by more than 100 ms ends in a hold that only a resume ends.
"""

import time

from benches import at_rest, Bench, steady_chunk
from motions import middle
import numpy as np
import pytest

from vla_control.actions.executor import ChunkExecutor
from vla_control.core.messages import ActionChunk
from vla_control.safety.checker import worst_ratios
from vla_control.safety.supervisor import Event, Mode

HOUR = 3600.0
JUMPS = [-HOUR, -0.2, 0.2, HOUR]


def aligned(robot, now=0.0):
    executor = ChunkExecutor(robot)
    executor.align(now, middle(robot))
    return executor


def moving(robot, ticks=60):
    """Return an executor in the middle of a move, and the time of its last tick."""
    executor = aligned(robot)
    ramp = np.where(robot.gripper, 0.0, 0.3)
    positions = middle(robot) + ramp * np.linspace(0.02, 1.0, 60)[:, None]
    chunk = ActionChunk(stamp=0.0, dt=1 / 30, joints=robot.names, positions=positions)
    assert executor.offer(chunk, 0.0).accepted
    for k in range(1, ticks + 1):
        reference = executor.tick(k * robot.dt)
    assert np.abs(reference.v).max() > 0.05
    return executor, ticks * robot.dt, reference


def travelled(robot, rows):
    """Return the furthest any joint went in a tick, in nominal periods at full speed."""
    return float((np.abs(np.diff(rows, axis=0)) / (robot.velocity * robot.dt)).max())


@pytest.mark.parametrize(
    ('ahead', 'accepted'),
    [(0.049, True), (0.051, False), (0.2, False), (HOUR, False), (-0.3, True), (-HOUR, False)],
)
def test_a_stamp_is_at_most_50_ms_ahead_and_its_chunk_not_past(robot, ahead, accepted):
    executor = aligned(robot, now=-2 * HOUR)
    verdict = executor.offer(steady_chunk(robot, stamp=ahead), 0.0)
    assert verdict.accepted is accepted
    if not accepted:
        assert 'in the future' in verdict.reason or 'entirely past' in verdict.reason
        assert 'future_stamp' in verdict.reason or 'too slow' in verdict.reason


def test_a_chunk_is_past_when_its_last_step_is_due_before_it_could_start(robot):
    chunk = steady_chunk(robot, stamp=0.0, steps=20, dt=0.05)
    last_due = 1.0
    for arrival, accepted in ((last_due - 2 * robot.dt, True), (last_due + robot.dt, False)):
        assert aligned(robot, -1.0).offer(chunk, arrival).accepted is accepted


def test_one_stamp_counts_once(robot):
    once, twice = aligned(robot), aligned(robot)
    for executor in (once, twice):
        assert executor.offer(steady_chunk(robot, stamp=0.01), 0.02).accepted
        executor.tick(0.03)
    other = steady_chunk(robot, pose=middle(robot) + np.where(robot.gripper, 0, 0.1), stamp=0.01)
    verdict = twice.offer(other, 0.03)
    assert not verdict.accepted and 'duplicate' in verdict.reason
    for k in range(1, 100):
        now = 0.03 + k * robot.dt
        assert np.array_equal(twice.tick(now).q, once.tick(now).q)


@pytest.mark.parametrize('jump', JUMPS)
def test_a_clock_that_jumps_between_ticks_flushes_to_a_hold(robot, jump):
    executor, now, last = moving(robot)
    rows = [last.q]
    for k in range(1, 500):
        rows.append(executor.tick(now + jump + k * robot.dt).q)
    assert 'the clock jumped' in executor.held
    assert executor.at_rest
    assert travelled(robot, np.array(rows)) <= 2.0
    times = robot.dt * np.arange(float(len(rows)))
    assert worst_ratios(times, np.array(rows), robot).kept(position=1e-6)
    now += jump + 500 * robot.dt
    stale = steady_chunk(robot, pose=rows[-1], stamp=now - robot.dt)
    assert not executor.offer(stale, now).accepted, 'held until a resume'
    executor.resume(now)
    assert not executor.offer(stale, now).accepted, 'seen before the resume'
    assert executor.offer(steady_chunk(robot, pose=rows[-1], stamp=now), now).accepted


@pytest.mark.parametrize('jump', [-0.09, 0.09])
def test_a_late_tick_is_no_jump(robot, jump):
    executor, now, _ = moving(robot)
    executor.tick(now + robot.dt + jump)
    assert executor.held == ''


def test_a_clock_that_stands_still_stands_still(robot):
    executor, now, last = moving(robot)
    for _ in range(100):
        reference = executor.tick(now)
        assert np.array_equal(reference.q, last.q)
    rows = [last.q] + [executor.tick(now + k * robot.dt).q for k in range(1, 50)]
    assert travelled(robot, np.array(rows)) <= 2.0, 'it goes on where it was'


@pytest.mark.parametrize('pace', [0.1, 0.5, 2.0])
def test_a_clock_at_another_pace_moves_at_that_pace(robot, pace):
    executor, now, last = moving(robot)
    rows = [last.q] + [executor.tick(now + pace * k * robot.dt).q for k in range(1, 50)]
    assert executor.held == ''
    assert travelled(robot, np.array(rows)) <= 2.0
    assert np.abs(rows[-1] - rows[0]).max() > 0.0


# From here on: the tick that owns the bus, on whatever its own clock says.


def paces(dt):
    rng = np.random.default_rng(11)
    return {
        'a tenth of the pace': lambda k: 0.1 * dt,
        'twice the pace': lambda k: 2.0 * dt,
        'ten times the pace': lambda k: 10.0 * dt,
        'standing still': lambda k: 0.0,
        'trembling': lambda k: rng.uniform(0.0, 2.0) * dt,
        'back an hour': lambda k: -HOUR if k == 20 else dt,
        'forward an hour': lambda k: HOUR if k == 20 else dt,
        'back 0.2 s': lambda k: -0.2 if k == 20 else dt,
        'a pause of a second': lambda k: 1.0 if k == 20 else dt,
    }


@pytest.mark.parametrize('case', paces(0.0))
def test_whatever_its_clock_does_a_tick_sends_one_legal_step(robot, case):
    bench = Bench(robot)
    swing = bench.run()
    bench.tick(150, swing)
    rows = [bench.sent]
    step = paces(robot.dt)[case]
    for k in range(300):
        bench.clock.advance(step(k))
        bench.controller.put(swing(bench.now))
        bench.controller.tick(bench.now)
        rows.append(bench.sent)
    assert travelled(robot, np.array(rows)) <= 2.0
    times = robot.dt * np.arange(float(len(rows)))
    assert worst_ratios(times, np.array(rows), robot).kept()


@pytest.mark.parametrize('jump', JUMPS)
def test_a_tick_whose_clock_jumped_stops_and_waits_for_a_resume(robot, jump):
    bench = Bench(robot)
    swing = bench.run()
    bench.tick(150, swing)
    bench.clock.advance(jump)
    bench.tick(100)
    bench.tick(100, swing)
    assert bench.mode in (Mode.HOLD, Mode.FAULT), bench.reason
    rest = bench.sent.copy()
    bench.tick(50, swing)
    assert np.array_equal(bench.sent, rest)
    if bench.mode is Mode.HOLD:
        bench.resume()
        bench.tick(20, bench.still)
        assert bench.mode is Mode.RUN, 'the new time is as good as the old one'


def test_commands_of_a_time_to_come_do_not_move_it(robot):
    bench = Bench(robot)
    bench.activate()
    bench.resume()
    late = bench.swing()
    for _ in range(100):
        bench.clock.advance(robot.dt)
        bench.controller.put(late(bench.now + HOUR))
        bench.controller.tick(bench.now)
    assert bench.mode is Mode.READY
    assert np.array_equal(bench.sent, bench.home)


def test_a_command_for_later_is_not_kept_until_its_time(robot):
    bench = Bench(robot)
    bench.activate()
    later = 250  # ticks
    there = np.where(robot.gripper, bench.home, 0.5 * (bench.home + robot.upper))
    bench.controller.put(at_rest(bench.now + later * robot.dt, there))
    bench.tick(later - 5)
    bench.controller.request(Event.RESUME)
    rows = bench.tick(20)
    assert bench.mode is Mode.READY
    assert (rows == bench.home).all()


def test_a_system_clock_that_is_set_is_noticed_from_100_ms_on():
    pytest.importorskip('rclpy')
    from rclpy.time import Time

    from vla_control.nodes.stamps import JUMP, StampClock

    class SetClock:
        offset = 2 * HOUR

        def now(self):
            return Time(nanoseconds=round((time.monotonic() + self.offset) * 1e9))

    assert JUMP == 0.1
    for step, noticed in ((0.05, False), (0.2, True), (HOUR, True), (-HOUR, True), (-0.2, True)):
        clock = SetClock()
        stamps = StampClock(clock)
        clock.offset += step
        assert bool(stamps.watch()) is noticed


def test_a_hold_for_a_clock_that_was_set_forgets_the_commands_before(robot):
    bench = Bench(robot)
    swing = bench.run()
    bench.tick(100, swing)
    bench.controller.request(Event.HOLD, 'the system clock was set by 2 s')
    bench.controller.stream.clear()
    bench.tick(200, swing)
    assert bench.mode is Mode.HOLD
    assert 'clock was set' in bench.reason
