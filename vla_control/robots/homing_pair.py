# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Two arms as one robot whose grippers have to find their zero after power-up."""

from vla_control.core.errors import RobotError
from vla_control.core.protocols import HomingDriver, HomingReport
from vla_control.robots.pair import Pair


class HomingPair(Pair):
    """A Pair of arms that each are a HomingDriver; their grippers are homed at the same time."""

    @property
    def homing(self) -> HomingReport:
        """How it stands on every side."""
        reports = {
            side: driver.homing
            for side, driver in zip(self._spec.parts, self._drivers, strict=True)
            if isinstance(driver, HomingDriver)
        }
        return HomingReport(
            needed=any(r.needed for r in reports.values()),
            running=any(r.running for r in reports.values()),
            reason='; '.join(f'{side}: {r.reason}' for side, r in reports.items()),
        )

    def home_gripper(self, now: float) -> None:
        """
        Begin on every side that needs it.

        :raises RobotError: before enable(); no side has begun then.
        """
        if len(self._open) != len(self._drivers):
            raise RobotError(f'{self._spec.name}: homing before enable()')
        for driver in self._drivers:
            if isinstance(driver, HomingDriver):
                driver.home_gripper(now)
