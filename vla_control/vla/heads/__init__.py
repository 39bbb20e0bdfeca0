# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Action heads: interchangeable ways to turn the backbone's memory into a chunk."""

from collections.abc import Callable
from typing import cast, Protocol

from torch import nn, Tensor

from vla_control.core.errors import PolicyError
from vla_control.vla.config import ModelConfig
from vla_control.vla.heads.diffusion import DiffusionHead
from vla_control.vla.heads.flow import FlowHead
from vla_control.vla.heads.rtc import Guide

__all__ = ['HEADS', 'Guide', 'Head', 'make_head']


class Head(Protocol):
    """What every head does; actions are normalised, (B, H, n)."""

    def loss(self, memory: Tensor, actions: Tensor) -> Tensor:
        """Return the training loss of each sample, (B,)."""

    def sample(self, memory: Tensor, noise: Tensor, guide: Guide | None = None) -> Tensor:
        """
        Return actions for a memory (B, M, width), from noise (B, H, n) where it uses any.

        :param guide: what the actions are to continue, if anything.
        """


HEADS: dict[str, Callable[[ModelConfig], nn.Module]] = {
    'diffusion': DiffusionHead,
    'flow': FlowHead,
}


def make_head(config: ModelConfig) -> Head:
    """
    Build the head a configuration names.

    :raises PolicyError: listing the heads there are.
    """
    if config.head not in HEADS:
        raise PolicyError(f'unknown action head {config.head!r}; available: {sorted(HEADS)}')
    return cast(Head, HEADS[config.head](config))
