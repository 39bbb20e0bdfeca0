# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Kinematics and gravity of the OpenArm against published values and an independent chain."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from vla_control.core.config import share_path
from vla_control.core.errors import ConfigError
from vla_control.core.spec import load_robot
from vla_control.robots.description import load_urdf
from vla_control.robots.dynamics import RobotDynamics

REFERENCE = yaml.safe_load(
    (Path(__file__).parents[1] / 'data' / 'openarm_reference.yaml').read_text()
)
BOTH_FINGERS = 2 * 0.036025453433  # [kg]


def names(side):
    arm = [f'openarm_{side}_joint{i}' for i in range(1, 8)]
    return [*arm, f'openarm_{side}_finger_joint1']


def dynamics(side, arm=None):
    urdf = load_urdf(share_path('urdf', 'openarm.urdf.xacro'), {'arm': arm or side})
    return RobotDynamics(urdf, names(side))


def with_finger(q, opening=0.0):
    return np.array([*q, opening])


def rpy_matrix(rpy):
    (cr, cp, cy), (sr, sp, sy) = np.cos(rpy), np.sin(rpy)
    return np.array(
        [
            [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
            [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
            [-sp, cp * sr, cp * cr],
        ]
    )


def turn_matrix(axis, angle):
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def chain_tcp(side, q):
    """Multiply the joint frames out, without any library."""
    mount = REFERENCE['mounts'][side]
    position, rotation = np.array(mount['xyz']), rpy_matrix(mount['rpy'])
    for joint, angle in zip(REFERENCE['joints'][side], q, strict=True):
        position = position + rotation @ joint['xyz']
        rotation = rotation @ rpy_matrix(joint['rpy']) @ turn_matrix(joint['axis'], angle)
    return position + rotation @ REFERENCE['tcp'], rotation


def matrix(quaternion):
    w, x, y, z = quaternion
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


@pytest.mark.parametrize('case', REFERENCE['poses'], ids=lambda c: f'{c["arm"]}-{c["q"]}')
def test_published_poses_are_met_to_their_rounding(case):
    position, quaternion = dynamics(case['arm']).forward_kinematics(
        with_finger(case['q']), f'openarm_{case["arm"]}_hand_tcp'
    )
    x, y, z, w = case['quat_xyzw']
    assert np.abs(position - case['xyz']).max() < 0.5e-5 + 1e-6
    assert np.abs(quaternion @ [w, x, y, z]) == pytest.approx(1.0, abs=2e-5)


@pytest.mark.parametrize('side', ['right', 'left'])
def test_kinematics_equal_the_chain_multiplied_out(side):
    rng = np.random.default_rng(7)
    robot = dynamics(side, arm='both')
    limits = np.array([(j['lower'], j['upper']) for j in REFERENCE['joints'][side]])
    for _ in range(50):
        q = rng.uniform(limits[:, 0], limits[:, 1])
        wanted, rotation = chain_tcp(side, q)
        position, quaternion = robot.forward_kinematics(with_finger(q), f'openarm_{side}_hand_tcp')
        assert np.abs(position - wanted).max() < 1e-9
        assert np.abs(matrix(quaternion) - rotation).max() < 1e-9


@pytest.mark.parametrize('case', REFERENCE['gravity'], ids=lambda c: str(c['q']))
def test_published_gravity_torques_of_the_right_arm_are_met(case):
    torque = dynamics('right').gravity(with_finger(case['q']))
    assert np.abs(torque[:7] - case['torque']).max() < 1e-3


@pytest.mark.parametrize(
    'case', [c for c in REFERENCE['poses'] if 'gravity' in c], ids=lambda c: f'{c["arm"]}'
)
def test_published_gravity_torques_of_slanted_poses_are_met(case):
    torque = dynamics(case['arm'], arm='both').gravity(with_finger(case['q']))
    assert np.abs(torque[:7] - case['gravity']).max() < 1e-3


def test_the_second_finger_follows_the_first():
    robot = dynamics('right')
    q = with_finger([0.0, 0.1, 0.0, 1.2, 0.0, 0.0, 0.2])
    for link, direction in (('right_finger', -1.0), ('left_finger', 1.0)):
        shut, _ = robot.forward_kinematics(q, f'openarm_right_{link}')
        opened, turned = robot.forward_kinematics(
            with_finger(q[:7], 0.03), f'openarm_right_{link}'
        )
        assert np.allclose(opened - shut, direction * 0.03 * matrix(turned)[:, 1], atol=1e-12)


def test_a_finger_force_counts_both_fingers():
    robot = dynamics('right')
    q, a = with_finger([0.0] * 7), with_finger([0.0] * 7, 2.0)
    force = robot.inverse(q, np.zeros(8), a) - robot.gravity(q)
    assert force[7] == pytest.approx(2.0 * BOTH_FINGERS, rel=1e-6)


def test_inverse_dynamics_of_rest_is_gravity_even_after_motion():
    robot, rng = dynamics('right'), np.random.default_rng(3)
    q = with_finger(rng.uniform(-0.5, 0.5, size=7), 0.02)
    still = robot.gravity(q)
    moving = robot.inverse(q, rng.normal(size=8), rng.normal(size=8))
    assert np.abs(moving - still).max() > 0.01
    assert np.allclose(robot.inverse(q, np.zeros(8), np.zeros(8)), still, atol=1e-12)
    assert np.array_equal(robot.gravity(q), still)


def test_gravity_is_the_slope_of_the_potential_energy():
    robot = dynamics('right')
    q = with_finger([0.3, 0.2, -0.4, 1.3, 0.5, -0.2, 0.4], 0.01)
    velocity = np.array([0.1, -0.2, 0.3, 0.1, 0.2, -0.1, 0.3, 0.0])
    # Power needed to move slowly along v equals the gain of potential energy per second.
    h, energy = 1e-5, []
    for step in (-h, h):
        at = q + step * velocity
        energy.append(
            sum(
                mass * 9.81 * centre_height(robot, at, link, com)
                for link, (mass, com) in LINKS.items()
            )
        )
    gain = (energy[1] - energy[0]) / (2 * h)
    assert robot.gravity(q) @ velocity == pytest.approx(gain, abs=1e-5)


LINKS = {  # masses [kg] and centres [m] of what moves, from the vendor's description
    'openarm_right_link1': (1.14166846462, (0.001146765791, 0.000033199877, 0.053952843807)),
    'openarm_right_link2': (0.277509274601, (0.008396291824, -0.000000020145, 0.032566493005)),
    'openarm_right_link3': (1.073863338202, (-0.0021047521, 0.000554908504, 0.088474705457)),
    'openarm_right_link4': (0.559853456683, (-0.002900683107, -0.030305758266, 0.063396374222)),
    'openarm_right_link5': (0.550658802617, (-0.003049665024, 0.000886690246, 0.043079803025)),
    'openarm_right_link6': (0.385202773188, (-0.037136587005, 0.000332305283, -0.000094983745)),
    'openarm_right_link7': (0.385977132738, (0.000068755103, 0.012661752508, 0.0695194541)),
    'openarm_right_hand': (0.3, (0.0, 0.002, 0.019)),
    'openarm_right_left_finger': (0.036025453433, (0.0064528, 0.01702, 0.0219685)),
    'openarm_right_right_finger': (0.036025453433, (0.0064528, -0.01702, 0.0219685)),
}


def centre_height(robot, q, link, com):
    position, quaternion = robot.forward_kinematics(q, link)
    return (position + matrix(quaternion) @ com)[2]


def test_the_configured_limits_are_the_urdf_s():
    spec = load_robot('openarm')
    for joint, known in zip(spec.joints, REFERENCE['joints']['right'], strict=False):
        assert (joint.lower, joint.upper) == (known['lower'], known['upper'])


def test_a_joint_that_is_not_there_is_named():
    urdf = load_urdf(share_path('urdf', 'openarm.urdf.xacro'), {'arm': 'right'})
    with pytest.raises(ConfigError, match='openarm_left_joint1'):
        RobotDynamics(urdf, ['openarm_left_joint1'])


def test_a_link_that_is_not_there_is_named():
    with pytest.raises(ConfigError, match='hand_of_god'):
        dynamics('right').forward_kinematics(np.zeros(8), 'hand_of_god')


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(ConfigError, match=r'nowhere\.xacro'):
        load_urdf(Path('nowhere.xacro'), {})
