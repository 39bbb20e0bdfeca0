# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""A user without the ros2 command line can stop, reset and resume a robot."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
import json
import os
import signal
import subprocess
import sys
from typing import get_args

import pytest
from std_msgs.msg import String

from vla_control.cli import main, Request
from vla_control.core.errors import VlaControlError
from vla_control.nodes import call, qos
from vla_control.nodes.call import call_request
from vla_control.nodes.driver_node import make
from vla_control.nodes.policy_node import PolicyNode

pytestmark = pytest.mark.ros
MOCK = {'hardware': 'mock', 'realtime_priority': 0}


@pytest.fixture
def ask(graph, domain, monkeypatch):
    """Return a function that runs another one in a thread while the nodes are served."""
    monkeypatch.setenv('ROS_DOMAIN_ID', str(domain))
    monkeypatch.setattr(call, 'environment', lambda images: {})
    with ThreadPoolExecutor(1) as pool:

        def ask(what, *args, **options):
            future = pool.submit(what, *args, **options)
            graph.spin_until(future.done, 'an answer', timeout=30.0)
            return future.result()

        yield ask


def test_the_command_line_knows_every_request():
    assert set(get_args(Request)) == set(call.REQUESTS)


def test_a_driver_is_resumed_stopped_and_reset(graph, ask):
    graph.add(make, **MOCK)
    for request, told in (
        ('resume', 'READY'),
        ('hold', 'HOLD'),
        ('e_stop', 'FAULT'),
        ('reset', 'HOLD'),
    ):
        done, message = ask(call_request, request)
        assert done
        assert message.startswith(told)


def test_a_policy_is_stopped_and_started(graph, ask):
    node = graph.add(PolicyNode, policy='hold')
    assert ask(call_request, 'stop') == (True, 'the policy is not asked any more')
    assert not node._running
    assert ask(call_request, 'start') == (True, 'asking the policy')
    assert node._running


def test_a_robot_in_a_namespace_is_found_there_and_named_elsewhere(graph, ask):
    graph.add(partial(make, namespace='left'), **MOCK)
    assert ask(call_request, 'hold', '/left/')[0]
    with pytest.raises(VlaControlError) as refused:
        ask(call_request, 'hold', timeout=4.0)
    assert 'no service /driver_node/hold in the graph after 4 s' in str(refused.value)
    assert "'/left/driver_node/e_stop', '/left/driver_node/hold'" in str(refused.value)
    assert "'/driver_node/hold'" not in str(refused.value), 'nobody serves what we wait for'


def test_a_gripper_that_needs_no_homing_has_no_such_service(graph, ask):
    graph.add(make, **MOCK)
    # Which of its other services have been heard of by then is a matter of the machine.
    with pytest.raises(VlaControlError, match=r"no service /driver_node/home.*'/driver_node/"):
        ask(call_request, 'home', timeout=4.0)


def test_an_empty_graph_is_told_with_its_domain(domain, ask):
    with pytest.raises(VlaControlError, match=f'ROS domain {domain}; is it started'):
        ask(call_request, 'e_stop', timeout=0.5)


def test_the_command_tells_by_its_status_whether_it_was_done(graph, ask, capsys):
    graph.add(make, **MOCK)
    assert ask(main, ['call', 'e_stop']) == 0
    assert capsys.readouterr().out.startswith('FAULT: ')
    assert ask(main, ['call', 'resume', '--json']) == 1
    answer = json.loads(capsys.readouterr().out)
    assert not answer['done']
    assert answer['message'].startswith('FAULT: ')
    assert ask(main, ['call', 'start', '--timeout', '0.5']) == 2
    assert 'no service /policy_node/start' in capsys.readouterr().err


@pytest.mark.slow
def test_a_graph_run_with_resume_follows_once_it_is_up(graph, domain):
    modes = graph.heard(String, 'driver_state', qos.reader('driver_state'))
    command = [sys.executable, '-m', 'vla_control.cli', 'run', '--resume']
    process = subprocess.Popen(
        [*command, '--hardware', 'mock', '--policy', 'hold'],
        env=os.environ | {'ROS_DOMAIN_ID': str(domain)},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        graph.spin_until(lambda: any(m.data.startswith('RUN') for m in modes), 'RUN', timeout=60.0)
    finally:
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=30.0)
    assert process.returncode == 0
    assert 'vla-control: READY: ' in told
    assert told.index(' is up') < told.index('vla-control: READY: '), 'not before all are active'
