# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Action heads: interchangeable ways to turn the backbone's memory into a chunk."""

from collections.abc import Callable
from typing import cast, Protocol

from torch import nn, Tensor

from vla_control.core.errors import PolicyError
from vla_control.vla.config import ModelConfig
from vla_control.vla.heads.flow import FlowHead


class Head(Protocol):
    """What every head does; actions are normalised, (B, H, n)."""

    def loss(self, memory: Tensor, actions: Tensor) -> Tensor:
        """Return the training loss of each sample, (B,)."""

    def sample(self, memory: Tensor, noise: Tensor) -> Tensor:
        """Return actions for a memory (B, M, width), from noise (B, H, n) where it uses any."""


HEADS: dict[str, Callable[[ModelConfig], nn.Module]] = {'flow': FlowHead}


def make_head(config: ModelConfig) -> Head:
    """
    Build the head a configuration names.

    :raises PolicyError: listing the heads there are.
    """
    if config.head not in HEADS:
        raise PolicyError(f'unknown action head {config.head!r}; available: {sorted(HEADS)}')
    return cast(Head, HEADS[config.head](config))
