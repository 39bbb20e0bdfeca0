# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""How soon a method follows a policy that changed its mind: what smoothness is paid with."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from vla_control.core.messages import Floats
from vla_control.runtime.bench.run import Trace
from vla_control.runtime.bench.setting import Motion, Setting, Step

SIZE = 0.1  # [rad] by which the goal steps
PHASES = 8  # instants of the step between two requests
BEFORE, AFTER = 2.0, 4.0  # [s] of standing still, and of following

RunMethod = Callable[[Setting, Motion], Trace]


def reaction(run: RunMethod, setting: Setting, joints: int) -> dict[str, float]:
    """
    Return the times from a step of the goal to 10 % and 90 % of it, medians over phases [ms].

    The policy errs in nothing here; it only learns of the step with the next image.
    """
    exact = replace(setting, bias=0.0, noise=0.0, seconds=BEFORE + AFTER, warm_up=0.0)
    period = exact.replan * exact.dt
    times = [BEFORE + (k + 0.5) / PHASES * period for k in range(PHASES)]
    rises = [rise(run(exact, Step(t, SIZE, joints)).smooth, t, exact) for t in times]
    return dict(
        zip(('reaction_10_ms', 'reaction_90_ms'), np.median(rises, axis=0).tolist(), strict=True)
    )


def rise(sent: Floats, since: float, setting: Setting) -> tuple[float, float]:
    """Return when the joints' mean has reached 10 % and 90 % of the step [ms], inf if never."""
    share = sent.mean(axis=1) / SIZE
    out = []
    for level in (0.1, 0.9):
        late = np.flatnonzero(share >= level)
        out.append(1e3 * (setting.control_times[late[0]] - since) if len(late) else np.inf)
    return out[0], out[1]
