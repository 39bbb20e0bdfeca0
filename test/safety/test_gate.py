# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""What the gate promises beside the invariants."""

from motions import middle, reference, Swing
import numpy as np
import pytest

from vla_control.core.errors import ConfigError, RobotError
from vla_control.core.spec import load_robot
from vla_control.safety.gate import Gate

SPEC = load_robot('openarm')


def started():
    gate = Gate(SPEC)
    gate.reset(middle(SPEC))
    return gate


def test_nothing_can_be_asked_before_the_pose_is_known():
    gate = Gate(SPEC)
    with pytest.raises(RobotError, match='reset'):
        gate.step(reference(middle(SPEC)))


@pytest.mark.parametrize('pose', [np.zeros(3), np.full(8, np.nan), np.full(8, np.inf)])
def test_a_start_needs_a_whole_measured_pose(pose):
    with pytest.raises(RobotError, match='finite'):
        Gate(SPEC).reset(pose)


@pytest.mark.parametrize('scale', [0.0, -1.0, 1.5, np.nan])
def test_a_velocity_scale_outside_its_range_is_refused(scale):
    with pytest.raises(ConfigError, match='velocity_scale'):
        started().velocity_scale = scale


@pytest.mark.parametrize('dt', [0.0, -0.004, np.nan])
def test_a_period_must_be_positive(dt):
    with pytest.raises(ConfigError, match='period'):
        Gate(SPEC, dt)


def test_what_is_sent_cannot_be_changed_afterwards():
    gate = started()
    sent = gate.step(None)
    with pytest.raises(ValueError, match='read-only'):
        sent.q[0] = 1.0


def test_a_reference_changed_by_its_owner_after_passing_does_not_change_the_record():
    """The arrays of a message are read-only; one that is not must not become a back door."""
    gate = started()
    asked = reference(middle(SPEC))
    asked.q.setflags(write=True)
    gate.step(asked)
    asked.q[:] += 0.5
    sent = gate.step(None)
    assert np.array_equal(sent.q, middle(SPEC))


def test_every_tick_is_counted_once_and_the_reason_is_of_the_last():
    gate = started()
    here, far = reference(middle(SPEC)), reference(middle(SPEC) + 0.1)
    gate.step(here)
    assert (gate.passed, gate.limited, gate.stopped, gate.reason) == (1, 0, 0, '')
    gate.step(far)
    assert (gate.passed, gate.limited, gate.stopped) == (1, 1, 0)
    assert 'limited' in gate.reason and any(name in gate.reason for name in SPEC.names)
    gate.step(None)
    assert (gate.passed, gate.limited, gate.stopped) == (1, 1, 1)
    assert 'verified stop' in gate.reason


def test_a_rest_is_told_from_a_turning_point():
    gate = started()
    assert gate.at_rest
    gate.step(reference(middle(SPEC) + 0.1))
    assert not gate.at_rest
    while not gate.at_rest:
        gate.step(None)
    assert not gate.state.v.any() and not gate.state.a.any()


def test_the_sent_sample_carries_the_stamp_of_its_reference_or_the_next_tick():
    gate = started()
    gate.reset(middle(SPEC), stamp=10.0)
    assert gate.step(None).stamp == pytest.approx(10.0 + SPEC.dt)
    assert gate.step(reference(middle(SPEC) + 0.1, stamp=20.0)).stamp == 20.0


def test_a_second_reset_forgets_the_first_motion():
    gate = started()
    swing = Swing(SPEC, 0.5)
    for k in range(50):
        gate.step(swing.at(k * SPEC.dt))
    gate.reset(swing.centre)
    fresh = started()
    for k in range(50):
        assert np.array_equal(gate.step(swing.at(k * 0.004)).q, fresh.step(swing.at(k * 0.004)).q)
