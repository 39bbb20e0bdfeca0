# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The ``bus`` and ``motor`` sections of a Unitree G1."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vla_control.buses.unitree import (
    ARM_COMMAND,
    BUTTONS,
    Ends,
    ends,
    HAND_MOTORS,
    LOW_COMMAND,
    MOTORS,
    SIDES,
)
from vla_control.core.config import parse
from vla_control.core.errors import ConfigError
from vla_control.core.spec import RobotSpec
from vla_control.robots.g1_variants import require_variant, Variant, VARIANTS

WAIST = (12, 13, 14)  # slots: yaw, roll, pitch
NO_BUTTONS = ('none',)  # of stop_buttons: the remote control is not to stop the arms


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When the robot as a whole is at fault, whatever its arms do."""

    tilt: float  # [rad] of the pelvis from upright
    gyro: float  # [rad/s] of the pelvis
    joint_speed: float  # [rad/s] of any motor
    battery: float  # [percent] least charge
    winding_warning: float  # [deg C] of any motor; its casing has safety.temperature_warning
    winding_stop: float  # [deg C]
    bad_samples: int  # states in a row with a wrong checksum
    unanswered: int  # questions in a row, one a second, about its own controller


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmSdk:
    """The arms beside the robot's own balance controller, blended by a weight."""

    weight_ramp: float  # [s] from 0 to 1, and back
    release_hold: float  # [s] the safe action holds before it hands the arms back
    waist_kp: float  # [N·m/rad] the waist is held where it was found
    waist_kd: float  # [N·m·s/rad]
    not_standing: tuple[int, ...]  # fsm ids in which nothing balances the robot


@dataclass(frozen=True, slots=True, kw_only=True)
class LowLevel:
    """Every motor, with the robot's own controller released."""

    harness: bool  # whether the robot hangs in a harness; it falls otherwise
    damping: float  # [N·m·s/rad] of every joint while it is stopped
    damping_time: float  # [s] close() keeps damping before it leaves


@dataclass(frozen=True, slots=True, kw_only=True)
class Hands:
    """Dex3-1 hands."""

    rate: float  # [Hz] of their commands
    kp: float  # [N·m/rad] largest stiffness ever sent
    kd: float  # [N·m·s/rad] largest damping ever sent


@dataclass(frozen=True, slots=True, kw_only=True)
class G1Config:
    """The ``bus`` section of a G1."""

    interface: dict[str, str]  # network interface for real and sim
    domain: dict[str, int]  # DDS domain for real and sim
    mode_machine: int  # a key of VARIANTS
    lenient: bool  # take a checksum and a mode_machine of 0, and expect no services
    wait: float  # [s] longest wait for the robot to be heard of
    stop_buttons: tuple[str, ...]  # of BUTTONS; held together they stop the arms, () nothing does
    lowcmd_writers: int  # writers on rt/lowcmd that belong to the robot itself
    sport_services: tuple[str, ...]  # names its controller's service may have, tried in order
    limits: Limits
    hands: Hands
    arm_sdk: ArmSdk | None = None
    low_level: LowLevel | None = None

    @property
    def variant(self) -> Variant:
        """The hardware variant."""
        return VARIANTS[self.mode_machine]

    @property
    def command(self) -> str:
        """The topic of body commands."""
        return ARM_COMMAND if self.arm_sdk else LOW_COMMAND


@dataclass(frozen=True, slots=True, kw_only=True)
class Motors:
    """Which motor moves which joint."""

    body: NDArray[np.intp]  # (b,) joints with a motor in the body
    slots: NDArray[np.intp]  # (b,) their slots
    hands: dict[str, tuple[NDArray[np.intp], NDArray[np.intp]]]  # side -> joints, motor indices


@dataclass(frozen=True, slots=True, kw_only=True)
class _MotorSection:
    slot: int | None = None
    hand: str | None = None
    index: int | None = None


def g1_config(spec: RobotSpec) -> G1Config:
    """
    Read the bus section of a G1.

    :raises ConfigError: naming the key and what would be right.
    """
    where = f'{spec.name}: bus'
    config = parse(G1Config, spec.bus, where)
    if config.mode_machine not in VARIANTS:
        known = {number: variant.model for number, variant in VARIANTS.items()}
        raise ConfigError(f'{where}.mode_machine: {config.mode_machine} is not one of {known}')
    if (config.arm_sdk is None) == (config.low_level is None):
        raise ConfigError(
            f'{where}: give either arm_sdk or low_level; they exclude one another on the robot'
        )
    if config.arm_sdk is not None and config.arm_sdk.weight_ramp <= 0.0:
        raise ConfigError(f'{where}.arm_sdk.weight_ramp: must be > 0 s, 2 s is the usual')
    for key, value in (('hands.rate', config.hands.rate), ('wait', config.wait)):
        if value <= 0.0:
            raise ConfigError(f'{where}.{key}: {value} must be > 0')
    if not config.sport_services or not all(config.sport_services):
        raise ConfigError(
            f'{where}.sport_services: {list(config.sport_services)}; name the service of the '
            "robot's own controller: [sport, loco], of which older firmware has the latter"
        )
    return replace(config, stop_buttons=_stop_buttons(where, config.stop_buttons))


def g1_motors(spec: RobotSpec, config: G1Config) -> Motors:
    """
    Read the motor sections of a G1.

    :raises ConfigError: naming the joint and what would be right.
    """
    body: list[tuple[int, int]] = []
    hands: dict[str, list[tuple[int, int]]] = {}
    taken: dict[tuple[str, int], str] = {}
    for i, joint in enumerate(spec.joints):
        side, number = _motor(f'{spec.name}: {joint.name}.motor', joint.motor)
        other = taken.setdefault((side, number), joint.name)
        if other != joint.name:
            raise ConfigError(f'{spec.name}: {joint.name} and {other} have the same motor')
        if side:
            hands.setdefault(side, []).append((i, number))
        else:
            body.append((i, number))
    require_variant(spec, ((spec.joints[i], slot) for i, slot in body), config.mode_machine)
    if config.arm_sdk is not None and any(slot < WAIST[0] for _, slot in body):
        raise ConfigError(
            f'{spec.name}: legs (slots 0..11) cannot be moved through {ARM_COMMAND}; use low_level'
        )
    return Motors(
        body=_column(body, 0),
        slots=_column(body, 1),
        hands={side: (_column(pairs, 0), _column(pairs, 1)) for side, pairs in hands.items()},
    )


def span(indices: NDArray[np.intp]) -> NDArray[np.intp] | slice:
    """
    Return indices as a slice where they count up one by one; it is three times as fast.

    :param indices: (k,)
    """
    first = int(indices[0]) if len(indices) else 0
    if np.array_equal(indices, np.arange(first, first + len(indices))):
        return slice(first, first + len(indices))
    return indices


def g1_ends(spec: RobotSpec) -> Ends:
    """
    Return the topics of the driver of a G1.

    :raises ConfigError: when the bus or a motor section is wrong.
    """
    config = g1_config(spec)
    return ends(config.command, tuple(g1_motors(spec, config).hands), config.sport_services)


def dds_config(spec: RobotSpec, hardware: str, role: str = 'driver') -> Any:
    """
    Return the DdsConfig of a G1 for DdsBus.

    :param hardware: ``real`` or ``sim``; picks the network interface and domain.
    :param role: ``driver``; ``device``, the emulated robot; ``stranger``, a second driver of it.
    :raises ConfigError: naming the key and what would be right.
    """
    # Imported here so that cyclonedds is only needed where it is used.
    try:
        from vla_control.buses.dds import DdsConfig, interfaces, LOOPBACK
    except ImportError as error:
        raise ConfigError(
            f'{spec.name}: talking to a G1 needs cyclonedds: `pip install "cyclonedds>=11.0.1"`'
        ) from error

    config, where = g1_config(spec), f'{spec.name}: bus'
    for name in ('interface', 'domain'):
        given = getattr(config, name)
        if hardware not in given:
            raise ConfigError(f'{where}.{name}: no {hardware!r}, only {sorted(given)}')
    interface = config.interface[hardware]
    if hardware == 'real' and interface in ('', 'auto', LOOPBACK):
        usable = {k: v for k, v in interfaces().items() if v and k != LOOPBACK}
        raise ConfigError(
            f'{where}.interface.real: {interface!r}; name the network interface on the robot, '
            f'usually that with an address in 192.168.123.0/24; this machine has {usable}'
        )
    topics = g1_ends(spec)
    return DdsConfig(
        interface=interface,
        domain=config.domain[hardware],
        ends=topics.swapped if role == 'device' else topics,
        role=role,
    )


def _stop_buttons(where: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """Check the names; one that no button has would never be held, and stop nothing."""
    if names == NO_BUTTONS:
        return ()
    unknown = sorted(set(names) - set(BUTTONS))
    if not names or unknown:
        what = (
            f'unknown {unknown}' if unknown else 'empty, so the remote control would stop nothing'
        )
        raise ConfigError(
            f'{where}.stop_buttons: {what}; name buttons out of {list(BUTTONS)}, such as [L2, B], '
            f'or say {list(NO_BUTTONS)} where nothing on the remote control is to stop the arms'
        )
    return names


def _motor(where: str, section: dict[str, Any]) -> tuple[str, int]:
    """Return the hand and index of a motor, '' and the slot for one in the body."""
    motor = parse(_MotorSection, section, where)
    if motor.slot is not None and motor.hand is None and motor.index is None:
        if not 0 <= motor.slot < MOTORS:
            raise ConfigError(f'{where}.slot: {motor.slot} is not within 0..{MOTORS - 1}')
        return '', motor.slot
    if motor.slot is None and motor.hand in SIDES and motor.index is not None:
        if not 0 <= motor.index < HAND_MOTORS:
            raise ConfigError(f'{where}.index: {motor.index} is not within 0..{HAND_MOTORS - 1}')
        return motor.hand, motor.index
    raise ConfigError(f'{where}: {section}; give {{slot: 15}} or {{hand: left, index: 0}}')


def _column(pairs: list[tuple[int, int]], column: int) -> NDArray[np.intp]:
    return np.array([pair[column] for pair in pairs], dtype=np.intp)
