# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""What the emulated board of a G1 says of its body, and what it can say wrong."""

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vla_control.buses.unitree import (
    BMS_STATE,
    encode_bms,
    encode_low_state,
    encode_remote,
    low_state,
    MOTORS,
    wire_low_state,
)
from vla_control.core.messages import Floats
from vla_control.core.spec import RobotSpec

_LEG = 6  # motors of a leg: hip pitch, roll, yaw, knee, ankle pitch, roll
_MIRRORED = np.array([1.0, -1.0, -1.0, 1.0, 1.0, -1.0])  # roll and yaw of the right leg
_WAIST = slice(2 * _LEG, 2 * _LEG + 3)
_TEMPERATURES = (35, 40)  # [deg C] of casing and winding
_GRAVITY = 9.81  # [m/s2] what an accelerometer at rest reads


@dataclass(slots=True, kw_only=True)
class BoardFaults:
    """What the board does wrong; everything is right to begin with, and can be put right again."""

    bad_checksum: bool = False  # of every state of the body
    stalled: bool = False  # no state of the body leaves
    frozen: bool = False  # states leave, but always the same one
    mode_machine: int | None = None  # told instead of the configured one
    silent_hands: set[str] = field(default_factory=set)  # 'left', 'right'
    temperature: dict[int, float | tuple[float, float]] = field(
        default_factory=dict
    )  # slot -> [deg C] of both sensors, or of casing and winding
    errors: dict[int, int] = field(default_factory=dict)  # slot -> bits of motorstate
    second_writer: bool = False  # another program commands the robot
    battery: float = 80.0  # [percent] of charge
    buttons: Collection[str] = ()  # held on the remote control
    quaternion: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 0.0)  # w, x, y, z


class BodyReport:
    """Makes the states of one body."""

    def __init__(self, spec: RobotSpec, slots: NDArray[np.intp], mode_machine: int) -> None:
        """
        Begin upright, the motors outside the spec where its ``urdf_args`` hold them.

        :param slots: (b,) of the joints that are measured.
        """
        self._slots = slots
        self._mode_machine = mode_machine
        self._state = state = low_state()
        state['imu_state']['accelerometer'] = [0.0, 0.0, _GRAVITY]
        self._motors = state['motor_state'][:MOTORS]
        self._motors['mode'] = 1
        self._motors['vol'] = 48.0
        self._motors['q'] = standing_pose(spec)

    def mode_machine(self, faults: BoardFaults) -> int:
        """Return the hardware variant it reports."""
        told = faults.mode_machine
        return self._mode_machine if told is None else told

    def skip(self, ticks: int) -> None:
        """Count states that were never sent."""
        self._state['tick'] += np.uint32(ticks)

    def encode(self, q: Floats, v: Floats, torque: Floats, faults: BoardFaults) -> bytes:
        """
        Return the next state.

        :param q: (b,) [rad]
        :param v: (b,) [rad/s]
        :param torque: (b,) [N·m]
        """
        state, motors, at = self._state, self._motors, self._slots
        if not faults.frozen:
            state['tick'] += 1
            motors['q'][at], motors['dq'][at], motors['tau_est'][at] = q, v, torque
        state['mode_machine'] = self.mode_machine(faults)
        motors['temperature'] = _TEMPERATURES
        for slot, celsius in faults.temperature.items():
            motors['temperature'][slot] = celsius
        motors['motorstate'] = 0
        for slot, bits in faults.errors.items():
            motors['motorstate'][slot] = bits
        state['imu_state']['quaternion'] = faults.quaternion
        state['wireless_remote'] = np.frombuffer(encode_remote(faults.buttons), np.uint8)
        payload = encode_low_state(state)
        if faults.bad_checksum:
            state['crc'] ^= 1
            payload = wire_low_state(state)
        return payload


def battery_report(charge: float) -> bytes:
    """Return a state of the battery [percent]."""
    battery = np.zeros((), BMS_STATE)
    battery['soc'] = round(charge)
    return encode_bms(battery)


def standing_pose(spec: RobotSpec) -> Floats:
    """Return where every motor of the body (29,) [rad] stands that the spec does not list."""
    pose = np.zeros(MOTORS)
    legs = np.array(spec.urdf_args.get('legs', '0 0 0 0 0 0').split(), dtype=float)
    pose[:_LEG] = legs
    pose[_LEG : 2 * _LEG] = legs * _MIRRORED
    pose[_WAIST] = np.array(spec.urdf_args.get('waist', '0 0 0').split(), dtype=float)
    return pose
