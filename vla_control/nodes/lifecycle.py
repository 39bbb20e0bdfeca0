# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
# mypy: disable-error-code="no-untyped-call"
"""What all our lifecycle nodes share: parameters, transitions, an orderly end."""

from collections.abc import Callable
from contextlib import ExitStack
import gc
import os
import re
import signal
import socket
import time
import traceback
from types import FrameType
from typing import Any

import rclpy
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.logging import get_logger
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import try_shutdown

from vla_control.core.errors import VlaControlError
from vla_control.core.realtime import quiet_process
from vla_control.nodes import params
from vla_control.nodes.diagnostics import Diagnostics, Report
from vla_control.nodes.spinner import Spinner
from vla_control.nodes.stamps import StampClock

AGAIN = 5.0  # [s] between repeated complaints


class ManagedNode(LifecycleNode):
    """
    A lifecycle shell around a core object.

    A child overrides configure, activate, deactivate and cleanup, which may raise any
    VlaControlError: it is logged, what was opened is closed again, and the transition fails.
    """

    def __init__(self, executable: str, **options: Any) -> None:
        """
        Declare the parameters; nothing is opened.

        :param options: of rclpy's Node, such as namespace and parameter_overrides.
        :raises ConfigError: when a parameter is unknown or wrong.
        """
        super().__init__(executable, **options)
        self.executable = executable
        self.values = params.declare(self, executable)
        self.simulated_time = bool(self.get_parameter('use_sim_time').value)
        self.stamps = StampClock(self.get_clock(), self.simulated_time)
        self.active = False
        self.configured = False
        self.failure = ''  # why the process has to end
        self._quiet: ExitStack | None = None  # from the first activation to the clean-up
        self.companions = ExitStack()  # closed when the node has come to rest
        self._complaint = ('', 0.0)  # kind of the last one, and when [s]
        self._diagnostics = Diagnostics(self, self.reports)
        self._housekeeping = self.create_timer(1.0, self._keep_house)
        self._starter = (
            self.create_timer(0.0, self._start_by_itself) if self.values['autostart'] else None
        )

    def configure(self) -> None:
        """Build the core object and open what it needs."""

    def activate(self) -> None:
        """Begin to work."""

    def deactivate(self) -> None:
        """Come to rest; what is open stays open."""

    def cleanup(self) -> None:
        """Close everything; must be safe after a configure() that failed half-way."""

    def reports(self) -> list[Report]:
        """Return the state of the core object for /diagnostics."""
        return []

    def on_clock_jump(self, step: float) -> None:
        """Hear that the system clock was set by some seconds."""

    def linger(self) -> None:
        """Wait for others that still need this process; called before it ends."""

    def fail(self, reason: str) -> None:
        """End the process in order, with an exit status that says something went wrong."""
        self.failure = self.failure or reason

    def complain(self, text: str) -> None:
        """Warn when the text changes by more than its numbers, and every 5 s while it stays."""
        kind, now = re.sub(r'[0-9.]+', '#', text), time.monotonic()
        if kind != self._complaint[0] or now - self._complaint[1] > AGAIN:
            self._complaint = (kind, now)
            self.get_logger().warning(text)

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Configure; on failure everything is closed again."""
        self.configured = self._attempt('configure', self.configure)
        if not self.configured:
            self._clean_up()
            return TransitionCallbackReturn.FAILURE
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Activate, and tell whoever started the process that it is ready."""
        if self._quiet is None:  # a loop may be running already, and entering takes 0.1 s
            self._quiet = ExitStack()
            self._quiet.enter_context(quiet_process())
        if not self._attempt('activate', self.activate):
            return TransitionCallbackReturn.FAILURE
        self.active = True
        _notify('READY=1')
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Deactivate."""
        self.active = False
        if not self._attempt('deactivate', self.deactivate):
            return TransitionCallbackReturn.ERROR
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Close everything."""
        self.configured = False
        if not self._clean_up():
            return TransitionCallbackReturn.ERROR
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Come to rest and close everything, from whatever state."""
        self.leave()
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Close everything after a transition went wrong; the node may be configured again."""
        self.leave()
        return super().on_error(state)

    def leave(self) -> None:
        """Come to rest and close everything; safe to call twice."""
        if self.active:
            self.active = False
            self._attempt('deactivate', self.deactivate)
        if self.configured:
            self.configured = False
            self._clean_up()

    def _clean_up(self) -> bool:
        cleaned = self._attempt('clean up', self.cleanup)
        if self._quiet is not None:
            self._quiet.close()
            self._quiet = None
        return cleaned

    def _attempt(self, what: str, step: Callable[[], None]) -> bool:
        finished = False
        try:
            step()
            finished = True
        except VlaControlError as error:
            self.get_logger().error(f'cannot {what}: {error}')
            finished = True
            return False
        finally:
            if not finished:  # rclpy would swallow it without a word
                self.get_logger().fatal(f'cannot {what}: {traceback.format_exc()}')
        return True

    def _start_by_itself(self) -> None:
        if self._starter is not None:
            self._starter.cancel()
        for trigger in (self.trigger_configure, self.trigger_activate):
            if trigger() != TransitionCallbackReturn.SUCCESS:
                self.fail('it could not be started; the reason is above')
                return

    def _keep_house(self) -> None:
        step = self.stamps.watch()
        if step:
            self.get_logger().warning(f'the system clock was set by {step:+.3f} s')
            self.on_clock_jump(step)
        if not gc.isenabled():
            gc.collect(1)  # short: quiet_process() froze what was there before
        self._diagnostics.publish()


class _Stop:
    """Set by SIGINT or SIGTERM; further ones change nothing."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = True


def run(make: Callable[[], ManagedNode], args: list[str] | None = None) -> int:
    """
    Run one node until a signal, a shutdown transition or a failure, then end it in order.

    :returns: exit status: 0, or 1 when the node gave up, or 2 when it could not be made.
    """
    stop = _Stop()
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    try:
        try:
            node = make()
        except VlaControlError as error:
            get_logger('vla_control').fatal(str(error))
            return 2
        spinner = Spinner(node)
        try:
            while not (stop.asked or node.failure):
                turn(spinner, node)
        finally:
            _notify('STOPPING=1')
            node.linger()
            node.leave()
            node.companions.close()
        if node.failure:
            node.get_logger().fatal(f'ending: {node.failure}')
        spinner.close()
        node.destroy_node()
        return 1 if node.failure else 0
    finally:
        try_shutdown()
        # A second Ctrl-C must not turn an orderly end into a death in the last milliseconds.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)


def turn(spinner: Spinner, node: ManagedNode) -> None:
    """
    Serve what has come in, or comes within 0.1 s.

    A request for a transition that the node's state does not have, such as to configure twice,
    is refused: rclpy raises for it, and a driver must not end because of somebody's slip.
    """
    try:
        spinner.turn()
    except rclpy_implementation.RCLError as error:
        node.get_logger().error(f'refused: {error}')


def _notify(state: str) -> None:
    """Speak systemd's notification protocol, which `vla-control run` listens to as well."""
    address = os.environ.get('NOTIFY_SOCKET', '')
    if not address:
        return
    target = '\0' + address[1:] if address.startswith('@') else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        try:
            sender.sendto(state.encode(), target)
        except OSError as error:
            get_logger('vla_control').warning(f'cannot notify {address}: {error}')
