# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The seam between physics and a robot's emulated electronics."""

from typing import Protocol

from vla_control.core.messages import Floats


class Device(Protocol):
    """
    A robot's emulated electronics: answers its bus, and turns commands into joint torques.

    Called by one thread, once and more per physics step. Every (n,) array is in RobotSpec order.
    """

    @property
    def holding(self) -> bool:
        """Whether any motor is enabled; until then somebody holds the robot."""

    def serve(self, now: float, wait: float = 0.0) -> bool:
        """
        Answer everything that has arrived.

        :param now: [s]
        :param wait: [s] longest wait for something to arrive; 0 never blocks.
        :returns: whether anything had.
        :raises BusError: when the bus is closed or lost.
        """

    def measure(self, now: float, q: Floats, v: Floats) -> None:
        """
        Show the encoders the joints.

        :param now: [s]
        :param q: (n,) [rad, grippers m]
        :param v: (n,) [rad/s, grippers m/s]
        :raises SimulationError: when physics has become non-finite.
        """

    def torques(self, now: float) -> Floats:
        """
        Return what the motors exert (n,) [N·m, grippers N]; call once per physics step.

        :param now: [s]
        """

    def close(self) -> None:
        """Leave the bus; safe to call twice."""
