# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Kinematics, gravity and limits of the DK1 against the vendor's."""

from pathlib import Path

import numpy as np
import pytest
from transforms3d.quaternions import quat2mat
import yaml

from vla_control.core.spec import load_robot
from vla_control.robots.dynamics import RobotDynamics

REFERENCE = yaml.safe_load((Path(__file__).parents[1] / 'data' / 'dk1_reference.yaml').read_text())


@pytest.fixture(scope='module')
def spec():
    return load_robot('dk1')


@pytest.fixture(scope='module')
def robot(spec):
    return RobotDynamics.from_spec(spec)


@pytest.mark.parametrize('case', REFERENCE['poses'], ids=lambda c: str(c['q']))
def test_the_vendor_s_tool_poses_are_met_to_their_rounding(robot, case):
    position, quaternion = robot.forward_kinematics(np.array([*case['q'], 0.0]), 'tcp')
    assert np.abs(position - case['xyz']).max() < 1e-6
    assert np.abs(quat2mat(quaternion) - case['rotation']).max() < 1e-6


@pytest.mark.parametrize('case', REFERENCE['poses'], ids=lambda c: str(c['q']))
def test_the_vendor_s_gravity_torques_are_met_to_their_rounding(robot, case):
    torque = robot.gravity(np.array([*case['q'], 0.0]))
    assert np.abs(torque[:6] - case['gravity']).max() < 1e-5


def test_gravity_beyond_a_stop_stays_gravity(robot):
    case = REFERENCE['beyond_stop']
    torque = robot.gravity(np.array([*case['q'], 0.0]))
    assert torque[1] == pytest.approx(case['joint2'], abs=0.01)
    assert torque[2] == pytest.approx(case['joint3'], abs=0.01)


def test_the_configured_stops_are_the_vendor_s(spec):
    found = {j.name: [j.lower, j.upper] for j in spec.joints[:6]}
    assert found == REFERENCE['stops']
    gripper = spec.joints[6]
    assert (gripper.lower, gripper.upper) == (0.0, REFERENCE['finger_travel'])


def test_travel_opens_both_fingers(robot):
    pose = [0.0, 1.2, 1.2, -0.6, 0.3, 0.2]
    for finger, direction in (('finger_left', 1.0), ('finger_right', -1.0)):
        shut, _ = robot.forward_kinematics(np.array([*pose, 0.0]), finger)
        opened, turned = robot.forward_kinematics(np.array([*pose, 0.03]), finger)
        assert np.allclose(opened - shut, direction * 0.03 * quat2mat(turned)[:, 1], atol=1e-12)
