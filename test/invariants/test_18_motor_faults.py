# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Invariant 18: heat warns and then stops; a motor's fault stops in one tick; nothing clears."""

from motions import measured
import numpy as np
import pytest

from vla_control.core.messages import MotorStatus
from vla_control.safety.supervisor import Event, Mode, Supervisor
from vla_control.safety.watchdog import Watchdogs

FAULTS = [s for s in MotorStatus if not s.healthy]


def one(robot, joint, value, rest):
    return tuple(value if i == joint else rest for i in range(len(robot.joints)))


@pytest.mark.parametrize('status', FAULTS)
def test_each_status_of_each_motor_faults_in_the_tick_it_is_read(robot, joint, status):
    dogs, supervisor = Watchdogs(robot), Supervisor()
    supervisor.handle(Event.ALIGNED, 0.0)
    state = measured(robot, status=one(robot, joint, status, MotorStatus.ENABLED))
    for event, reason in dogs.check(1.0, state, None):
        supervisor.handle(event, 1.0, reason)
    assert supervisor.mode is Mode.FAULT
    assert supervisor.fault.time == 1.0
    assert robot.names[joint] in supervisor.reason and status.value in supervisor.reason
    dogs.check(2.0, measured(robot), None)
    assert supervisor.mode is Mode.FAULT


def test_the_warning_comes_before_the_stop_and_changes_no_mode(robot):
    dogs, supervisor = Watchdogs(robot), Supervisor()
    supervisor.handle(Event.ALIGNED, 0.0)
    seen = []
    for celsius in np.arange(30.0, 100.0, 0.5):
        heat = np.array(one(robot, 6, celsius, 30.0))
        for event, reason in dogs.check(celsius, measured(robot, temperature=heat), None):
            supervisor.handle(event, celsius, reason)
            seen.append((celsius, event, supervisor.mode))
    warnings = [t for t, event, _ in seen if event is Event.WARNING]
    assert min(warnings) == robot.safety.temperature_warning
    assert all(mode is Mode.HOLD for _, event, mode in seen if event is Event.WARNING)
    assert supervisor.fault.time == robot.safety.temperature_stop
