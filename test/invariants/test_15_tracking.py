# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Invariant 15: 0.1 rad off the command for 50 ms warns, 0.3 rad for 100 ms is a fault.

At the watchdog with its numbers, and in physics: the arm is led onto a box, or where there is no
scene a joint against a wall.
"""

from dataclasses import replace

from benches import in_physics, LumpBench, WorldBench
from motions import measured, middle, reference
import numpy as np
import pytest

from vla_control.core.messages import Reference
from vla_control.safety.supervisor import Event, Mode
from vla_control.safety.watchdog import Watchdogs
from vla_control.sim.scene import load_scene


def events(robot, error, ticks, joint=3, skip=None):
    dogs = Watchdogs(robot)
    for k in range(ticks + 1):
        q = middle(robot)
        q[joint] += 0.0 if k == skip else error
        found = dogs.check(k * robot.dt, measured(robot), reference(q))
    return found


# Shares of tracking_warning and tracking_stop [1], and of tracking_time [1] with seconds [s].
CASES = [
    ((0.9, 0.0), (0.0, 1.0), None),
    ((1.1, 0.0), (0.0, 0.04), None),
    ((-1.1, 0.0), (0.0, 0.06), Event.WARNING),
    ((0.0, 0.97), (0.0, 1.0), Event.WARNING),
    ((0.0, 1.03), (1.0, -0.01), Event.WARNING),
    ((0.0, 1.03), (1.0, 0.01), Event.FAULT),
    ((0.0, -1.03), (1.0, 0.01), Event.FAULT),
]


@pytest.mark.parametrize(('shares', 'time', 'event'), CASES)
def test_an_error_is_judged_by_its_size_and_time(robot, arm_joint, shares, time, event):
    safety = robot.safety
    error = shares[0] * safety.tracking_warning + shares[1] * safety.tracking_stop
    seconds = time[0] * safety.tracking_time + time[1]
    found = events(robot, error, round(seconds / robot.dt), arm_joint)
    assert [e for e, _ in found] == ([event] if event else [])
    if event:
        assert robot.names[arm_joint] in found[0][1]
        assert f'{abs(error):.3f} rad' in found[0][1]


def test_the_numbers_of_an_arm_are_those_of_the_design(spec):
    safety = spec.safety
    assert (safety.tracking_warning, safety.tracking_stop) == (0.1, 0.3)
    assert safety.tracking_time == 0.1


def test_the_time_begins_anew_when_the_joint_was_back(robot):
    error = 1.03 * robot.safety.tracking_stop
    ticks = round(1.5 * robot.safety.tracking_time / robot.dt)
    assert [e for e, _ in events(robot, error, ticks, skip=ticks // 2)] == [Event.WARNING]
    assert [e for e, _ in events(robot, error, ticks)] == [Event.FAULT]


def test_a_measurement_that_is_no_number_is_astray(robot):
    dogs = Watchdogs(robot)
    q = middle(robot)
    q[1] = np.nan
    for k in range(round(2.0 * robot.safety.tracking_time / robot.dt)):
        found = dogs.check(k * robot.dt, measured(robot, q=q), reference(middle(robot)))
    assert Event.FAULT in [e for e, _ in found]


ROOM = 0.08  # [m] between the hand and the box under it
TURN = 0.3  # [rad] of a joint of a robot without a scene before it meets a wall
SPEED = 0.4  # [rad/s] of the joint that leads there


def slopes(bench):
    """Return how much each arm joint lifts the hand (n,) [m/rad]."""
    world = bench.world
    base, found = world.snapshot(), np.zeros(len(bench.home))
    before = world.pinch[2]
    for i in np.flatnonzero(~bench.spec.gripper):
        moved = base.copy()
        moved[world._q[i]] += 1e-3
        world.restore(moved)
        found[i] = (world.pinch[2] - before) / 1e-3
    world.restore(base)
    return found


def leading(bench):
    """Return the joint and the feed, at SPEED, that lead to the obstacle as soon as they can."""
    start, pose = bench.now, bench.sent.copy()
    if bench.spec.scene:
        slope = slopes(bench)
        joint = int(np.argmax(np.abs(slope)))
        sign = -np.sign(slope[joint])
    else:
        joint, sign = roomiest(bench), 1.0
    way = sign * (np.arange(len(pose)) == joint)

    def at(now):
        t, rise = now - start, 0.5
        speed = SPEED * min(1.0, t / rise)
        gone = SPEED * (t * t / (2 * rise) if t < rise else t - rise / 2)
        a = way * (SPEED / rise if t < rise else 0.0)
        return Reference(stamp=now, q=pose + way * gone, v=way * speed, a=a)

    return joint, at


def roomiest(bench):
    """Return the joint that can turn furthest from home."""
    return int(np.argmax(bench.spec.upper - bench.home))


def walled(robot):
    """Return a robot with a wall in the way of its roomiest joint."""
    bench = LumpBench(robot)
    joint = roomiest(bench)
    bench.walls[1, joint] = bench.home[joint] + TURN
    return bench


def boxed(robot):
    """Return a robot with a box so close under its hand that it cannot be missed."""
    with_table = WorldBench(robot)
    hand, scene = float(with_table.world.pinch[2]), load_scene(robot)
    with_table.close()
    lift = hand - ROOM - scene.table_top
    x, y, z = scene.table.centre
    box = replace(scene.table, centre=(x, y, z + lift))
    return WorldBench(robot, replace(scene, table=box))


@pytest.fixture
def blocked(robot):
    bench = (boxed if robot.scene else walled)(robot)
    yield bench
    bench.close()


def run(bench):
    """Bring a bench to follow, with the stiffness to stand still under its weight."""
    bench.run()
    if not bench.fed:
        bench.tick(round(1.5 * bench.spec.safety.gain_ramp / bench.spec.dt), bench.still)


def test_an_arm_led_onto_an_obstacle_warns_then_stops_and_stays_stopped(blocked):
    bench, safety = blocked, blocked.spec.safety
    run(bench)
    _, feed = leading(bench)
    warned = 0
    for _ in range(2000):
        bench.tick(1, feed)
        if bench.mode is not Mode.RUN:
            break
        warnings = bench.controller.snapshot.warnings
        warned += any('off the command' in w for w in warnings)
    error = np.abs(bench.sent - bench.q)
    assert bench.mode is Mode.FAULT, 'the obstacle was never met'
    assert warned > 10, 'it warned before it stopped'
    assert 'off the command' in bench.reason
    worst = bench.spec.names[int(np.argmax(np.where(bench.spec.gripper, 0.0, error)))]
    assert worst in bench.reason, 'a weak wrist may give way before the joint that pushes'
    # The error had grown past the limit for tracking_time, at no more than SPEED and some.
    assert safety.tracking_stop < error.max() < safety.tracking_stop + 0.1
    bench.driver.log.clear()
    rest = bench.sent.copy()
    bench.controller.request(Event.RESUME)
    bench.tick(round(3.5 / bench.spec.dt), feed)  # a robot may take that long to take arms back
    assert bench.mode is Mode.FAULT
    assert set(bench.driver.log) == {'safe'}
    assert np.array_equal(bench.sent, rest)
    slow = 0.05 if bench.fed else 0.1  # [rad/s]; limbs in a harness sink against the damping
    assert np.abs(bench.v).max() < slow, 'at rest, on the obstacle or off it'


def test_the_same_motion_with_nothing_in_the_way_does_not_even_warn(robot):
    bench = in_physics(robot)
    run(bench)
    joint, feed = leading(bench)
    turn = ROOM / abs(slopes(bench)[joint]) if robot.scene else TURN
    for _ in range(round(0.5 * turn / SPEED / robot.dt)):
        bench.tick(1, feed)
        assert bench.controller.snapshot.warnings == ()
    assert bench.mode is Mode.RUN
    bench.close()
