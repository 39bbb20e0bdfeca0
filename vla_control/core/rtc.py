# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Real-time chunking: a policy continues the motion that goes on while it thinks.

Black, Galliker, Levine 2025, arXiv 2506.07339: the new chunk is inpainted around the steps that
will have been executed before it can take over, softly around those after. How a chunk is
joined and how a policy samples both read this, so it is here.
"""

from dataclasses import dataclass
from enum import Enum

import numpy as np

from vla_control.core.errors import ConfigError
from vla_control.core.messages import Floats


class RtcVariant(Enum):
    """How the difference to the prefix steers the sampler."""

    GUIDED = 'guided'  # through the denoiser's Jacobian, as published
    CONSTANT_VELOCITY = 'constant_velocity'  # the Jacobian taken as one: half the cost


@dataclass(frozen=True, slots=True, kw_only=True)
class RtcConfig:
    """The ``rtc`` section of ``blend``."""

    variant: RtcVariant = RtcVariant.GUIDED
    beta: float = 5.0  # largest weight of the guidance; 5 as published
    overlap: float = 1.0  # [s] after the frozen steps in which the pull of the old chunk decays
    delay: float = 0.1  # [s] expected before one has been measured

    def __post_init__(self) -> None:
        """Check what no type can."""
        if not self.beta > 0.0:
            raise ConfigError(f'blend.rtc.beta is {self.beta}, must be > 0 (5 as published)')
        for name, value in (('overlap', self.overlap), ('delay', self.delay)):
            if not value >= 0.0:
                raise ConfigError(f'blend.rtc.{name} is {value} s, must be >= 0')


def soft_mask(steps: int, frozen: int, overlap: int) -> Floats:
    """
    Return how much each step of a prefix counts, (steps,) in 0..1.

    One while frozen; then ``c (e^c - 1) / (e - 1)`` with c falling to zero, over the overlap or
    to the prefix's end, whichever is first (the paper's equation 5).

    :param frozen: steps that will be executed from the old chunk whatever comes.
    :param overlap: steps after those.
    """
    end = min(frozen + overlap, steps)
    i = np.arange(float(steps))
    c = np.clip((end - i) / (end - frozen + 1.0), 0.0, 1.0)
    decaying = c * np.expm1(c) / np.expm1(1.0)
    return np.where(i < frozen, 1.0, np.where(i < end, decaying, 0.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Continued:
    """What a sampler is to continue."""

    positions: Floats  # (L, n) [rad], grippers [m]; the first L steps of the new chunk
    weights: Floats  # (L,) of each step, 0..1
    config: RtcConfig
