# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Real-time chunking draws a sample to what is already being executed, with every such head."""

from itertools import pairwise

import numpy as np
import pytest
from tiny import JOINTS, pictures, tiny_config, tiny_model
import torch

from vla_control.core.errors import PolicyError
from vla_control.core.rtc import Continued, RtcConfig, RtcVariant, soft_mask
from vla_control.vla.heads import Guide, make_head
from vla_control.vla.heads.diffusion import flow_time
from vla_control.vla.heads.rtc import guided, integrate, strength
from vla_control.vla.inference import VlaModel

HEADS = ('diffusion', 'flow')
STATE = np.array([0.1, -0.2, 0.03])


def lively(name, seed=0):
    """Return a head whose output depends on its input, as an untrained one's does not."""
    torch.manual_seed(seed)
    head = make_head(tiny_config(head=name))
    torch.nn.init.normal_(head.outputs.weight, std=0.05)
    return head


def guide(variant, weights=(1.0, 1.0, 0.5, 0.0), beta=5.0):
    target = torch.linspace(-1.0, 1.0, 12).view(1, 4, 3)
    return Guide(target=target, weights=torch.tensor(weights)[:, None], beta=beta, variant=variant)


@pytest.mark.parametrize('variant', RtcVariant)
@pytest.mark.parametrize('name', HEADS)
def test_frozen_steps_come_out_as_they_were_and_free_ones_hardly_change(name, variant):
    head, want = lively(name), guide(variant)
    memory, noise = torch.randn(1, 7, 32), torch.randn(1, 4, 3)
    free, held = head.sample(memory, noise), head.sample(memory, noise, want)
    off = [(x - want.target).abs().mean(dim=(0, 2)) for x in (free, held)]
    assert (off[1][:2] < 0.25 * off[0][:2]).all()
    assert off[1][2] < off[0][2], 'softly: closer, not equal'
    assert (free - held).abs()[0, 3].max() < 0.3


@pytest.mark.parametrize('name', HEADS)
def test_weights_of_zero_change_nothing(name):
    head, memory, noise = lively(name), torch.randn(1, 7, 32), torch.randn(1, 4, 3)
    for variant in RtcVariant:
        none = head.sample(memory, noise, guide(variant, (0.0,) * 4))
        torch.testing.assert_close(none, head.sample(memory, noise))


def test_the_guided_variant_pulls_through_the_jacobian_and_the_other_does_not():
    matrix = torch.tensor([[0.5, 1.0], [0.0, -0.25]])

    def velocity(x, time):
        return x @ matrix

    x, now = torch.tensor([[[1.0, -2.0]]]), 0.5
    time = torch.full((1,), now)
    want = {
        v: Guide(target=torch.zeros(1, 1, 2), weights=torch.ones(1, 1), beta=5.0, variant=v)
        for v in RtcVariant
    }
    error = -(x + 0.5 * x @ matrix)
    jacobian = torch.eye(2) + 0.5 * matrix
    plain = velocity(x, time)
    g = strength(now, 5.0)
    through = guided(velocity, x, now, time, want[RtcVariant.GUIDED])
    torch.testing.assert_close(through, plain + g * error @ jacobian.T)
    straight = guided(velocity, x, now, time, want[RtcVariant.CONSTANT_VELOCITY])
    torch.testing.assert_close(straight, plain + g * error)


def test_the_guidance_is_the_papers_and_never_above_its_bound():
    assert strength(0.0, 5.0) == 5.0
    assert strength(0.5, 5.0) == pytest.approx(2.0)
    assert strength(0.8, 5.0) == pytest.approx(0.25 * 0.68 / 0.04)
    assert strength(0.99, 5.0) == 5.0


def test_ddim_is_eulers_method_for_a_flow():
    """Against DDIM as it is written for a variance-preserving process."""
    torch.manual_seed(3)
    target, x = torch.randn(1, 4, 3), torch.randn(1, 4, 3)
    noise, steps = x.clone(), 7

    def predicted(mixed, a, s):
        """Return a smooth, wrong guess of the clean chunk and the noise that goes with it."""
        clean = target + 0.3 * torch.tanh(mixed)
        return clean, (mixed - a * clean) / s

    angles = [0.5 * np.pi * (1.0 - k / steps) for k in range(steps + 1)]
    for now, after in pairwise(angles):
        clean, e = predicted(x, np.cos(now), np.sin(now))
        x = np.cos(after) * clean + np.sin(after) * e

    def velocity(z, time):
        t = float(time[0])
        size = np.hypot(t, 1.0 - t)
        a, s = t / size, (1.0 - t) / size
        clean, e = predicted(z * (a + s), a, s)
        return clean - e

    times = [flow_time(k / steps) for k in range(steps + 1)]
    torch.testing.assert_close(integrate(velocity, noise, times), x, atol=1e-5, rtol=1e-5)


def test_the_soft_mask_is_one_then_falls_to_nothing():
    mask = soft_mask(10, frozen=3, overlap=4)
    assert (mask[:3] == 1.0).all()
    assert (np.diff(mask[2:8]) < 0.0).all()
    assert (mask[7:] == 0.0).all()
    assert soft_mask(4, 4, 9).tolist() == [1.0] * 4
    assert soft_mask(4, 0, 0).tolist() == [0.0] * 4


@pytest.mark.parametrize('name', HEADS)
@pytest.mark.parametrize('variant', RtcVariant)
def test_a_plan_continues_positions_relative_to_where_the_robot_is_now(name, variant):
    model = tiny_model(head=name)
    torch.nn.init.normal_(model.head.outputs.weight, std=0.05)
    vla = VlaModel(model, {})
    going_on = np.array([[0.3, -0.1, 0.02], [0.4, -0.05, 0.02]])
    plan = vla.plan(
        pictures(),
        STATE,
        'touch the red cube',
        continued=Continued(
            positions=going_on, weights=np.ones(2), config=RtcConfig(variant=variant)
        ),
    )
    free = vla.plan(pictures(), STATE, 'touch the red cube')
    assert plan.shape == (4, len(JOINTS))
    assert np.abs(plan[:2] - going_on).max() < 0.3 * np.abs(free[:2] - going_on).max()


def test_a_motion_to_continue_that_is_not_one_is_refused():
    vla = VlaModel(tiny_model(), {})
    for bad in (np.zeros((2, 5)), np.full((2, 3), np.nan)):
        with pytest.raises(PolicyError, match='motion to continue'):
            vla.plan(
                pictures(),
                STATE,
                'touch the red cube',
                continued=Continued(positions=bad, weights=np.ones(2), config=RtcConfig()),
            )
