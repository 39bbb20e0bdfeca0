# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
# mypy: disable-error-code="no-untyped-call"
"""What it costs to serve a lifecycle node's messages, beside rclpy's executor in the same run."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
import os
import threading
import time

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode
from rclpy.node import Node
from rclpy.utilities import try_shutdown
from rich.table import Table
from sensor_msgs.msg import JointState

from vla_control.nodes.spinner import Spinner
from vla_control.runtime.bench.command import BenchOptions, BenchResult
from vla_control.runtime.statistics import percentile

RATE = 250.0  # [Hz]
WARM = 1.0  # [s] not measured
TIMERS, TOPICS, JOINTS = 4, 4, 8  # as many as our nodes have


def run_spin_bench(options: BenchOptions, say: Callable[[str], None]) -> BenchResult:
    """Serve a stream of joint states for ``seconds`` in turns by either, and compare."""
    os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    os.environ.setdefault('ROS_DOMAIN_ID', '79')
    rclpy.init()
    try:
        report = {name: _serve(name, make, options.seconds) for name, make in SERVERS.items()}
    finally:
        try_shutdown()
    ratio = report['spinner']['cpu_us'] / report['executor']['cpu_us']
    table = Table('served by', 'CPU a message [us]', 'late p50 [ms]', 'late p99 [ms]')
    for name, figures in report.items():
        row = (figures['cpu_us'], figures['late_p50_ms'], figures['late_p99_ms'])
        table.add_row(name, *(f'{value:.3g}' for value in row))
    table.caption = f'cost {ratio:.2f} of rclpy.executors.SingleThreadedExecutor'
    return BenchResult(
        report={'rate': RATE, **report, 'cpu_ratio': ratio},
        show=lambda console: console.print(table),
        kept=ratio < 1.0,
    )


def _serve(
    name: str, make: Callable[[Node], Callable[[], object]], seconds: float
) -> dict[str, float]:
    node = LifecycleNode(f'bench_{name}')
    late: list[float] = []

    def take(msg: JointState) -> None:
        late.append(time.monotonic() - msg.position[0])

    for k in range(TOPICS - 1):
        node.create_subscription(JointState, f'idle_{k}', take, 1)
        node.create_publisher(JointState, f'other_{k}', 1)
    node.create_subscription(JointState, 'stream', take, 1)
    for _ in range(TIMERS):
        node.create_timer(1.0, lambda: None)
    serve = make(node)
    try:
        with _stream():
            _until(serve, WARM)
            late.clear()
            began = time.thread_time()
            _until(serve, seconds)
            cpu = time.thread_time() - began
    finally:
        node.destroy_node()
    return {
        'messages': float(len(late)),
        'cpu_us': cpu / max(1, len(late)) * 1e6,
        'late_p50_ms': percentile(late, 50) * 1e3,
        'late_p99_ms': percentile(late, 99) * 1e3,
    }


def _until(serve: Callable[[], object], seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        serve()


@contextmanager
def _stream() -> Iterator[None]:
    """Publish at RATE from another thread, each message with the instant it was sent."""
    node, ending = Node('bench_stream'), threading.Event()
    publisher = node.create_publisher(JointState, 'stream', 1)

    def publish() -> None:
        msg = JointState(name=[f'joint{k}' for k in range(JOINTS)], position=[0.0] * JOINTS)
        due = time.monotonic()
        while not ending.wait(max(0.0, due - time.monotonic())):
            msg.position[0] = time.monotonic()
            publisher.publish(msg)
            due += 1.0 / RATE

    thread = threading.Thread(target=publish, name='stream')
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()
        node.destroy_node()


def _executor(node: Node) -> Callable[[], object]:
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    return lambda: executor.spin_once(timeout_sec=0.1)


SERVERS: dict[str, Callable[[Node], Callable[[], object]]] = {
    'executor': _executor,
    'spinner': lambda node: Spinner(node).turn,
}
