# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The control loop keeps its deadlines, counts what it missed and never bursts."""

import threading

import pytest

from vla_control.core.clock import ManualClock, SteadyClock
from vla_control.core.errors import ConfigError
from vla_control.runtime.loop import ControlLoop


def looped(tick, clock, ticks, **options):
    loop = ControlLoop(tick, 0.25, clock, **options)
    loop.run(ticks)
    return loop


def test_ticks_fall_on_absolute_deadlines():
    times = []
    loop = looped(times.append, ManualClock(10.0), 4)
    assert times == [10.25, 10.5, 10.75, 11.0]
    assert loop.statistics().missed == 0


def test_work_shorter_than_a_period_does_not_move_the_deadlines():
    clock, times = ManualClock(), []

    def tick(now):
        times.append(now)
        clock.advance(0.1)

    loop = looped(tick, clock, 3)
    assert times == [0.25, 0.5, 0.75]
    assert loop.statistics().work_p50 == pytest.approx(0.1)


def test_an_overrun_is_counted_and_skipped_not_made_up():
    clock, times = ManualClock(), []

    def tick(now):
        times.append(now)
        if len(times) == 2:
            clock.advance(0.9)

    loop = looped(tick, clock, 4)
    assert times == [0.25, 0.5, 1.5, 1.75]
    assert loop.statistics().missed == 3


def test_the_statistics_say_how_late_ticks_were():
    class SleepyClock(ManualClock):
        """Wakes 10 ms late every time."""

        def sleep_until(self, deadline):
            super().sleep_until(deadline + 0.01)

    statistics = looped(lambda now: None, SleepyClock(), 50, samples=8).statistics()
    assert statistics.ticks == 50
    assert statistics.late_p50 == pytest.approx(0.01)
    assert statistics.late_max == pytest.approx(0.01)


def test_statistics_of_a_loop_that_never_ran_are_zero():
    statistics = ControlLoop(lambda now: None, 0.1, ManualClock()).statistics()
    assert (statistics.ticks, statistics.late_max) == (0, 0.0)


def test_a_thread_runs_until_it_is_stopped():
    seen = threading.Event()
    loop = ControlLoop(lambda now: seen.set(), 0.001, SteadyClock())
    loop.start()
    assert seen.wait(5.0)
    assert loop.running
    assert loop.stop(5.0)
    assert not loop.running


def test_a_tick_that_raises_ends_the_loop_and_calls_for_a_safe_action(monkeypatch):
    monkeypatch.setattr(threading, 'excepthook', lambda args: None)
    safe = threading.Event()

    def tick(now):
        raise ValueError('broken')

    loop = ControlLoop(tick, 0.001, SteadyClock(), on_failure=lambda now: safe.set())
    loop.start()
    assert safe.wait(5.0)
    assert loop.stop(5.0)
    assert isinstance(loop.failure, ValueError)


@pytest.mark.parametrize('options', [{'period': 0.0}, {'priority': 100}, {'samples': 0}])
def test_numbers_out_of_range_are_refused(options):
    arguments = {'period': 0.1, 'priority': 0, 'samples': 8} | options
    period = arguments.pop('period')
    with pytest.raises(ConfigError, match='must be > 0'):
        ControlLoop(lambda now: None, period, ManualClock(), **arguments)


def test_a_phase_puts_the_deadlines_on_the_clocks_own_grid():
    times = []
    looped(times.append, ManualClock(10.1), 3, phase=-0.125)
    assert times == [10.125, 10.375, 10.625]
