# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The Damiao motors of a robot, from joint units to what each frame may carry."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vla_control.buses.damiao import (
    bus_ranges,
    command_id,
    encode_mit,
    encode_pos_force,
    Homing,
    MitRanges,
    Mode,
    motor_setups,
)
from vla_control.buses.damiao_frames import KD_MAX, KP_MAX
from vla_control.core.errors import ConfigError
from vla_control.core.messages import Floats
from vla_control.core.spec import JointSpec, RobotSpec

Payload = tuple[int, bytes]  # arbitration id, data

_MODES = {'mit': Mode.MIT, 'pos_force': Mode.POS_FORCE}

# Torque at the shaft when the current field of a position-force frame is 1: largest current of
# the drive times the torque constant, 10.26 A x 0.945 N·m/A (motor manual). One arm vendor divides
# by 9.45, another by 4.5 N·m; the largest number squeezes least, so a wrong guess is gentle.
FULL_CURRENT_TORQUE = {'DM4310': 9.7}  # [N·m]


@dataclass(frozen=True, slots=True, kw_only=True)
class Motor:
    """One motor with everything needed to talk to it and to check it."""

    joint: str
    model: str
    tx: int  # id it listens to
    rx: int  # id it answers with
    mode: Mode
    ranges: MitRanges  # full scales of its packed fields
    scale: float  # motor rad per joint unit (rad or metre), signed
    offset: float  # [rad] motor angle at joint position 0
    speed: float  # [rad/s] position-force: speed limit of the shaft
    current: float  # [1] position-force: share of the drive's largest current
    full_torque: float  # [N·m] position-force: at a current of 1
    homing: Homing | None  # how a gripper finds its zero


def motors_of(spec: RobotSpec) -> tuple[Motor, ...]:
    """
    Return the motors of a robot in joint order, (n,).

    :raises ConfigError: naming the joint, the key and what would be right.
    """
    ranges = bus_ranges(spec.bus, f'{spec.name}: bus')
    motors = []
    for joint, setup in zip(spec.joints, motor_setups(spec), strict=True):
        where = f'{spec.name}: {joint.name}'
        if setup.mode not in _MODES:
            raise ConfigError(
                f'{where}.motor.mode: this driver commands {sorted(_MODES)}, not {setup.mode!r}'
            )
        mode = _MODES[setup.mode]
        if mode is Mode.MIT and joint.kd == 0.0:
            raise ConfigError(f'{where}.kd is 0; the safe action of a mit motor needs damping')
        scale = setup.scale
        if mode is Mode.MIT:
            _check_range(joint, scale, ranges[setup.model], where)
        current, full = 0.0, 0.0
        if mode is Mode.POS_FORCE:
            full = FULL_CURRENT_TORQUE.get(setup.model, 0.0)
            if not full:
                raise ConfigError(
                    f'{where}.motor: the torque of {setup.model} at full current is not known, '
                    f'only that of {sorted(FULL_CURRENT_TORQUE)}; its force cannot be bounded'
                )
            current = min(setup.force, joint.effort / abs(scale)) / full
        motors.append(
            Motor(
                joint=joint.name,
                model=setup.model,
                tx=setup.tx,
                rx=setup.rx,
                mode=mode,
                ranges=ranges[setup.model],
                scale=scale,
                offset=setup.offset,
                speed=setup.speed,
                current=current,
                full_torque=full,
                homing=setup.homing,
            )
        )
    return tuple(motors)


def _check_range(joint: JointSpec, scale: float, ranges: MitRanges, where: str) -> None:
    """Refuse what a frame would quietly cut off."""
    for key, value, largest in (
        ('kp', joint.kp / scale**2, KP_MAX),
        ('kd', joint.kd / scale**2, KD_MAX),
        ('effort', joint.effort / abs(scale), ranges.torque),
    ):
        if value > largest:
            raise ConfigError(
                f'{where}.{key} is {getattr(joint, key)}: {value:g} at the motor, where frames '
                f'carry at most {largest:g}'
            )


def encode_frames(
    motors: Sequence[Motor],
    *,
    q: Floats,
    v: Floats,
    kp: Floats,
    kd: Floats,
    tau: Floats,
    effort: Floats,
    grip: float,
) -> list[Payload]:
    """
    Encode one command frame per motor; all of them, before any is sent.

    :param q: (n,) [rad, grippers m].
    :param v: (n,) [rad/s, grippers m/s].
    :param kp: (n,) [N·m/rad].
    :param kd: (n,) [N·m·s/rad].
    :param tau: (n,) [N·m, grippers N] feed-forward, clipped to the effort.
    :param effort: (n,) [N·m, grippers N] largest magnitude of tau.
    :param grip: 0..1 share of the gripper's force.
    :raises CodecError: when a value is not finite.
    """
    scale = np.array([m.scale for m in motors])
    offset = np.array([m.offset for m in motors])
    fields = zip(
        motors,
        (q * scale + offset).tolist(),
        (v * scale).tolist(),
        (kp / scale**2).tolist(),
        (kd / scale**2).tolist(),
        (np.minimum(np.maximum(tau, -effort), effort) / scale).tolist(),
        strict=True,
    )
    return [
        (m.tx, encode_mit(m.ranges, mq, mv, mkp, mkd, mtau))
        if m.mode is Mode.MIT
        else (command_id(m.mode, m.tx), encode_pos_force(mq, m.speed, m.current * grip))
        for m, mq, mv, mkp, mkd, mtau in fields
    ]
