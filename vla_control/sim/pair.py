# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The emulated electronics of a robot made of parts: one device for each bus."""

from collections.abc import Sequence
from contextlib import ExitStack

import numpy as np

from vla_control.core.messages import Floats
from vla_control.core.spec import RobotSpec
from vla_control.sim.device import Device

TURN = 0.0003  # [s] one bus is waited on before the next one gets its turn


class PairDevice:
    """Serves all buses and joins the joints, in RobotSpec order."""

    def __init__(self, spec: RobotSpec, devices: Sequence[Device]) -> None:
        """
        Compose.

        :param devices: one for each part of the spec, in its order, on their buses.
        """
        self.devices = tuple(devices)
        self._shares = spec.shares
        self._first = 0  # bus that is waited on next

    @property
    def holding(self) -> bool:
        """Whether every part has an enabled motor; until then somebody holds the robot."""
        return all(device.holding for device in self.devices)

    def serve(self, now: float, wait: float = 0.0) -> bool:
        """
        Answer what has arrived on every bus.

        :param wait: [s] longest wait; it may return earlier with nothing heard, so that no bus
            waits long for another.
        :returns: whether anything had arrived.
        """
        heard = [device.serve(now) for device in self.devices]
        if any(heard) or wait <= 0.0:
            return any(heard)
        self._first = (self._first + 1) % len(self.devices)
        return self.devices[self._first].serve(now, min(wait, TURN))

    def measure(self, now: float, q: Floats, v: Floats) -> None:
        """Show every part its joints."""
        for device, mine in zip(self.devices, self._shares, strict=True):
            device.measure(now, q[mine], v[mine])

    def torques(self, now: float) -> Floats:
        """Return what all motors exert (n,) [N·m, grippers N]."""
        return np.concatenate([device.torques(now) for device in self.devices])

    def close(self) -> None:
        """Leave every bus; safe to call twice."""
        with ExitStack() as every:
            for device in self.devices:
                every.callback(device.close)
