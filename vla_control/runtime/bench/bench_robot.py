# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The robots of the benches: as configured, where nothing can fall."""

from dataclasses import replace

from vla_control.core.errors import ConfigError
from vla_control.core.spec import load_robot, RobotSpec


def bench_robot(name: str, rate: float = 0.0) -> RobotSpec:
    """
    Load a robot to be driven on its emulated bus.

    :param name: in config/robots, or a YAML file.
    :param rate: of its control loop [Hz]; its own if 0.
    :raises ConfigError: naming what there is, or the rate.
    """
    if not 0.0 <= rate <= 1e4:
        raise ConfigError(f'rate {rate} Hz must be from 0, which means its own, to 10000')
    return in_harness(_at(load_robot(name), rate) if rate else load_robot(name))


def in_harness(spec: RobotSpec) -> RobotSpec:
    """
    Say that a robot hangs in a harness, where it has to be said.

    Only for emulated electronics: a G1 driven by every motor falls without one.
    """
    low = spec.bus.get('low_level')
    if low is None:
        return spec
    return replace(spec, bus=spec.bus | {'low_level': low | {'harness': True}})


def _at(spec: RobotSpec, rate: float) -> RobotSpec:
    parts = {side: _at(part, rate) for side, part in spec.parts.items()}
    return replace(spec, control_rate=rate, parts=parts)
