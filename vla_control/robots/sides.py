# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Which arm of a pair is behind which bus: what its configuration says, and what a hand finds out.

The arms of a pair have motors of the same ids behind adapters of the same serial number, or CAN
interfaces numbered by chance: with two paths swapped everything connects, and the wrong arm moves.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
import os

import numpy as np

from vla_control.buses.damiao import refresh
from vla_control.buses.frames import FrameBus
from vla_control.core.errors import ConfigError, RobotError
from vla_control.core.messages import Floats, MotorStatus
from vla_control.core.protocols import Clock
from vla_control.core.spec import RobotSpec
from vla_control.robots.damiao_link import DamiaoLink
from vla_control.robots.damiao_motors import motors_of
from vla_control.robots.guards import naming

MOVED = 0.2  # [rad] of one joint: nobody does that by leaning on the table
STILL = 0.05  # [rad] an arm may be shaken by the one beside it
PERIOD = 0.05  # [s] between two looks
AFTER = 1.0  # [s] looked on after a move, for the arm that should have stood still


@dataclass(frozen=True, slots=True, kw_only=True)
class Identification:
    """What was seen while one arm was to be moved by hand."""

    asked: str  # side that was to be moved
    moved: str  # side whose joints turned; empty where none did, or more than one
    travel: Mapping[str, float]  # [rad] by side, of the joint that turned most
    paths: Mapping[str, str]  # by side, of its bus

    @property
    def matches(self) -> bool:
        """Whether the configuration has the arm where it is."""
        return self.moved == self.asked

    def __str__(self) -> str:
        """Say what it means, and what to do."""
        if self.matches:
            return f'the {self.moved} arm is behind {self.paths[self.moved]}: it matches'
        if self.moved:
            return (
                f'the {self.asked} arm was to be moved, and the joints behind '
                f'{self.paths[self.moved]} turned, which is configured as {self.moved}: it does '
                f'not match. Swap the paths of {self.asked} and {self.moved} '
                '(parts.<side>.bus.channel)'
            )
        turned = ', '.join(f'{side} by {angle:.2f} rad' for side, angle in self.travel.items())
        return (
            f'no single arm moved ({turned}): nothing is known. Turn a joint of the {self.asked} '
            f'arm by {MOVED} rad or more, and leave the others at rest'
        )


def bus_paths(spec: RobotSpec, hardware: str) -> dict[str, str]:
    """
    Return where the bus of each part is, by side; nothing where a robot has no parts or buses.

    :param hardware: ``real``, ``sim`` or ``mock``; picks the channel.
    """
    found = {}
    for side, part in spec.parts.items():
        channel = str(part.bus.get('channel', {}).get(hardware, ''))
        if channel:
            multicast = part.bus.get('interface', {}).get(hardware) == 'udp_multicast'
            found[side] = f'{channel}:{part.bus.get("port")}' if multicast else channel
    return found


def refuse_shared(spec: RobotSpec, hardware: str) -> None:
    """
    Refuse two sides with one bus, whatever it is called.

    :raises ConfigError: naming the sides and the path.
    """
    seen: dict[str, str] = {}
    for side, path in bus_paths(spec, hardware).items():
        device = os.path.realpath(path) if '/' in path else path
        if device in seen:
            raise ConfigError(
                f'{spec.name}: {seen[device]} and {side} have the same bus, {path}; give each '
                f'the path of its own in parts.<side>.bus.channel.{hardware}'
            )
        seen[device] = side


def judge(
    asked: str, logs: Mapping[str, Sequence[Floats]], paths: Mapping[str, str]
) -> Identification:
    """
    Tell which arm was moved.

    :param asked: the side that was to be moved.
    :param logs: by side, where its arm joints were at each look, (n,) [rad].
    :param paths: by side, of its bus.
    """
    travel = _travel(logs)
    moved = [side for side, angle in travel.items() if angle >= MOVED]
    shaken = [side for side, angle in travel.items() if angle > STILL]
    single = moved[0] if moved == shaken and len(moved) == 1 else ''
    return Identification(asked=asked, moved=single, travel=travel, paths=dict(paths))


def watch_sides(
    spec: RobotSpec,
    buses: Mapping[str, FrameBus],
    clock: Clock,
    seconds: float,
    begin: Callable[[], None],
) -> dict[str, list[Floats]]:
    """
    Watch all arms until one has been moved by hand; their motors are asked, and told nothing.

    :param buses: by side, closed.
    :param seconds: [s] longest time to wait for a move.
    :param begin: called once all arms are known to be without torque.
    :returns: logs as judge() takes them.
    :raises BusError: naming the side whose bus cannot be opened, or is lost.
    :raises RobotError: naming the side where a motor is silent, or has torque.
    """
    logs: dict[str, list[Floats]] = {side: [] for side in buses}
    with ExitStack() as closing:
        links = {}
        for side, bus in buses.items():
            links[side] = DamiaoLink(motors_of(spec.parts[side]), bus, clock)
            with naming(side):
                bus.open()
            closing.callback(bus.close)
        _look(spec, links, logs)
        begin()
        end = clock.now() + seconds
        while clock.now() < end:
            clock.sleep_until(clock.now() + PERIOD)
            before = max(_travel(logs).values())
            _look(spec, links, logs)
            if before < MOVED <= max(_travel(logs).values()):
                end = clock.now() + AFTER
    return logs


def _look(
    spec: RobotSpec, links: Mapping[str, DamiaoLink], logs: Mapping[str, list[Floats]]
) -> None:
    """Ask every motor where it is."""
    for side, link in links.items():
        requests = {i: [refresh(motor.tx)] for i, motor in enumerate(link.motors)}
        with naming(side):
            silent = link.ask_states(requests)
        if silent:
            names = ', '.join(link.motors[i].joint for i in silent)
            raise RobotError(f'{side}: no answer from {names}; is the arm powered and wired?')
        if MotorStatus.ENABLED in link.status:
            raise RobotError(
                f'{side}: the motors have torque; end the program that drives the arm, or move it '
                'to rest and power it off and on'
            )
        logs[side].append(link.positions()[~spec.parts[side].gripper])


def _travel(logs: Mapping[str, Sequence[Floats]]) -> dict[str, float]:
    """Return how far [rad] the joint that turned most has turned, by side."""
    return {side: float(np.ptp(np.array(log), axis=0).max()) for side, log in logs.items()}
