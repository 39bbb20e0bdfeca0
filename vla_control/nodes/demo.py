# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The demo: the whole graph on this machine, five tasks, one emergency stop, and a report."""

import logging
import time
from typing import Any

import numpy as np
from rich.console import Console

from vla_control.core.spec import load_robot, RobotSpec
from vla_control.nodes.call import ask, connect
from vla_control.nodes.demo_user import demo_user, DemoUser, read_diagnostics, SERVICE
from vla_control.policies.config import load_policy_config
from vla_control.runtime import demo
from vla_control.runtime.demo import DemoConfig, EpisodeRow
from vla_control.runtime.options import GraphOptions
from vla_control.runtime.runner import GraphProcesses
from vla_control.runtime.statistics import percentile
from vla_control.runtime.tick_log import load_tick_log
from vla_control.runtime.wiring import describe, environment
from vla_control.sim.layout import COLOURS
from vla_control.sim.tasks import Goal, load_tasks, Task

STOP_AFTER = 0.5  # share of the way home at which the emergency stop is tried


def run_demo(config: DemoConfig, console: Console) -> dict[str, Any]:
    """
    Run everything and return the report as plain data; files go to ``config.output``.

    :raises VlaControlError: when the graph does not come up, or a service fails.
    """
    spec = load_robot(config.robot)
    config.output.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(level=logging.WARNING, format='%(message)s')
    graph = describe(_options(config))
    console.print(f'starting {len(graph.nodes)} nodes: {", ".join(n.name for n in graph.nodes)}')
    with GraphProcesses(graph) as processes:
        processes.start()
        with demo_user(spec) as user:
            rows = _episodes(user, config, console)
            called = _emergency_stop(user, spec, console)
            figures = _live_figures(user, rows)
    record = load_tick_log(config.output / 'ticks.npz')
    figures |= {**demo.punctuality(record), **demo.limits_report(record, spec)}
    work = 1e-6 * figures['tick_work_us']
    pictures = np.array([seen for camera in user.pictures.values() for seen in camera])
    figures |= demo.reaction(record, user.chunks, pictures.reshape(-1, 2), work)
    figures['e_stop_ms'] = demo.stop_latency_ms(record, called, work)
    console.print('drawing the video and the plot')
    files = demo.write_pictures(
        config.output, spec, record, rows, [c.arrived for c in user.chunks]
    )
    report = demo.summary(rows, figures, files)
    demo.show(report, console)
    console.print(
        f'{report["succeeded"]} of {len(rows)} succeeded; {files["video"]}, {files["plot"]}'
    )
    return report


def _options(config: DemoConfig) -> GraphOptions:
    import os

    os.environ.update(environment(images=False))
    # A domain of its own keeps other graphs of this machine out of the demo.
    os.environ.setdefault('ROS_DOMAIN_ID', '77')
    return GraphOptions(
        robot=config.robot,
        hardware='sim',
        policy=config.policy,
        robot_state_publisher=False,
        log_level='warn',
        overrides={
            'driver_node': {'log': str(config.output / 'ticks.npz')},
            'sim_node': {
                'trace': str(config.output / 'trace.npz'),
                'trace_rate': 25.0,
                'seed': config.seed,
            },
            'policy_node': {'running': False},
        },
    )


def _episodes(user: DemoUser, config: DemoConfig, console: Console) -> list[EpisodeRow]:
    """Ask for the tasks of the policy in turn, for any colour, in any known wording."""
    book, rng = load_tasks(), np.random.default_rng(config.seed)
    tasks = [Task(t) for t in load_policy_config(config.policy).tasks] or [Task.TOUCH]
    home = np.array(user.spec.home)
    rows: list[EpisodeRow] = []
    for number in range(config.episodes):
        goal = Goal(
            task=tasks[number % len(tasks)], target=COLOURS[int(rng.integers(len(COLOURS)))]
        )
        words = book.instruction(goal, rng)
        if number:
            user.go(home)
            user.rest()
        row = user.run_episode(words, config.time_limit)
        rows.append(row)
        console.print(
            f'{number + 1}/{config.episodes} "{words}": {row.verdict} in {row.seconds:.1f} s'
        )
    return rows


def _emergency_stop(user: DemoUser, spec: RobotSpec, console: Console) -> float:
    """Press the emergency stop in motion; return when it was called [s]."""
    # A stop button is connected before it is pressed.
    button = connect(user, user.spin_until, 'driver_node/e_stop', SERVICE)
    user.go(np.array(spec.home), until=STOP_AFTER)
    called = time.monotonic()
    answer = ask(button, user.spin_until, SERVICE)
    user.destroy_client(button)
    console.print(f'emergency stop in motion: {answer.message}')
    user.spin_until(lambda: False, 1.2)  # one more round of diagnostics
    return called


def _live_figures(user: DemoUser, rows: list[EpisodeRow]) -> dict[str, Any]:
    """Return what was seen on the topics while the policy worked."""
    spans = [(r.began, r.ended) for r in rows]
    working = sum(end - start for start, end in spans)
    inside = [c for c in user.chunks if any(a <= c.arrived <= b for a, b in spans)]
    found: dict[str, Any] = {'protective_stops': user.faults, 'silences': user.holds}
    for name, pictures in user.pictures.items():
        found[f'{name}_camera_hz'] = (len(pictures) - 1) / (pictures[-1][0] - pictures[0][0])
    policy = next((n for n in user.diagnostics if n.startswith('policy_node: ')), '')
    found['policy_hz'] = len(inside) / working
    found |= read_diagnostics(
        user,
        policy,
        {'inference_p50_ms': 'latency p50 [ms]', 'inference_p95_ms': 'latency p95 [ms]'},
    )
    ages = [c.arrived - c.captured for c in inside]
    found['capture_to_chunk_p50_ms'] = percentile(ages, 50) * 1e3
    found['capture_to_chunk_p99_ms'] = percentile(ages, 99) * 1e3
    found |= read_diagnostics(
        user,
        'driver_node: loop',
        {
            'driver_late_us': 'late p99 [us]',
            'tick_work_us': 'work p99 [us]',
            'missed_ticks': 'missed',
        },
    )
    return found
