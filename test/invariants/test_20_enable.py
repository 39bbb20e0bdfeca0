# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Invariant 20: where an enabling device is required, nothing moves unless it is held.

Let go, or silent for 100 ms on the receiver's clock, it stops the robot within the limits; then
it takes a fresh resume, so a loose contact cannot make the robot stutter.
"""

import itertools

from benches import Bench
import numpy as np
import pytest

from vla_control.runtime.options import GraphOptions
from vla_control.runtime.parameters import PARAMETERS
from vla_control.runtime.topics import topics
from vla_control.runtime.wiring import describe
from vla_control.safety.checker import worst_ratios
from vla_control.safety.supervisor import Event, Mode
from vla_control.safety.watchdog import EnableWatch


@pytest.fixture
def bench(robot):
    bench = Bench(robot, require_enable=True)
    bench.held = True
    return bench


def running(bench):
    swing = bench.run()
    bench.tick(100, swing)
    assert bench.mode is Mode.RUN
    return swing


def ticks(bench, seconds):
    return round(seconds / bench.spec.dt)


def stops(bench, swing, rows, within):
    """Assert that it comes to a latched hold by a legal motion, whatever is fed."""
    rows = np.vstack([rows, bench.tick(ticks(bench, 1.0), swing)])
    assert bench.mode is Mode.HOLD
    assert 'enabling device' in bench.reason
    times = bench.spec.dt * np.arange(float(len(rows)))
    assert worst_ratios(times, rows, bench.spec).kept()
    still = np.flatnonzero(np.abs(np.diff(rows, axis=0)).max(axis=1) == 0.0)
    assert still[0] * bench.spec.dt < within
    bench.held = True
    before = bench.sent.copy()
    bench.tick(ticks(bench, 0.5), swing)
    assert np.array_equal(bench.sent, before), 'holding it again moves nothing'


def test_the_number_is_that_of_the_design(robot):
    assert robot.safety.enable_timeout == 0.1


def test_silence_for_100_ms_is_a_controlled_stop(bench):
    swing = running(bench)
    bench.held = None
    rows = bench.tick(ticks(bench, 0.1) - 1, swing)
    assert bench.mode is Mode.RUN
    rows = np.vstack([rows, bench.tick(2, swing)])
    assert bench.mode is Mode.STOPPING
    assert 'is silent' in bench.reason
    stops(bench, swing, rows, within=0.1 + 1.0)


def test_letting_go_stops_in_the_next_tick(bench):
    swing = running(bench)
    bench.held = False
    rows = bench.tick(1, swing)
    assert bench.mode is Mode.STOPPING
    assert 'not held' in bench.reason
    stops(bench, swing, rows, within=1.0)


def test_a_release_between_two_ticks_is_not_missed(bench):
    swing = running(bench)
    bench.controller.enable(False, bench.now)
    bench.controller.enable(True, bench.now)
    rows = bench.tick(1, swing)
    assert bench.mode is Mode.STOPPING
    stops(bench, swing, rows, within=1.0)


def test_a_gap_that_ended_between_two_ticks_is_not_missed(bench):
    swing = running(bench)
    bench.clock.advance(0.15)
    bench.controller.enable(True, bench.now)
    bench.tick(1, swing)
    assert bench.mode in (Mode.STOPPING, Mode.HOLD)


@pytest.mark.parametrize('way', ['released', 'silent'])
def test_flapping_at_5_hz_stops_once_and_does_not_oscillate(bench, way):
    swing = running(bench)
    rows, modes = [bench.sent], []
    for k in range(ticks(bench, 3.0)):
        held = (k * bench.spec.dt) % 0.2 < 0.1
        bench.held = True if held else (False if way == 'released' else None)
        if k % 10:  # 25 Hz at a control rate of 250
            bench.held = None if bench.held else bench.held
        rows.extend(bench.tick(1, swing))
        modes.append(bench.mode)
    changes = [a for a, b in itertools.pairwise(modes) if a is not b]
    assert changes == [Mode.RUN, Mode.STOPPING]
    assert modes[-1] is Mode.HOLD
    speed = np.abs(np.diff(np.array(rows), axis=0)).max(axis=1)
    first = int(np.argmax(speed == 0.0))
    assert not speed[first:].any(), 'once at rest it stays at rest'


def test_twenty_messages_a_second_are_enough(bench):
    swing = running(bench)
    every = ticks(bench, 0.05)
    for k in range(ticks(bench, 3.0)):
        bench.held = True if k % every == 0 else None
        bench.tick(1, swing)
    assert bench.mode is Mode.RUN


@pytest.mark.parametrize('held', [None, False])
def test_a_resume_is_refused_with_the_reason_while_it_is_not_held(bench, held):
    bench.held = held
    bench.activate()
    bench.resume()
    assert bench.mode is Mode.HOLD
    assert 'resume refused: the enabling device' in bench.reason
    bench.held = True
    bench.tick(5, bench.still)
    assert bench.mode is Mode.HOLD, 'an old request is not kept for later'
    bench.resume()
    bench.tick(20, bench.still)
    assert bench.mode is Mode.RUN


def test_homing_a_gripper_is_motion_too(bench):
    bench.held = False
    bench.activate()
    bench.controller.request(Event.HOME)
    bench.tick(1)
    assert 'home refused: the enabling device is not held' in bench.reason


def test_after_a_loss_motion_takes_a_fresh_resume(bench):
    swing = running(bench)
    bench.held = False
    bench.tick(200, swing)
    bench.held = True
    bench.tick(200, swing)
    assert bench.mode is Mode.HOLD
    bench.resume()
    bench.tick(20, bench.still)
    assert bench.mode is Mode.RUN


def test_it_is_needed_while_waiting_for_a_command_too(bench):
    bench.activate()
    bench.tick(2)
    bench.resume()
    assert bench.mode is Mode.READY
    bench.held = False
    bench.tick(1)
    assert bench.mode is Mode.HOLD


def test_it_neither_faults_nor_clears_a_fault(bench):
    running(bench)
    bench.controller.request(Event.E_STOP)
    bench.held = False
    bench.tick(50)
    bench.held = True
    bench.tick(50)
    assert bench.mode is Mode.FAULT
    assert 'e-stop' in bench.reason


def test_a_time_that_is_no_number_is_silence():
    watch = EnableWatch(0.1)
    watch.put(True, 1.0)
    watch.problem(1.0)
    assert watch.problem(1.05) == ''
    assert 'silent' in watch.problem(float('nan'))


def test_a_robot_without_one_moves_without_one(robot):
    bench = Bench(robot)
    running(bench)


@pytest.mark.parametrize('hardware', ['real', 'sim', 'mock'])
@pytest.mark.parametrize('choice', ['auto', 'true', 'false'])
def test_the_choice_reaches_the_driver_and_is_left_to_the_hardware(hardware, choice):
    options = GraphOptions(policy='hold', hardware=hardware, require_enable=choice)
    assert describe(options).node('driver_node').parameters['require_enable'] == choice
    (parameter,) = (p for p in PARAMETERS['driver_node'] if p.name == 'require_enable')
    assert parameter.default == 'auto'
    assert GraphOptions().require_enable == 'auto'
    assert parameter.check(True, 'driver_node') == 'true', 'as YAML reads it'


def test_the_topic_may_come_from_any_publisher():
    (topic,) = (t for t in topics(250.0) if t.name == 'enable')
    assert topic.type == 'std_msgs/msg/Bool'
    assert topic.rate >= 20.0
    assert not topic.read_qos.reliable and topic.read_qos.depth == 1, 'the newest, or none'
