# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""A reference published at one phase and consumed at another is the same motion."""

from dataclasses import replace

import numpy as np
import pytest

from vla_control.actions.stream import ReferenceStream
from vla_control.core.messages import Reference

DT = 0.004


def sine(t, frequency=0.5, size=0.4):
    w = 2 * np.pi * frequency
    shift = np.arange(3)
    s, c = np.sin(w * t + shift), np.cos(w * t + shift)
    return Reference(stamp=t, q=size * s, v=size * w * c, a=-size * w * w * s)


def filled(count=8, start=1.0):
    stream = ReferenceStream(DT)
    for k in range(count):
        assert stream.put(sine(start + k * DT))
    return stream


@pytest.mark.parametrize('start', [0.0, 1.7e9], ids=['virtual time', 'ros time'])
@pytest.mark.parametrize('seed', range(5))
def test_a_sine_survives_any_phase(start, seed):
    rng = np.random.default_rng(seed)
    phase = rng.uniform(0, DT)
    stream = ReferenceStream(DT)
    lead = DT
    worst = np.zeros(3)
    for k in range(500):
        now = start + k * DT
        stream.put(replace(sine(k * DT + lead), stamp=now + lead))
        asked = now + phase
        got = stream.sample(asked)
        if k < 2:
            continue
        true = sine(asked - start)
        worst = np.maximum(
            worst,
            [
                np.abs(got.q - true.q).max(),
                np.abs(got.v - true.v).max(),
                np.abs(got.a - true.a).max(),
            ],
        )
    quantum = 2.4e-7 if start else 0.0  # [s] spacing of float64 in ROS time
    assert worst[0] < 1e-11 + 2 * quantum
    assert worst[1] < 1e-8 + 1e3 * quantum
    assert worst[2] < 1e-6 + 1e6 * quantum


def test_a_stored_sample_comes_back_itself():
    stream = filled()
    wanted = sine(1.0 + 3 * DT)
    stream = ReferenceStream(DT)
    stream.put(sine(1.0))
    stream.put(wanted)
    stream.put(sine(1.0 + 7 * DT))
    assert stream.sample(wanted.stamp) is wanted


def test_before_the_first_sample_there_is_nothing():
    assert ReferenceStream(DT).sample(1.0) is None
    assert filled().sample(0.9999) is None


def test_it_goes_on_for_three_periods_and_no_longer():
    stream = filled(start=1.0)
    last = sine(1.0 + 7 * DT)
    ahead = stream.sample(last.stamp + 3 * DT)
    np.testing.assert_array_equal(ahead.a, last.a)
    np.testing.assert_allclose(ahead.q, sine(last.stamp + 3 * DT).q, atol=4e-6)
    assert stream.sample(last.stamp + 3.01 * DT) is None


@pytest.mark.parametrize('row', ['q', 'v', 'a'])
@pytest.mark.parametrize('bad', [np.nan, np.inf])
def test_a_sample_that_is_not_finite_is_refused(row, bad):
    stream = filled()
    sample = sine(2.0)
    values = getattr(sample, row).copy()
    values[1] = bad
    before = stream.sample(1.02)
    assert not stream.put(replace(sample, **{row: values}))
    assert not stream.put(replace(sample, stamp=bad))
    assert stream.rejected == 2
    np.testing.assert_array_equal(stream.sample(1.02).q, before.q)


def test_stale_repeated_and_misshapen_samples_are_refused():
    stream = filled()
    assert not stream.put(sine(1.0))
    assert not stream.put(sine(1.0 + 7 * DT))
    odd = Reference(stamp=9.0, q=np.zeros(2), v=np.zeros(2), a=np.zeros(2))
    assert not stream.put(odd)
    assert stream.rejected == 3


def test_two_missing_samples_are_bridged():
    stream = ReferenceStream(DT)
    for k in (0, 1, 2, 5, 6):
        stream.put(sine(1.0 + k * DT))
    now = 1.0 + 3.4 * DT
    np.testing.assert_allclose(stream.sample(now).q, sine(now).q, atol=1e-9)


def test_a_long_gap_starts_the_stream_anew():
    stream = filled()
    stream.put(sine(3.0))
    assert stream.first_stamp == 3.0
    assert stream.sample(2.999) is None


def test_a_sample_of_the_far_future_does_not_shut_out_what_follows():
    stream = filled()
    stream.put(sine(1000.0))
    now = 1.0 + 8 * DT
    assert stream.sample(now) is None
    assert stream.rejected == 1
    assert stream.put(sine(now))
    assert stream.sample(now).stamp == now


def test_it_knows_its_first_and_last_stamp_and_can_forget():
    stream = filled(count=3)
    assert (stream.first_stamp, stream.last_stamp) == (1.0, 1.0 + 2 * DT)
    stream.clear()
    assert np.isnan(stream.first_stamp)
    assert stream.sample(1.0) is None
    assert stream.put(sine(0.5)), 'time may begin again after clear'


def test_it_keeps_only_a_little():
    stream = filled(count=100)
    assert stream.first_stamp > 1.0 + 80 * DT
