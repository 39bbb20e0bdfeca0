# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
How a new chunk is joined to the plan in execution: a choice of the policy's configuration.

Smoothing can cost success (ACT ensembling took transfer-cube from 87.6 % to 70.8 %, lerobot
#319), so nothing here is on for every policy, and success is to be reported beside jerk.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
import math
from typing import Any

import numpy as np

from vla_control.actions.plan import Plan
from vla_control.actions.spline import CubicSpline
from vla_control.core.config import parse
from vla_control.core.errors import ConfigError
from vla_control.core.messages import Floats
from vla_control.core.rtc import RtcConfig

TAPER = 0.25  # [s] over which the old plan's weight vanishes before its last due point
LONGEST_MEMORY = 32  # chunks an ensemble averages at most


class BlendMethod(Enum):
    """The names of the field."""

    SPLICE = 'splice'  # smooth the chunk once, average with the plan, fade the gap out
    ENSEMBLE = 'ensemble'  # temporal ensembling (ACT): all chunks that speak of an instant
    REPLACE = 'replace'  # the newest chunk as it is, the gap faded out
    RTC = 'rtc'  # real-time chunking: the policy itself continues the plan


@dataclass(frozen=True, slots=True, kw_only=True)
class BlendConfig:
    """The ``blend`` section of a policy's configuration; times in s, whatever its step."""

    method: BlendMethod = BlendMethod.SPLICE
    f_cut: float = 3.0  # [Hz] motion faster than this is smoothed away; splice and rtc
    average: float = 0.3  # weight of the plan where it overlaps the chunk, 0..<1; splice only
    fade: float = 1.0  # [s] over which the gap at a seam fades out, while the chunk lasts
    patience: float = 8.0  # fades a gap may take to stay within the limits; then the gate limits
    fade_min: float = 0.25  # [s] shortest fade, for chunks that end sooner
    temporal_ensemble_coeff: float = 0.01  # weight exp(-c * age rank), oldest first; ensemble
    reach: float | None = None  # [s] after its capture a chunk is good for; slowed for late ones
    rtc: RtcConfig = field(default_factory=RtcConfig)  # how the policy continues the plan; rtc

    def __post_init__(self) -> None:
        """Check what no type can."""
        if not self.f_cut > 0.0:
            raise ConfigError(f'blend.f_cut is {self.f_cut} Hz, must be > 0 (3.0 suits most arms)')
        if not 0.0 <= self.average < 1.0:
            raise ConfigError(
                f'blend.average is {self.average}, must be >= 0 and < 1; 0 ignores the old plan'
            )
        if not 0.0 < self.fade_min <= self.fade:
            raise ConfigError(
                f'blend.fade_min {self.fade_min} s must be > 0 and <= blend.fade {self.fade} s'
            )
        if not self.patience >= 1.0:
            raise ConfigError(f'blend.patience is {self.patience}, must be >= 1 (times the fade)')
        if self.reach is not None and not self.reach > 0.0:
            raise ConfigError(
                f'blend.reach is {self.reach} s, must be > 0; leave it out to use chunks whole'
            )
        if not math.isfinite(self.temporal_ensemble_coeff):
            raise ConfigError(
                f'blend.temporal_ensemble_coeff is {self.temporal_ensemble_coeff}, must be finite'
            )


def parse_blend(data: Mapping[str, Any] | None, where: str) -> BlendConfig:
    """
    Read the ``blend`` section of a policy file; an empty one means the defaults.

    :param where: path of the section for messages, such as ``act.yaml: blend``.
    :raises ConfigError: naming an unknown key or a value out of range.
    """
    return parse(BlendConfig, data or {}, where)


@lru_cache(maxsize=32)
def smoothing_matrix(count: int, stiffness: float) -> Floats:
    """
    Return ``S = inv(I + stiffness * D3'D3)``, (H, H): zero phase, exact for quadratics.

    :param count: H, points of the chunk.
    :param stiffness: from `stiffness`.
    """
    if count < 4:
        return np.eye(count)
    third = np.diff(np.eye(count), n=3, axis=0)
    # Woodbury's form: it keeps quadratics to rounding where H is large and the stiffness huge.
    inner = np.eye(count - 3) / stiffness + third @ third.T
    matrix = np.eye(count) - third.T @ np.linalg.solve(inner, third)
    matrix.setflags(write=False)
    return matrix


@lru_cache(maxsize=32)
def stiffness(dt: float, f_cut: float) -> float:
    """
    Return the weight of the third differences that halves motion at a cut-off frequency.

    Rounded, so that chunks whose steps differ in the last digits share one matrix. 16 at 30 Hz
    and 3 Hz; a 0.5 Hz motion then loses 2e-5 of its amplitude, at any dt.

    :param dt: [s] between points.
    :param f_cut: [Hz].
    """
    return float(f'{(1.0 / (2.0 * math.pi * f_cut * dt)) ** 6:.3g}')


def smooth(points: Floats, dt: float, f_cut: float) -> Floats:
    """Return the points (H, n) without motion above a frequency [Hz]."""
    return smoothing_matrix(len(points), stiffness(dt, f_cut)) @ points


def average_with_plan(points: Floats, times: Floats, plan: Plan, weight: float) -> Floats:
    """
    Return the points drawn towards the plan in execution where both speak of the same time.

    The weight tapers to zero before the plan ends, or its end would show as a step.

    :param points: (H, n) of the new chunk, due at ``times`` (H,) [s].
    :param weight: of the plan, 0..1.
    """
    count = int(np.searchsorted(times, plan.end))
    if count == 0 or weight == 0.0:
        return points
    taper = np.minimum((plan.end - times[:count]) / TAPER, 1.0)
    share = (weight * taper)[:, None]
    out = points.copy()
    out[:count] += share * (plan.arms.positions(times[:count]) - points[:count])
    return out


@dataclass(frozen=True, slots=True)
class Memory:
    """Curves of the newest chunks as they came, oldest first."""

    curves: tuple[CubicSpline, ...] = ()

    def with_curve(self, curve: CubicSpline) -> 'Memory':
        """Return a memory with one more chunk, without those that ended before it begins."""
        kept = tuple(c for c in self.curves if c.end > curve.start)
        return Memory((*kept, curve)[-LONGEST_MEMORY:])


def ensemble(memory: Memory, times: Floats, coefficient: float) -> Floats:
    """
    Return ACT's temporal ensemble at the times of the newest chunk, (H, n).

    ``sum(w_i A_i(t)) / sum(w_i)`` with ``w_i = exp(-c i)``, i = 0 the oldest that covers t. A
    chunk's weight tapers to zero towards its end, or the end would show as a step.

    :param memory: at least the newest chunk.
    :param times: (H,) [s].
    :param coefficient: c; positive trusts older chunks more.
    """
    total = np.zeros((len(times), 1))
    out = np.zeros((len(times), memory.curves[-1].powers.shape[2]))
    rank = np.zeros(len(times))
    for curve in memory.curves:
        newest = curve is memory.curves[-1]
        covers = (times >= curve.start) & (times < curve.end) | newest
        fading = 1.0 if newest else np.clip((curve.end - times) / TAPER, 0.0, 1.0)
        weight = (covers * fading * np.exp(-coefficient * rank))[:, None]
        out += weight * curve.positions(times)
        total += weight
        rank += covers
    return np.asarray(out / total)
