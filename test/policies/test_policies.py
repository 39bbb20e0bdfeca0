# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The policies without a network do what their names say."""

from dataclasses import replace
import sys

import numpy as np
import pytest

from vla_control.core.errors import ConfigError, PolicyError
from vla_control.core.messages import frozen_floats, JointState, Observation
from vla_control.core.spec import load_robot
from vla_control.policies.builtin import BuiltinPolicy, load_model
from vla_control.policies.config import load_policy_config, locate
from vla_control.policies.factory import load_policy
from vla_control.policies.hold import HoldOptions, HoldPolicy
from vla_control.policies.replay import load_motion, Motion, ReplayOptions, ReplayPolicy
from vla_control.policies.wave import WaveOptions, WavePolicy

SPEC = load_robot('openarm')
HOME = np.array(SPEC.home)
MOTION = """
joints: [b, a]
points:
  - {time_from_start: 1.0, positions: [0.0, 1.0]}
  - {time_from_start: 3.0, positions: [2.0, 1.0]}
"""


def observe(stamp, q=HOME):
    zeros = frozen_floats(np.zeros(len(SPEC.names)))
    joints = JointState(
        stamp=stamp,
        joints=SPEC.names,
        positions=frozen_floats(q),
        velocities=zeros,
        efforts=zeros,
    )
    return Observation(stamp=stamp, images={}, joints=joints, instruction='')


def track(policy, end, every=0.5):
    """Return times and positions as planned by successive chunks, the first steps of each."""
    dt = policy.describe().dt
    times, points = [], []
    for stamp in np.arange(0.0, end, every):
        chunk = policy.infer(observe(float(stamp)), None)
        for k in range(round(every / dt)):
            times.append(stamp + (k + 1) * dt)
            points.append(chunk.positions[k])
    return np.array(times), np.array(points)


def test_hold_keeps_the_first_pose_although_the_arm_sags():
    policy = HoldPolicy(SPEC, HoldOptions())
    policy.infer(observe(0.0), None)
    sagged = policy.infer(observe(1.0, HOME - 0.05), None)
    np.testing.assert_array_equal(sagged.positions, np.tile(HOME, (16, 1)))


def test_wave_moves_only_its_joints_and_starts_at_rest():
    options = WaveOptions(joints=(SPEC.names[4],), amplitude=0.3, period=4.0)
    times, points = track(WavePolicy(SPEC, options), 12.0)
    still = np.delete(points, 4, axis=1)
    np.testing.assert_array_equal(still, np.tile(np.delete(HOME, 4), (len(points), 1)))
    assert abs(points[0, 4] - HOME[4]) < 0.01
    assert np.ptp(points[times > 4.0, 4]) == pytest.approx(0.6, rel=0.02)
    assert np.abs(np.diff(points[:, 4]) / 0.1).max() < SPEC.velocity[4]


def test_a_wave_too_fast_for_the_robot_is_refused():
    with pytest.raises(ConfigError, match=r'lengthen options\.period'):
        WavePolicy(SPEC, WaveOptions(joints=(SPEC.names[0],), amplitude=1.0, period=1.0))
    with pytest.raises(ConfigError, match='elbow'):
        WavePolicy(SPEC, WaveOptions(joints=('elbow',), amplitude=0.1, period=4.0))


def test_replay_goes_to_the_first_pose_slowly_then_plays_by_time_and_stays():
    start, end = HOME + 0.1, HOME + 0.3
    motion = Motion(
        joints=SPEC.names,
        times=frozen_floats([10.0, 12.0]),
        positions=frozen_floats([start, end]),
    )
    motion = replace(motion, positions=frozen_floats(np.clip(motion.positions, -9, SPEC.upper)))
    policy = ReplayPolicy(SPEC, ReplayOptions(motion='', approach=0.25), motion)
    times, points = track(policy, 6.0)
    reached = 1.875 * 0.1 / 0.25  # [s] of the approach
    arm = ~SPEC.gripper
    speed = np.abs(np.diff(points[:, arm], axis=0)).max(axis=1) / np.diff(times)
    assert speed[times[1:] < reached].max() <= 0.25 + 1e-6
    middle = points[np.argmin(np.abs(times - (reached + 1.0)))]
    np.testing.assert_allclose(middle[arm], HOME[arm] + 0.2, atol=0.01)
    np.testing.assert_allclose(points[-1], motion.positions[-1], atol=1e-12)


def test_the_shipped_motion_stays_far_below_the_speed_limits():
    _, points = track(load_policy('replay', SPEC), 14.0)
    assert (np.abs(np.diff(points, axis=0) / 0.1).max(axis=0) < 0.5 * SPEC.velocity).all()
    assert np.ptp(points, axis=0).max() > 0.5, 'it is a motion'


def test_a_motion_is_read_from_yaml_and_npz_alike(tmp_path):
    text = tmp_path / 'motion.yaml'
    text.write_text(MOTION)
    packed = tmp_path / 'motion.npz'
    np.savez(packed, joints=['b', 'a'], times=[1.0, 3.0], positions=[[0.0, 1.0], [2.0, 1.0]])
    for path in (text, packed):
        motion = load_motion(path)
        assert motion.joints == ('b', 'a')
        np.testing.assert_allclose(motion.at(np.array([-1.0, 0.0, 1.0, 9.0]))[:, 0], [0, 0, 1, 2])


@pytest.mark.parametrize(
    ('wrong', 'right', 'message'),
    [
        ('3.0, pos', '0.5, pos', 'times must rise'),
        ('[2.0, 1.0]', '[2.0]', 'no recorded motion'),
        ('[2.0, 1.0]', '[.nan, 1.0]', 'finite'),
        ('positions: [2.0', 'position: [2.0', 'unknown key'),
    ],
)
def test_a_broken_motion_is_named(tmp_path, wrong, right, message):
    path = tmp_path / 'motion.yaml'
    path.write_text(MOTION.replace(wrong, right))
    with pytest.raises(PolicyError, match=message):
        load_motion(path)


def test_a_motion_with_pickled_objects_is_refused(tmp_path):
    path = tmp_path / 'motion.npz'
    np.savez(path, joints=np.array([object()]), times=[0.0, 1.0], positions=[[0.0], [1.0]])
    with pytest.raises(PolicyError, match='no recorded motion'):
        load_motion(path)


def test_a_missing_motion_names_the_path(tmp_path):
    with pytest.raises(PolicyError, match=r'gone\.npz'):
        load_motion(tmp_path / 'gone.npz')


def test_a_motion_of_another_robot_or_beyond_the_limits_is_refused():
    times = frozen_floats([0.0, 1.0])
    other = Motion(joints=('a',), times=times, positions=frozen_floats([[0.0], [1.0]]))
    with pytest.raises(PolicyError, match=r"\['a'\].*openarm_right_joint1"):
        ReplayPolicy(SPEC, ReplayOptions(motion=''), other)
    far = np.tile(HOME, (2, 1))
    far[1, 2] = 1.6
    beyond = Motion(joints=SPEC.names, times=times, positions=frozen_floats(far))
    with pytest.raises(PolicyError, match=r'openarm_right_joint3 .* by 0\.04'):
        ReplayPolicy(SPEC, ReplayOptions(motion=''), beyond)


def test_a_model_of_another_robot_names_both_lists_of_joints():
    class Model:
        class config:
            joints, cameras, dt, horizon, pixels = ('left', 'right'), (), 0.1, 16, 96

    with pytest.raises(PolicyError, match=r"\['left', 'right'\].*openarm_right_joint1"):
        BuiltinPolicy(SPEC, Model())


def test_missing_weights_say_what_to_run(tmp_path):
    pytest.importorskip('torch')
    with pytest.raises(PolicyError, match=r'gone\.safetensors; run `vla-control train`'):
        load_model(tmp_path / 'gone.safetensors')


def test_a_missing_library_says_what_to_install(tmp_path, monkeypatch):
    for name in [n for n in sys.modules if n.startswith('vla_control.vla.')]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, 'torch', None)
    with pytest.raises(PolicyError, match=r'needs torch.*run `pip install torch`'):
        load_model(tmp_path / 'any.safetensors')


@pytest.mark.parametrize(
    ('wrong', 'right', 'message'),
    [
        ('kind: hold', 'kind: robot', r"unknown kind 'robot'.*builtin.*hold"),
        ('rate: 5.0', 'rate: 0.0', 'rate is 0.0, must be > 0'),
        ('dt: 0.1', 'dtt: 0.1', "did you mean 'dt'"),
        ('method: splice', 'method: splines', "did you mean 'splice'"),
    ],
)
def test_a_wrong_policy_file_is_named(tmp_path, wrong, right, message):
    path = tmp_path / 'mine.yaml'
    path.write_text(locate('hold', 'hold.yaml').read_text().replace(wrong, right))
    with pytest.raises(ConfigError, match=message):
        load_policy(str(path), SPEC)


def test_the_shipped_model_is_spliced_and_slows_down_for_late_answers():
    blend = load_policy_config('openarm_vla').blend
    assert blend.method.value == 'splice'
    assert blend.reach == 0.4
