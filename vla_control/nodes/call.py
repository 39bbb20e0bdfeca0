# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
# mypy: disable-error-code="no-untyped-call"
"""Calls a service of a running graph once, for people without the ros2 command line."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
import os
import time

import rclpy
from rclpy.client import Client
from rclpy.context import Context
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from std_srvs.srv import Trigger

from vla_control.core.errors import VlaControlError
from vla_control.nodes.spinner import Spinner
from vla_control.runtime.topics import DRIVER, POLICY
from vla_control.runtime.wiring import environment

# What a user may ask for, and of which node.
REQUESTS = {
    **dict.fromkeys(('resume', 'e_stop', 'reset', 'hold', 'home'), DRIVER),
    **dict.fromkeys(('start', 'stop'), POLICY),
}
TIMEOUT = 5.0  # [s] to find a service, and again for its answer
TURN = 0.02  # [s] longest wait for news at a time
SpinUntil = Callable[
    [Callable[[], bool], float], bool
]  # condition, timeout [s] -> whether it came


def call_request(request: str, namespace: str = '', timeout: float = TIMEOUT) -> tuple[bool, str]:
    """
    Ask a robot for one of REQUESTS.

    :param namespace: of its nodes.
    :param timeout: [s] to find the service, and again for its answer.
    :returns: whether it was done, and what the node says of it.
    :raises VlaControlError: naming the services there are, when this one is not or stays silent.
    """
    path = (namespace.strip('/'), REQUESTS[request], request)
    service = '/' + '/'.join(part for part in path if part)
    os.environ.update(environment(images=False))
    with _visitor() as (node, spin_until):
        answer = call_trigger(node, spin_until, service, timeout)
    return bool(answer.success), str(answer.message)


def resume(namespace: str) -> str:
    """
    Have the driver in a namespace follow.

    :returns: what it says.
    :raises VlaControlError: when it is not there, or says no.
    """
    done, message = call_request('resume', namespace)
    if not done:
        raise VlaControlError(message)
    return message


def call_trigger(
    node: Node, spin_until: SpinUntil, service: str, timeout: float
) -> Trigger.Response:
    """
    Call a Trigger service.

    :param spin_until: serves the node until a condition holds or a time [s] is over.
    :raises VlaControlError: naming the services there are, when this one is not or stays silent.
    """
    client = connect(node, spin_until, service, timeout)
    try:
        return ask(client, spin_until, timeout)
    finally:
        node.destroy_client(client)


def connect(node: Node, spin_until: SpinUntil, service: str, timeout: float) -> Client:
    """
    Return a client of a Trigger service that is there; the caller destroys it.

    :raises VlaControlError: naming the services there are, when this one is not.
    """
    client = node.create_client(Trigger, service)
    if not spin_until(client.service_is_ready, timeout):
        node.destroy_client(client)
        raise VlaControlError(
            f'no service {service} in the graph after {timeout:g} s; {_there_are(node)}'
        )
    return client


def ask(client: Client, spin_until: SpinUntil, timeout: float) -> Trigger.Response:
    """
    Call a service that is there.

    :raises VlaControlError: when it stays silent.
    """
    future = client.call_async(Trigger.Request())
    if not spin_until(future.done, timeout):
        raise VlaControlError(f'{client.srv_name} did not answer within {timeout:g} s')
    return future.result()


def _there_are(node: Node) -> str:
    """Say which of REQUESTS are served; the graph's own list has what only clients wait for."""
    found = set()
    for name, namespace in node.get_node_names_and_namespaces():
        with suppress(rclpy_implementation.NodeNameNonExistentError):  # it has just left
            services = node.get_service_names_and_types_by_node(name, namespace)
            found |= {s for s, _ in services if s.rpartition('/')[2] in REQUESTS}
    if found:
        return f'there are {sorted(found)}'
    domain = os.environ.get('ROS_DOMAIN_ID', '0')
    return (
        f'no node of a robot is heard in ROS domain {domain}; is it started, and with the same '
        'ROS_DOMAIN_ID as this command?'
    )


@contextmanager
def _visitor() -> Iterator[tuple[Node, SpinUntil]]:
    """Join the graph for a while, in a context of its own."""
    context = Context()
    rclpy.init(args=[], context=context, signal_handler_options=SignalHandlerOptions.NO)
    try:
        node = Node(
            f'vla_control_call_{os.getpid()}',
            context=context,
            start_parameter_services=False,
            enable_rosout=False,
        )
        spinner = Spinner(node)

        def spin_until(done: Callable[[], bool], timeout: float) -> bool:
            end = time.monotonic() + timeout
            while not done():
                left = end - time.monotonic()
                if left <= 0.0:
                    return False
                spinner.turn(min(left, TURN))
            return True

        try:
            yield node, spin_until
        finally:
            spinner.close()
            node.destroy_node()
    finally:
        context.try_shutdown()
