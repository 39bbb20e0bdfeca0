# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
# mypy: disable-error-code="no-untyped-call"
"""
Serves a node on one thread, at a third of the cost of rclpy's executor alone.

rclpy builds a new wait set of all the 30 to 50 entities of a node for every message, and once
more after it: 20 to 45 % of a core for each node at 250 Hz. Here one wait set is kept, and what
comes often (messages, timers, guard conditions) is called at once. Services, clients and events
are left to rclpy's own executor, which is asked only when one of them is ready. Measured by
``vla-control bench spin``.
"""

from contextlib import suppress
import time
from typing import Any

from rclpy.exceptions import InvalidHandle
from rclpy.executors import SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node

EVENTS = 0.1  # [s] longest between looks at what only rclpy's executor sees, such as QoS events
_KINDS = ('subscription', 'guard_condition', 'timer', 'client', 'service')


class Spinner:
    """
    Serves one node whose callbacks are plain functions; all of them run on the calling thread.

    Entities may be made and destroyed in callbacks and between turns, by that thread alone.
    """

    def __init__(self, node: Node) -> None:
        """Take over a node; close() must follow."""
        self._node = node
        self._executor = SingleThreadedExecutor(context=node.context)
        self._executor.add_node(node)
        self._wait_set: Any = None
        self._sizes: tuple[int, ...] = ()
        self._asked = -1.0  # [s] when rclpy's executor last looked

    def turn(self, timeout: float = EVENTS) -> None:
        """
        Serve everything that is ready now, or the first to become so.

        :param timeout: longest wait [s].
        """
        subscriptions, guards, timers, *others = self._wait(min(timeout, EVENTS))
        for timer in timers:
            with suppress(InvalidHandle):  # destroyed by a callback of this turn
                if timer.handle.is_timer_ready():
                    timer.handle.call_timer()
                    timer.callback()
        for guard in guards:
            guard.callback()
        for subscription in subscriptions:
            with suppress(InvalidHandle):
                taken = subscription.handle.take_message(subscription.msg_type, subscription.raw)
                if taken is not None:
                    subscription.callback(taken[0])
        now = time.monotonic()
        if any(others) or now - self._asked >= EVENTS:
            self._asked = now
            self._executor.spin_once(timeout_sec=0.0)

    def close(self) -> None:
        """Let go of the node."""
        self._executor.remove_node(self._node)
        self._executor.shutdown()

    def _wait(self, timeout: float) -> list[list[Any]]:
        """Return what is ready, by kind."""
        node = self._node
        entities: list[list[Any]] = [
            list(node.subscriptions),
            list(node.guards),
            list(node.timers),
            list(node.clients),
            list(node.services),
        ]
        sizes = tuple(len(kind) for kind in entities)
        if sizes != self._sizes:
            self._sizes = sizes
            self._wait_set = rclpy_implementation.WaitSet(*sizes, 0, node.context.handle)
        wait_set = self._wait_set
        wait_set.clear_entities()
        for kind, group in zip(_KINDS, entities, strict=True):
            add = getattr(wait_set, f'add_{kind}')
            for entity in group:
                add(entity.handle)
        wait_set.wait(round(timeout * 1e9))
        ready = {pointer for kind in _KINDS for pointer in wait_set.get_ready_entities(kind)}
        return [[e for e in kind if e.handle.pointer in ready] for kind in entities]
