# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Each watchdog on its own clock, with fakes for what was measured."""

import motions
from motions import middle, reference
import numpy as np
import pytest

from vla_control.core.messages import MotorStatus
from vla_control.core.spec import load_robot
from vla_control.safety.supervisor import Event
from vla_control.safety.watchdog import Watchdogs

SPEC = load_robot('openarm')
N = len(SPEC.joints)
FIRST, FINGER = SPEC.names[0], SPEC.names[-1]


def measured(**change):
    return motions.measured(SPEC, **change)


def only(index, value, rest):
    out = np.full(N, rest, dtype=float)
    out[index] = value
    return out


def test_all_is_well_gives_nothing():
    assert Watchdogs(SPEC).check(1.0, measured(), reference(middle(SPEC))) == []


@pytest.mark.parametrize(
    ('age', 'event'),
    [
        (0.020, None),
        (0.021, Event.FEEDBACK_LATE),
        (0.100, Event.FEEDBACK_LATE),
        (0.101, Event.FAULT),
        (np.inf, Event.FAULT),
        (np.nan, Event.FAULT),
    ],
)
def test_one_late_motor_is_named_with_its_age(age, event):
    found = Watchdogs(SPEC).check(1.0, measured(age=only(3, age, 0.001)), None)
    assert [e for e, _ in found] == ([event] if event else [])
    if event:
        assert SPEC.names[3] in found[0][1]
        assert FIRST not in found[0][1]


@pytest.mark.parametrize('status', [s for s in MotorStatus if not s.healthy])
def test_every_motor_fault_stops_at_once_and_is_named(status):
    statuses = (status, *(MotorStatus.ENABLED,) * (N - 1))
    [(event, reason)] = Watchdogs(SPEC).check(1.0, measured(status=statuses), None)
    assert event is Event.FAULT
    assert FIRST in reason and status.value in reason


def test_a_motor_that_disabled_itself_is_a_fault_only_while_commanded():
    state = measured(status=(MotorStatus.DISABLED,) * N)
    assert Watchdogs(SPEC).check(1.0, state, None) == []
    found = Watchdogs(SPEC).check(1.0, state, reference(middle(SPEC)))
    assert {event for event, _ in found} == {Event.FAULT}


@pytest.mark.parametrize(
    ('celsius', 'event'),
    [(69.0, None), (70.0, Event.WARNING), (89.9, Event.WARNING), (90.0, Event.FAULT)],
)
def test_heat_warns_and_then_stops(celsius, event):
    found = Watchdogs(SPEC).check(1.0, measured(temperature=only(5, celsius, 30.0)), None)
    assert [e for e, _ in found] == ([event] if event else [])


def test_a_missing_temperature_is_reported():
    [(event, reason)] = Watchdogs(SPEC).check(
        1.0, measured(temperature=only(5, np.nan, 30.0)), None
    )
    assert event is Event.WARNING and SPEC.names[5] in reason


def test_unhealthy_feedback_is_put_in_words_and_healthy_is_empty():
    dogs = Watchdogs(SPEC)
    assert dogs.unhealthy(measured()) == ''
    assert dogs.unhealthy(measured(temperature=only(0, 75.0, 30.0))) == ''
    assert FIRST in dogs.unhealthy(measured(age=only(0, 0.03, 0.0)))
    assert FIRST in dogs.unhealthy(measured(temperature=only(0, 95.0, 30.0)))
    assert 'finite' in dogs.unhealthy(measured(q=only(0, np.nan, 0.5)))
    silent = (MotorStatus.SILENT, *(MotorStatus.ENABLED,) * (N - 1))
    assert FIRST in dogs.unhealthy(measured(status=silent))


def test_a_gripper_that_holds_an_object_is_neither_astray_nor_frozen():
    dogs = Watchdogs(SPEC)
    q = middle(SPEC)
    v = only(-1, 0.25, 0.0)
    for k in range(200):
        command = reference(q + only(-1, 0.02, 0.0), v)
        assert dogs.check(k * SPEC.dt, measured(q=q), command) == []


def test_a_reset_forgets_what_was_suspected():
    dogs = Watchdogs(SPEC)
    astray = reference(middle(SPEC) + only(1, 0.5, 0.0))
    for k in range(24):
        dogs.check(k * SPEC.dt, measured(), astray)
    dogs.reset(0.1)
    assert dogs.check(0.1, measured(), astray) == []
