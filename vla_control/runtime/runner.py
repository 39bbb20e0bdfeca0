# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The graph as processes, for machines without ``ros2 launch``; the same nodes and parameters."""

from collections.abc import Callable, Sequence
import contextlib
import ctypes
from dataclasses import dataclass, field, replace
import logging
import os
from pathlib import Path
import selectors
import signal
import socket
import subprocess
import tempfile
import time
from types import FrameType, TracebackType
from typing import Self

from vla_control.core.errors import VlaControlError
from vla_control.runtime.commands import file_name, installed, node_command
from vla_control.runtime.options import GraphOptions
from vla_control.runtime.wiring import describe_fleet, Graph, NodeSpec, RESPAWNS

READY = b'READY=1'  # systemd's word for it, sent by nodes/lifecycle.py
STARTING = 120.0  # [s] for a node to become active; policies load networks
LOOK = 0.1  # [s] between looks at the processes
BACKOFF = 1.0  # [s] before a process is started again
STEADY = 60.0  # [s] of running after which earlier deaths do not count
PATIENCE = ((signal.SIGINT, 5.0), (signal.SIGTERM, 2.0), (signal.SIGKILL, 2.0))
PR_SET_PDEATHSIG = 1

log = logging.getLogger('vla_control')


@dataclass(slots=True)
class _Child:
    spec: NodeSpec
    socket: socket.socket
    process: 'subprocess.Popen[bytes] | None' = None
    ready: bool = False
    started: float = 0.0  # [s]
    born: bool = False  # whether it has ever been active
    respawns: int = 0  # in a row
    ended: bool = False  # for good
    again_at: float = field(default=0.0)  # [s] when to start it again

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self.process is not None and self.process.poll() is None


class GraphProcesses:
    """
    Starts the nodes of graphs in order, watches them, and ends them in reverse order.

    Each is in a session of its own, so that Ctrl-C reaches only the parent, and is told to end
    by the kernel should the parent die.
    """

    def __init__(
        self,
        graph: Graph | Sequence[Graph],
        command: 'Callable[[NodeSpec, Path], list[str]] | None' = None,
        patience: Sequence[tuple[signal.Signals, float]] = PATIENCE,
    ) -> None:
        """
        Prepare; nothing is started yet.

        :param graph: several in namespaces of their own; they start and end together.
        :param command: turns a node and a folder for its files into a command line.
        :param patience: signals sent to end a process, each with the time [s] it has.
        """
        self._command = command or node_command
        self._patience = patience
        self._folder = tempfile.TemporaryDirectory(prefix='vla_control-')
        self._selector = selectors.DefaultSelector()
        root = str(Path(__file__).resolve().parents[2])  # found from any working directory
        paths = os.pathsep.join(filter(None, (root, os.environ.get('PYTHONPATH', ''))))
        self._environment = {**os.environ, 'PYTHONPATH': paths}
        self._children: dict[str, _Child] = {}
        graphs = [graph] if isinstance(graph, Graph) else graph
        for spec in (node for one in graphs for node in one.nodes):
            receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            receiver.bind(str(self._socket_path(spec)))
            receiver.setblocking(False)
            child = _Child(spec, receiver)
            self._selector.register(receiver, selectors.EVENT_READ, child)
            self._children[spec.path] = child

    def __enter__(self) -> Self:
        """Return itself; nothing is started yet."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End everything."""
        self.stop()

    @property
    def ready(self) -> bool:
        """Whether every lifecycle node is active and every other runs."""
        return all(c.ready or c.ended for c in self._children.values())

    def pid(self, path: str) -> int | None:
        """
        Return the process id of a node, None where it does not run.

        :param path: namespace and name, such as ``left_cell/driver_node``.
        """
        child = self._children[path]
        return child.process.pid if child.process is not None and child.running else None

    def start(self, timeout: float = STARTING) -> None:
        """
        Start every node and wait until all are active.

        :param timeout: [s] longest wait for each of them.
        :raises VlaControlError: naming the vital node that ended or took too long.
        """
        while not self.ready:
            self.look(LOOK)
            now = time.monotonic()
            for child in self._children.values():
                if child.running and not child.ready and now - child.started > timeout:
                    raise VlaControlError(
                        f'{child.spec.path} is not active after {timeout:.0f} s; the reason may '
                        'be among its messages above'
                    )

    def look(self, timeout: float) -> None:
        """
        Start what is due and take note of what has ended.

        :param timeout: [s] longest wait for news.
        :raises VlaControlError: when a vital node has ended.
        """
        for child in self._children.values():
            if child.process is None and not child.ended and self._due(child):
                self._launch(child)
        for key, _ in self._selector.select(timeout):
            self._hear(key.data)
        for child in self._children.values():
            if child.process is not None and child.process.poll() is not None:
                self._bury(child)

    def stop(self) -> None:
        """End every process, what others depend on last; safe to call twice."""
        remaining = [c for c in self._children.values() if c.running]
        while remaining:
            needed = {path for c in remaining for path in c.spec.needs}
            leaves = [c for c in remaining if c.spec.path not in needed] or remaining
            end_processes([c.process for c in leaves if c.process is not None], self._patience)
            remaining = [c for c in remaining if c not in leaves]
        for child in self._children.values():
            child.socket.close()
        self._selector.close()
        self._folder.cleanup()

    def _due(self, child: _Child) -> bool:
        waits = [self._children[path] for path in child.spec.needs if path in self._children]
        return time.monotonic() >= child.again_at and all(w.ready for w in waits)

    def _launch(self, child: _Child) -> None:
        environment = {
            **self._environment,
            **child.spec.environment,
            'NOTIFY_SOCKET': str(self._socket_path(child.spec)),
        }
        child.process = subprocess.Popen(  # noqa: S603
            self._command(child.spec, Path(self._folder.name)),
            env=environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )
        child.started = time.monotonic()
        child.ready = not child.spec.lifecycle

    def _hear(self, child: _Child) -> None:
        with contextlib.suppress(BlockingIOError):
            while data := child.socket.recv(4096):
                if READY in data and not child.ready:
                    child.ready = child.born = True
                    log.info('%s is active', child.spec.path)

    def _bury(self, child: _Child) -> None:
        """Start again what has ended, unless it never came up or keeps ending."""
        self._hear(child)  # it may have been active for a moment
        if time.monotonic() - child.started > STEADY:
            child.respawns = 0
        process, child.process, child.ready = child.process, None, False
        status = process.returncode if process is not None else None
        name = child.spec.path
        if child.spec.respawn and child.born and child.respawns < RESPAWNS:
            child.respawns += 1
            child.again_at = time.monotonic() + BACKOFF
            log.warning('%s ended with status %s; it is started again', name, status)
            return
        child.ended = True
        if child.spec.vital:
            raise VlaControlError(f'{name} ended with status {status}; the rest is ended as well')
        log.error('%s ended with status %s; the rest goes on without it', name, status)

    def _socket_path(self, spec: NodeSpec) -> Path:
        return Path(self._folder.name) / f'{file_name(spec)}.sock'


def run_graph(*fleet: GraphOptions, resume: Callable[[str], str]) -> int:
    """
    Run a graph, or several in namespaces of their own, until Ctrl-C or a vital node ends.

    :param resume: has the driver in a namespace follow and returns what it says; called for each
        robot whose options ask for it, once every node is active: a driver that resumed by
        itself would lie in wait while its policy still loads, and miss a stop in between.
    :returns: exit status, 0 when it was asked to end.
    :raises ConfigError: when the options are wrong.
    """
    for options in fleet:
        options.check()
    if not log.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter('vla-control: %(message)s'))
        log.addHandler(handler)
        log.setLevel(logging.INFO)
    publisher = installed('robot_state_publisher', 'robot_state_publisher')
    if not publisher:
        log.info('robot_state_publisher is not installed: the driver publishes the description')
    graphs = describe_fleet(
        [
            replace(
                options,
                autostart=True,
                robot_state_publisher=bool(publisher),
                rviz=False,
                resume=False,
            )
            for options in fleet
        ]
    )
    stop = _Stop()
    with GraphProcesses(graphs) as processes:
        try:
            while not stop.asked and not processes.ready:
                processes.look(LOOK)
            if not stop.asked:
                log.info('%s is up; Ctrl-C ends it', _title(graphs))
                for namespace in (options.namespace for options in fleet if options.resume):
                    _follow(resume, namespace)
            while not stop.asked:
                processes.look(LOOK)
        except VlaControlError as error:
            log.error('%s', error)
            return 1
        log.info('ending')
    return 0


def end_processes(
    processes: 'Sequence[subprocess.Popen[bytes]]',
    patience: Sequence[tuple[signal.Signals, float]] = PATIENCE,
) -> None:
    """Ask, then tell, then kill; only these processes, by their id."""
    for number, seconds in patience:
        alive = [p for p in processes if p.poll() is None]
        for process in alive:
            process.send_signal(number)
        end = time.monotonic() + seconds
        for process in alive:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, end - time.monotonic()))


def _follow(resume: Callable[[str], str], namespace: str) -> None:
    """Have a driver follow; one that refuses goes on holding, and says why."""
    try:
        log.info('%s', resume(namespace))
    except VlaControlError as error:
        log.error('not resumed: %s', error)


class _Stop:
    """Set by SIGINT or SIGTERM."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = True


def _title(graphs: Sequence[Graph]) -> str:
    return ' and '.join(f'{g.robot.title} on {g.options.hardware} hardware' for g in graphs)


def _end_with_parent() -> None:
    """Have the kernel send SIGINT when the parent dies, however it dies."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGINT))
