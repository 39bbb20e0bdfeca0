# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Invariant 15: 0.1 rad off the command for 50 ms warns, 0.3 rad for 100 ms is a fault."""

from motions import measured, middle, reference
import numpy as np
import pytest

from vla_control.safety.supervisor import Event
from vla_control.safety.watchdog import Watchdogs


def events(spec, error, ticks, joint=4, skip=None):
    dogs = Watchdogs(spec)
    for k in range(ticks + 1):
        q = middle(spec)
        q[joint] += 0.0 if k == skip else error
        found = dogs.check(k * spec.dt, measured(spec), reference(q))
    return found


@pytest.mark.parametrize('joint', range(7))
@pytest.mark.parametrize(
    ('error', 'seconds', 'event'),
    [
        (0.09, 1.0, None),
        (0.11, 0.04, None),
        (-0.11, 0.06, Event.WARNING),
        (0.29, 1.0, Event.WARNING),
        (0.31, 0.09, Event.WARNING),
        (0.31, 0.11, Event.FAULT),
        (-0.31, 0.11, Event.FAULT),
    ],
)
def test_an_error_is_judged_by_its_size_and_time(spec, joint, error, seconds, event):
    found = events(spec, error, round(seconds / spec.dt), joint)
    assert [e for e, _ in found] == ([event] if event else [])
    if event:
        assert spec.names[joint] in found[0][1]
        assert f'{abs(error):.3f} rad' in found[0][1]


def test_the_time_begins_anew_when_the_joint_was_back(spec):
    assert [e for e, _ in events(spec, 0.31, 40, skip=20)] == [Event.WARNING]


def test_a_measurement_that_is_no_number_is_astray(spec):
    dogs = Watchdogs(spec)
    q = middle(spec)
    q[1] = np.nan
    for k in range(60):
        found = dogs.check(k * spec.dt, measured(spec, q=q), reference(middle(spec)))
    assert Event.FAULT in [e for e, _ in found]
