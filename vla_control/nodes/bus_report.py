# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""What a driver says of its bus on /diagnostics: whether the wire is up, and what gets lost."""

from collections.abc import Mapping

from vla_control.buses.frames import trouble, WiredDriver
from vla_control.core.protocols import RobotDriver
from vla_control.nodes.diagnostics import Level, Report

FAST = 20.0  # [1/s] losses from which on it is no accident; a full queue loses 1000 and more
# counter -> what its growth points to
LOSSES = {
    'write_errors': 'the bus does not take frames',
    'read_errors': 'the bus cannot be read',
    'errors': 'calls of the bus failed',
    'bus_errors': 'calls of the bus failed',
    'enobufs': 'the transmit queue is full: nobody acknowledges the frames (motors without power, '
    'a plug that came off), or txqueuelen is too short',
    'error_frames': 'the wire is disturbed: look at plugs, termination and bit rates',
    'malformed_frames': 'answers are no feedback of the motor they come from: do two motors share '
    'an id?',
    'bad_states': 'states of the robot had a wrong checksum',
}
ALARMING = ('write_errors',)  # a command did not leave


class BusWatch:
    """Compares what a bus has counted with the last report, and looks at its wires."""

    def __init__(self, driver: RobotDriver) -> None:
        """Begin with nothing counted."""
        self._wires = driver.wires if isinstance(driver, WiredDriver) else {}
        self._before: Mapping[str, int] = {}
        self._reported: float | None = None  # [s] the last report

    def report(
        self, counters: Mapping[str, int], now: float, paths: Mapping[str, str] | None = None
    ) -> Report:
        """
        Report what was lost since the last report; called at its rate, off the control tick.

        :param counters: since the bus was opened.
        :param now: [s] monotonic.
        :param paths: what else to tell: where the wires lead.
        """
        grown = {n: self._growth(n, counters[n]) for n in LOSSES if n in counters}
        grown = {name: count for name, count in grown.items() if count}
        past = now - self._reported if self._reported is not None else None
        self._before, self._reported = dict(counters), now
        level, told = Level.OK, []
        if grown:
            level = Level.WARN
            fast = past is not None and sum(grown.values()) > FAST * past
            if fast or any(name in grown for name in ALARMING):
                level = Level.ERROR
            told.append(_told(grown, past))
        states: dict[str, object] = {}
        for name, bus in self._wires.items():
            states[f'wire of {name}'] = bus.state.value
            if problem := trouble(bus):
                level = Level.ERROR
                told.insert(0, f'{name}: {problem}')
        total = sum(counters.get(name, 0) for name in LOSSES)
        quiet = f'nothing new lost; {total} losses since it was opened' if total else 'no errors'
        return Report(
            name='bus',
            level=level,
            message='; '.join(told) or quiet,
            values={**states, **counters, **(paths or {})},
        )

    def _growth(self, name: str, count: int) -> int:
        before = self._before.get(name, 0)
        return count - before if count >= before else count  # another open() begins anew


def _told(grown: Mapping[str, int], past: float | None) -> str:
    when = 'since the bus was opened' if past is None else f'within {past:.1f} s'
    what = ', '.join(f'{count} {name}' for name, count in grown.items())
    why = '; '.join(dict.fromkeys(LOSSES[name] for name in grown))
    return f'{what} {when}: {why}'
