# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
What must be true before a G1 is commanded, each point with what was found and what to do.

"Waiting for DDS" without a reason is what users of this robot report most; the reason is nearly
always one of these points.
"""

from dataclasses import dataclass
import json
import math

from vla_control.buses.unitree import (
    call,
    CHECK_MODE,
    GET_FSM_ID,
    hand_command,
    LOW_COMMAND,
    LOW_STATE,
    MOTION_SWITCHER,
    OK,
    Peer,
    request_topic,
    UnitreeBus,
)
from vla_control.core.errors import CodecError, RobotError
from vla_control.core.protocols import Clock
from vla_control.core.spec import RobotSpec
from vla_control.robots.g1_config import G1Config
from vla_control.robots.g1_link import G1Link
from vla_control.robots.g1_watch import (
    allowance,
    commanders,
    controller_problem,
    stance_problem,
)

_ANSWER = 1.0  # [s] a service may take
_OWN_WRITER = (
    ". Where it is the robot's own (its computer is 192.168.123.161), say so: bus.lowcmd_writers"
)
_SETTLE = 0.5  # [s] more for other commanders to be discovered, once the robot is heard


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One thing that was looked at."""

    name: str
    ok: bool
    text: str  # what was found, and where it is wrong what to do


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that was looked at."""

    points: tuple[Point, ...]
    sport: str = ''  # name of the service of the robot's own controller, '' where none was asked

    @property
    def ok(self) -> bool:
        """Whether the robot may be commanded."""
        return all(p.ok for p in self.points)

    def __str__(self) -> str:
        """One line a point, the wrong ones first."""
        ordered = sorted(self.points, key=lambda p: p.ok)
        return '\n'.join(f'  {"ok   " if p.ok else "WRONG"} {p.name}: {p.text}' for p in ordered)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """Looks at one robot over an open bus."""

    spec: RobotSpec
    config: G1Config
    bus: UnitreeBus
    link: G1Link
    clock: Clock

    def run(self) -> Report:
        """
        Wait until the robot is heard, then look at everything else.

        :returns: the report; no longer than ``bus.wait`` and the services take.
        """
        end = self.clock.now() + self.config.wait
        while not (heard := self._heard()).ok and self.clock.now() < end:
            self._listen(self.spec.dt)
        if heard.ok:
            self._listen(_SETTLE)
        points = [Point(name='network', ok=True, text=self.bus.name), *heard.points]
        points += self._writers()
        sport = ''
        if heard.ok:
            points += [self._robot(), self._health()]
            if not self.config.lenient:
                more, sport = self._controller()
                points += more
        return Report(points=tuple(points), sport=sport)

    def _listen(self, seconds: float) -> None:
        for _ in range(math.ceil(seconds / self.spec.dt)):
            self.clock.sleep_until(self.clock.now() + self.spec.dt)
            self.link.drain(self.clock.now())

    def _heard(self) -> Report:
        """Look for the robot's states, and for readers of our commands."""
        low = self.bus.peers(LOW_STATE).writers
        now, limit = self.clock.now(), self.spec.safety.feedback_stop
        fresh = now - self.link.heard <= limit
        points = [Point(name=LOW_STATE, ok=fresh, text=self._state_text(low, fresh))]
        silent = self.link.silent(self.spec.names, now, limit) if fresh else []
        if silent:
            text = f'no answer of {", ".join(silent)}; is this hand fitted, and its service on?'
            points.append(Point(name='hands', ok=False, text=text))
        for topic in (self.config.command, *map(hand_command, self.link.sides)):
            readers = self.bus.peers(topic).readers
            good = [r for r in readers if r.same_type]
            text = _people(good) if good else 'nobody reads it' + _other_type(readers)
            points.append(Point(name=topic, ok=bool(good), text=text))
        return Report(points=tuple(points))

    def _state_text(self, writers: tuple[Peer, ...], fresh: bool) -> str:
        if fresh:
            return f'from {_people(writers)}'
        if math.isfinite(self.link.heard):
            return f'silent for {self.clock.now() - self.link.heard:.2f} s'
        bad = self.link.counters['bad_states']
        if bad:
            return (
                f'{bad} states arrived, none with a right checksum; a simulator that sends none '
                'needs bus.lenient: true'
            )
        if writers:
            return f'announced by {_people(writers)}, but nothing arrives{_other_type(writers)}'
        return (
            f'nobody announces it on {self.bus.name}. Is the robot on and the cable in? Is this '
            'the interface on the robot (an address in 192.168.123.0/24)? Robots are in domain '
            "0, the vendor's simulators in 1"
        )

    def _writers(self) -> list[Point]:
        """Look for somebody else who commands the robot; two at once make it shake."""
        points = []
        for topic, own in allowance(self.config):
            others = commanders(self.bus, topic)
            text = f'commanded by {_people(others)}' if others else 'no other writer'
            if len(others) > own:
                text += '; end that program first, a robot has one commander'
                text += _OWN_WRITER if topic == LOW_COMMAND else ''
            points.append(Point(name=f'{topic} writers', ok=len(others) <= own, text=text))
        return points

    def _robot(self) -> Point:
        variant = self.config.variant.model
        wrong = self.link.faults()
        text = '; '.join(wrong) or f'mode_machine {self.link.mode_machine} ({variant}), upright'
        return Point(name='robot', ok=not wrong, text=text)

    def _health(self) -> Point:
        link, limit = self.link, self.spec.safety.temperature_stop
        wrong = link.motor_faults(self.spec.names)
        hottest = float(link.temperature.max())
        if hottest >= limit:
            wrong.append(f'the casing of a motor has {hottest:.0f} deg C, limit {limit:.0f}')
        charge = 'unknown' if math.isnan(link.battery) else f'{link.battery:.0f} percent'
        text = '; '.join(wrong) or f'battery {charge}, hottest motor {hottest:.0f} deg C'
        return Point(name='health', ok=not wrong, text=text)

    def _controller(self) -> tuple[list[Point], str]:
        """
        Ask who controls the robot: its own controller must run beside us, or must not.

        :returns: what was found, and the service of its controller that answered.
        """
        mode = self._ask(MOTION_SWITCHER, CHECK_MODE, 'name')
        if isinstance(mode, Point):
            return [mode], ''
        wrong = controller_problem(self.config, mode)
        text = wrong or (f'{mode!r} runs' if mode else 'released')
        point = Point(name='controller', ok=not wrong, text=text)
        if wrong or self.config.low_level is not None:
            return [point], ''
        stance, sport = self._standing()
        return [point, stance], sport

    def _standing(self) -> tuple[Point, str]:
        """Ask the controller for its state, by the first of its names that gives one."""
        names = self.config.sport_services
        none = Point(name='stance', ok=False, text=f'none of the services {list(names)} is there')
        for service in self._announced(names):
            fsm = self._ask(service, GET_FSM_ID, 'data')
            if isinstance(fsm, Point):
                none = fsm
                continue
            wrong = stance_problem(self.config, fsm)
            text = f'{wrong or f"state {fsm}"}; service {service!r} says'
            return Point(name='stance', ok=not wrong, text=text), service
        return none, ''

    def _announced(self, names: tuple[str, ...]) -> list[str]:
        """Return which services are there, in order; waits for the first of them."""
        end = self.clock.now() + _ANSWER
        while True:
            found = [s for s in names if self.bus.peers(request_topic(s)).readers]
            if found or self.clock.now() >= end:
                return found
            self._listen(self.spec.dt)

    def _ask(self, service: str, api_id: int, key: str) -> object:
        """Return a value of a service's answer, or the point that says what is wrong."""
        try:
            response = call(self.bus, self.clock, service, api_id, timeout=_ANSWER)
            self.link.drain(self.clock.now())
            if response.code != OK:
                text = f'function {api_id} answers code {response.code}{_meaning(response.code)}'
                return Point(name=service, ok=False, text=text)
            return json.loads(response.data)[key]
        except (CodecError, ValueError, KeyError, TypeError) as error:
            text = f'function {api_id} gives no {key!r}: {error!r}'
            return Point(name=service, ok=False, text=text)


def require(name: str, report: Report) -> None:
    """
    Refuse a robot that is not ready.

    :raises RobotError: with the whole report.
    """
    if not report.ok:
        raise RobotError(f'{name}: not ready:\n{report}')


def _people(peers: tuple[Peer, ...] | list[Peer]) -> str:
    return '; '.join(p.who for p in peers) or 'nobody'


def _other_type(peers: tuple[Peer, ...]) -> str:
    wrong = [p.who for p in peers if not p.same_type]
    if not wrong:
        return ''
    return f'; {"; ".join(wrong)} means another message by that name (its type hash differs)'


def _meaning(code: int) -> str:
    known = {
        3102: ' (no such service is announced)',
        3104: ' (no answer in time)',
        3203: ' (not implemented)',
    }
    return known.get(code, '')
