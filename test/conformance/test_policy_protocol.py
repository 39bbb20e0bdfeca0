# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""What every policy must do, in this process and behind a worker."""

from dataclasses import replace

import numpy as np
import pytest

from vla_control.core.config import available
from vla_control.core.errors import PolicyError
from vla_control.core.messages import ActionChunk, frozen_floats, Image, JointState, Observation
from vla_control.core.spec import load_robot
from vla_control.policies.builtin import BuiltinPolicy
from vla_control.policies.config import load_policy_config, locate
from vla_control.policies.factory import load_policy, make_worker

SPEC = load_robot('openarm')
LONG = 60.0  # [s]


ROBOTS = {frozenset(load_robot(n).names): load_robot(n) for n in available('robots')}


def spec_of(description):
    return ROBOTS[frozenset(description.joints)]


def robot_of(policy):
    """Return the robot a policy is tried on: its own where it was trained for one."""
    return policy.removesuffix('_vla') if policy.endswith('_vla') else 'openarm'


def missing_weights(name):
    weights = load_policy_config(name).options.get('weights')
    return weights is not None and not locate(name, weights).is_file()


POLICIES = [
    pytest.param(
        name, marks=pytest.mark.skipif(missing_weights(name), reason='weights are not trained')
    )
    for name in available('policies')
]


class SmallModel:
    """Stands in for the network: a chunk made of the measured joints and the mean pixel."""

    class Shape:
        cameras = ('front', 'wrist')
        joints = SPEC.names[::-1]
        dt = 0.1
        horizon = 16
        pixels = 96

    config = Shape

    def plan(self, images, state, instruction, **_):
        assert all(images[c].shape == (96, 96, 3) for c in self.Shape.cameras)
        return np.tile(state, (16, 1)) + images['front'].mean() / 1e6


class Direct:
    """A policy in this process."""

    def __init__(self, policy):
        self.policy = policy
        self.description = policy.describe()

    def ask(self, observation, prefix=None):
        return self.policy.infer(observation, prefix)

    def reset(self):
        self.policy.reset()


class Remote:
    """The same policy behind a worker, with the answers of the worker as it gives them."""

    def __init__(self, name):
        self.worker = make_worker(name, robot_of(name))
        self.worker.start()
        self.description = self.worker.wait_ready(LONG)

    def ask(self, observation, prefix=None):
        assert self.worker.submit(observation, prefix)
        while (found := self.worker.poll()) is None:
            self.worker.wait(1.0)
        if isinstance(found, PolicyError):
            raise found
        return found

    def reset(self):
        self.worker.reset()


def direct(name):
    if name == 'model':
        return Direct(BuiltinPolicy(SPEC, SmallModel()))
    return Direct(load_policy(name, load_robot(robot_of(name))))


@pytest.fixture(params=[*POLICIES, 'model'])
def policy(request):
    return direct(request.param)


@pytest.fixture(params=POLICIES)
def both(request):
    remote = Remote(request.param)
    yield direct(request.param), remote
    remote.worker.close()


def observe(description, stamp=50.0, side=192):
    spec = spec_of(description)
    pixels = np.full((side, side, 3), 90, np.uint8)
    names = spec.names[3:] + spec.names[:3]
    values = dict(zip(spec.names, spec.home, strict=True))
    return Observation(
        stamp=stamp,
        images={c: Image(stamp=stamp, pixels=pixels) for c in description.cameras},
        joints=JointState(
            stamp=stamp,
            joints=names,
            positions=frozen_floats([values[n] for n in names]),
            velocities=frozen_floats(np.zeros(len(names))),
            efforts=frozen_floats(np.zeros(len(names))),
        ),
        instruction='touch the red cube',
    )


def test_a_chunk_is_what_the_description_promises(policy):
    description = policy.description
    chunk = policy.ask(observe(description))
    assert isinstance(chunk, ActionChunk)
    assert chunk.joints == description.joints
    assert chunk.dt == description.dt
    assert chunk.positions.shape == (description.horizon, len(description.joints))
    assert np.isfinite(chunk.positions).all()
    assert not chunk.positions.flags.writeable


def test_it_commands_the_joints_of_the_robot_each_once(policy):
    assert sorted(policy.description.joints) == sorted(spec_of(policy.description).names)


def test_a_chunk_carries_the_stamp_of_its_observation(policy):
    for stamp in (50.0, 50.1, 1.7e9 + 0.123456):
        assert policy.ask(observe(policy.description, stamp)).stamp == stamp


def test_the_first_step_is_near_the_measured_pose_whatever_the_order_of_joints(policy):
    chunk = policy.ask(observe(policy.description))
    spec = spec_of(policy.description)
    home = dict(zip(spec.names, spec.home, strict=True))
    measured = np.array([home[name] for name in chunk.joints])
    np.testing.assert_allclose(chunk.positions[0], measured, atol=spec.safety.chunk_jump)


def test_after_reset_the_past_is_forgotten(policy):
    first = policy.ask(observe(policy.description, 50.0))
    policy.ask(observe(policy.description, 53.0))
    policy.reset()
    again = policy.ask(observe(policy.description, 50.0))
    np.testing.assert_array_equal(again.positions, first.positions)


def test_a_missing_joint_is_named_and_nothing_is_made_up(policy):
    whole = observe(policy.description)
    joints = whole.joints
    lame = replace(
        joints,
        joints=joints.joints[1:],
        positions=frozen_floats(joints.positions[1:]),
        velocities=frozen_floats(joints.velocities[1:]),
        efforts=frozen_floats(joints.efforts[1:]),
    )
    with pytest.raises(PolicyError, match=joints.joints[0]):
        policy.ask(replace(whole, joints=lame))


def test_a_position_that_is_no_number_is_refused(policy):
    whole = observe(policy.description)
    positions = np.array(whole.joints.positions)
    positions[2] = np.nan
    broken = replace(whole.joints, positions=frozen_floats(positions))
    with pytest.raises(PolicyError, match=whole.joints.joints[2]):
        policy.ask(replace(whole, joints=broken))


def test_a_missing_camera_is_named(policy):
    whole = observe(policy.description)
    for name in policy.description.cameras:
        left = {c: image for c, image in whole.images.items() if c != name}
        with pytest.raises(PolicyError, match=name):
            policy.ask(replace(whole, images=left))


def test_a_picture_too_small_is_refused(policy):
    if not policy.description.cameras:
        pytest.skip('sees nothing')
    with pytest.raises(PolicyError, match='smaller'):
        policy.ask(observe(policy.description, side=32))


def test_a_policy_that_follows_words_refuses_silence(policy):
    if not policy.description.instruction:
        pytest.skip('follows no words')
    with pytest.raises(PolicyError, match='instruction'):
        policy.ask(replace(observe(policy.description), instruction=' '))


@pytest.mark.slow
def test_behind_the_worker_it_is_the_same_policy(both):
    here, there = both
    assert here.description == there.description
    for stamp in (50.0, 50.3, 58.0):
        observation = observe(here.description, stamp)
        a, b = here.ask(observation), there.ask(observation)
        assert (a.stamp, a.dt, a.joints) == (b.stamp, b.dt, b.joints)
        np.testing.assert_array_equal(a.positions, b.positions)
    for one in both:
        one.reset()
    observation = observe(here.description, 60.0)
    np.testing.assert_array_equal(
        here.ask(observation).positions, there.ask(observation).positions
    )
    names = spec_of(here.description).names
    lame = replace(observation, joints=replace(observation.joints, joints=names[:2]))
    with pytest.raises(PolicyError, match=names[4]):
        there.ask(lame)
