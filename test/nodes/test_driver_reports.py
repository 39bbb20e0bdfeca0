# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""A driver says which arm is behind which bus, as two with swapped paths connect as well."""

import motions
import pytest

pytest.importorskip('rclpy')

from vla_control.core.spec import load_robot
from vla_control.nodes.driver_reports import DriverReports, where
from vla_control.runtime.control import ControlSnapshot
from vla_control.safety.supervisor import Mode

pytestmark = pytest.mark.ros


def bus_report(robot, hardware):
    spec = load_robot(robot)
    snapshot = ControlSnapshot(
        time=1.0,
        mode=Mode.HOLD,
        reason='holding',
        measured=motions.measured(spec),
        commanded=None,
        served=0,
        passed=0,
        limited=0,
        warnings=(),
    )
    found = DriverReports(spec, object(), hardware).of(snapshot, None, 1.0, 0)
    return next(report for report in found if report.name == 'bus')


def test_a_pair_reports_where_each_arm_is():
    values = bus_report('dk1_bimanual', 'real').values
    assert values['left arm at'] == '/dev/serial/by-path/left'
    assert values['right arm at'] == '/dev/serial/by-path/right'
    said = where(load_robot('openarm_bimanual'), 'real')
    assert said == 'left arm at can1, right arm at can0'


def test_one_arm_and_a_mirror_have_no_sides_to_tell_apart():
    assert where(load_robot('dk1'), 'real') == where(load_robot('dk1_bimanual'), 'mock') == ''
    assert not any('arm at' in key for key in bus_report('dk1', 'real').values)
