# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Kinematics, masses and limits of the G1 against the vendor's table, multiplied out."""

from pathlib import Path

import mujoco
import numpy as np
import pytest
from transforms3d.axangles import axangle2mat
from transforms3d.euler import euler2mat
from transforms3d.quaternions import quat2mat
import yaml

from vla_control.core.config import share_path
from vla_control.core.spec import load_robot
from vla_control.robots.description import load_urdf, robot_urdf
from vla_control.robots.dynamics import RobotDynamics

REFERENCE = yaml.safe_load((Path(__file__).parents[1] / 'data' / 'g1_reference.yaml').read_text())
JOINTS = [*REFERENCE['body'], *REFERENCE['left_hand'], *REFERENCE['right_hand']]
NAMES = [j['name'] for j in JOINTS]
LEGS = [-0.1, 0.0, 0.0, 0.3, -0.2, 0.0]


@pytest.fixture(scope='module')
def spec():
    return load_robot('g1')


@pytest.fixture(scope='module')
def free():
    urdf = load_urdf(share_path('urdf', 'g1.urdf.xacro'), {'body': 'free'})
    return RobotDynamics(urdf, NAMES)


def fixed_frames():
    frames = dict(REFERENCE['frames'])
    x, y, z = REFERENCE['palm']
    for side, mirror in (('left', 1.0), ('right', -1.0)):
        parent, place = f'{side}_wrist_yaw_link', [x, mirror * y, z]
        frames[f'{side}_hand_palm_link'] = {'parent': parent, 'xyz': place, 'rpy': [0, 0, 0]}
    return frames


def poses(q):
    """Multiply every frame out: link -> position and rotation in the pelvis."""
    found = {'pelvis': (np.zeros(3), np.eye(3))}
    angles = dict(zip(NAMES, q, strict=True))
    waiting = [(j['child'], j, angles[j['name']]) for j in JOINTS]
    waiting += [(name, {**f, 'axis': [1, 0, 0]}, 0.0) for name, f in fixed_frames().items()]
    while waiting:
        later = []
        for child, joint, angle in waiting:
            if joint['parent'] not in found:
                later.append((child, joint, angle))
                continue
            position, rotation = found[joint['parent']]
            turn = euler2mat(*joint['rpy']) @ axangle2mat(joint['axis'], angle)
            found[child] = (position + rotation @ joint['xyz'], rotation @ turn)
        waiting = later
    return found


def test_every_link_is_where_the_table_puts_it(free):
    rng = np.random.default_rng(3)
    low, high = (np.array([j[key] for j in JOINTS]) for key in ('lower', 'upper'))
    for _ in range(10):
        q = rng.uniform(low, high)
        for link, (position, rotation) in poses(q).items():
            here, quaternion = free.forward_kinematics(q, link)
            assert np.abs(here - position).max() < 1e-6
            assert np.abs(quat2mat(quaternion) - rotation).max() < 1e-6


def test_gravity_of_the_arms_is_the_slope_of_the_potential_energy(free):
    model = mujoco.MjModel.from_xml_string(
        load_urdf(share_path('urdf', 'g1.urdf.xacro'), {'body': 'free'})
    )
    rng = np.random.default_rng(5)
    q, velocity, h = rng.uniform(-0.5, 0.5, len(NAMES)), rng.normal(size=len(NAMES)), 1e-6

    def energy(at):
        total = 0.0
        for link, (position, rotation) in poses(at).items():
            body = model.body(link)
            total += float(body.mass[0]) * 9.81 * (position + rotation @ body.ipos)[2]
        head = model.body('head_link')  # fixed to the torso, and not in the table of joints
        position, rotation = poses(at)['torso_link']
        centre = position + rotation @ (np.array([0.0039635, 0.0, -0.044]) + head.ipos)
        logo = position + rotation @ np.array([0.0039635, 0.0, -0.044])
        return total + 9.81 * (float(head.mass[0]) * centre[2] + 0.001 * logo[2])

    slope = (energy(q + h * velocity) - energy(q - h * velocity)) / (2 * h)
    assert free.gravity(q) @ velocity == pytest.approx(slope, abs=1e-5)


def test_masses_and_inertias_are_the_vendor_s(spec):
    model = mujoco.MjModel.from_xml_string(robot_urdf(spec))
    for name, link in REFERENCE['links'].items():
        body = model.body(name)
        assert body.mass[0] == pytest.approx(link['mass'], rel=1e-9)
        assert np.abs(body.ipos - link['com']).max() < 1e-9
        xx, xy, xz, yy, yz, zz = link['inertia']
        wanted = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
        turn = quat2mat(body.iquat)
        assert np.allclose(turn @ np.diag(body.inertia) @ turn.T, wanted, rtol=1e-6, atol=1e-10)


def test_the_configured_stops_and_efforts_are_the_vendor_s(spec):
    known = {j['name']: j for j in JOINTS}
    for joint in spec.joints:
        vendor = known[joint.name]
        assert (joint.lower, joint.upper) == (vendor['lower'], vendor['upper'])
        assert joint.effort == vendor['effort']


def test_both_arms_and_hands_are_commanded_and_nothing_that_balances_the_robot(spec):
    assert set(spec.names) == {*NAMES[15:]}


def test_a_held_body_stands_as_a_free_one_at_the_same_angles(spec, free):
    assert spec.urdf_args['body'] == 'fixed'
    assert [float(x) for x in spec.urdf_args['legs'].split()] == LEGS
    held = RobotDynamics.from_spec(spec)
    legs = [*LEGS, *(a if i in (0, 3, 4) else -a for i, a in enumerate(LEGS))]
    q = np.array([*legs, *[0.0] * (len(NAMES) - 12)])
    for link in ('left_ankle_roll_link', 'right_knee_link', 'right_hand_index_1_link'):
        there, turned = free.forward_kinematics(q, link)
        here, quaternion = held.forward_kinematics(np.zeros(len(spec.names)), link)
        assert np.abs(here - there).max() < 1e-9
        assert np.abs(quaternion @ turned) == pytest.approx(1.0, abs=1e-9)


def test_held_joints_take_any_angle(spec):
    args = {'body': 'fixed', 'legs': '-0.3 0.2 -0.1 0.5 -0.2 0.1', 'waist': '0.4 0.0 0.0'}
    urdf = load_urdf(share_path('urdf', 'g1.urdf.xacro'), args)
    held = RobotDynamics(urdf, spec.names)
    angles = {
        'left_hip_pitch_joint': -0.3, 'left_hip_roll_joint': 0.2, 'left_hip_yaw_joint': -0.1,
        'left_knee_joint': 0.5, 'left_ankle_pitch_joint': -0.2, 'left_ankle_roll_joint': 0.1,
        'right_hip_pitch_joint': -0.3, 'right_hip_roll_joint': -0.2, 'right_hip_yaw_joint': 0.1,
        'right_knee_joint': 0.5, 'right_ankle_pitch_joint': -0.2, 'right_ankle_roll_joint': -0.1,
        'waist_yaw_joint': 0.4,
    }  # fmt: skip
    wanted = poses(np.array([angles.get(name, 0.0) for name in NAMES]))
    for link in ('left_ankle_roll_link', 'right_ankle_roll_link', 'right_hand_palm_link'):
        here, _ = held.forward_kinematics(np.zeros(len(spec.names)), link)
        assert np.abs(here - wanted[link][0]).max() < 1e-9
