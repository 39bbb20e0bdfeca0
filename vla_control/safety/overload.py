# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Watches what the motors bear: torque above their peak, speed nobody asked for, and heat.

Heat is counted as I2t protection does, by one store per motor that is filled by the square of
the load: ``dh/dt = ((effort / rated)^2 - h) / thermal_time``. The rated effort for ever fills it
to 1, and never beyond. It begins cold, whatever was before: measured temperatures are judged
beside it.
"""

import math

import numpy as np

from vla_control.core.messages import Floats, RobotState
from vla_control.core.spec import RobotSpec
from vla_control.safety.findings import Finding, ms, named
from vla_control.safety.supervisor import Event


class Overload:
    """Effort, speed and heat of the arm joints of one robot; what is no number is too much."""

    def __init__(self, spec: RobotSpec) -> None:
        """Begin cold, with nothing suspected."""
        safety, n = spec.safety, len(spec.joints)
        self._spec = spec
        self._arm = ~spec.gripper
        self._peak = safety.effort_peak * spec.effort  # (n,) [N·m, grippers N]
        bounds = np.array([self._peak, safety.overspeed * spec.velocity])
        self._bounds = np.where(self._arm, bounds, np.inf)  # (2, n)
        self._strained = np.full(n, np.inf)  # [s] since then above the peak effort
        self._fast = np.zeros(n, dtype=int)  # ticks in a row above the speed
        self._suspect = False  # whether either of them has begun
        self._per_rated = 1.0 / spec.rated  # 0 where the rated effort is not known
        self._rated = bool(self._per_rated.any())
        self._heat = np.zeros(n)  # [1] of what the rated effort makes for ever
        self._felt = math.nan  # [s] when it was last counted
        self._cooling = False  # stopped by heat, and not yet below the warning since

    def reset(self) -> None:
        """Forget efforts and speeds; heat stays."""
        self._strained[:] = np.inf
        self._fast[:] = 0
        self._suspect = False

    def check(self, now: float, state: RobotState, found: list[Finding]) -> None:
        """Add what one tick's measurements give reason for; ``now`` [s]."""
        self.warm(now, state.effort)
        self.check_heat(found)
        seen = np.abs(np.array((state.effort, state.v)))
        if not self._suspect and bool((seen <= self._bounds).all()):
            return
        # Comparisons are turned round so that a NaN counts as too much.
        over = ~(seen <= self._bounds) & self._arm
        self._suspect = bool(over.any())
        self._strained = np.where(over[0], np.minimum(self._strained, now), np.inf)
        self._fast = np.where(over[1], self._fast + 1, 0)
        safety, names, (peaks, speeds) = self._spec.safety, self._spec.names, self._bounds
        strained = now - self._strained >= safety.effort_time
        if strained.any():
            who = named(names, strained, lambda i: f'{seen[0, i]:.1f} of {peaks[i]:.1f} N·m')
            time = ms(safety.effort_time)
            found.append((Event.FAULT, f'above the peak effort for {time}: {who}'))
        fast = self._fast >= safety.overspeed_ticks
        if fast.any():
            who = named(names, fast, lambda i: f'{seen[1, i]:.2f} rad/s, limit {speeds[i]:.2f}')
            ticks = safety.overspeed_ticks
            found.append((Event.FAULT, f'runs away, too fast for {ticks} ticks: {who}'))

    def warm(self, now: float, effort: Floats) -> None:
        """
        Let what was measured act since the last call.

        :param now: [s]
        :param effort: (n,) [N·m, grippers N]; one that is no number counts as the peak.
        """
        passed = now - self._felt if now > self._felt else 0.0
        self._felt = now
        if not self._rated:
            return
        load = np.fmin(np.abs(effort), self._peak) * self._per_rated
        share = -math.expm1(-passed / self._spec.safety.thermal_time)
        self._heat += share * (load * load - self._heat)

    def check_heat(self, found: list[Finding]) -> None:
        """Add which motors are, or by count must be, too hot to go on; a stop lasts a while."""
        warning = self._spec.safety.thermal_warning
        if float(self._heat.max()) < warning:
            self._cooling = False
            return
        hottest = 1.0 if not self._cooling else warning
        for event, limit in ((Event.FAULT, hottest), (Event.WARNING, warning)):
            hot = self._heat >= limit
            if hot.any():
                self._cooling |= event is Event.FAULT
                who = named(self._spec.names, hot, self._say_heat)
                found.append((event, f'overloaded for too long: {who}, limit {limit:.0%}'))
                return

    def _say_heat(self, index: int) -> str:
        rated = self._spec.rated[index]
        return f'{self._heat[index]:.0%} of the heat of its rated {rated:g} N·m'
