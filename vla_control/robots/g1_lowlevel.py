# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Every motor of a Unitree G1 through rt/lowcmd; for a robot that hangs in a harness."""

from contextlib import suppress

import numpy as np

from vla_control.buses.unitree import UnitreeBus
from vla_control.core.errors import BusError, ConfigError, RobotError
from vla_control.core.messages import Floats, JointCommand, RobotState
from vla_control.core.protocols import Clock
from vla_control.core.spec import RobotSpec
from vla_control.robots.g1_base import G1Base
from vla_control.robots.guards import command_gain


class G1LowLevel(G1Base):
    """
    Drives the whole body while the robot's own controller is released.

    Nothing balances the robot. The firmware is told nothing before the control loop runs:
    rt/lowcmd that begins and pauses trips its watchdog into damping. So enable() only looks, and
    the first write() is the first command. To stop is to stream damping, never one packet of
    zeros, after which the joints would be free.
    """

    def __init__(self, spec: RobotSpec, bus: UnitreeBus, clock: Clock) -> None:
        """
        Check the configuration; nothing is opened.

        :param bus: of this robot, closed.
        :param clock: what connect, enable and close wait on.
        :raises ConfigError: when a section is wrong, or the harness is not confirmed.
        """
        super().__init__(spec, bus, None, clock)
        low = self._config.low_level
        if low is None:
            raise ConfigError(f'{spec.name}: bus.low_level is missing')
        if not low.harness:
            raise ConfigError(
                f'{spec.name}: nothing balances the robot on rt/lowcmd. Hang it in a harness, '
                'then say so: bus.low_level.harness: true, in a file of your own that extends '
                'this one'
            )
        self._low = low

    def enable(self, now: float) -> RobotState:
        """
        Look at every joint; the first command is the first write().

        :raises RobotError: when a joint is silent or outside its limits, or the robot at fault.
        """
        self._require_open()
        if self._armed:
            raise RobotError(f'{self._spec.name}: enabled already; close() and connect() again')
        self._await_fresh()
        self._require_fit()
        self._armed = True
        return self.read(self._clock.now())

    def write(self, command: JointCommand, now: float) -> None:
        """
        Send one command; damping gives way to it as its gain grows.

        :raises CodecError: when it is not finite or has the wrong shape; nothing is sent then.
        :raises RobotError: before enable().
        :raises BusError: when the bus does not take it.
        """
        gain = command_gain(self._spec, command)
        if not self._armed:
            raise RobotError(f'{self._spec.name}: write before enable()')
        kd = gain * self._spec.kd + (1.0 - gain) * self._low.damping
        self._stream(command.q, command.v, gain * self._spec.kp, kd, now, gain)

    def safe_action(self, now: float) -> None:
        """Damp every joint; the hands keep their grip."""
        if not self._armed:
            return
        # On a dead bus nothing is left to do; its counters tell.
        with suppress(BusError):
            self._damp(now)

    def clear_faults(self, now: float) -> None:
        """
        Look at every joint again; moves nothing.

        :raises RobotError: when a joint is silent, or the fault is still there.
        """
        self._require_open()
        self._await_fresh(self.safe_action)
        self._require_fit()

    def close(self, now: float) -> None:
        """
        Damp for ``damping_time``, then leave the robot to its firmware's own damping.

        Safe to call twice and on a dead bus.
        """
        if not self._open:
            return
        try:
            if self._armed:
                self._settle()
        finally:
            self._open = self._armed = False
            self._bus.close()

    def _settle(self) -> None:
        end = self._clock.now() + self._low.damping_time
        with suppress(BusError):
            while (now := self._clock.now()) < end:
                self._link.drain(now)
                self._damp(now)
                self._clock.sleep_until(now + self._spec.dt)
            self._hands.stop()

    def _damp(self, now: float) -> None:
        zero = np.zeros(len(self._spec.joints))
        q = np.where(np.isfinite(self._link.q), self._link.q, 0.0)
        self._stream(q, zero, zero, np.full(len(zero), self._low.damping), now, 1.0)

    def _stream(
        self, q: Floats, v: Floats, kp: Floats, kd: Floats, now: float, grip: float
    ) -> None:
        zero = np.zeros(len(q))
        kp_hand, kd_hand = grip * self._spec.kp, grip * self._spec.kd
        due = self._hands.due(now)
        hands = self._hands.encode(q, v, kp_hand, kd_hand, zero) if due else None
        self._send(self._message(q, v, kp, kd, zero), hands, now)
