# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The ideal mirror and its script of faults."""

import numpy as np
import pytest

from vla_control.core.errors import BusError, ConfigError, RobotError
from vla_control.core.messages import JointCommand, MotorStatus
from vla_control.core.spec import load_robot
from vla_control.robots.mock import FaultKind, Mock, MockFault

SPEC = load_robot('openarm')
DT = SPEC.dt
HOME = np.array(SPEC.home)


def started(**options):
    mock = Mock(SPEC, **options)
    mock.connect(0.0)
    mock.enable(0.0)
    return mock


def move(q, v=0.0):
    return JointCommand(q=q, v=np.full(8, v), a=np.zeros(8))


def test_what_is_commanded_is_measured_one_tick_later():
    mock = started()
    mock.write(move(HOME + 0.01, v=0.3), 0.0)
    assert np.array_equal(mock.read(0.0).q, HOME)
    state = mock.read(DT)
    assert np.array_equal(state.q, HOME + 0.01)
    assert np.array_equal(state.v, np.full(8, 0.3))


def test_a_lag_covers_63_percent_in_its_time_constant():
    mock = started(lag=0.1)
    mock.write(move(HOME + 0.01), 0.0)
    for k in range(1, 26):
        state = mock.read(k * DT)
    np.testing.assert_allclose(state.q - HOME, 0.01 * (1 - np.exp(-1.0)), rtol=1e-9)


def test_a_stuck_encoder_answers_the_same_in_motion_until_its_time_is_over():
    fault = MockFault(kind=FaultKind.STUCK, joint=SPEC.names[2], start=0.1, end=0.2)
    mock = started(faults=[fault])
    seen = []
    for k in range(1, 76):
        mock.write(move(HOME + 0.0001 * k, v=0.025), (k - 1) * DT)
        seen.append(mock.read(k * DT))
    stuck = {(s.q[2], s.v[2]) for s in seen if 0.1 <= s.stamp < 0.2}
    assert len(stuck) == 1
    assert len({s.q[1] for s in seen}) == 75
    assert max(s.age.max() for s in seen) == 0.0
    assert seen[-1].q[2] == seen[-1].q[1] - HOME[1] + HOME[2]


def test_a_hot_motor_reports_its_temperature():
    mock = started(
        faults=[MockFault(kind=FaultKind.HOT, joint=SPEC.names[4], temperature=95.0, start=1.0)]
    )
    assert mock.read(0.9).temperature.max() < 40.0
    assert mock.read(1.0).temperature[4] == 95.0
    assert mock.read(1.0).temperature[3] < 40.0


def test_a_status_stays_after_its_cause_until_it_is_cleared():
    fault = MockFault(
        kind=FaultKind.STATUS,
        joint=SPEC.names[0],
        start=1.0,
        end=1.1,
        status=MotorStatus.DRIVE_HOT,
    )
    mock = started(faults=[fault])
    mock.read(1.05)
    with pytest.raises(RobotError, match='drive over temperature'):
        mock.clear_faults(1.06)
    assert mock.read(2.0).status[0] is MotorStatus.DRIVE_HOT
    mock.clear_faults(2.1)
    assert mock.read(2.2).status == (MotorStatus.ENABLED,) * 8


def test_a_bus_fault_raises_on_writing_and_heals():
    mock = started(faults=[MockFault(kind=FaultKind.BUS, start=1.0, end=2.0)])
    with pytest.raises(BusError):
        mock.write(move(HOME), 1.5)
    mock.write(move(HOME), 2.0)
    assert mock.read(2.0).age.max() == 0.0


def test_a_fault_of_a_joint_that_is_not_there_is_refused():
    with pytest.raises(ConfigError, match='elbow'):
        Mock(SPEC, faults=[MockFault(kind=FaultKind.SILENT, joint='elbow')])
