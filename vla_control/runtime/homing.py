# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Homing of a gripper as the control loop sees it: begun in HOLD only, its end noticed once."""

from vla_control.core.errors import RobotError
from vla_control.core.protocols import HomingDriver, RobotDriver
from vla_control.safety.supervisor import Mode


class HomingWatch:
    """Begins a homing where that is allowed, and tells when it has ended."""

    def __init__(self, driver: RobotDriver) -> None:
        """Look at what the driver can do."""
        self._driver = driver if isinstance(driver, HomingDriver) else None
        self._running = False

    @property
    def running(self) -> bool:
        """Whether a homing is on."""
        return self._running

    def begin(self, mode: Mode, now: float) -> str:
        """Begin at ``now`` [s] if this is HOLD, and return what came of the request."""
        if self._driver is None:
            return 'homing refused: this robot has nothing to home'
        if mode is not Mode.HOLD:
            return f'homing refused in {mode.value}; only in HOLD'
        try:
            self._driver.home_gripper(now)
        except RobotError as error:
            return f'homing refused: {error}'
        report = self._driver.homing
        self._running = report.running
        return f'gripper: {report.reason}'

    def ended(self) -> str:
        """Return how a homing ended, once; else nothing."""
        if self._driver is None or not self._running:
            return ''
        report = self._driver.homing
        self._running = report.running
        return '' if report.running else f'gripper: {report.reason}'
