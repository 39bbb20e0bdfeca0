# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Invariant 14: raw feedback identical for 200 ms while commanded above 0.1 rad/s is a fault."""

from motions import measured, middle, reference
import numpy as np
import pytest

from vla_control.safety.supervisor import Event
from vla_control.safety.watchdog import Watchdogs


def first_fault(robot, speed, wiggle, joint=2, ticks=200):
    """Return when a fault is found, commanding one joint to move while it is measured."""
    dogs = Watchdogs(robot)
    for k in range(ticks):
        now = k * robot.dt
        v = np.zeros(len(robot.joints))
        v[joint] = speed
        effort = np.zeros(len(robot.joints))
        effort[joint] = wiggle(k)
        for event, reason in dogs.check(
            now, measured(robot, effort=effort), reference(middle(robot), v)
        ):
            if event is Event.FAULT:
                assert robot.names[joint] in reason
                return now
    return None


@pytest.mark.parametrize('speed', [0.11, -0.5])
def test_a_stuck_encoder_is_found_in_200_ms(robot, arm_joint, speed):
    found = first_fault(robot, speed, lambda k: 0.0, arm_joint)
    assert found == pytest.approx(0.2, abs=2 * robot.dt)


@pytest.mark.parametrize('speed', [0.0, 0.1, -0.1])
def test_a_joint_asked_to_stand_may_stand(robot, speed):
    assert first_fault(robot, speed, lambda k: 0.0) is None


def test_any_change_of_the_raw_values_is_life(robot):
    assert first_fault(robot, 0.5, lambda k: 0.01 * (k // 40)) is None
