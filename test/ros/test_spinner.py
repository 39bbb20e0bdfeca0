# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The spinner calls what rclpy's executor calls, on the thread that turns it."""

import threading
import time

import pytest
from rclpy.lifecycle import LifecycleNode
from std_msgs.msg import Int32
from std_srvs.srv import Trigger

from vla_control.nodes.spinner import EVENTS, Spinner

pytestmark = pytest.mark.ros
PATIENCE = 15.0  # [s]


@pytest.fixture
def node(ros):
    node = LifecycleNode('spun')
    yield node
    node.destroy_node()


@pytest.fixture
def spinner(node):
    spinner = Spinner(node)
    yield spinner
    spinner.close()


def turn_until(spinner, condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, 'it never happened'
        spinner.turn()


def test_messages_come_in_order_and_each_once(node, spinner):
    got = []
    node.create_subscription(Int32, 'numbers', lambda msg: got.append(msg.data), 50)
    publisher = node.create_publisher(Int32, 'numbers', 50)
    turn_until(spinner, lambda: publisher.get_subscription_count() == 1)
    for number in range(40):
        publisher.publish(Int32(data=number))
    turn_until(spinner, lambda: len(got) == 40)
    assert got == list(range(40))


def test_services_and_clients_are_served_beside_a_flood_of_messages(node, spinner):
    publisher = node.create_publisher(Int32, 'flood', 1)
    # Every message sends the next, so one is ready at every turn.
    node.create_subscription(Int32, 'flood', publisher.publish, 1)
    service = node.create_service(Trigger, 'ask', lambda _, answer: answer)
    client = node.create_client(Trigger, 'ask')
    turn_until(spinner, lambda: publisher.get_subscription_count() and client.service_is_ready())
    publisher.publish(Int32())
    future = client.call_async(Trigger.Request())
    turn_until(spinner, future.done)
    assert future.result() is not None
    node.destroy_service(service)


def test_a_timer_keeps_its_rate_and_a_cancelled_one_is_silent(node, spinner):
    ticks, never = [], []
    node.create_timer(0.01, lambda: ticks.append(time.monotonic()))
    node.create_timer(0.01, lambda: never.append(1)).cancel()
    turn_until(spinner, lambda: len(ticks) == 21)
    assert 0.15 < ticks[-1] - ticks[0] < 2.0
    assert not never


def test_a_guard_condition_rung_elsewhere_is_heard_here(node, spinner):
    threads = []
    bell = node.create_guard_condition(lambda: threads.append(threading.get_ident()))
    ringer = threading.Timer(0.05, bell.trigger)
    ringer.start()
    turn_until(spinner, lambda: threads)
    ringer.join()
    assert threads == [threading.get_ident()]


def test_entities_come_and_go_in_callbacks(node, spinner):
    got = []

    def begin():
        starter.cancel()
        subscription = node.create_subscription(Int32, 'late', got.append, 10)
        node.create_timer(0.0, lambda: got and end(subscription))

    def end(subscription):
        node.destroy_subscription(subscription)
        ended.append(1)

    ended = []
    publisher = node.create_publisher(Int32, 'late', 10)
    starter = node.create_timer(0.0, begin)
    turn_until(spinner, lambda: publisher.get_subscription_count() == 1)
    publisher.publish(Int32(data=3))
    turn_until(spinner, lambda: ended)
    assert got[0].data == 3
    spinner.turn()


def test_without_work_a_turn_ends_by_itself(node, spinner):
    began = time.monotonic()
    spinner.turn(0.02)
    spinner.turn()
    assert time.monotonic() - began < 10 * EVENTS


def test_what_a_callback_raises_is_raised_here(node, spinner):
    def fail():
        raise RuntimeError('from a callback')

    node.create_timer(0.0, fail)
    with pytest.raises(RuntimeError, match='from a callback'):
        turn_until(spinner, lambda: False)
