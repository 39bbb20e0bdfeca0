# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""From a RobotSpec to the driver of its robot."""

from collections.abc import Callable
from typing import Any

from vla_control.buses.frames import FrameBus
from vla_control.core.clock import SteadyClock
from vla_control.core.errors import ConfigError
from vla_control.core.protocols import Clock, HomingDriver, RobotDriver
from vla_control.core.spec import RobotSpec

HARDWARE = ('real', 'sim', 'mock')


def make_driver(
    spec: RobotSpec,
    hardware: str = 'sim',
    clock: Clock | None = None,
    bus: Any = None,
) -> RobotDriver:
    """
    Build the driver of a robot; nothing is opened yet.

    :param spec: the robot.
    :param hardware: ``real``; ``sim`` for the same driver on the emulated bus; ``mock`` for an
        ideal mirror without a bus.
    :param clock: what connect, enable and close wait on; the machine's steady clock when not
        given. ``now`` of every call must come from the same clock.
    :param bus: a bus to use instead of the configured one, such as an end of a LoopbackBus; one
        for each part where a robot is made of parts.
    :raises ConfigError: naming what there is.
    """
    if hardware not in HARDWARE:
        raise ConfigError(f'hardware {hardware!r} is not one of {list(HARDWARE)}')
    if spec.driver not in DRIVERS:
        raise ConfigError(
            f'{spec.name}: unknown driver {spec.driver!r}; available: {sorted(DRIVERS)}'
        )
    if hardware == 'mock':
        return _mock(spec)
    return DRIVERS[spec.driver](spec, hardware, clock or SteadyClock(), bus)


def make_bus(spec: RobotSpec, hardware: str) -> FrameBus:
    """
    Build the bus of a robot with motors on CAN; nothing is opened yet.

    :raises ConfigError: when its bus section is wrong, or it has no such bus.
    :raises BusError: when what is plugged in there is not the adapter.
    """
    if spec.driver not in BUSES:
        raise ConfigError(
            f'{spec.name}: driver {spec.driver!r} has no CAN bus; those with one: {sorted(BUSES)}'
        )
    return BUSES[spec.driver](spec, hardware)


def _mock(spec: RobotSpec) -> RobotDriver:
    from vla_control.robots.mock import Mock

    return Mock(spec)


def _openarm(spec: RobotSpec, hardware: str, clock: Clock, bus: Any) -> RobotDriver:
    # Imported here so that one robot's libraries are not needed to drive another.
    from vla_control.robots.dynamics import RobotDynamics
    from vla_control.robots.openarm import OpenArm

    if bus is None:
        bus = make_bus(spec, hardware)
    return OpenArm(spec, bus, RobotDynamics.from_spec(spec), clock)


def _dk1(spec: RobotSpec, hardware: str, clock: Clock, bus: Any) -> RobotDriver:
    from vla_control.robots.dk1 import Dk1
    from vla_control.robots.dynamics import RobotDynamics

    if bus is None:
        bus = make_bus(spec, hardware)
    return Dk1(spec, bus, RobotDynamics.from_spec(spec), clock)


def _can_bus(spec: RobotSpec, hardware: str) -> FrameBus:
    from vla_control.buses.can import CanBus, CanConfig

    return CanBus(CanConfig.from_spec(spec, hardware))


def _adapter_bus(spec: RobotSpec, hardware: str) -> FrameBus:
    from vla_control.buses.damiao import motor_setups
    from vla_control.buses.serial_can import SerialCan, SerialConfig

    known = [setup.rx for setup in motor_setups(spec)]
    return SerialCan.from_config(SerialConfig.from_spec(spec, hardware), known)


def _g1(spec: RobotSpec, hardware: str, clock: Clock, bus: Any) -> RobotDriver:
    from vla_control.robots.dynamics import RobotDynamics
    from vla_control.robots.g1 import G1
    from vla_control.robots.g1_config import dds_config
    from vla_control.robots.g1_lowlevel import G1LowLevel

    guard = None
    if bus is None:
        from vla_control.buses.dds import DdsBus

        network = dds_config(spec, hardware)
        bus = DdsBus(network)
        guard = _g1_guard(spec, network)
    if 'low_level' in spec.bus:
        return G1LowLevel(spec, bus, clock)
    return G1(spec, bus, RobotDynamics.from_spec(spec), clock, guard)


def _g1_guard(spec: RobotSpec, network: Any) -> Any:
    """Return what hands the arms back when this process is killed; None where it has none."""
    from vla_control.robots.g1_config import g1_config
    from vla_control.robots.g1_guard import G1Guard, GuardJob

    config = g1_config(spec)
    if config.arm_sdk is None:
        return None  # the robot's firmware damps by itself when rt/lowcmd ends
    return G1Guard(
        GuardJob(
            network={k: getattr(network, k) for k in ('interface', 'domain', 'multicast')},
            hold=config.arm_sdk.release_hold,
            ramp=config.arm_sdk.weight_ramp,
            period=spec.dt,
            wait=config.wait,
        )
    )


def _pair(spec: RobotSpec, hardware: str, clock: Clock, bus: Any) -> RobotDriver:
    from vla_control.robots.pair import HomingPair, Pair, SharedClock
    from vla_control.robots.sides import refuse_shared

    if bus is None:
        refuse_shared(spec, hardware)
    shared = SharedClock(clock, spec.dt)
    buses = dict.fromkeys(spec.parts) if bus is None else dict(zip(spec.parts, bus, strict=True))
    drivers = {
        side: DRIVERS[part.driver](part, hardware, shared, buses[side])
        for side, part in spec.parts.items()
    }
    homes = any(isinstance(driver, HomingDriver) for driver in drivers.values())
    return (HomingPair if homes else Pair)(spec, drivers, shared)


DRIVERS: dict[str, Callable[[RobotSpec, str, Clock, Any], RobotDriver]] = {
    'dk1': _dk1,
    'g1': _g1,
    'openarm': _openarm,
    'pair': _pair,
}

BUSES: dict[str, Callable[[RobotSpec, str], FrameBus]] = {'dk1': _adapter_bus, 'openarm': _can_bus}
