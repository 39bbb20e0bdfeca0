# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Invariant 13: old feedback (20 ms on OpenArm) stops the motion, older (100 ms) is a fault.

Any one motor is enough, for any number of lost answers.
"""

from motions import measured
import numpy as np
import pytest

from vla_control.safety.supervisor import Event, Mode, Supervisor
from vla_control.safety.watchdog import Watchdogs


def running():
    supervisor = Supervisor()
    for event in (Event.ALIGNED, Event.RESUME, Event.FRESH_COMMAND):
        supervisor.handle(event, 0.0)
    return supervisor


# Shares of feedback_stop, and of feedback_fault, that the oldest answer reaches.
CASES = [
    ((0.0, 0.0), Mode.RUN),
    ((0.99, 0.0), Mode.RUN),
    ((1.01, 0.0), Mode.STOPPING),
    ((0.0, 0.99), Mode.STOPPING),
    ((0.0, 1.01), Mode.FAULT),
    ((0.0, 2.0), Mode.FAULT),
]


@pytest.mark.parametrize(('shares', 'mode'), CASES)
def test_lost_answers_of_any_motor_lead_where_they_should(robot, joint, shares, mode):
    dogs, supervisor = Watchdogs(robot), running()
    oldest = shares[0] * robot.safety.feedback_stop + shares[1] * robot.safety.feedback_fault
    for lost in np.arange(0.0, oldest, robot.dt).tolist() + [oldest]:
        age = np.full(len(robot.joints), 0.001)
        age[joint] = max(lost, 0.001)
        for event, reason in dogs.check(lost, measured(robot, age=age), None):
            supervisor.handle(event, lost, reason)
    assert supervisor.mode is mode
    if mode is not Mode.RUN:
        assert robot.names[joint] in supervisor.reason
        assert 'ms' in supervisor.reason


def test_the_numbers_of_an_arm_are_those_of_the_design(spec):
    assert (spec.safety.feedback_stop, spec.safety.feedback_fault) == (0.02, 0.1)


def test_feedback_that_comes_back_does_not_clear_the_fault(robot):
    dogs, supervisor = Watchdogs(robot), running()
    age = np.full(len(robot.joints), 2.0 * robot.safety.feedback_fault)
    for event, reason in dogs.check(0.0, measured(robot, age=age), None):
        supervisor.handle(event, 0.0, reason)
    for k in range(100):
        assert dogs.check(k * robot.dt, measured(robot), None) == []
        supervisor.handle(Event.FRESH_COMMAND, k * robot.dt)
        supervisor.handle(Event.RESUME, k * robot.dt)
    assert supervisor.mode is Mode.FAULT
