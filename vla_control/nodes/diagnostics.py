# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Reports on /diagnostics once a second (REP 107); never an input to safety."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

from vla_control.runtime.loop import LoopStatistics


class Level(IntEnum):
    """How bad it is."""

    OK = 0
    WARN = 1
    ERROR = 2
    STALE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One line of diagnostics; values carry their units in the key."""

    name: str
    level: Level
    message: str
    values: Mapping[str, object] = field(default_factory=dict)


class Diagnostics:
    """Publishes what a node reports."""

    def __init__(self, node: Node, reports: Callable[[], list[Report]]) -> None:
        """
        Make the publisher.

        :param node: whose full name the reports carry.
        :param reports: asked once a second.
        """
        self._node = node
        self._reports = reports
        self._publisher = node.create_publisher(DiagnosticArray, '/diagnostics', 10)

    def publish(self) -> None:
        """Publish what the node reports now."""
        msg = DiagnosticArray()
        msg.header.stamp = self._node.get_clock().now().to_msg()
        name = path_of(self._node)
        msg.status = [to_status(report, name) for report in self._reports()]
        if msg.status:
            self._publisher.publish(msg)


def path_of(node: Node) -> str:
    """Return namespace and name, by which reports say whose they are."""
    return str(node.get_fully_qualified_name()).lstrip('/')


def to_status(report: Report, node: str) -> DiagnosticStatus:
    """Return a report as a message, named ``<node>: <report>`` as the aggregator expects."""
    return DiagnosticStatus(
        level=bytes([report.level]),
        name=f'{node}: {report.name}',
        message=report.message,
        hardware_id=node,
        values=[KeyValue(key=k, value=_text(v)) for k, v in report.values.items()],
    )


def loop_report(statistics: LoopStatistics, period: float, failed: bool) -> Report:
    """
    Report how punctual a loop is.

    :param period: of the loop [s]; later than that at p99 is a warning.
    """
    level, message = Level.OK, statistics.scheduling
    if statistics.late_p99 > period:
        level, message = Level.WARN, f'late by more than a period; {statistics.scheduling}'
    if failed:
        level, message = Level.ERROR, 'the loop has ended by an error'
    return Report(
        name='loop',
        level=level,
        message=message,
        values={
            'ticks': statistics.ticks,
            'missed': statistics.missed,
            'late p50 [us]': statistics.late_p50 * 1e6,
            'late p99 [us]': statistics.late_p99 * 1e6,
            'late max [us]': statistics.late_max * 1e6,
            'work p50 [us]': statistics.work_p50 * 1e6,
            'work p99 [us]': statistics.work_p99 * 1e6,
        },
    )


def _text(value: object) -> str:
    return f'{value:.4g}' if isinstance(value, float) else str(value)
