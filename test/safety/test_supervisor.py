# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Every pair of mode and event, and what a fault leaves behind."""

import itertools

import pytest

from vla_control.safety.supervisor import Event, Mode, Supervisor, TRANSITIONS

MOVES = {
    (Mode.UNCONFIGURED, Event.ALIGNED): Mode.HOLD,
    (Mode.HOLD, Event.RESUME): Mode.READY,
    (Mode.HOLD, Event.DEACTIVATE): Mode.UNCONFIGURED,
    (Mode.READY, Event.FRESH_COMMAND): Mode.RUN,
    (Mode.READY, Event.HOLD): Mode.HOLD,
    (Mode.READY, Event.RELEASED): Mode.HOLD,
    (Mode.READY, Event.FEEDBACK_LATE): Mode.HOLD,
    (Mode.READY, Event.DEACTIVATE): Mode.UNCONFIGURED,
    (Mode.RUN, Event.HOLD): Mode.STOPPING,
    (Mode.RUN, Event.STARVED): Mode.STOPPING,
    (Mode.RUN, Event.RELEASED): Mode.STOPPING,
    (Mode.RUN, Event.FEEDBACK_LATE): Mode.STOPPING,
    (Mode.RUN, Event.DEACTIVATE): Mode.STOPPING,
    (Mode.STOPPING, Event.STOPPED): Mode.HOLD,
    (Mode.FAULT, Event.RESET): Mode.HOLD,
}
PATHS = {
    Mode.UNCONFIGURED: [],
    Mode.HOLD: [Event.ALIGNED],
    Mode.READY: [Event.ALIGNED, Event.RESUME],
    Mode.RUN: [Event.ALIGNED, Event.RESUME, Event.FRESH_COMMAND],
    Mode.STOPPING: [Event.ALIGNED, Event.RESUME, Event.FRESH_COMMAND, Event.HOLD],
    Mode.FAULT: [Event.FAULT],
}
PAIRS = list(itertools.product(Mode, Event))


def supervisor_in(mode):
    supervisor = Supervisor()
    for event in PATHS[mode]:
        supervisor.handle(event, 1.0)
    assert supervisor.mode is mode
    return supervisor


@pytest.mark.parametrize(('mode', 'event'), PAIRS, ids=lambda x: x.name)
def test_every_pair_leads_where_the_design_says(mode, event):
    expected = MOVES.get((mode, event), mode)
    if event in (Event.FAULT, Event.E_STOP):
        expected = Mode.FAULT
    supervisor = supervisor_in(mode)
    assert supervisor.handle(event, 2.0, 'because') is expected
    assert supervisor.mode is expected


def test_the_table_names_every_pair():
    assert set(TRANSITIONS) == set(PAIRS)


def test_motion_is_reached_only_through_a_resume_and_then_a_fresh_command():
    into_run = [pair for pair, mode in TRANSITIONS.items() if mode is Mode.RUN]
    assert {pair for pair in into_run if pair[0] is not Mode.RUN} == {
        (Mode.READY, Event.FRESH_COMMAND)
    }
    into_ready = [pair for pair, mode in TRANSITIONS.items() if mode is Mode.READY]
    assert {pair for pair in into_ready if pair[0] is not Mode.READY} == {
        (Mode.HOLD, Event.RESUME)
    }


def test_only_a_reset_leaves_a_fault_and_it_leads_to_hold():
    leaving = {e: TRANSITIONS[Mode.FAULT, e] for e in Event if e is not Event.RESET}
    assert set(leaving.values()) == {Mode.FAULT}
    assert TRANSITIONS[Mode.FAULT, Event.RESET] is Mode.HOLD


def test_a_reset_without_healthy_feedback_is_refused_with_both_reasons():
    supervisor = supervisor_in(Mode.RUN)
    supervisor.handle(Event.FAULT, 2.0, 'winding at 121 deg C')
    mode = supervisor.handle(Event.RESET, 3.0, 'joint 3 silent', healthy=False)
    assert mode is Mode.FAULT
    assert 'winding at 121 deg C' in supervisor.reason
    assert 'joint 3 silent' in supervisor.reason
    supervisor.handle(Event.RESET, 4.0, 'joint 3 silent', healthy=False)
    assert supervisor.reason.count('joint 3 silent') == 1


def test_the_first_fault_is_kept_with_its_time_until_the_reset():
    supervisor = supervisor_in(Mode.RUN)
    supervisor.handle(Event.FAULT, 2.0, 'first')
    supervisor.handle(Event.E_STOP, 3.0, 'second')
    supervisor.handle(Event.FAULT, 4.0, 'third')
    assert (supervisor.fault.time, supervisor.fault.reason) == (2.0, 'first')
    assert supervisor.reason == 'first'
    assert supervisor.faults == 3
    supervisor.handle(Event.RESET, 5.0, 'reset', healthy=True)
    assert supervisor.fault is None
    supervisor.handle(Event.E_STOP, 6.0, 'again')
    assert (supervisor.fault.time, supervisor.fault.event) == (6.0, Event.E_STOP)


def test_an_event_that_changes_nothing_leaves_the_reason_alone():
    supervisor = supervisor_in(Mode.RUN)
    supervisor.handle(Event.HOLD, 2.0, 'operator')
    supervisor.handle(Event.STARVED, 3.0, 'no commands')
    supervisor.handle(Event.WARNING, 3.0, 'warm')
    assert supervisor.reason == 'operator'
    assert supervisor.since == 2.0


def test_it_reads_as_the_topic_shows_it():
    supervisor = supervisor_in(Mode.HOLD)
    supervisor.handle(Event.FAULT, 2.0, 'blocked')
    assert str(supervisor) == 'FAULT: blocked'
