# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""How late ticks were, against the grid of deadlines their loop was scheduled on."""

import numpy as np

from vla_control.core.messages import Floats
from vla_control.runtime.statistics import percentile

PUNCTUAL = 1e-3  # [s] a tick may start after its deadline
EARLY = 1e-4  # [s] before a deadline that counts as on it; loops add up their deadlines


def punctuality(times: Floats, dt: float, phase: float = 0.0) -> dict[str, float]:
    """
    Judge every deadline from the first tick to the last, also those without a tick.

    A tick belongs to the newest deadline before it. One so late that the next deadline had passed
    leaves its own without a tick: that one was missed, and counts as late by a period.

    :param times: (T,) [s] at which ticks started, rising, T >= 2.
    :param dt: period of the deadlines [s].
    :param phase: [s] on the clock of the times; the deadlines are at whole periods from it.
    """
    slots = np.floor((times - phase + EARLY) / dt)
    late = times - phase - slots * dt
    _, first = np.unique(slots, return_index=True)
    deadlines = round(float(slots[-1] - slots[0])) + 1
    absent = deadlines - len(first)
    lateness = np.concatenate([np.maximum(late[first], 0.0), np.full(absent, dt)])
    return {
        'deadlines': float(deadlines),
        'missed': float(absent),
        'late': float((lateness >= PUNCTUAL).sum()),
        'within_1ms': float(np.mean(lateness < PUNCTUAL)),
        'late_p50': percentile(lateness.tolist(), 50),
        'late_p99': percentile(lateness.tolist(), 99),
    }
