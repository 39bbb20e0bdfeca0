# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Stamps mean the same instant on both clocks, and a clock that is set is noticed."""

import time

import pytest

pytest.importorskip('rclpy')

from rclpy.clock import Clock
from rclpy.time import Time

from vla_control.nodes.stamps import seconds, StampClock, to_msg

pytestmark = pytest.mark.ros


class SetClock:
    """The steady clock and an offset somebody can change."""

    def __init__(self, offset):
        self.offset = offset

    def now(self):
        return Time(nanoseconds=round((time.monotonic() + self.offset) * 1e9))


def test_a_stamp_comes_back_as_it_went():
    assert seconds(to_msg(1234567890.25)) == 1234567890.25
    assert to_msg(0.9999999999).sec == 1


def test_an_instant_is_the_same_on_both_clocks():
    stamps = StampClock(SetClock(1000.0))
    assert stamps.ros(5.0) == pytest.approx(1005.0, abs=1e-3)
    assert stamps.steady(stamps.msg(5.0)) == 5.0
    assert stamps.steady(stamps.msg(4029.718848032)) == 4029.718848032, 'to the nanosecond'


def test_the_system_clock_is_read_to_better_than_a_millisecond():
    stamps = StampClock(Clock())
    assert stamps.ros(time.monotonic()) == pytest.approx(time.time(), abs=5e-3)


@pytest.mark.parametrize(('step', 'reported'), [(0.0, False), (0.05, False), (-30.0, True)])
def test_only_a_jump_is_reported_but_every_step_is_followed(step, reported):
    clock = SetClock(1000.0)
    stamps = StampClock(clock)
    clock.offset += step
    assert bool(stamps.watch()) is reported
    assert stamps.ros(0.0) == pytest.approx(1000.0 + step, abs=1e-3)
    assert stamps.watch() == 0.0


def test_simulated_time_is_read_each_time():
    clock = SetClock(0.0)
    stamps = StampClock(clock, simulated=True)
    clock.offset = -500.0
    assert stamps.ros(0.0) == pytest.approx(-500.0, abs=1e-3)
    assert stamps.watch() == 0.0
