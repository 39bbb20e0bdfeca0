# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""RobotSpec: the one place of a robot's limits, gains, motors and safety numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
import math
from typing import Any

import numpy as np

from vla_control.core.config import find_config, load_yaml, parse
from vla_control.core.errors import ConfigError
from vla_control.core.joint_spec import check_joint, JointKind, JointSpec
from vla_control.core.messages import Floats, frozen_floats
from vla_control.core.safety_spec import check_safety, SafetySpec
from vla_control.core.urdf_args import check_urdf_args

__all__ = ['JointKind', 'JointSpec', 'RobotSpec', 'SafetySpec', 'load_robot']


@dataclass(frozen=True, kw_only=True)
class RobotSpec:
    """A robot as configured; joint order here is the order of every (n,) array."""

    name: str
    title: str  # for people
    driver: str  # which of robots/ drives it
    urdf: str  # file in urdf/
    control_rate: float  # [Hz] of the bus loop
    joints: tuple[JointSpec, ...]
    home: tuple[float, ...]  # (n,) [rad | m] a pose that is safe to start tasks from
    safety: SafetySpec
    bus: dict[str, Any]  # the driver's own section, checked by the driver
    urdf_args: dict[str, str] = field(default_factory=dict)
    scene: str = ''  # config/scenes/<scene>.yaml for simulation
    cameras: tuple[str, ...] = ()  # mounted by default, by the names policies know
    camera_files: dict[str, str] = field(default_factory=dict)  # by camera, where named otherwise
    parts: 'dict[str, RobotSpec]' = field(default_factory=dict)  # in joint order, one bus each

    def __post_init__(self) -> None:
        """Check what no type can."""
        names = self.names
        twice = sorted({j for j in names if names.count(j) > 1})
        if twice:
            raise ConfigError(f'{self.name}: joints given twice: {twice}')
        if len(self.home) != len(self.joints):
            raise ConfigError(
                f'{self.name}: home has {len(self.home)} values for {len(self.joints)} joints'
            )
        if not 0.0 < self.control_rate < math.inf:
            raise ConfigError(f'{self.name}: control_rate {self.control_rate} must be > 0 Hz')
        check_safety(self.safety, self.control_rate, self.name)
        for joint, home in zip(self.joints, self.home, strict=True):
            check_joint(self.name, joint, home, self.safety.position_margin)
        unmounted = sorted(set(self.camera_files) - set(self.cameras))
        if unmounted:
            raise ConfigError(
                f'{self.name}: camera_files names {unmounted}, which are not among its cameras '
                f'{list(self.cameras)}'
            )

    @property
    def names(self) -> tuple[str, ...]:
        """Joint names, (n,)."""
        return tuple(j.name for j in self.joints)

    @property
    def dt(self) -> float:
        """Control period [s]."""
        return 1.0 / self.control_rate

    @property
    def camera_configs(self) -> tuple[str, ...]:
        """Names in config/cameras of the cameras mounted by default, in their order."""
        return tuple(self.camera_files.get(name, name) for name in self.cameras)

    @cached_property
    def shares(self) -> tuple[slice, ...]:
        """Where the joints of each part are in every (n,) array."""
        counts = [len(part.joints) for part in self.parts.values()]
        ends = [sum(counts[: i + 1]) for i in range(len(counts))]
        return tuple(slice(end - n, end) for end, n in zip(ends, counts, strict=True))

    @cached_property
    def gripper(self) -> 'np.ndarray[Any, np.dtype[np.bool_]]':
        """Mask of the gripper joints, (n,) bool."""
        return np.array([j.kind is JointKind.GRIPPER for j in self.joints])

    @cached_property
    def jaw(self) -> 'np.ndarray[Any, np.dtype[np.bool_]]':
        """
        Mask of the grippers that slide, (n,) bool: in metres, held by their motor's own loop.

        The other grippers are finger joints in rad, held by a stiffness like the arm.
        """
        return np.array([j.kind is JointKind.GRIPPER and j.kp == 0.0 for j in self.joints])

    @cached_property
    def lower(self) -> Floats:
        """Soft lower limits, (n,): the margin inside the stop for arms, the stop for grippers."""
        margin = np.where(self.gripper, 0.0, self.safety.position_margin)
        return frozen_floats(np.array([j.lower for j in self.joints]) + margin)

    @cached_property
    def upper(self) -> Floats:
        """Soft upper limits, (n,)."""
        margin = np.where(self.gripper, 0.0, self.safety.position_margin)
        return frozen_floats(np.array([j.upper for j in self.joints]) - margin)

    @cached_property
    def velocity(self) -> Floats:
        """Velocity limits, (n,)."""
        return frozen_floats([j.velocity for j in self.joints])

    @cached_property
    def acceleration(self) -> Floats:
        """Acceleration limits, (n,)."""
        return frozen_floats([j.acceleration for j in self.joints])

    @cached_property
    def jerk(self) -> Floats:
        """Jerk limits, (n,)."""
        return frozen_floats([j.jerk for j in self.joints])

    @cached_property
    def motion_limits(self) -> Floats:
        """Limits of velocity, acceleration and jerk, (3, n)."""
        return frozen_floats([self.velocity, self.acceleration, self.jerk])

    @cached_property
    def effort(self) -> Floats:
        """Effort limits, (n,)."""
        return frozen_floats([j.effort for j in self.joints])

    @cached_property
    def rated(self) -> Floats:
        """Efforts the motors bear for ever, (n,); inf where their maker does not say."""
        return frozen_floats([math.inf if j.rated is None else j.rated for j in self.joints])

    @cached_property
    def kp(self) -> Floats:
        """Stiffness, (n,)."""
        return frozen_floats([j.kp for j in self.joints])

    @cached_property
    def kd(self) -> Floats:
        """Damping, (n,)."""
        return frozen_floats([j.kd for j in self.joints])


def load_robot(name: str) -> RobotSpec:
    """
    Load a RobotSpec by name, or from a user's own YAML file.

    A file that ``extends`` another takes over its keys, mappings key by key; ``prefix`` goes
    before the names of its joints. One with ``parts`` is made of other robots, named or given on
    the spot: their joints, homes and buses follow one another.

    :param name: a name in config/robots, or a path ending in ``.yaml``.
    :raises ConfigError: naming the key path, or the robots there are.
    """
    path = find_config('robots', name)
    return _build(load_yaml(path), path.name)


def _build(data: dict[str, Any], where: str) -> RobotSpec:
    data = _prefixed(_extended(data, where, ()))
    if 'parts' not in data:
        spec = parse(RobotSpec, data, where)
        check_urdf_args(spec.urdf, spec.urdf_args, where)
        return spec
    own = parse(_Composition, data, where)
    check_urdf_args(own.urdf, own.urdf_args, where)
    parts = {
        side: load_robot(part)
        if isinstance(part, str)
        else _build(dict(part), f'{where}.parts.{side}')
        for side, part in own.parts.items()
    }
    return _compose(own, parts, where)


def _prefixed(data: dict[str, Any]) -> dict[str, Any]:
    prefix = data.pop('prefix', '')
    if not prefix:
        return data
    joints = [{**joint, 'name': f'{prefix}{joint["name"]}'} for joint in data.get('joints', [])]
    args = {**data.get('urdf_args', {}), 'prefix': prefix}
    return {**data, 'joints': joints, 'urdf_args': args}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Composition:
    """The keys of a robot that is made of others."""

    name: str
    title: str
    urdf: str
    parts: dict[str, Any]  # side -> a robot's name, or the keys of one
    urdf_args: dict[str, str] = field(default_factory=dict)
    scene: str = ''
    cameras: tuple[str, ...] = ()
    camera_files: dict[str, str] = field(default_factory=dict)


def _compose(own: _Composition, parts: dict[str, RobotSpec], where: str) -> RobotSpec:
    if not parts:
        raise ConfigError(f'{where}.parts: none given, such as {{left: openarm_left}}')
    first = next(iter(parts.values()))
    for side, part in parts.items():
        if part.parts:
            raise ConfigError(f'{where}.parts.{side}: {part.name} is made of parts itself')
        # One gate and one set of watchdogs judge all joints, in one tick.
        for key in ('driver', 'control_rate', 'safety'):
            if getattr(part, key) != getattr(first, key):
                raise ConfigError(
                    f'{where}.parts.{side}: {key} differs from that of {first.name}; the parts '
                    'of a robot share one control tick and one safety section'
                )
    return RobotSpec(
        name=own.name,
        title=own.title,
        driver='pair',
        urdf=own.urdf,
        urdf_args=own.urdf_args,
        control_rate=first.control_rate,
        joints=tuple(j for part in parts.values() for j in part.joints),
        home=tuple(h for part in parts.values() for h in part.home),
        safety=first.safety,
        bus={},
        scene=own.scene,
        cameras=own.cameras,
        camera_files=own.camera_files,
        parts=parts,
    )


def _extended(data: dict[str, Any], where: str, seen: tuple[str, ...]) -> dict[str, Any]:
    """Put the keys of a file over those of the file it extends."""
    base = data.pop('extends', None)
    if base is None:
        return data
    if not isinstance(base, str) or base in seen:
        raise ConfigError(f'{where}.extends: {base!r} is not another robot; seen {list(seen)}')
    path = find_config('robots', base)
    return _merge(_extended(load_yaml(path), path.name, (*seen, base)), data)


def _merge(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in change.items():
        old = merged.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            value = _merge(old, value)
        merged[key] = value
    return merged
