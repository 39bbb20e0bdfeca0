# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Attention and feed-forward parts shared by the backbone and the heads."""

import torch
from torch import nn, Tensor
from torch.nn import functional

KeyValue = tuple[Tensor, Tensor]  # each (B, heads, M, width / heads)


class Attention(nn.Module):
    """Multi-head attention of queries over a memory whose keys and values can be kept."""

    def __init__(self, width: int, heads: int, memory_width: int | None = None) -> None:
        super().__init__()
        self._heads = heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(memory_width or width, 2 * width)
        self.out = nn.Linear(width, width)

    def remember(self, memory: Tensor) -> KeyValue:
        """Return keys and values of a memory (B, M, memory_width)."""
        b, m, _ = memory.shape
        kv = self.key_value(memory).view(b, m, 2, self._heads, -1).permute(2, 0, 3, 1, 4)
        return kv[0], kv[1]

    def forward(self, x: Tensor, memory: KeyValue) -> Tensor:
        """Return what the queries (B, T, width) read from the memory."""
        b, t, w = x.shape
        q = self.query(x).view(b, t, self._heads, -1).transpose(1, 2)
        mixed = functional.scaled_dot_product_attention(q, *memory)
        out: Tensor = self.out(mixed.transpose(1, 2).reshape(b, t, w))
        return out


class FeedForward(nn.Sequential):
    """Two linear layers, four times as wide between."""

    def __init__(self, width: int) -> None:
        super().__init__(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))


class Block(nn.Module):
    """One pre-norm transformer layer; reads an outer memory too where one is configured."""

    def __init__(self, width: int, heads: int, memory_width: int | None = None) -> None:
        super().__init__()
        self.norm_self = nn.LayerNorm(width)
        self.attend_self = Attention(width, heads)
        self.norm_cross = nn.LayerNorm(width) if memory_width else None
        self.attend_cross = Attention(width, heads, memory_width) if memory_width else None
        self.norm_forward = nn.LayerNorm(width)
        self.feed_forward = FeedForward(width)

    def forward(self, x: Tensor, memory: KeyValue | None = None) -> Tensor:
        """Return the tokens (B, T, width) after this layer."""
        inner = self.norm_self(x)
        x = x + self.attend_self(inner, self.attend_self.remember(inner))
        if self.attend_cross is not None and self.norm_cross is not None and memory is not None:
            x = x + self.attend_cross(self.norm_cross(x), memory)
        out: Tensor = x + self.feed_forward(self.norm_forward(x))
        return out


def time_features(time: Tensor, width: int) -> Tensor:
    """Return sines and cosines of flow times (B,) in 0..1, (B, width)."""
    rates = torch.logspace(0.0, 2.5, width // 2, device=time.device)
    angles = time[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)
