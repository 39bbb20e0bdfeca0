# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""An emulated Dex3-1 hand: seven motors under a PD law, each with a mode byte."""

import numpy as np
from numpy.typing import NDArray

from vla_control.buses.unitree import (
    decode_hand_cmd,
    encode_hand_state,
    hand_cmd,
    HAND_MOTORS,
    hand_state,
)
from vla_control.core.messages import Floats

_STATUS = 7 << 4  # bits 4..6 of a mode byte
_RUN = 1 << 4  # closed loop
_TIMEOUT = 1 << 7
_REST_TEMPERATURE = 30  # [deg C]


class DexHand:
    """One hand; arrays are (k,) in the order of its joints in the RobotSpec."""

    def __init__(self, indices: NDArray[np.intp]) -> None:
        """
        Begin with every motor off.

        :param indices: (k,) motor of each joint, 0..6.
        """
        self._indices = indices
        self._command = hand_cmd()['motor_cmd']
        self._state = hand_state()
        self._state['motor_state']['mode'] = np.arange(HAND_MOTORS)
        self._state['motor_state']['temperature'] = _REST_TEMPERATURE
        self._state['system_v'] = 24.0  # [V]

    @property
    def driven(self) -> NDArray[np.bool_]:
        """Which motors (k,) follow their command."""
        mode = self._command['mode'][self._indices]
        return np.asarray((mode & _STATUS == _RUN) & (mode & _TIMEOUT == 0))

    def obey(self, payload: bytes) -> None:
        """
        Take a command.

        :raises CodecError: when it is none.
        """
        self._command = decode_hand_cmd(payload)['motor_cmd']

    def torques(self, q: Floats, v: Floats) -> Floats:
        """
        Return what the motors exert (k,) [N·m], before their limits.

        :param q: (k,) [rad]
        :param v: (k,) [rad/s]
        """
        told = self._command[self._indices]
        torque = told['kp'] * (told['q'] - q) + told['kd'] * (told['dq'] - v) + told['tau']
        return np.where(self.driven, torque, 0.0)

    def report(self, q: Floats, v: Floats, torque: Floats) -> bytes:
        """
        Return a state of the hand.

        :param q: (k,) [rad]
        :param v: (k,) [rad/s]
        :param torque: (k,) [N·m]
        """
        motors, at = self._state['motor_state'], self._indices
        motors['q'][at], motors['dq'][at], motors['tau_est'][at] = q, v, torque
        return encode_hand_state(self._state)
