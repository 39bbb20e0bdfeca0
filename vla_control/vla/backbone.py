# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The transformer that relates images, joints and words."""

import torch
from torch import nn, Tensor

from vla_control.vla.config import ModelConfig
from vla_control.vla.layers import Block


class Backbone(nn.Module):
    """Pre-norm transformer over all observation tokens, each with a learned position."""

    def __init__(self, config: ModelConfig, tokens: int) -> None:
        super().__init__()
        self.position = nn.Parameter(torch.randn(1, tokens, config.width) * 0.02)
        self.blocks = nn.ModuleList(
            [Block(config.width, config.heads) for _ in range(config.layers)]
        )
        self.norm = nn.LayerNorm(config.width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the memory (B, tokens, width) the action head reads."""
        x = tokens + self.position
        for block in self.blocks:
            x = block(x)
        memory: Tensor = self.norm(x)
        return memory
