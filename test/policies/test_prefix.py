# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""A policy is told what the robot will do while it thinks, as the executor will really do it."""

from dataclasses import replace

import numpy as np
import pytest

from vla_control.actions.blend import BlendConfig, BlendMethod
from vla_control.core.errors import ConfigError
from vla_control.core.messages import ActionChunk, frozen_floats, JointState, Observation
from vla_control.core.rtc import RtcConfig
from vla_control.core.spec import load_robot
from vla_control.policies.builtin import BuiltinPolicy
from vla_control.policies.config import load_policy_config
from vla_control.policies.factory import make_policy
from vla_control.policies.prefix import Commitment

RTC = BlendConfig(method=BlendMethod.RTC)
SPEC = load_robot('openarm')


def chunk(stamp, value=0.0, horizon=16):
    """Return a ramp of one joint: at step i, `value` + i + 1."""
    rows = value + np.arange(1.0, horizon + 1.0)[:, None]
    return ActionChunk(stamp=stamp, dt=0.1, joints=('a',), positions=frozen_floats(rows))


def moving(delay=0.1, blend=RTC):
    """Return a commitment in the middle of two chunks that agree."""
    commitment = Commitment(blend)
    commitment.answered(chunk(0.0), delay)
    commitment.answered(chunk(delay), 2 * delay)
    return commitment


def test_there_is_none_before_the_first_chunk_nor_for_other_ways_of_joining():
    assert Commitment(RTC).prefix(0.0) is None
    assert moving(blend=BlendConfig()).prefix(0.3) is None


def test_the_prefix_is_the_newest_chunk_by_time_not_by_index():
    prefix = moving().prefix(0.35)
    assert prefix.stamp == 0.35
    np.testing.assert_allclose(prefix.positions[:3, 0], [3.5, 4.5, 5.5])
    assert len(prefix.positions) == 13, 'nothing is made up past its end'


def test_a_first_chunk_begins_with_its_first_step_when_it_comes():
    commitment = Commitment(RTC)
    commitment.answered(chunk(0.0), 0.3)
    np.testing.assert_allclose(commitment.prefix(0.3).positions[:2, 0], [1.0, 2.0])


def test_steps_due_before_the_slowest_answer_of_late_are_committed():
    commitment = moving(delay=0.1)
    assert commitment.prefix(0.3).committed == 1
    commitment.answered(chunk(0.2), 0.55)
    assert commitment.prefix(0.6).committed == 4


def test_where_the_delay_fills_half_the_chunk_there_is_none():
    for horizon, known in ((4, True), (3, False)):
        commitment = Commitment(RTC)
        commitment.answered(chunk(0.0, horizon=horizon), 0.2)
        assert (commitment.prefix(0.25) is not None) is known


def test_after_a_stop_there_is_none_but_the_delays_are_remembered():
    commitment = moving(delay=0.3)
    commitment.reset()
    assert commitment.prefix(1.0) is None
    assert commitment.delay == pytest.approx(0.3)


def test_a_plan_that_is_played_slowly_goes_by_slowly():
    commitment = moving(delay=0.3, blend=replace(RTC, reach=0.3))
    ahead = commitment.prefix(0.6).positions[:, 0]
    later = commitment.prefix(0.8).positions[:, 0]
    assert later[0] - ahead[0] == pytest.approx(1.0, abs=0.05), '0.1 s of plan in 0.2 s'


class Model:
    """Remembers what it was asked to continue."""

    class config:
        joints, cameras, dt, horizon, pixels = SPEC.names, (), 0.1, 16, 96

    def plan(self, images, state, instruction, *, rng=None, continued=None):
        self.continued, self.rng = continued, rng
        return np.zeros((16, len(SPEC.names)))


def observation():
    q = frozen_floats(np.array(SPEC.home))
    joints = JointState(stamp=0.0, joints=SPEC.names, positions=q, velocities=q, efforts=q)
    return Observation(stamp=0.0, images={}, joints=joints, instruction='touch')


def test_the_builtin_policy_continues_joints_by_name_with_the_mask_of_its_configuration():
    model = Model()
    positions = np.arange(5.0)[:, None] + np.arange(8.0)
    prefix = ActionChunk(
        stamp=0.0,
        dt=0.1,
        joints=SPEC.names[::-1],
        positions=frozen_floats(positions),
        committed=2,
    )
    BuiltinPolicy(SPEC, model, RtcConfig(overlap=0.2)).infer(observation(), prefix)
    np.testing.assert_array_equal(model.continued.positions, positions[:, ::-1])
    weights = model.continued.weights
    assert weights[:2].tolist() == [1.0, 1.0]
    assert 1.0 > weights[2] > weights[3] > weights[4] == 0.0
    BuiltinPolicy(SPEC, model).infer(observation(), prefix)
    assert model.continued is None


def test_fresh_noise_is_drawn_anew_but_the_same_after_a_reset():
    model = Model()
    policy = BuiltinPolicy(SPEC, model, fresh_noise=True)
    draws = []
    for _ in range(2):
        policy.infer(observation(), None)
        draws.append(model.rng.standard_normal(3))
    assert (draws[0] != draws[1]).all()
    policy.reset()
    policy.infer(observation(), None)
    assert (model.rng.standard_normal(3) == draws[0]).all()
    BuiltinPolicy(SPEC, model).infer(observation(), None)
    assert model.rng is None


def test_a_policy_that_cannot_continue_a_prefix_is_refused_real_time_chunking():
    config = replace(load_policy_config('hold'), blend=RTC)
    with pytest.raises(ConfigError, match=r"hold: blend.method 'rtc' needs a policy"):
        make_policy('hold', config, SPEC)
