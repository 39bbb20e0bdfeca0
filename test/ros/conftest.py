# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""A ROS graph of its own for each test: nobody else's topics, and bounded waits."""

from contextlib import ExitStack
import os
import time

import pytest

os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
rclpy = pytest.importorskip('rclpy')

from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from rclpy.node import Node  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402
from std_srvs.srv import Trigger  # noqa: E402

# 0..101 are free of the ports Linux hands out by itself.
DOMAIN = int(os.environ.get('ROS_DOMAIN_ID') or 2 + os.getpid() % 99)
PATIENCE = 15.0  # [s] a condition has to come true; only a failing test waits as long


class Graph:
    """Nodes under test, spun by the test itself, and a node to look at them from."""

    def __init__(self):
        self.executor = SingleThreadedExecutor()
        self.stack = ExitStack()
        self.probe = Node('probe')
        self.executor.add_node(self.probe)

    def add(self, kind, *args, activate=True, spin=True, **parameters):
        overrides = [Parameter(k, value=v) for k, v in parameters.items()]
        node = kind(*args, parameter_overrides=overrides)
        self.stack.callback(node.destroy_node)
        self.stack.callback(node.companions.close)
        self.stack.callback(node.leave)
        if spin:
            self.executor.add_node(node)
        if activate:
            node.trigger_configure()
            node.trigger_activate()
            assert node.active, 'the node could not be started'
        return node

    def spin_until(self, condition, what, timeout=PATIENCE):
        end = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < end, f'never happened: {what}'
            self.executor.spin_once(timeout_sec=0.02)

    def call(self, service, kind=Trigger, request=None):
        client = self.probe.create_client(kind, service)
        self.spin_until(client.service_is_ready, f'service {service}')
        future = client.call_async(request or kind.Request())
        self.spin_until(future.done, f'answer of {service}')
        self.probe.destroy_client(client)
        return future.result()

    def heard(self, kind, topic, profile=10):
        """Return a list that fills with the messages of a topic."""
        messages = []
        self.probe.create_subscription(kind, topic, messages.append, profile)
        return messages

    def close(self):
        self.stack.close()
        self.executor.shutdown()
        self.probe.destroy_node()


@pytest.fixture(scope='session')
def domain():
    return DOMAIN


# What a node does to its process would stay with this one: memory locked for all later tests,
# and a real-time priority that every process they start would inherit.
PROCESS = {
    'prepare_process': ('driver_node', 'interpolator_node', 'sim_node'),
    'hurry_process': ('camera_node', 'leader_node', 'policy_node'),
}


@pytest.fixture(scope='session')
def ros():
    with pytest.MonkeyPatch.context() as patch:
        for function, nodes in PROCESS.items():
            for node in nodes:
                patch.setattr(f'vla_control.nodes.{node}.{function}', lambda priority: '')
        rclpy.init(domain_id=DOMAIN)
        yield
        rclpy.try_shutdown()


@pytest.fixture
def graph(ros):
    graph = Graph()
    yield graph
    graph.close()


@pytest.fixture(scope='module')
def shared_graph(ros):
    graph = Graph()
    yield graph
    graph.close()
