# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
From pixels, joints and words to tokens.

Grounding, not control, was the bottleneck of small policies: the instruction therefore modulates
four layers of the vision encoder (FiLM), and a spatial softmax hands on where the named thing is.
"""

import torch
from torch import nn, Tensor
from torch.nn import functional

from vla_control.vla.config import ModelConfig

# A default-sized softmax over 576 places is flat and hardly has a gradient. With heat this large
# and words that modulate from the start, 100 batches of 64 layouts ground the colours completely;
# without both, 300 batches stay at chance.
HEAT = 8.0


class FilmConv(nn.Module):
    """Convolution, group norm, modulation by the instruction, activation."""

    def __init__(self, inputs: int, outputs: int, stride: int, text_width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm = nn.GroupNorm(8, outputs)
        self.film = nn.Linear(text_width, 2 * outputs)
        # Zero weights would leave the colour nothing to multiply; see HEAT.
        nn.init.normal_(self.film.weight, std=0.05)
        nn.init.zeros_(self.film.bias)

    def forward(self, x: Tensor, words: Tensor) -> Tensor:
        """Return the map (B, outputs, h / stride, w / stride)."""
        scale, shift = self.film(words)[:, :, None, None].chunk(2, dim=1)
        return functional.silu(self.norm(self.conv(x)) * (1.0 + scale) + shift)


class CameraEncoder(nn.Module):
    """One camera's image to pooled tokens, and where its keypoints are."""

    def __init__(self, config: ModelConfig, text_width: int) -> None:
        super().__init__()
        first, second, third = config.channels
        self.stem = nn.Sequential(
            nn.Conv2d(3, first, 5, 2, 2, bias=False), nn.GroupNorm(8, first), nn.SiLU()
        )
        self.near = nn.ModuleList(
            [FilmConv(first, second, 2, text_width), FilmConv(second, second, 1, text_width)]
        )
        self.far = nn.ModuleList(
            [FilmConv(second, third, 2, text_width), FilmConv(third, third, 1, text_width)]
        )
        self.heat = nn.Conv2d(second, config.keypoints, 1)
        with torch.no_grad():
            self.heat.weight.mul_(HEAT)
        side = config.pixels // 8
        self.place = nn.Parameter(torch.randn(1, third, side, side) * 0.02)
        self.pick = nn.Conv2d(third, config.pooled, 1)
        self.project = nn.Linear(third, config.width)
        line = torch.linspace(-1.0, 1.0, config.pixels // 4)
        rows, columns = torch.meshgrid(line, line, indexing='ij')
        grid = torch.stack([columns.flatten(), rows.flatten()], dim=1)
        self.register_buffer('grid', grid, persistent=False)

    def forward(self, pixels: Tensor, words: Tensor) -> tuple[Tensor, Tensor]:
        """
        Encode images.

        :param pixels: (B, 3, 96, 96) in -1..1.
        :param words: (B, text_width) the instruction.
        :returns: tokens (B, pooled, width) and keypoints (B, keypoints * 3): where (x, y in
            -1..1) and how strong.
        """
        x = self.stem(pixels)
        for layer in self.near:
            x = layer(x, words)
        points = self._keypoints(x)
        for layer in self.far:
            x = layer(x, words)
        x = x + self.place
        weights = self.pick(x).flatten(2).softmax(dim=2)
        pooled = weights @ x.flatten(2).transpose(1, 2)
        return self.project(pooled), points

    def _keypoints(self, x: Tensor) -> Tensor:
        heat = self.heat(x).flatten(2)
        where = heat.softmax(dim=2) @ self.get_buffer('grid')
        strength = torch.tanh(heat.amax(dim=2) / 10.0)
        return torch.cat([where.flatten(1), strength], dim=1)


class TextProjection(nn.Module):
    """A standardised sentence embedding to the vector that modulates vision, and to tokens."""

    def __init__(self, config: ModelConfig, width: int) -> None:
        super().__init__()
        self._tokens = config.text_tokens
        # Raw cosines rank wording above meaning, so a learned projection comes first; dropout
        # keeps it from keying on single dimensions, which held-out phrasings would change.
        self.mlp = nn.Sequential(
            nn.Dropout(0.1),
            nn.Linear(config.text_width, 2 * width),
            nn.SiLU(),
            nn.Dropout(0.1),
            nn.Linear(2 * width, width),
            nn.LayerNorm(width),
        )
        self.project = nn.Linear(width, config.text_tokens * config.width)

    def forward(self, embedding: Tensor) -> tuple[Tensor, Tensor]:
        """Return the words (B, width) and their tokens (B, text_tokens, backbone width)."""
        words = self.mlp(embedding)
        return words, self.project(words).view(len(words), self._tokens, -1)
