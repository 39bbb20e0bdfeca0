# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Invariant 12: when commands stop the robot comes to rest, holds without drift, and stays.

Silence begins at every tick of a second of motion; commands that come again move nothing
until the operator has resumed and a command was made after it.
"""

import copy

from motions import Swing
import numpy as np

from vla_control.safety.gate import Gate
from vla_control.safety.supervisor import Event, Mode, Supervisor
from vla_control.safety.watchdog import Watchdogs


class Robot:
    """Gate, supervisor and watchdog put together as a controller does, without a bus."""

    def __init__(self, spec, pose):
        self.gate, self.supervisor = Gate(spec), Supervisor()
        self.limit, self.dt = spec.safety.command_timeout, spec.dt
        self.dogs = Watchdogs(spec)
        self.gate.reset(pose)
        self.age = 0.0
        for event in (Event.ALIGNED, Event.RESUME, Event.FRESH_COMMAND):
            self.supervisor.handle(event, 0.0)

    def tick(self, now, asked, measured):
        self.age = 0.0 if asked is not None else self.age + self.dt
        for event, reason in self.dogs.check(now, measured, None, self.age):
            self.supervisor.handle(event, now, reason)
        follow = self.supervisor.mode is Mode.RUN
        sent = self.gate.step(asked if follow else None)
        if self.supervisor.mode is Mode.STOPPING and self.gate.at_rest:
            self.supervisor.handle(Event.STOPPED, now)
        return sent


def test_silence_at_any_tick_ends_in_a_latched_hold_without_drift(spec, healthy):
    swing = Swing(spec, 0.5)
    robot = Robot(spec, swing.at(0.0).q)
    for k in range(1, 250):
        robot.tick(k * spec.dt, swing.at(k * spec.dt), healthy)
        if k < 100 or k % 5:
            continue
        silent = copy.deepcopy(robot)
        for i in range(k, k + 200):
            rest = silent.tick(i * spec.dt, None, healthy)
        assert silent.supervisor.mode is Mode.HOLD
        for i in range(k + 200, k + 400):
            sent = silent.tick(i * spec.dt, swing.at(i * spec.dt), healthy)
            assert np.array_equal(sent.q, rest.q)
        assert silent.supervisor.mode is Mode.HOLD


def test_a_pause_shorter_than_the_limit_does_not_leave_run(spec, healthy):
    swing = Swing(spec, 0.5)
    robot = Robot(spec, swing.at(0.0).q)
    for k in range(1, 300):
        paused = 200 < k <= 200 + int(robot.limit / spec.dt) - 1
        robot.tick(k * spec.dt, None if paused else swing.at(k * spec.dt), healthy)
    assert robot.supervisor.mode is Mode.RUN
