# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Which arm of a pair is behind which bus: asks a person to move one, and looks which moves."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from vla_control.core.clock import SteadyClock
from vla_control.core.errors import ConfigError
from vla_control.core.sessions import in_session, session_name
from vla_control.core.spec import load_robot
from vla_control.robots.factory import make_bus
from vla_control.robots.sides import bus_paths, judge, MOVED, refuse_shared, watch_sides


def run_identify(
    robot: str, hardware: str, side: str, seconds: float, say: Callable[[str], object]
) -> dict[str, Any]:
    """
    Find out on the robot itself; nothing gets torque, and nothing is told to move.

    :param hardware: ``real`` or ``sim``.
    :param side: to be moved by hand; the first one if empty.
    :param seconds: [s] longest time to wait for that.
    :param say: told what to do, and what came of it.
    :returns: plain data, ready for JSON; ``matches`` is what it is all about.
    :raises ConfigError: when the robot is no pair, or has no such side.
    :raises RobotError: when a motor is silent, or has torque.
    :raises BusError: naming the side whose bus cannot be opened.
    """
    spec = load_robot(robot)
    if hardware == 'sim':
        spec = in_session(spec, session_name())
    asked = side or next(iter(spec.parts), '')
    if asked not in spec.parts:
        raise ConfigError(
            f'{spec.name} has no side {asked!r} to identify; it has {list(spec.parts)}. Robots '
            'with sides are made of parts, such as dk1_bimanual and openarm_bimanual'
        )
    refuse_shared(spec, hardware)
    buses = {name: make_bus(part, hardware) for name, part in spec.parts.items()}
    paths = bus_paths(spec, hardware)

    def begin() -> None:
        say(f'as configured: {", ".join(f"{name} {path}" for name, path in paths.items())}')
        say(
            f'no arm has torque. Within {seconds:g} s turn a joint of the {asked.upper()} arm by '
            f'hand, by {MOVED} rad (11 degrees) or more, and leave the rest alone'
        )

    found = judge(asked, watch_sides(spec, buses, SteadyClock(), seconds, begin), paths)
    say(str(found))
    return {**asdict(found), 'robot': spec.name, 'matches': found.matches}
