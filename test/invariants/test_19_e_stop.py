# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Invariant 19, at the supervisor: an e-stop latches from every mode and survives everything."""

import itertools

import numpy as np
import pytest

from vla_control.safety.supervisor import Event, Mode, Supervisor

OTHERS = [event for event in Event if event is not Event.RESET]


@pytest.mark.parametrize('before', list(itertools.product(OTHERS, repeat=2)), ids=str)
def test_an_e_stop_after_anything_is_a_fault_at_once(before):
    supervisor = Supervisor()
    for event in before:
        supervisor.handle(event, 0.0)
    assert supervisor.handle(Event.E_STOP, 1.0, 'button') is Mode.FAULT


def test_nothing_but_a_healthy_reset_ends_it_and_that_does_not_move(spec):
    rng = np.random.default_rng(0)
    for _ in range(300):
        supervisor = Supervisor()
        for event in (Event.ALIGNED, Event.RESUME, Event.FRESH_COMMAND, Event.E_STOP):
            supervisor.handle(event, 0.0, event.value)
        for i in rng.integers(len(OTHERS), size=30):
            assert supervisor.handle(OTHERS[i], 1.0) is Mode.FAULT
        assert supervisor.handle(Event.RESET, 2.0, healthy=False) is Mode.FAULT
        assert supervisor.fault.reason == 'e-stop'
        assert supervisor.handle(Event.RESET, 3.0, healthy=True) is Mode.HOLD
        assert supervisor.handle(Event.FRESH_COMMAND, 4.0) is Mode.HOLD
