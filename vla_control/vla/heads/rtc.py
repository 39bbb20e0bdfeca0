# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Sampling with real-time chunking (Black et al. 2025, arXiv 2506.07339), for every denoising head.

The sampler integrates ``x`` from noise (time 0) to actions (time 1) along ``v(x, t)``. Where a
prefix ``y`` is to be continued, the end it heads for, ``x + (1 - t) v``, is drawn to it with
the weights ``w`` of a soft mask (pseudo-inverse guidance, Song et al. 2023):

    v + min(beta, (1 - t) / t * (t^2 + (1 - t)^2) / (1 - t)^2) * J' w (y - x - (1 - t) v)

with ``J`` the Jacobian of that end by ``x``, as one vector-Jacobian product. The variant
``constant_velocity`` takes the velocity as constant in ``x``, so ``J`` is one: half the cost,
and what LeRobot's implementation computes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from vla_control.core.rtc import RtcVariant

Velocity = Callable[[Tensor, Tensor], Tensor]  # noisy actions (B, H, n), times (B,) -> (B, H, n)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guide:
    """What a sample is to continue."""

    target: Tensor  # (B, H, n) normalised actions; steps of no weight may be anything finite
    weights: Tensor  # (H, 1) of each step, 0..1
    beta: float  # largest weight of the guidance
    variant: RtcVariant


def integrate(
    velocity: Velocity, noise: Tensor, times: Sequence[float], guide: Guide | None = None
) -> Tensor:
    """
    Return actions (B, H, n) by Euler steps.

    :param noise: (B, H, n).
    :param times: rising from 0 to 1; the velocity is asked at all but the last.
    """
    x = noise
    for now, after in pairwise(times):
        time = torch.full((len(noise),), now)
        if guide is None:
            x = x + (after - now) * velocity(x, time)
        else:
            x = x + (after - now) * guided(velocity, x, now, time, guide)
    return x


def guided(velocity: Velocity, x: Tensor, now: float, time: Tensor, guide: Guide) -> Tensor:
    """Return the velocity (B, H, n) drawn towards what is to be continued."""
    if guide.variant is RtcVariant.CONSTANT_VELOCITY:
        v = velocity(x, time)
        error = guide.weights * (guide.target - x - (1.0 - now) * v)
        return v + strength(now, guide.beta) * error
    with torch.enable_grad():
        start = x.detach().requires_grad_()
        v = velocity(start, time)
        end = start + (1.0 - now) * v
        error = guide.weights * (guide.target - end.detach())
        (pull,) = torch.autograd.grad(end, start, error)
    return v.detach() + strength(now, guide.beta) * pull


def strength(now: float, beta: float) -> float:
    """Return the weight of the guidance at a time in 0..1; at 0, where it is infinite, beta."""
    if now <= 0.0 or now >= 1.0:
        return beta
    rest = 1.0 - now
    return min(beta, rest / now * (now * now + rest * rest) / (rest * rest))
