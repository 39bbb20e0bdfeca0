# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Flow matching, as in pi0 (Black et al. 2024, arXiv 2410.24164).

A sample moves from noise (time 0) to actions (time 1) along a learned velocity field; training
sees straight lines between the two, at times drawn towards the noise.
"""

import torch
from torch import Tensor

from vla_control.vla.heads.denoiser import Denoiser
from vla_control.vla.heads.rtc import Guide, integrate

TIME_POWER = 1.5  # times are 1 - Beta(1.5, 1), as in pi0: the noisy end is the hard one


class FlowHead(Denoiser):
    """The denoiser's output is the velocity."""

    def loss(self, memory: Tensor, actions: Tensor) -> Tensor:
        """
        Return the squared error of the velocity, (B,), over several draws of time and noise.

        :param memory: (B, M, backbone width).
        :param actions: (B, H, n) normalised.
        """
        noise = torch.randn(self.draws, *actions.shape)
        time = 1.0 - torch.rand(self.draws, len(actions)) ** (1.0 / TIME_POWER)
        mix = time[:, :, None, None]
        moved = (mix * actions + (1.0 - mix) * noise).flatten(0, 1)
        velocity = self(moved, time.flatten(), self.remember(memory, self.draws))
        error = velocity.view_as(noise) - (actions - noise)
        loss: Tensor = error.square().mean(dim=(0, 2, 3))
        return loss

    def sample(self, memory: Tensor, noise: Tensor, guide: Guide | None = None) -> Tensor:
        """Return actions (B, H, n) by Euler steps from noise (B, H, n)."""
        keys = self.remember(memory)
        times = [step / self.steps for step in range(self.steps + 1)]
        return integrate(lambda x, t: self(x, t, keys), noise, times, guide)
