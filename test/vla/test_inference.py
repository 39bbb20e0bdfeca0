# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""A model in service plans from what it needs and refuses anything less."""

import numpy as np
import pytest
from tiny import pictures, tiny_model

from vla_control.core.errors import PolicyError
from vla_control.vla.inference import VlaModel

STATE = np.array([0.1, -0.2, 0.03])
SAY = 'touch the red cube'


@pytest.fixture(scope='module')
def vla():
    return VlaModel(tiny_model(), {})


def test_a_plan_is_a_chunk_of_positions(vla):
    plan = vla.plan(pictures(), STATE, SAY)
    assert plan.shape == (4, 3)
    assert plan.dtype == np.float64
    assert np.isfinite(plan).all()


def test_the_same_observation_gives_the_same_plan(vla):
    assert (vla.plan(pictures(), STATE, SAY) == vla.plan(pictures(), STATE, SAY)).all()


def test_noise_and_generator_decide_the_plan(vla):
    noise = np.random.default_rng(3).standard_normal((4, 3))
    given = vla.plan(pictures(), STATE, SAY, noise=noise)
    drawn = vla.plan(pictures(), STATE, SAY, rng=np.random.default_rng(3))
    assert (given == drawn).all()
    assert (given != vla.plan(pictures(), STATE, SAY)).any()


def test_pictures_of_another_size_are_averaged_down(vla):
    small = pictures()
    large = {c: p.repeat(2, axis=0).repeat(2, axis=1) for c, p in small.items()}
    assert (vla.plan(large, STATE, SAY) == vla.plan(small, STATE, SAY)).all()


def test_arm_joints_move_with_the_measured_state_and_the_gripper_does_not(vla):
    actions = np.zeros((1, 4, 3), np.float32)
    import torch

    state = torch.tensor([[0.5, -1.0, 0.04]])
    positions = vla._model.to_positions(torch.from_numpy(actions), state)[0]
    np.testing.assert_allclose(positions[0], [0.5, -1.0, 0.0])


@pytest.mark.parametrize(
    ('images', 'state', 'message'),
    [
        ({'front': pictures()['front']}, STATE, "no image of camera 'wrist'"),
        (pictures(size=64), STATE, '64x64'),
        ({**pictures(), 'wrist': np.zeros((96, 96), np.uint8)}, STATE, 'not uint8'),
        ({**pictures(), 'wrist': np.zeros((96, 96, 3))}, STATE, 'float64'),
        (pictures(), STATE[:2], 'shape'),
        (pictures(), np.array([0.0, np.nan, 0.0]), "not finite at joints .'elbow'"),
    ],
)
def test_missing_or_unusable_input_is_an_error_never_a_guess(vla, images, state, message):
    with pytest.raises(PolicyError, match=message):
        vla.plan(images, state, SAY)


def test_noise_of_the_wrong_shape_is_refused(vla):
    with pytest.raises(PolicyError, match='noise has shape'):
        vla.plan(pictures(), STATE, SAY, noise=np.zeros((3, 3)))
