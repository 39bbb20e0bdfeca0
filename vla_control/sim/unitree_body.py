# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""How the emulated board of a G1 turns commands into torques of its body."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vla_control.buses.unitree import ARM_WEIGHT_SLOT, checksum_ok, decode_low_cmd, Message
from vla_control.core.errors import CodecError
from vla_control.core.messages import Floats

STALE = 0.1  # [s] without rt/lowcmd after which the firmware damps; its real period is not known
DAMPING = 2.0  # [N·m·s/rad] of every motor then


@dataclass(frozen=True, slots=True, kw_only=True)
class Impedance:
    """What motors are told, (b,) each; torque = kp (q* - q) + kd (v* - v) + tau."""

    q: Floats  # [rad]
    v: Floats  # [rad/s]
    kp: Floats  # [N·m/rad]
    kd: Floats  # [N·m·s/rad]
    tau: Floats  # [N·m]

    def torque(self, q: Floats, v: Floats) -> Floats:
        """Return what it exerts (b,) [N·m] at a position [rad] and velocity [rad/s]."""
        return self.kp * (self.q - q) + self.kd * (self.v - v) + self.tau

    def blend(self, other: 'Impedance', weight: float) -> 'Impedance':
        """Return the other one by a weight 0..1, and this one by the rest."""
        rest = 1.0 - weight
        return Impedance(
            q=rest * self.q + weight * other.q,
            v=rest * self.v + weight * other.v,
            kp=rest * self.kp + weight * other.kp,
            kd=rest * self.kd + weight * other.kd,
            tau=rest * self.tau + weight * other.tau,
        )


@dataclass(slots=True, kw_only=True)
class CommandDoor:
    """One command topic: the newest command that passed, and how many did not."""

    message: Message | None = None
    stamp: float = -np.inf  # [s] it came
    taken: int = 0
    refused: int = 0

    def offer(self, payload: bytes, now: float, mode_machine: int) -> None:
        """
        Take a command; one that is damaged or for another robot is ignored, as by the robot.

        :param now: [s]
        :param mode_machine: what the robot reports, and a command must repeat.
        """
        try:
            message = decode_low_cmd(payload)
        except CodecError:
            self.refused += 1
            return
        if not checksum_ok(message) or int(message['mode_machine']) != mode_machine:
            self.refused += 1
            return
        self.message, self.stamp = message, now
        self.taken += 1

    @property
    def weight(self) -> float:
        """The share of this command in what the arms do, 0..1."""
        if self.message is None:
            return 0.0
        return float(np.clip(self.message['motor_cmd']['q'][ARM_WEIGHT_SLOT], 0.0, 1.0))

    def impedance(self, slots: NDArray[np.intp]) -> Impedance | None:
        """Return what some motors (b,) are told, None before the first command."""
        if self.message is None:
            return None
        told = self.message['motor_cmd'][slots]
        return Impedance(
            q=np.asarray(told['q'], dtype=float),
            v=np.asarray(told['dq'], dtype=float),
            kp=np.asarray(told['kp'], dtype=float),
            kd=np.asarray(told['kd'], dtype=float),
            tau=np.asarray(told['tau'], dtype=float),
        )

    def enabled(self, slots: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Return which of some motors (b,) the command switches on."""
        if self.message is None:
            return np.zeros(len(slots), dtype=np.bool_)
        return np.asarray(self.message['motor_cmd']['mode'][slots] == 1)


def damping(v: Floats) -> Floats:
    """Return what a damping firmware exerts (b,) [N·m] at a velocity [rad/s]."""
    return -DAMPING * v
