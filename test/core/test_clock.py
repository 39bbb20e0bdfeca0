# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Virtual time."""

from vla_control.core.clock import ManualClock


def test_waiting_moves_the_time_forward_and_never_back():
    clock = ManualClock(2.0)
    clock.sleep_until(3.0)
    clock.sleep_until(1.0)
    assert clock.now() == 3.0


def test_a_world_may_live_through_a_wait_and_move_the_clock_itself():
    lived = []

    def live(seconds):
        lived.append(seconds)
        clock.advance(seconds / 2)
        lived.append(clock.now())

    clock = ManualClock(1.0, wait=live)
    clock.sleep_until(2.0)
    assert lived == [1.0, 1.5]
    assert clock.now() == 2.0
    clock.sleep_until(2.0)
    assert len(lived) == 2
