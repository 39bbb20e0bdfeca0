# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""What a RobotSpec says about Damiao motors: its ``motor`` and ``bus.ranges``, checked."""

from dataclasses import dataclass
from typing import Any

from vla_control.buses.damiao_frames import MitRanges
from vla_control.core.config import parse
from vla_control.core.errors import ConfigError
from vla_control.core.spec import JointKind, RobotSpec

MODES = ('mit', 'pos_vel', 'vel', 'pos_force')


@dataclass(frozen=True, slots=True, kw_only=True)
class Homing:
    """How a gripper without an absolute zero finds it: gently against its open stop."""

    position: float  # [m] of the joint at the stop
    torque: float  # [N·m] at the motor shaft, all it may push with
    speed: float  # [rad/s] of the motor
    travel: float  # [rad] of the motor; no stop within it is a failure
    time: float  # [s] likewise

    def __post_init__(self) -> None:
        """Refuse numbers that do not bound the motion."""
        for name in ('torque', 'speed', 'travel', 'time'):
            if not getattr(self, name) > 0.0:
                raise ConfigError(f'homing: {name} is {getattr(self, name)}; it must be > 0')


@dataclass(frozen=True, slots=True, kw_only=True)
class MotorSetup:
    """
    The ``motor`` section of one joint.

    Motor angle = direction x joint angle + offset, and for a gripper = rad_per_metre x travel
    + offset.
    """

    model: str  # a key of the bus section's ranges
    tx: int  # id the motor listens to, register 8
    rx: int  # id it answers with, register 7
    mode: str  # one of MODES
    rad_per_metre: float = 0.0  # [rad/m] motor angle per finger travel; grippers only
    force: float = 0.0  # [N·m] torque limit in pos_force mode
    speed: float = 0.0  # [rad/s] speed limit in pos_vel and pos_force mode
    direction: int = 1  # -1 where the motor turns against its joint
    offset: float = 0.0  # [rad] motor angle at joint position 0
    homing: Homing | None = None  # grippers only; None where the zero is kept without power

    @property
    def scale(self) -> float:
        """Motor rad per joint unit (rad or metre), signed."""
        return self.rad_per_metre or float(self.direction)


def motor_setups(spec: RobotSpec) -> tuple[MotorSetup, ...]:
    """
    Read and check the motor section of every joint, (n,).

    :raises ConfigError: naming the joint, the key and what would be right.
    """
    known = bus_ranges(spec.bus, f'{spec.name}: bus')
    setups = []
    for joint in spec.joints:
        where = f'{spec.name}: {joint.name}.motor'
        setup = parse(MotorSetup, joint.motor, where)
        if setup.model not in known:
            raise ConfigError(
                f'{where}.model: no ranges for {setup.model!r} in bus.ranges; '
                f'there are {sorted(known)}'
            )
        if setup.mode not in MODES:
            raise ConfigError(f'{where}.mode: {setup.mode!r} is not one of {list(MODES)}')
        _check_numbers(where, setup, joint.kind is JointKind.GRIPPER)
        setups.append(setup)
    _check_ids(spec.name, setups)
    return tuple(setups)


def bus_ranges(bus: dict[str, Any], where: str) -> dict[str, MitRanges]:
    """
    Read the ``ranges`` of a bus section by motor model.

    :raises ConfigError: naming the key and what would be right.
    """
    if not isinstance(bus.get('ranges'), dict) or not bus['ranges']:
        raise ConfigError(f'{where}.ranges is missing; give position, velocity, torque per model')
    return {
        str(model): parse(MitRanges, section, f'{where}.ranges.{model}')
        for model, section in bus['ranges'].items()
    }


def _check_numbers(where: str, setup: MotorSetup, gripper: bool) -> None:
    for name in ('tx', 'rx'):
        value = getattr(setup, name)
        # Motors match the low eight bits only, and an answer id of 0 names nobody.
        if not 1 <= value <= 0xFF:
            raise ConfigError(f'{where}.{name}: {value:#x} is not within 0x01..0xff')
    if gripper and setup.rad_per_metre == 0.0:
        raise ConfigError(f'{where}.rad_per_metre is missing; a gripper motor needs it')
    if not gripper and setup.rad_per_metre != 0.0:
        raise ConfigError(f'{where}.rad_per_metre: only for joints of kind gripper')
    if setup.direction not in (1, -1) or (gripper and setup.direction != 1):
        raise ConfigError(
            f'{where}.direction: {setup.direction} is not 1 or -1; of a gripper it is the sign of '
            'rad_per_metre'
        )
    if setup.homing is not None:
        _check_homing(where, setup, setup.homing, gripper)
    if setup.mode == 'pos_force' and not (setup.force > 0.0 and setup.speed > 0.0):
        raise ConfigError(f'{where}: mode pos_force needs force > 0 N·m and speed > 0 rad/s')
    if setup.mode == 'pos_vel' and not setup.speed > 0.0:
        raise ConfigError(f'{where}: mode pos_vel needs speed > 0 rad/s')


def _check_homing(where: str, setup: MotorSetup, homing: Homing, gripper: bool) -> None:
    if not gripper or setup.mode != 'pos_force':
        raise ConfigError(f'{where}.homing: only for grippers in mode pos_force')
    at_stop = homing.position * setup.scale + setup.offset
    if abs(at_stop) > 0.01:
        raise ConfigError(
            f'{where}.offset: the motor would read {at_stop:.3f} rad at homing.position, but its '
            f'zero is set there; offset must be {-homing.position * setup.scale:.4f}'
        )


def _check_ids(robot: str, setups: list[MotorSetup]) -> None:
    ids = [i for s in setups for i in (s.tx, s.rx)]
    twice = sorted({hex(i) for i in ids if ids.count(i) > 1})
    if twice:
        raise ConfigError(f'{robot}: motor ids used twice on one bus: {twice}')
