# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""A G1 of every hardware variant: which joints and which robot description fit it."""

from dataclasses import replace

import pytest

from vla_control.core.errors import ConfigError
from vla_control.core.spec import load_robot
from vla_control.robots.g1_config import g1_config, g1_motors
from vla_control.robots.g1_variants import BODIES, VARIANTS

# How the URDF of each variant differs from g1_29dof_rev_1_0 (unitree_ros, commit d6f13aad):
# joints it lacks, limits (effort [N·m], velocity [rad/s]) that changed, and whether a joint frame
# or the mass of a link that it shares changed.
WAIST = {'waist_roll', 'waist_pitch'}
SMALL = WAIST | {f'{side}_wrist_{axis}' for side in ('left', 'right') for axis in ('pitch', 'yaw')}
HIP_PITCH = {'hip_pitch': (139.0, 20.0)}
HIP_ROLL = {'hip_roll': (88.0, 32.0)}
WRIST = {'wrist_pitch': (13.4, 27.0), 'wrist_yaw': (13.4, 27.0)}
VENDOR = {
    1: ('g1_23dof', SMALL, HIP_ROLL, True),
    2: ('g1_29dof', set(), HIP_ROLL, True),
    3: ('g1_29dof_lock_waist', WAIST, HIP_ROLL, True),
    4: ('g1_23dof_rev_1_0', SMALL, {}, True),
    5: ('g1_29dof_rev_1_0', set(), {}, False),
    6: ('g1_29dof_lock_waist_rev_1_0', WAIST, {}, False),
    9: ('g1_dual_arm', {'hip', 'knee', 'ankle', 'waist'}, {}, True),
    10: ('g1_23dof_mode_10', SMALL, HIP_PITCH, True),
    11: ('g1_29dof_mode_11', set(), HIP_PITCH, False),
    12: ('g1_29dof_mode_12', WAIST, HIP_PITCH, False),
    13: ('g1_29dof_mode_13', set(), WRIST, True),
    14: ('g1_29dof_mode_14', WAIST, WRIST, True),
    15: ('g1_29dof_mode_15', set(), HIP_PITCH | WRIST, True),
    16: ('g1_29dof_mode_16', WAIST, HIP_PITCH | WRIST, True),
}
# rev_1_0: effort [N·m] and velocity [rad/s] by joint
REFERENCE = {
    'hip_pitch': (88.0, 32.0), 'hip_roll': (139.0, 20.0), 'hip_yaw': (88.0, 32.0),
    'knee': (139.0, 20.0), 'ankle_pitch': (35.0, 30.0), 'ankle_roll': (35.0, 30.0),
    'waist_yaw': (88.0, 32.0), 'waist_roll': (35.0, 30.0), 'waist_pitch': (35.0, 30.0),
    'shoulder_pitch': (25.0, 37.0), 'shoulder_roll': (25.0, 37.0), 'shoulder_yaw': (25.0, 37.0),
    'elbow': (25.0, 37.0), 'wrist_roll': (25.0, 37.0), 'wrist_pitch': (5.0, 22.0),
    'wrist_yaw': (5.0, 22.0),
}  # fmt: skip


def kind(joint):
    return joint.removeprefix('left_').removeprefix('right_').removesuffix('_joint')


def lacks(missing, joint):
    return any(part in joint for part in missing)


def body_of(spec, mode_machine, **change):
    bus = {**spec.bus, 'mode_machine': mode_machine}
    spec = replace(spec, bus=bus, **change)
    return g1_motors(spec, g1_config(spec))


def told(joint, **change):
    return tuple(replace(j, **change) if j.name == joint else j for j in WHOLE.joints)


WHOLE = load_robot('g1_lowlevel')
ARMS = load_robot('g1')


def test_every_variant_of_the_vendor_is_known():
    assert {n: v.model for n, v in VARIANTS.items()} == {n: v[0] for n, v in VENDOR.items()}
    assert {v.body for v in VARIANTS.values()} == set(BODIES)


@pytest.mark.parametrize('number', VENDOR)
def test_the_limits_of_every_motor_are_the_vendors(number):
    _, missing, changed, _ = VENDOR[number]
    variant = VARIANTS[number]
    for slot, joint in enumerate(WHOLE.names):
        assert (slot in variant.missing) == lacks(missing, joint), joint
        if slot not in variant.missing:
            wanted = (REFERENCE | changed)[kind(joint)]
            assert (variant.effort[slot], variant.velocity[slot]) == wanted, joint


@pytest.mark.parametrize('number', VENDOR)
@pytest.mark.parametrize('spec', [ARMS, WHOLE], ids=lambda s: s.name)
def test_a_variant_is_taken_where_its_joints_and_its_body_are_those_configured(spec, number):
    model, missing, changed, other_body = VENDOR[number]
    gone = [joint for joint in spec.names if lacks(missing, joint)]
    weak = [j.name for j in spec.joints if changed.get(kind(j.name), (999.0, 0.0))[0] < j.effort]
    if not gone and not weak and not other_body:
        body_of(spec, number)
        return
    with pytest.raises(ConfigError, match=f'mode_machine {number} is a {model}: ') as error:
        body_of(spec, number)
    text = str(error.value)
    assert ('no motor in slots' in text) == bool(gone)
    assert ('describes another body' in text) == other_body
    assert all(f'{joint} has effort' in text for joint in weak)
    fits = [5, 11] if spec is WHOLE else [5, 6, 11, 12]
    assert f'fit mode_machine {fits}' in text


@pytest.mark.parametrize(
    ('number', 'joint', 'change', 'words'),
    [
        (5, 'left_hip_pitch_joint', {'effort': 139.0}, 'has effort 139.0, its motor 88.0 N·m'),
        (11, 'left_hip_pitch_joint', {'velocity': 21.0}, 'has velocity 21.0, its motor 20.0 rad'),
        (5, 'right_wrist_yaw_joint', {'effort': 13.4}, 'has effort 13.4, its motor 5.0 N·m'),
        (2, 'left_hip_roll_joint', {'effort': 139.0}, 'has effort 139.0, its motor 88.0 N·m'),
    ],
)
def test_a_joint_that_asks_more_than_its_motor_can_do_is_refused(number, joint, change, words):
    with pytest.raises(ConfigError, match=f'{joint} {words}'):
        body_of(WHOLE, number, joints=told(joint, **change))


def test_the_stronger_motor_of_a_variant_may_be_used():
    body_of(WHOLE, 11, joints=told('left_hip_pitch_joint', effort=139.0))


def test_a_robot_description_of_ones_own_is_taken_at_its_word():
    body_of(ARMS, 13, urdf='g1_5010.urdf.xacro')
