# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Invariant 13: feedback older than 20 ms stops the motion, older than 100 ms is a fault.

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


@pytest.mark.parametrize('joint', range(8))
@pytest.mark.parametrize(
    ('lost', 'mode'),
    [(0, Mode.RUN), (1, Mode.RUN), (4, Mode.RUN), (5, Mode.STOPPING), (10, Mode.STOPPING),
     (24, Mode.STOPPING), (25, Mode.FAULT), (50, Mode.FAULT)],
)  # fmt: skip
def test_lost_answers_of_any_motor_lead_where_they_should(spec, joint, lost, mode):
    dogs, supervisor = Watchdogs(spec), running()
    for k in range(lost + 1):
        now = k * spec.dt
        age = np.full(len(spec.joints), 0.001)
        age[joint] += now
        for event, reason in dogs.check(now, measured(spec, age=age), None):
            supervisor.handle(event, now, reason)
    assert supervisor.mode is mode
    if mode is not Mode.RUN:
        assert spec.names[joint] in supervisor.reason
        assert 'ms' in supervisor.reason


def test_feedback_that_comes_back_does_not_clear_the_fault(spec):
    dogs, supervisor = Watchdogs(spec), running()
    age = np.full(len(spec.joints), 0.2)
    for event, reason in dogs.check(0.0, measured(spec, age=age), None):
        supervisor.handle(event, 0.0, reason)
    for k in range(100):
        assert dogs.check(k * spec.dt, measured(spec), None) == []
        supervisor.handle(Event.FRESH_COMMAND, k * spec.dt)
        supervisor.handle(Event.RESUME, k * spec.dt)
    assert supervisor.mode is Mode.FAULT
