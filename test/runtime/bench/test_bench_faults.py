# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Faults of the chunk bench: drawn from the seed alone, and what they say they are."""

import math

import numpy as np
import pytest

from vla_control.runtime.bench.faults import CLOCK_STEP, Fault, trouble
from vla_control.runtime.bench.setting import Setting, sines
from vla_control.runtime.bench.source import Client

SETTING = Setting(seconds=8.0)
JOINTS = 3


def answers(fault, seed=0, delay=0.1):
    """Ask on schedule and return all that came, with the number of requests."""
    bad = trouble(fault, SETTING.warm_up + SETTING.seconds, seed)
    client = Client(SETTING, sines(SETTING, JOINTS, seed), delay, bad)
    out = []
    for now in SETTING.policy_times.tolist():
        client.ask(now, 0)
        out += client.arrived(now)
    return out


@pytest.mark.parametrize('fault', list(Fault))
def test_the_same_seed_gives_the_same_trouble(fault):
    one, two = answers(fault, seed=5), answers(fault, seed=5)
    assert [a.arrival for a in one] == [a.arrival for a in two]
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a.points, b.points)


@pytest.mark.parametrize('fault', [Fault.JITTER, Fault.DROP, Fault.REORDER, Fault.NAN])
def test_another_seed_gives_other_trouble(fault):
    def print_of(seed):
        return [(a.arrival, bool(np.isnan(a.points).any())) for a in answers(fault, seed)]

    assert len({tuple(print_of(seed)) for seed in range(4)}) > 1


def test_without_a_fault_every_request_is_answered_after_the_delay():
    came = answers(Fault.NONE)
    assert [round(a.arrival - a.asked, 9) for a in came] == [0.1] * len(came)
    assert np.diff([a.asked for a in came]) == pytest.approx(0.4)


def test_a_request_waits_for_the_answer_before():
    came = answers(Fault.NONE, delay=0.5)
    assert np.diff([a.asked for a in came]) == pytest.approx(0.5)


def test_drops_are_lost_and_the_others_are_not_late():
    came = answers(Fault.DROP)
    assert 0 < len(came) < len(answers(Fault.NONE))
    assert {round(a.arrival - a.asked, 9) for a in came} == {0.1}


def test_reordered_answers_overtake_each_other():
    assert any(np.diff([a.asked for a in answers(Fault.REORDER)]) < 0)
    assert not any(np.diff([a.asked for a in answers(Fault.JITTER)]) < 0)


def test_a_dead_server_answers_no_more():
    came = answers(Fault.SERVER_DEATH)
    assert 0 < max(a.arrival for a in came) < 5.0


def test_some_chunks_hold_one_nan():
    counts = {int(np.isnan(a.points).sum()) for a in answers(Fault.NAN)}
    assert counts == {0, 1}


def test_a_frozen_camera_repeats_one_instant_and_recovers():
    came = answers(Fault.CAMERA_FREEZE)
    stale = [a for a in came if a.captured != a.asked]
    assert stale
    assert {a.captured for a in stale} == {5.0}
    assert came[-1].captured == came[-1].asked


def test_the_clock_jumps_once_and_goes_on():
    bad = trouble(Fault.CLOCK_JUMP, 10.0, 0)
    assert bad.clock(4.999) == 4.999
    assert bad.clock(5.0) == 5.0 + CLOCK_STEP
    assert bad.clock(6.0) - bad.clock(5.5) == pytest.approx(0.5)
    assert trouble(Fault.NONE, 10.0, 0).clock(9.0) == 9.0


def test_only_what_never_ends_excuses_an_error():
    excused = {f for f in Fault if trouble(f, 10.0, 0).followable_until < math.inf}
    assert excused == {Fault.SERVER_DEATH, Fault.CLOCK_JUMP}
