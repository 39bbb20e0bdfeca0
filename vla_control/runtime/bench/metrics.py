# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
What a run was like, in numbers that each expose one weakness.

Differences of what was sent, never what a method says of itself.
"""

import math
from typing import Any

import numpy as np

from vla_control.core.errors import VlaControlError
from vla_control.core.messages import Floats
from vla_control.core.spec import RobotSpec
from vla_control.runtime.bench.run import Trace
from vla_control.runtime.bench.setting import Setting
from vla_control.runtime.statistics import percentile
from vla_control.safety.checker import worst_ratios


def measure(
    trace: Trace, truth: Floats, setting: Setting, spec: RobotSpec, until: float = math.inf
) -> dict[str, Any]:
    """
    Return the numbers of one run after its warm-up, as plain data; nan where there are none.

    :param truth: (T, n) [rad] the true motion at control rate.
    :param until: [s] from when on nobody could follow it; bounds the error alone.
    """
    if trace.smooth.shape != truth.shape:
        raise VlaControlError(
            f'{trace.smooth.shape} sent and {truth.shape} true positions; need the same'
        )
    first = round(setting.warm_up * setting.control_rate)
    times = setting.control_times
    smooth, idle = trace.smooth[first:], trace.idle[first:]
    judged = (times >= setting.warm_up) & (times < until)
    dt = 1.0 / setting.control_rate
    worst = worst_ratios(times[first:], smooth, spec)
    ages = trace.ages[first:][np.isfinite(trace.ages[first:])]
    step, jump = seam_numbers(
        trace.smooth[:: setting.substeps],
        truth[:: setting.substeps],
        trace.seams[trace.seams > setting.warm_up * setting.policy_rate],
    )
    return {
        'idle_ratio': float(idle.mean()),
        'longest_gap_s': longest_run(idle) * dt,
        'seam_step_mrad': 1e3 * step,
        'seam_velocity_jump_mrad': 1e3 * jump,
        'rms_jerk': rms_jerk(smooth, dt),
        'rms_jerk_linear': rms_jerk(trace.linear[first:], dt),
        'v_max': peak(smooth, 1, dt),
        'a_max': peak(smooth, 2, dt),
        'a_max_linear': peak(trace.linear[first:], 2, dt),
        'j_max': peak(smooth, 3, dt),
        'limit_ratio': max(worst.velocity, worst.acceleration, worst.jerk),
        'rmse_mrad': 1e3 * rmse(trace.smooth[judged], truth[judged]),
        'age_p50_ms': 1e3 * percentile(ages.tolist(), 50),
        'age_p95_ms': 1e3 * percentile(ages.tolist(), 95),
        'not_finite': trace.not_finite,
        'refused': trace.refused,
        'held': bool(trace.held),
        'ends_at_rest': bool(np.ptp(smooth[-round(0.5 / dt) :], axis=0).max() < 1e-9),
    }


def measure_truth(truth: Floats, setting: Setting) -> dict[str, float]:
    """Return the same numbers of the true motion (T, n), the floor of any method that follows."""
    q = truth[round(setting.warm_up * setting.control_rate) :]
    dt = 1.0 / setting.control_rate
    return {
        'seam_velocity_jump_mrad': 1e3
        * setting.dt**2
        * peak(q[:: setting.substeps], 2, setting.dt),
        'rms_jerk': rms_jerk(q, dt),
        'v_max': peak(q, 1, dt),
        'a_max': peak(q, 2, dt),
        'j_max': peak(q, 3, dt),
    }


def seam_numbers(sent: Floats, truth: Floats, seams: Any) -> tuple[float, float]:
    """
    Return the worst step beyond the true one and the worst second difference at a seam.

    The second differences are those centred within one step of a seam's first step. They are
    not relative to the true motion's own, which is the floor of any method.

    :param sent: (K, n) [rad] at policy rate.
    :param truth: (K, n) [rad].
    :param seams: (s,) the first step of each new chunk.
    """
    at = np.asarray(seams, dtype=np.intp)
    at = at[(at >= 2) & (at < len(sent) - 2)]
    if not len(at):
        return math.nan, math.nan
    excess = np.abs(np.diff(sent - truth, axis=0))[at - 1]
    bend = np.abs(np.diff(sent, n=2, axis=0))  # row i is centred at step i + 1
    near = bend[at[:, None] + np.array([-2, -1, 0])]
    return float(excess.max()), float(near.max())


def rms_jerk(q: Floats, dt: float) -> float:
    """Return the root mean square over ticks and joints of third differences [rad/s3]."""
    return float(np.sqrt(np.mean(np.square(np.diff(q, n=3, axis=0) / dt**3))))


def peak(q: Floats, order: int, dt: float) -> float:
    """Return the largest derivative of an order, by differences [rad/s**order]."""
    return float(np.abs(np.diff(q, n=order, axis=0)).max() / dt**order)


def rmse(sent: Floats, truth: Floats) -> float:
    """Return the root mean square error over ticks and joints [rad]."""
    return float(np.sqrt(np.mean(np.square(sent - truth))))


def longest_run(mask: Any) -> int:
    """Return the length of the longest stretch of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], np.asarray(mask), [False]))))
    return int((edges[1::2] - edges[::2]).max(initial=0))
