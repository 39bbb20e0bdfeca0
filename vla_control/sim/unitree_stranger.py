# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Another program that commands the robot beside us, such as a forgotten teleoperation."""

import numpy as np

from vla_control.buses.unitree import encode_low_cmd, low_cmd, UnitreeBus

PERIOD = 0.02  # [s] between its commands, as of the vendor's arm example


class Stranger:
    """Comes and goes as it is asked to; its commands carry no weight and no gains."""

    def __init__(self, bus: UnitreeBus, mode_machine: int) -> None:
        """
        Be away.

        :param bus: of its own, closed; it writes every topic that this one has.
        :param mode_machine: what the robot reports; it obeys no command without it.
        """
        self._bus = bus
        message = low_cmd()
        message['mode_machine'] = mode_machine
        self._payload = encode_low_cmd(message)
        self._there = False
        self._next = -np.inf  # [s] it commands again

    def serve(self, now: float, wanted: bool) -> None:
        """
        Do what is due.

        :param now: [s]
        :param wanted: whether it is to be there.
        :raises BusError: when its bus cannot be opened.
        """
        if wanted != self._there:
            self._there = wanted
            self._bus.open() if wanted else self._bus.close()
        if self._there and now >= self._next:
            self._next = now + PERIOD
            for topic in self._bus.ends.writes:
                self._bus.publish(topic, self._payload)
