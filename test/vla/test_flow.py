# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Every head has the right shapes, learns, and the whole model follows the instruction."""

from dataclasses import replace

import pytest
from tiny import tiny_config, tiny_model
import torch

from vla_control.core.errors import PolicyError
from vla_control.vla.heads import HEADS, make_head
from vla_control.vla.text import TextEncoder


@pytest.mark.parametrize('name', sorted(HEADS))
def test_a_head_gives_a_loss_for_each_sample_and_a_chunk_for_each_memory(name):
    config = tiny_config(head=name)
    head = make_head(config)
    memory = torch.randn(5, 7, config.width)
    actions = torch.randn(5, config.horizon, config.n)
    assert head.loss(memory, actions).shape == (5,)
    assert head.sample(memory, torch.randn_like(actions)).shape == actions.shape


@pytest.mark.parametrize('name', sorted(HEADS))
def test_sampling_depends_on_nothing_but_memory_and_noise(name):
    config = tiny_config(head=name)
    head = make_head(config)
    memory, noise = torch.randn(2, 7, config.width), torch.randn(2, config.horizon, config.n)
    first = head.sample(memory, noise)
    torch.rand(100)
    assert torch.equal(first, head.sample(memory, noise))


def test_an_unknown_head_lists_those_there_are():
    with pytest.raises(PolicyError, match='flow'):
        make_head(replace(tiny_config(), head='crystal ball'))


@pytest.mark.parametrize('name', sorted(HEADS))
def test_training_lowers_the_loss_and_the_chunk_follows_the_instruction(name):
    model, encoder = tiny_model(head=name), TextEncoder()
    sentences = ('touch the red cube', 'touch the blue cube')
    text = torch.stack([torch.from_numpy(encoder.encode(s)) for s in sentences]).repeat(8, 1)
    wanted = torch.tensor([1.0, -1.0]).repeat(8)[:, None, None].expand(-1, 4, 3)
    adam = torch.optim.AdamW(model.parameters(), 3e-3)

    def see():
        pixels = {c: torch.randn(16, 3, 96, 96) for c in model.config.cameras}
        return model.see(pixels, torch.randn(16, 3), text)

    losses = []
    for _ in range(150):
        loss = model.action_loss(see().tokens, wanted).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
        losses.append(float(loss.detach()))
    assert sum(losses[-10:]) < 0.5 * sum(losses[:10])
    model.eval()
    with torch.inference_mode():
        chunks = model.sample(see(), torch.randn(16, 4, 3))
    assert (chunks.mean(dim=(1, 2)).sign() == wanted[:, 0, 0]).all()
    assert (chunks - wanted).abs().mean() < 0.4
