# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Flow matching, as in pi0 (Black et al. 2024, arXiv 2410.24164).

A sample moves from noise (time 0) to actions (time 1) along a learned velocity field; training
sees straight lines between the two, at times drawn towards the noise.
"""

import torch
from torch import nn, Tensor

from vla_control.vla.config import ModelConfig
from vla_control.vla.layers import Block, KeyValue, time_features

TIME_POWER = 1.5  # times are 1 - Beta(1.5, 1), as in pi0: the noisy end is the hard one


class FlowHead(nn.Module):
    """A small transformer that denoises a chunk while reading the backbone's memory."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self._steps = config.head_steps
        self._draws = config.head_draws
        width = config.head_width
        self.inputs = nn.Linear(config.n, width)
        self.position = nn.Parameter(torch.randn(1, config.horizon, width) * 0.02)
        self.time = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.blocks = nn.ModuleList(
            [Block(width, config.head_heads, config.width) for _ in range(config.head_layers)]
        )
        self.norm = nn.LayerNorm(width)
        self.outputs = nn.Linear(width, config.n)
        nn.init.zeros_(self.outputs.weight)
        nn.init.zeros_(self.outputs.bias)

    def loss(self, memory: Tensor, actions: Tensor) -> Tensor:
        """
        Return the squared error of the velocity, (B,), over several draws of time and noise.

        :param memory: (B, M, backbone width).
        :param actions: (B, H, n) normalised.
        """
        k = self._draws
        noise = torch.randn(k, *actions.shape)
        time = 1.0 - torch.rand(k, len(actions)) ** (1.0 / TIME_POWER)
        mix = time[:, :, None, None]
        moved = (mix * actions + (1.0 - mix) * noise).flatten(0, 1)
        # The observation is encoded once for all draws: it is the expensive part.
        keys = [tuple(t.repeat(k, 1, 1, 1) for t in kv) for kv in self.remember(memory)]
        velocity = self.velocity(moved, time.flatten(), keys)  # type: ignore[arg-type]
        error = velocity.view_as(noise) - (actions - noise)
        return error.square().mean(dim=(0, 2, 3))

    def sample(self, memory: Tensor, noise: Tensor) -> Tensor:
        """Return actions (B, H, n) by Euler steps from noise (B, H, n)."""
        keys = self.remember(memory)
        x = noise
        for step in range(self._steps):
            time = torch.full((len(noise),), step / self._steps)
            x = x + self.velocity(x, time, keys) / self._steps
        return x

    def remember(self, memory: Tensor) -> list[KeyValue]:
        """Return the keys and values of every layer; they do not change while denoising."""
        return [block.attend_cross.remember(memory) for block in self.blocks]  # type: ignore

    def velocity(self, actions: Tensor, time: Tensor, memory: list[KeyValue]) -> Tensor:
        """Return the velocity field (B, H, n) at noisy actions (B, H, n) and times (B,)."""
        when = self.time(time_features(time, self.position.shape[2]))
        x = self.inputs(actions) + self.position + when[:, None]
        for block, kv in zip(self.blocks, memory, strict=True):
            x = block(x, kv)
        out: Tensor = self.outputs(self.norm(x))
        return out
