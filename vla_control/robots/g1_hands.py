# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Commands of the Dex3-1 hands; they have no checksum and no weight of their own."""

import numpy as np
from numpy.typing import NDArray

from vla_control.buses.unitree import (
    encode_hand_cmd,
    hand_cmd,
    hand_command,
    HAND_MOTORS,
    UnitreeBus,
)
from vla_control.core.messages import Floats
from vla_control.robots.g1_config import Hands, span

_NUMBER = np.arange(HAND_MOTORS, dtype=np.uint8)  # bits 0..3 of the mode name the motor
_RUN = 1 << 4  # bits 4..6: closed loop
_TIMEOUT = 1 << 7  # with zero gains: stop
# A command may go out early by this share of its period, or ticks would drop every second; and by
# this share of a tick, or a faster loop would send more than it is told to.
_SLACK, _TICK_SLACK = 0.25, 0.75


class G1Hands:
    """The hands of one robot, each with its own map from joints to motors."""

    def __init__(
        self,
        sides: dict[str, tuple[NDArray[np.intp], NDArray[np.intp]]],
        limits: Hands,
        bus: UnitreeBus,
        dt: float,
    ) -> None:
        """
        Begin with nothing sent.

        :param sides: side -> joints, motor indices.
        :param dt: [s] of the control loop.
        """
        self._sides = {side: (span(joints), span(at)) for side, (joints, at) in sides.items()}
        self._limits, self._bus = limits, bus
        every = [joints for joints, _ in sides.values()]
        # (f,) which joints are fingers
        self.joints = span(np.concatenate(every) if every else np.zeros(0, dtype=np.intp))
        self._sent = -np.inf  # [s] of the newest command
        self._pause = 1.0 / limits.rate - min(_SLACK / limits.rate, _TICK_SLACK * dt)  # [s]

    def encode(self, q: Floats, v: Floats, kp: Floats, kd: Floats, tau: Floats) -> list[bytes]:
        """
        Return a command per hand.

        :param q: (n,) [rad], as v [rad/s], kp, kd and tau [N·m]; only fingers are read.
        :raises CodecError: when a value is not finite.
        """
        payloads = []
        for joints, indices in self._sides.values():
            message = hand_cmd()
            motors = message['motor_cmd']
            motors['mode'] = _NUMBER | _RUN
            motors['q'][indices] = q[joints]
            motors['dq'][indices] = v[joints]
            motors['kp'][indices] = np.minimum(np.maximum(kp[joints], 0.0), self._limits.kp)
            motors['kd'][indices] = np.minimum(np.maximum(kd[joints], 0.0), self._limits.kd)
            motors['tau'][indices] = tau[joints]
            payloads.append(encode_hand_cmd(message))
        return payloads

    def due(self, now: float) -> bool:
        """Return whether the hands are to be sent a command in this tick."""
        return now - self._sent >= self._pause

    def send(self, payloads: list[bytes], now: float) -> None:
        """
        Send one command per hand.

        :raises BusError: when the bus does not take it.
        """
        self._sent = now
        for side, payload in zip(self._sides, payloads, strict=True):
            self._bus.publish(hand_command(side), payload)

    def stop(self) -> None:
        """
        Switch every finger off.

        :raises BusError: when the bus does not take it.
        """
        message = hand_cmd()
        message['motor_cmd']['mode'] = _NUMBER | _RUN | _TIMEOUT
        payload = encode_hand_cmd(message)
        for side in self._sides:
            self._bus.publish(hand_command(side), payload)
