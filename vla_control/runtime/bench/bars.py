# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""What our own way of joining chunks has to keep, or the bench fails."""

from collections.abc import Mapping, Sequence
from typing import Any

from vla_control.runtime.bench.faults import Fault

MOST = {  # in the headline table
    'seam_velocity_jump_mrad': 2.5,
    'rms_jerk': 5.0,
    'rmse_mrad': 18.0,
    'splice_p99_ms': 0.5,
    'idle_ratio': 0.0,
}
PEER_MARGIN = 1.1  # the error may be this much above the best peer's of the same run
MUST_HOLD = (Fault.SERVER_DEATH.value, Fault.CLOCK_JUMP.value)


def judge(
    ours: str, headline: Mapping[str, Any], cells: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """
    Return each bar with its value; empty where ours was not run.

    :param ours: name of the method judged.
    :param headline: numbers by method.
    :param cells: of the grid.
    """
    if ours not in headline:
        return []
    mine = headline[ours]
    out = [_bar(metric, mine[metric], most) for metric, most in MOST.items()]
    errors = [m['rmse_mrad'] for name, m in headline.items() if name != ours]
    if errors:
        out.append(_bar('rmse_to_best_peer', mine['rmse_mrad'] / min(errors), PEER_MARGIN))
    grid = [mine, *(c for c in cells if c['method'] == ours)]
    out.append(_bar('limit_ratio_anywhere', max(c['limit_ratio'] for c in grid), 1.0))
    out.append(_bar('not_finite_anywhere', max(c['not_finite'] for c in grid), 0.0))
    fatal = [c for c in cells if c['method'] == ours and c['fault'] in MUST_HOLD]
    if fatal:
        moving = sum(c['held'] < 1.0 or c['ends_at_rest'] < 1.0 for c in fatal)
        out.append(_bar('cells_not_held_after_death_or_clock_jump', moving, 0.0))
    return out


def _bar(metric: str, value: float, most: float) -> dict[str, Any]:
    return {'metric': metric, 'value': value, 'most': most, 'kept': bool(value <= most)}
