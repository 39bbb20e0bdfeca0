# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Configuration errors say what, where, and what would be right."""

import pytest
import yaml

from vla_control.core.config import find_config, load_yaml, parse, share_path
from vla_control.core.errors import ConfigError
from vla_control.core.spec import load_robot, RobotSpec


@pytest.fixture
def plain():
    return yaml.safe_load(share_path('config', 'robots', 'openarm.yaml').read_text())


def test_openarm_loads_with_soft_limits_inside_the_stops():
    spec = load_robot('openarm')
    assert len(spec.joints) == 8
    assert spec.gripper.tolist() == [False] * 7 + [True]
    arm = ~spec.gripper
    stops = [(j.lower, j.upper) for j in spec.joints]
    for i, (lower, upper) in enumerate(stops):
        margin = 0.02 if arm[i] else 0.0
        assert spec.lower[i] == pytest.approx(lower + margin)
        assert spec.upper[i] == pytest.approx(upper - margin)


def test_a_misspelt_key_is_refused_with_the_closest_valid_one(plain):
    plain['joints'][2]['velocty'] = plain['joints'][2].pop('velocity')
    with pytest.raises(ConfigError, match=r"joints\[2\]: unknown key 'velocty'.*'velocity'"):
        parse(RobotSpec, plain, 'openarm.yaml')


def test_a_missing_number_is_refused_by_name(plain):
    del plain['safety']['tracking_stop']
    with pytest.raises(ConfigError, match=r"safety: missing \['tracking_stop'\]"):
        parse(RobotSpec, plain, 'openarm.yaml')


@pytest.mark.parametrize('value', [float('nan'), float('inf'), 'fast', True, None])
def test_a_limit_that_is_no_finite_number_is_refused(plain, value):
    plain['joints'][0]['jerk'] = value
    with pytest.raises(ConfigError, match=r'joints\[0\]\.jerk'):
        parse(RobotSpec, plain, 'openarm.yaml')


def test_damping_must_accompany_stiffness(plain):
    plain['joints'][1]['kd'] = 0.0
    with pytest.raises(ConfigError, match=r'openarm_right_joint2 has kp 230\.0 and kd 0\.0'):
        parse(RobotSpec, plain, 'openarm.yaml')


def test_home_outside_the_limits_is_refused(plain):
    plain['home'][3] = -0.5
    with pytest.raises(ConfigError, match=r'home of openarm_right_joint4 is -0\.5'):
        parse(RobotSpec, plain, 'openarm.yaml')


def test_home_within_the_margin_of_a_stop_is_refused(plain):
    plain['home'][3] = 0.01
    with pytest.raises(ConfigError, match=r'joint4 is 0\.01, outside its soft limits \[0\.02, '):
        parse(RobotSpec, plain, 'openarm.yaml')


def test_a_margin_that_leaves_a_joint_no_range_is_refused(plain):
    plain['joints'][5] |= {'lower': -0.015, 'upper': 0.02}
    with pytest.raises(ConfigError, match=r'joint6 may move.*margin 0\.02.*below 0\.0175 rad'):
        parse(RobotSpec, plain, 'openarm.yaml')


def test_a_joint_given_twice_is_refused(plain):
    plain['joints'][1]['name'] = plain['joints'][0]['name']
    with pytest.raises(ConfigError, match='joints given twice'):
        parse(RobotSpec, plain, 'openarm.yaml')


def test_an_unknown_robot_lists_the_known_ones():
    with pytest.raises(ConfigError, match=r"unknown robots config 'openram'.*did you mean"):
        load_robot('openram')


def test_a_key_given_twice_in_a_file_is_refused(tmp_path):
    path = tmp_path / 'twice.yaml'
    path.write_text('a: 1\na: 2\n')
    with pytest.raises(ConfigError, match='given twice'):
        load_yaml(path)


def test_a_users_own_file_is_found_by_path(tmp_path):
    path = tmp_path / 'mine.yaml'
    path.write_text(share_path('config', 'robots', 'openarm.yaml').read_text())
    assert find_config('robots', str(path)) == path
    assert load_robot(str(path)).name == 'openarm'
    with pytest.raises(ConfigError, match='no file'):
        load_robot(str(tmp_path / 'absent.yaml'))
