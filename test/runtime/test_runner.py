# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Processes are started in order, watched, and all ended."""

from dataclasses import replace
import os
from pathlib import Path
import signal
import sys
import time

import pytest
import yaml

from vla_control.cli import main
from vla_control.core.errors import VlaControlError
from vla_control.runtime.commands import node_command
from vla_control.runtime.runner import end_processes, GraphProcesses, log, run_graph
from vla_control.runtime.wiring import describe, GraphOptions, RESPAWNS

READY = """
import os, signal, socket, sys, time
def ready():
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.sendto(b'READY=1', os.environ['NOTIFY_SOCKET'])
def leave(*_):
    open(sys.argv[1] + '/ends', 'a').write(sys.argv[2] + '\\n')
    sys.exit(0)
signal.signal(signal.SIGINT, leave)
open(sys.argv[1] + '/starts', 'a').write(sys.argv[2] + '\\n')
"""
STAY = READY + 'ready()\nwhile True: time.sleep(0.01)\n'
DIE = READY + 'ready()\nsys.exit(3)\n'
REFUSE = READY + 'sys.exit(1)\n'
NEVER_READY = READY + 'while True: time.sleep(0.01)\n'
STUBBORN = STAY.replace(
    'signal.signal(signal.SIGINT, leave)',
    """
for n in (signal.SIGINT, signal.SIGTERM): signal.signal(n, signal.SIG_IGN)""",
)


@pytest.fixture
def start(tmp_path):
    """Return a function that runs scripts as the nodes of a simulated robot."""
    made = []

    def start(**scripts):
        graph = describe(GraphOptions(policy='hold', robot_state_publisher=False))
        kept = tuple(n for n in graph.nodes if n.name in scripts)

        def command(spec, folder):
            return [sys.executable, '-c', scripts[spec.name], str(tmp_path), spec.name]

        patience = ((signal.SIGINT, 2.0), (signal.SIGTERM, 0.2), (signal.SIGKILL, 2.0))
        made.append(GraphProcesses(replace(graph, nodes=kept), command, patience))
        return made[-1]

    yield start
    for processes in made:
        processes.stop()


def lines(path):
    return path.read_text().split()


def look_until(processes, condition):
    end = time.monotonic() + 20.0
    while not condition():
        assert time.monotonic() < end
        processes.look(0.02)


def test_a_node_starts_once_what_it_needs_is_active_and_ends_before_it(start, tmp_path):
    processes = start(driver_node=STAY, sim_node=STAY)
    processes.start(20.0)
    assert processes.ready
    assert lines(tmp_path / 'starts') == ['sim_node', 'driver_node']
    processes.stop()
    assert lines(tmp_path / 'ends') == ['driver_node', 'sim_node']
    assert processes.pid('driver_node') is None


def test_a_vital_node_that_ends_is_named_with_its_status(start):
    with pytest.raises(VlaControlError, match='driver_node ended with status 3'):
        processes = start(driver_node=DIE)
        look_until(processes, lambda: False)


def test_the_rest_goes_on_without_a_policy(start, caplog):
    processes = start(policy_node=DIE.replace('ready()\nsys', 'sys'), interpolator_node=STAY)
    look_until(processes, lambda: 'policy_node ended with status 3' in caplog.text)
    look_until(processes, lambda: processes.ready)
    assert processes.pid('interpolator_node')


def test_a_camera_that_ends_is_started_again(start, tmp_path):
    processes = start(camera_front=DIE)
    look_until(processes, lambda: (tmp_path / 'starts').exists())
    look_until(processes, lambda: len(lines(tmp_path / 'starts')) > 1)


def test_an_interpolator_that_keeps_ending_ends_the_rest(start, tmp_path, monkeypatch):
    monkeypatch.setattr('vla_control.runtime.runner.BACKOFF', 0.0)
    processes = start(interpolator_node=DIE)
    with pytest.raises(VlaControlError, match='interpolator_node ended with status 3'):
        look_until(processes, lambda: False)
    assert len(lines(tmp_path / 'starts')) == 1 + RESPAWNS


def test_what_never_was_active_is_not_tried_again(start, tmp_path):
    processes = start(interpolator_node=REFUSE)
    with pytest.raises(VlaControlError, match='interpolator_node ended with status 1'):
        look_until(processes, lambda: False)
    assert len(lines(tmp_path / 'starts')) == 1


def test_a_driver_is_not_started_again_by_itself():
    assert not describe(GraphOptions(policy='hold')).node('driver_node').respawn


def test_a_node_that_never_becomes_active_is_named(start):
    with pytest.raises(VlaControlError, match='driver_node is not active after 0 s'):
        start(driver_node=NEVER_READY).start(0.3)


def test_a_process_that_will_not_end_is_killed(start):
    processes = start(interpolator_node=STUBBORN)
    processes.start(20.0)
    pid = processes.pid('interpolator_node')
    processes.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.fixture
def signals():
    """Give back the signal and log handlers that run_graph sets."""
    before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
    shown = list(log.handlers)
    yield
    log.handlers[:] = shown
    for number, handler in before.items():
        signal.signal(number, handler)


def run_stubs(tmp_path, monkeypatch, resume):
    """Run a graph whose processes only say they are active; return its nodes by name."""
    seen = {}

    def command(spec, folder):
        seen[spec.name] = spec
        return [sys.executable, '-c', STAY, str(tmp_path), spec.name]

    monkeypatch.setattr('vla_control.runtime.runner.node_command', command)
    chosen = GraphOptions(policy='hold', hardware='mock', namespace='left', resume=True)
    assert run_graph(chosen, resume=resume) == 0
    return seen


def test_a_driver_resumes_once_every_node_is_active(tmp_path, monkeypatch, signals):
    asked = []

    def resume(namespace):
        asked.append((namespace, lines(tmp_path / 'starts')))
        signal.raise_signal(signal.SIGINT)
        return 'READY'

    nodes = run_stubs(tmp_path, monkeypatch, resume)
    ((namespace, started),) = asked
    assert namespace == 'left'
    assert set(started) == set(nodes)
    assert nodes['driver_node'].parameters['resume_on_activate'] is False, 'it would not wait'


def test_a_driver_that_refuses_to_resume_goes_on_holding(tmp_path, monkeypatch, signals, caplog):
    def resume(namespace):
        signal.raise_signal(signal.SIGINT)
        raise VlaControlError('the enabling device is not held')

    run_stubs(tmp_path, monkeypatch, resume)
    assert 'not resumed: the enabling device is not held' in caplog.text


def test_real_hardware_is_not_run_with_resume(capsys):
    assert main(['run', '--hardware', 'real', '--resume']) == 2
    assert 'real hardware never starts to move by itself' in capsys.readouterr().err


def test_ending_nothing_is_fine():
    end_processes([])


def test_a_command_line_carries_name_namespace_and_parameters_of_every_type(tmp_path):
    graph = describe(GraphOptions(policy='hold', namespace='left', instruction='1: pick'))
    command = node_command(graph.node('policy_node'), tmp_path)
    assert command[1:3] == ['-m', 'vla_control.nodes.policy_node']
    assert '__node:=policy_node' in command
    assert '__ns:=/left' in command
    file = Path(command[command.index('--params-file') + 1])
    values = yaml.safe_load(file.read_text())['/**']['ros__parameters']
    assert values['instruction'] == '1: pick'
    assert values['autostart'] is True
    assert values['cameras'] == ['front', 'wrist']
