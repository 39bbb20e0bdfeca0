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
import sys
import tempfile
import time
from types import FrameType, TracebackType
from typing import Any, Self

import yaml

from vla_control.core.errors import VlaControlError
from vla_control.runtime.options import GraphOptions
from vla_control.runtime.wiring import describe, Graph, NodeSpec

READY = b'READY=1'  # systemd's word for it, sent by nodes/lifecycle.py
STARTING = 120.0  # [s] for a node to become active; policies load networks
LOOK = 0.1  # [s] between looks at the processes
RESPAWNS = 5
BACKOFF = 1.0  # [s] before a process is started again
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
    respawns: int = 0
    ended: bool = False  # for good
    again_at: float = field(default=0.0)  # [s] when to start it again

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self.process is not None and self.process.poll() is None


class GraphProcesses:
    """
    Starts the nodes of a graph in order, watches them, and ends them in reverse order.

    Each is in a session of its own, so that Ctrl-C reaches only the parent, and is told to end
    by the kernel should the parent die.
    """

    def __init__(
        self,
        graph: Graph,
        command: 'Callable[[NodeSpec, Path], list[str]] | None' = None,
        patience: Sequence[tuple[signal.Signals, float]] = PATIENCE,
    ) -> None:
        """
        Prepare; nothing is started yet.

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
        for spec in graph.nodes:
            receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            receiver.bind(str(self._socket_path(spec)))
            receiver.setblocking(False)
            child = _Child(spec, receiver)
            self._selector.register(receiver, selectors.EVENT_READ, child)
            self._children[spec.name] = child

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

    def pid(self, name: str) -> int | None:
        """Return the process id of a node, None where it does not run."""
        child = self._children[name]
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
                        f'{child.spec.name} is not active after {timeout:.0f} s; the reason may '
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
            child = key.data
            with contextlib.suppress(BlockingIOError):
                if READY in child.socket.recv(4096) and not child.ready:
                    child.ready = True
                    log.info('%s is active', child.spec.name)
        for child in self._children.values():
            if child.process is not None and child.process.poll() is not None:
                self._bury(child)

    def stop(self) -> None:
        """End every process, what others depend on last; safe to call twice."""
        remaining = [c for c in self._children.values() if c.running]
        while remaining:
            needed = {name for c in remaining for name in c.spec.after}
            leaves = [c for c in remaining if c.spec.name not in needed] or remaining
            end_processes([c.process for c in leaves if c.process is not None], self._patience)
            remaining = [c for c in remaining if c not in leaves]
        for child in self._children.values():
            child.socket.close()
        self._selector.close()
        self._folder.cleanup()

    def _due(self, child: _Child) -> bool:
        waits = [self._children[name] for name in child.spec.after if name in self._children]
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

    def _bury(self, child: _Child) -> None:
        process, child.process, child.ready = child.process, None, False
        status = process.returncode if process is not None else None
        name = child.spec.name
        if child.spec.respawn and child.respawns < RESPAWNS:
            child.respawns += 1
            child.again_at = time.monotonic() + BACKOFF
            log.warning('%s ended with status %s; it is started again', name, status)
            return
        child.ended = True
        if child.spec.vital:
            raise VlaControlError(f'{name} ended with status {status}; the rest is ended as well')
        log.error('%s ended with status %s; the rest goes on without it', name, status)

    def _socket_path(self, spec: NodeSpec) -> Path:
        return Path(self._folder.name) / f'{spec.name}.sock'


def run_graph(options: GraphOptions) -> int:
    """
    Run a graph until Ctrl-C or SIGTERM, or until a vital node ends.

    :returns: exit status, 0 when it was asked to end.
    :raises ConfigError: when the options are wrong.
    """
    if not log.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter('vla-control: %(message)s'))
        log.addHandler(handler)
        log.setLevel(logging.INFO)
    publisher = installed('robot_state_publisher', 'robot_state_publisher')
    if not publisher:
        log.info('robot_state_publisher is not installed: the driver publishes the description')
    graph = describe(
        replace(options, autostart=True, robot_state_publisher=bool(publisher), rviz=False)
    )
    stop = _Stop()
    with GraphProcesses(graph) as processes:
        try:
            while not stop.asked and not processes.ready:
                processes.look(LOOK)
            if not stop.asked:
                log.info('%s on %s hardware is up; Ctrl-C ends it', *_title(graph))
            while not stop.asked:
                processes.look(LOOK)
        except VlaControlError as error:
            log.error('%s', error)
            return 1
        log.info('ending')
    return 0


def node_command(spec: NodeSpec, folder: Path) -> list[str]:
    """
    Return the command line of a node, its parameters in a file.

    :param folder: where the file is written.
    """
    values = {k: (list(v) or ['']) if isinstance(v, tuple) else v for k, v in _parameters(spec)}
    file = folder / f'{spec.name}.yaml'
    content: dict[str, Any] = {'/**': {'ros__parameters': values}}
    file.write_text(yaml.safe_dump(content, width=10**6))
    if spec.package == 'vla_control':
        command = [sys.executable, '-m', f'vla_control.nodes.{spec.executable}']
    else:
        command = [installed(spec.package, spec.executable)]
    command += [*spec.arguments, '--ros-args', '-r', f'__node:={spec.name}']
    if spec.namespace:
        command += ['-r', f'__ns:=/{spec.namespace.strip("/")}']
    for old, new in spec.remappings:
        command += ['-r', f'{old}:={new}']
    command += ['--params-file', str(file)]
    if spec.params_file:
        command += ['--params-file', spec.params_file]
    return [*command, '--log-level', spec.log_level]


def installed(package: str, executable: str) -> str:
    """Return the path of a ROS executable, empty where it is not installed."""
    for prefix in os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep):
        path = Path(prefix) / 'lib' / package / executable
        if prefix and path.is_file():
            return str(path)
    return ''


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


class _Stop:
    """Set by SIGINT or SIGTERM."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = True


def _parameters(spec: NodeSpec) -> list[tuple[str, Any]]:
    own = {'autostart': True} if spec.lifecycle else {}
    return list({**spec.parameters, **own}.items())


def _title(graph: Graph) -> tuple[str, str]:
    return graph.robot.title, graph.options.hardware


def _end_with_parent() -> None:
    """Have the kernel send SIGINT when the parent dies, however it dies."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGINT))
