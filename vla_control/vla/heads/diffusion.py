# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Diffusion, as in Octo (2024, arXiv 2405.12213), sampled by DDIM (Song et al. 2021).

A chunk at noise level ``u`` in 0..1 is ``a x + s e`` with ``a, s = cos, sin(u pi / 2)``; the
network predicts ``a e - s x`` (the v of Salimans and Ho 2022), which tells of both at every
level. DDIM is Euler's method for a flow once a chunk is divided by ``a + s``: its time is
``a / (a + s)`` and its velocity ``x - e``. So the sampler, and real-time chunking, are the
flow head's.
"""

import math

import torch
from torch import Tensor

from vla_control.vla.heads.denoiser import Denoiser
from vla_control.vla.heads.rtc import Guide, integrate


class DiffusionHead(Denoiser):
    """The denoiser's output is the v of a variance-preserving process on a cosine schedule."""

    def loss(self, memory: Tensor, actions: Tensor) -> Tensor:
        """
        Return the squared error of v, (B,), over several draws of noise and its level.

        :param memory: (B, M, backbone width).
        :param actions: (B, H, n) normalised.
        """
        noise = torch.randn(self.draws, *actions.shape)
        level = torch.rand(self.draws, len(actions))
        angle = 0.5 * math.pi * level[:, :, None, None]
        mixed = (angle.cos() * actions + angle.sin() * noise).flatten(0, 1)
        v = self(mixed, 1.0 - level.flatten(), self.remember(memory, self.draws))
        error = v.view_as(noise) - (angle.cos() * noise - angle.sin() * actions)
        loss: Tensor = error.square().mean(dim=(0, 2, 3))
        return loss

    def sample(self, memory: Tensor, noise: Tensor, guide: Guide | None = None) -> Tensor:
        """Return actions (B, H, n) by DDIM from noise (B, H, n), levels in equal steps."""
        keys = self.remember(memory)

        def velocity(x: Tensor, time: Tensor) -> Tensor:
            level = 2.0 / math.pi * torch.atan2(1.0 - time, time)
            angle = 0.5 * math.pi * level[:, None, None]
            a, s = angle.cos(), angle.sin()
            mixed = x * (a + s)
            v: Tensor = self(mixed, 1.0 - level, keys)
            return (a - s) * mixed - (a + s) * v  # a mixed - s v is x, s mixed + a v is e

        times = [flow_time(step / self.steps) for step in range(self.steps + 1)]
        return integrate(velocity, noise, times, guide)


def flow_time(share: float) -> float:
    """Return the flow time of a share 0..1 of the way from noise to actions."""
    angle = 0.5 * math.pi * (1.0 - share)
    a, s = math.cos(angle), math.sin(angle)
    return a / (a + s)
