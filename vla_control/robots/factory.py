# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""From a RobotSpec to the driver of its robot."""

from collections.abc import Callable
from typing import Any

from vla_control.core.clock import SteadyClock
from vla_control.core.errors import ConfigError
from vla_control.core.protocols import Clock, RobotDriver
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
    :param bus: a bus to use instead of the configured one, such as an end of a LoopbackBus.
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


def _mock(spec: RobotSpec) -> RobotDriver:
    from vla_control.robots.mock import Mock

    return Mock(spec)


def _openarm(spec: RobotSpec, hardware: str, clock: Clock, bus: Any) -> RobotDriver:
    # Imported here so that one robot's libraries are not needed to drive another.
    from vla_control.buses.can import CanBus, CanConfig
    from vla_control.robots.dynamics import RobotDynamics
    from vla_control.robots.openarm import OpenArm

    if bus is None:
        bus = CanBus(CanConfig.from_spec(spec, hardware))
    return OpenArm(spec, bus, RobotDynamics.from_spec(spec), clock)


DRIVERS: dict[str, Callable[[RobotSpec, str, Clock, Any], RobotDriver]] = {
    'openarm': _openarm,
}
