# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The network that heads which denoise share; what its output means is theirs."""

import torch
from torch import nn, Tensor

from vla_control.vla.config import ModelConfig
from vla_control.vla.layers import Block, KeyValue, time_features


class Denoiser(nn.Module):
    """A small transformer over a noisy chunk that reads the backbone's memory."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.steps = config.head_steps
        self.draws = config.head_draws
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

    def remember(self, memory: Tensor, draws: int = 1) -> list[KeyValue]:
        """
        Return the keys and values of every layer; they do not change while denoising.

        :param draws: times each is repeated, so that an observation is encoded once for all.
        """
        kept = [block.attend_cross.remember(memory) for block in self.blocks]  # type: ignore
        return [(k.repeat(draws, 1, 1, 1), v.repeat(draws, 1, 1, 1)) for k, v in kept]

    def forward(self, actions: Tensor, time: Tensor, memory: list[KeyValue]) -> Tensor:
        """Return the output (B, H, n) at noisy actions (B, H, n) and times (B,) in 0..1."""
        when = self.time(time_features(time, self.position.shape[2]))
        x = self.inputs(actions) + self.position + when[:, None]
        for block, kv in zip(self.blocks, memory, strict=True):
            x = block(x, kv)
        out: Tensor = self.outputs(self.norm(x))
        return out
