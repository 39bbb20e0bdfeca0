# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Who else commands a G1, and whether its own controller is as it must be.

The pre-flight check asks once and may wait; G1Watch goes on asking while the robot is driven, and
never waits: it asks in one tick and looks for the answer in those that follow.
"""

from collections.abc import Callable
from contextlib import suppress
import json

from vla_control.buses.unitree import (
    ARM_ACTION,
    ARM_COMMAND,
    CHECK_MODE,
    GET_FSM_ID,
    LOW_COMMAND,
    MOTION_SWITCHER,
    OK,
    Peer,
    Question,
    UnitreeBus,
)
from vla_control.core.errors import BusError, CodecError
from vla_control.robots.g1_config import G1Config

_LOOK = 0.25  # [s] between two looks for other writers
_ASK = 1.0  # [s] between two questions to the robot's controller


def commanders(bus: UnitreeBus, topic: str) -> tuple[Peer, ...]:
    """
    Return who else writes a command topic.

    The robot's own arm action service has a writer on rt/arm_sdk for as long as it runs; it is
    told by the state that it publishes, and judged by what that says.
    """
    writers = bus.peers(topic).writers
    if topic != ARM_COMMAND:
        return writers
    service = {p.participant for p in bus.peers(ARM_ACTION).writers if p.participant}
    return tuple(p for p in writers if p.participant not in service)


def allowance(config: G1Config) -> tuple[tuple[str, int], ...]:
    """Return how many other writers each command topic may have."""
    return (ARM_COMMAND, 0), (LOW_COMMAND, config.lowcmd_writers)


def controller_problem(config: G1Config, mode: object) -> str:
    """
    Say why the robot must not be driven with this controller in charge, '' where it may.

    :param mode: name of the controller that runs, '' when it is released.
    """
    if config.low_level is None:
        released = 'released, so nothing balances the robot; start its motion mode, or reboot it'
        return '' if mode else released
    if not mode:
        return ''
    return (
        f'controller {mode!r} runs; release it (motion_switcher 1003, or L2+R2 on the remote '
        'control) with the robot in its harness'
    )


def stance_problem(config: G1Config, fsm: object) -> str:
    """
    Say why the robot must not be driven in this state of its controller, '' where it may.

    :param fsm: number of the state.
    """
    arm = config.arm_sdk
    if arm is not None and fsm not in arm.not_standing:
        return ''
    return f'state {fsm}, in which it does not balance: make it stand'


class G1Watch:
    """Looks round in every tick of one driver; a look costs what has become due."""

    def __init__(self, config: G1Config, bus: UnitreeBus) -> None:
        """Begin with nothing suspected and nothing asked."""
        self._config, self._bus = config, bus
        self._checks: list[_Check] = []
        self._rivals: tuple[str, ...] = ()
        self._look_at = self._ask_at = 0.0  # [s] when they are due

    def begin(self, sport: str, now: float) -> None:
        """
        Begin anew after a pre-flight check.

        :param sport: the service of the controller that answered it; '' where none was asked.
        """
        config = self._config
        self._checks = []
        if not config.lenient:
            self._checks.append(_Check(MOTION_SWITCHER, CHECK_MODE, 'name', controller_problem))
        if sport:
            self._checks.append(_Check(sport, GET_FSM_ID, 'data', stance_problem))
        self._rivals = ()
        self._look_at, self._ask_at = now, now + _ASK

    def look(self, now: float) -> None:
        """Do what is due; a dead bus is no news here, its counters tell."""
        with suppress(BusError):
            if now >= self._look_at:
                self._look_at = now + _LOOK
                self._look_for_rivals()
            for check in self._checks:
                check.listen(self._bus, self._config)
            if now >= self._ask_at:
                self._ask_at = now + _ASK
                for check in self._checks:
                    check.ask(self._bus, now)

    def faults(self) -> tuple[str, ...]:
        """Return why the robot must stop, in words."""
        problems = (c.problem(self._config.limits.unanswered) for c in self._checks)
        return self._rivals + tuple(filter(None, problems))

    def _look_for_rivals(self) -> None:
        found = []
        for topic, own in allowance(self._config):
            others = commanders(self._bus, topic)
            if len(others) > own:
                found.append(f'{topic} is also commanded by {"; ".join(p.who for p in others)}')
        self._rivals = tuple(found)


class _Check:
    """One thing asked of the robot's controller over and over."""

    def __init__(
        self, service: str, api_id: int, key: str, judge: Callable[[G1Config, object], str]
    ) -> None:
        self._question, self._key, self._judge = Question(service, api_id), key, judge
        self._unanswered = 0  # in a row
        self._wrong = ''

    def ask(self, bus: UnitreeBus, now: float) -> None:
        if self._question.pending:
            self._unanswered += 1
        self._question.ask(bus, now)

    def listen(self, bus: UnitreeBus, config: G1Config) -> None:
        if not self._question.pending:
            return
        # An answer that says nothing counts as none.
        with suppress(CodecError, ValueError, KeyError, TypeError):
            answer = self._question.look(bus)
            if answer is not None and answer.code == OK:
                self._wrong = self._judge(config, json.loads(answer.data)[self._key])
                self._unanswered = 0

    def problem(self, most: int) -> str:
        if self._unanswered >= most:
            return (
                f'service {self._question.service!r} left {self._unanswered} questions in a row '
                "unanswered, so the state of the robot's controller is unknown"
            )
        return self._wrong and f"the robot's controller: {self._wrong}"
