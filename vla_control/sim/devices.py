# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""From a RobotSpec to the emulated electronics its driver talks to."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from vla_control.core.errors import ConfigError
from vla_control.core.spec import RobotSpec
from vla_control.sim.device import Device


@dataclass(frozen=True, slots=True, kw_only=True)
class Emulation:
    """How the electronics of one kind of robot are emulated."""

    on_bus: Callable[[RobotSpec], Device]  # on the robot's configured ``sim`` bus, open
    in_memory: Callable[[RobotSpec], tuple[Any, Device]]  # the driver's end, and the device


def open_device(spec: RobotSpec) -> Device:
    """
    Put emulated electronics on the bus that a driver with hardware ``sim`` opens.

    :raises BusError: when the bus cannot be opened.
    :raises ConfigError: when there is no emulation for this driver.
    """
    return _emulation(spec).on_bus(spec)


def loopback(spec: RobotSpec) -> tuple[Any, Device]:
    """
    Return a bus in memory and the electronics on it: no threads, no clock, deterministic.

    :returns: (bus, device); the bus, closed, is what ``make_driver(..., bus=bus)`` takes.
    :raises ConfigError: when there is no emulation for this driver.
    """
    return _emulation(spec).in_memory(spec)


def _emulation(spec: RobotSpec) -> Emulation:
    if spec.driver not in EMULATIONS:
        raise ConfigError(
            f'{spec.name}: no emulation for driver {spec.driver!r}; there are {sorted(EMULATIONS)}'
        )
    return EMULATIONS[spec.driver]


def _openarm_on_bus(spec: RobotSpec) -> Device:
    # Imported here so that one robot's libraries are not needed to simulate another.
    from vla_control.buses.can import CanBus, CanConfig
    from vla_control.sim.damiao_motors import DamiaoBus, MotorServer

    bus = CanBus(CanConfig.from_spec(spec, 'sim', 'device'))
    bus.open()
    return MotorServer(bus, DamiaoBus(spec))


def _openarm_in_memory(spec: RobotSpec) -> tuple[Any, Device]:
    from vla_control.buses.loopback import LoopbackBus
    from vla_control.sim.damiao_motors import DamiaoBus, MotorServer

    host, end = LoopbackBus.pair()
    end.open()
    return host, MotorServer(end, DamiaoBus(spec))


def _pair_on_bus(spec: RobotSpec) -> Device:
    from vla_control.sim.pair import PairDevice

    with ExitStack() as undo:
        devices = []
        for part in spec.parts.values():
            devices.append(open_device(part))
            undo.callback(devices[-1].close)
        undo.pop_all()
    return PairDevice(spec, devices)


def _pair_in_memory(spec: RobotSpec) -> tuple[Any, Device]:
    from vla_control.sim.pair import PairDevice

    buses, devices = zip(*(loopback(part) for part in spec.parts.values()), strict=True)
    return buses, PairDevice(spec, devices)


def _dk1_on_bus(spec: RobotSpec) -> Device:
    from vla_control.sim.damiao_adapter import on_pty

    return on_pty(spec)


def _dk1_in_memory(spec: RobotSpec) -> tuple[Any, Device]:
    from vla_control.sim.damiao_adapter import in_memory

    return in_memory(spec)


def _g1_on_bus(spec: RobotSpec) -> Device:
    from vla_control.sim.unitree_board import on_dds

    return on_dds(spec)


def _g1_in_memory(spec: RobotSpec) -> tuple[Any, Device]:
    from vla_control.sim.unitree_board import in_memory

    return in_memory(spec)


EMULATIONS: dict[str, Emulation] = {
    'dk1': Emulation(on_bus=_dk1_on_bus, in_memory=_dk1_in_memory),
    'g1': Emulation(on_bus=_g1_on_bus, in_memory=_g1_in_memory),
    'openarm': Emulation(on_bus=_openarm_on_bus, in_memory=_openarm_in_memory),
    'pair': Emulation(on_bus=_pair_on_bus, in_memory=_pair_in_memory),
}
