# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
# mypy: disable-error-code="no-untyped-call"
"""Who else commands the robot: a topic of commands has one publisher."""

from rclpy.node import Node

from vla_control.nodes.diagnostics import Level, Report


def too_many(node: Node, topic: str) -> str:
    """
    Say which nodes publish a topic if they are more than one; empty where they are not.

    Two that were started at the same moment may be seen one after the other: look again while
    the robot runs.
    """
    found = [
        f'{info.node_namespace.rstrip("/")}/{info.node_name}'
        for info in node.get_publishers_info_by_topic(topic)
    ]
    if len(found) < 2:
        return ''
    killed = ' (one that was killed still counts for 5 s)' if len(set(found)) == 1 else ''
    return (
        f'{topic} has {len(found)} publishers, {", ".join(sorted(found))}{killed}; a robot '
        'has one commander, so end the others or give each robot a namespace'
    )


def report(node: Node, topic: str, problem: str) -> Report:
    """Report what too_many() found, or that nobody commands at all."""
    nobody = not problem and not node.count_publishers(topic)
    missing = f'nobody publishes {topic}: is interpolator_node running?' if nobody else ''
    return Report(
        name=f'state of {topic}',
        level=Level.ERROR if problem else Level.WARN if nobody else Level.OK,
        message=problem or missing or 'one publisher',
    )
