# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Small statistics that reports are made of."""

from collections.abc import Sequence
import math

import numpy as np


def wilson_interval(successes: int, trials: int, z: float = 1.96) -> tuple[float, float]:
    """
    Return the Wilson score interval of a success rate.

    :param successes: number of successes.
    :param trials: number of independent trials, > 0.
    :param z: standard normal quantile, 1.96 for 95 %.
    """
    rate = successes / trials
    scale = 1.0 + z * z / trials
    centre = (rate + z * z / (2 * trials)) / scale
    half = z / scale * math.sqrt(rate * (1 - rate) / trials + z * z / (4 * trials * trials))
    return max(0.0, centre - half), min(1.0, centre + half)


def percentile(values: Sequence[float], q: float) -> float:
    """Return the q-th percentile, or nan where there are no values."""
    return float(np.percentile(values, q)) if len(values) else math.nan
