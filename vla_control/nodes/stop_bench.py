# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
# mypy: disable-error-code="no-untyped-call"
"""Calls the emergency stop of a moving, simulated robot again and again, as any user would."""

from collections.abc import Callable
import logging
import os
from pathlib import Path
import tempfile
import time
from typing import Any

import numpy as np
from std_srvs.srv import Trigger
from type_description_interfaces.srv import GetTypeDescription

from vla_control.core.errors import SimulationError, VlaControlError
from vla_control.core.realtime import prepare_process
from vla_control.core.spec import load_robot
from vla_control.nodes.demo_user import demo_user, DemoUser
from vla_control.runtime.bench.command import BenchOptions, BenchResult
from vla_control.runtime.bench.estop import combined, figures, in_process, StopBench, summary
from vla_control.runtime.options import GraphOptions
from vla_control.runtime.runner import GraphProcesses
from vla_control.runtime.tick_log import load_tick_log
from vla_control.runtime.wiring import describe, environment

PATIENCE = 10.0  # [s] for any one thing to happen
FOLLOWS = 2.0  # [s] from a resume to the first motion
ATTEMPTS = 10
CALLER = 45  # SCHED_FIFO priority, so that what is measured is not the wait of who measures
SPREAD = 0.2  # [s] after the arm follows, in which a call comes
APART = 0.02  # [s] at most between a call that does nothing and the stop
SHOWN = 100  # calls between words about progress
NAMES = ('resume', 'e_stop', 'reset')
# Asked for a type nobody knows, it says so and does nothing; the thread of the stop serves it.
NOTHING = 'driver_node_e_stop/get_type_description'
NOBODYS_TYPE = f'RIHS01_{0:064x}'


def run_stop_bench(options: BenchOptions, say: Callable[[str], None]) -> BenchResult:
    """Measure what ``vla-control bench estop`` asks for; see `bench_stop`."""
    config = StopBench(robot=options.robot, calls=options.calls, seed=options.seed)
    say(f'{config.calls} calls in process, in virtual time')
    inside = in_process(config)
    report = combined(bench_stop(config, say), inside)
    return BenchResult(
        report=report, show=lambda console: console.print(summary(report)), kept=report['holds']
    )


def bench_stop(config: StopBench, say: Callable[[str], None]) -> dict[str, Any]:
    """
    Start the graph on simulated hardware, call the emergency stop over ROS, and measure.

    :param say: told about progress.
    :raises VlaControlError: when the graph does not come up, or something never happens.
    """
    os.environ.update(environment(images=False))
    os.environ.setdefault('ROS_DOMAIN_ID', '78')
    logging.basicConfig(level=logging.WARNING, format='%(message)s')
    with tempfile.TemporaryDirectory(prefix='vla_control-') as folder:
        log = Path(folder) / 'ticks.npz'
        graph = describe(
            GraphOptions(
                robot=config.robot,
                hardware='sim',
                policy='wave',
                robot_state_publisher=False,
                log_level='error',
                overrides={'driver_node': {'log': str(log)}},
            )
        )
        say(f'starting {len(graph.nodes)} nodes')
        with GraphProcesses(graph) as processes:
            processes.start()
            with demo_user(load_robot(config.robot)) as user:
                prepare_process(CALLER)
                called, transport = _press(user, config, say)
                work = _work(user)
        return figures(load_tick_log(log), called, work, transport)


def _press(
    user: DemoUser, config: StopBench, say: Callable[[str], None]
) -> tuple[list[float], list[float]]:
    """Call the stop at random times in motion; return when [s], and round trips of nothing [s]."""
    rng = np.random.default_rng(config.seed)
    clients = {n: user.create_client(Trigger, f'driver_node/{n}') for n in NAMES}
    for name, client in clients.items():
        _expect(user, client.service_is_ready, f'service driver_node/{name}')

    def ask(name: str) -> None:
        future = clients[name].call_async(Trigger.Request())
        _expect(user, future.done, f'an answer of {name}')
        if not future.result().success:
            raise VlaControlError(f'driver_node/{name}: {future.result().message}')

    idle = user.create_client(GetTypeDescription, NOTHING)
    _expect(user, idle.service_is_ready, f'service {NOTHING}')
    called: list[float] = []
    transport: list[float] = []
    for number in range(config.calls):
        for _ in range(ATTEMPTS):  # a busy machine may make the driver hold, or stop, by itself
            if user.mode == 'FAULT':
                ask('reset')
                _expect(user, lambda: user.mode != 'FAULT', 'HOLD')
            ask('resume')
            if user.spin_until(lambda: user.mode == 'RUN', FOLLOWS):
                break
        user.spin_until(lambda: False, float(rng.uniform(0.0, SPREAD)))
        transport.append(_round_trip(user, idle))
        user.spin_until(lambda: False, float(rng.uniform(0.0, APART)))
        called.append(time.monotonic())
        ask('e_stop')
        _expect(user, lambda: user.mode == 'FAULT', 'FAULT')
        if (number + 1) % SHOWN == 0:
            say(f'{number + 1} of {config.calls} calls')
    return called, transport


def _round_trip(user: DemoUser, client: Any) -> float:
    """Call what does nothing; return how long it took [s]."""
    request = GetTypeDescription.Request(type_hash=NOBODYS_TYPE)
    began = time.monotonic()
    future = client.call_async(request)
    _expect(user, future.done, f'an answer of {NOTHING}')
    return time.monotonic() - began


def _work(user: DemoUser) -> float:
    """Return how long a tick takes at its 99th percentile [s], by the driver's own report."""
    key, name = 'work p99 [us]', 'driver_node: loop'
    _expect(user, lambda: key in user.diagnostics.get(name, {}), 'diagnostics of the driver')
    return float(user.diagnostics[name][key]) * 1e-6


def _expect(user: DemoUser, condition: Callable[[], bool], what: str) -> None:
    if not user.spin_until(condition, PATIENCE):
        raise SimulationError(f'never happened within {PATIENCE:.0f} s: {what}')
