# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Whatever a policy does in its process, the worker answers at once and tells the truth."""

import os
from pathlib import Path
import re
import select
import signal
import subprocess
import sys

import numpy as np
import pytest

from vla_control.core.clock import ManualClock
from vla_control.core.errors import PolicyError
from vla_control.core.messages import ActionChunk, frozen_floats, Image, JointState, Observation
from vla_control.policies.worker import PolicyTarget, PolicyWorker, WorkerState, WorkerTimes

HERE = str(Path(__file__).parent)
LONG = 30.0  # [s]
QUICK = WorkerTimes(backoff=0.0, restarts=2)

PARENT = """
import sys
from vla_control.policies.worker import PolicyTarget, PolicyWorker
sys.path.insert(0, sys.argv[1])
worker = PolicyWorker(PolicyTarget(function='worker_policies:scripted'))
worker.start()
worker.wait_ready(30.0)
print(worker.pid, flush=True)
sys.stdin.read()
"""


def observe(words, stamp=7.25, images=None):
    return Observation(
        stamp=stamp,
        images=images or {},
        joints=JointState(
            stamp=stamp,
            joints=('b', 'a'),
            positions=frozen_floats([2.5, -1.25]),
            velocities=frozen_floats([0.0, 0.0]),
            efforts=frozen_floats([0.0, 0.0]),
        ),
        instruction=words,
    )


@pytest.fixture
def launch(monkeypatch):
    monkeypatch.syspath_prepend(HERE)
    workers = []

    def make(function='scripted', arguments=(), times=QUICK, **extra):
        target = PolicyTarget(function=f'worker_policies:{function}', arguments=arguments)
        workers.append(PolicyWorker(target, times, **extra))
        workers[-1].start()
        return workers[-1]

    yield make
    for worker in workers:
        worker.close()


def answer(worker):
    while (found := worker.poll()) is None:
        worker.wait(1.0)
    return found


def ask(worker, words, **extra):
    assert worker.submit(observe(words, **extra))
    return answer(worker)


def test_a_chunk_comes_back_with_the_stamp_of_its_observation(launch):
    worker = launch()
    description = worker.wait_ready(LONG)
    assert description.joints == ('a', 'b')
    chunk = ask(worker, 'go', stamp=123.456)
    assert isinstance(chunk, ActionChunk)
    assert (chunk.stamp, chunk.dt, chunk.joints) == (123.456, 0.1, ('a', 'b'))
    np.testing.assert_array_equal(chunk.positions, np.ones((4, 2)))
    assert worker.poll() is None


def test_pixels_joints_and_prefix_arrive_as_they_are(launch):
    worker = launch()
    worker.wait_ready(LONG)
    pixels = np.random.default_rng(3).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    images = {
        'front': Image(stamp=1.0, pixels=pixels),
        'wrist': Image(stamp=1.0, pixels=pixels[::2, ::2]),
    }
    assert ask(worker, 'mean front', images=images).positions[0, 0] == pixels.mean()
    assert ask(worker, 'mean wrist', images=images).positions[0, 0] == pixels[::2, ::2].mean()
    assert ask(worker, 'first').positions[0, 0] == 2.5
    prefix = ActionChunk(
        stamp=1.0,
        dt=0.1,
        joints=('a', 'b'),
        positions=frozen_floats([[0.5, 0.25]]),
        committed=7,
    )
    assert worker.submit(observe('go'), prefix)
    assert answer(worker).positions[0, 0] == 0.75
    assert worker.submit(observe('committed'), prefix)
    assert answer(worker).positions[0, 0] == 7.0


def test_only_one_request_is_in_flight(launch):
    worker = launch()
    assert not worker.submit(observe('go')), 'nothing can be asked while it loads'
    worker.wait_ready(LONG)
    assert worker.submit(observe('sleep 0.3')), 'long enough for a busy machine to ask again'
    assert not worker.submit(observe('go'))
    answer(worker)
    assert worker.submit(observe('go'))


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        ('refuse no battery', 'no battery'),
        ('divide by nothing', 'ValueError: by nothing'),
        ('short', r'describes shape \(4, 2\) and gave \(3, 2\)'),
        ('nan', 'not finite'),
        (' ', 'follows an instruction'),
    ],
)
def test_a_failed_request_is_an_error_and_the_next_one_works(launch, words, message):
    worker = launch()
    worker.wait_ready(LONG)
    error = ask(worker, words)
    assert isinstance(error, PolicyError)
    assert re.search(message, str(error))
    assert isinstance(ask(worker, 'go'), ActionChunk)


@pytest.mark.parametrize('killer', ['itself', 'somebody else'])
def test_a_killed_policy_is_reported_restarted_and_owes_nothing(launch, killer):
    worker = launch()
    worker.wait_ready(LONG)
    ask(worker, 'go')
    first = worker.pid
    assert worker.submit(observe('die' if killer == 'itself' else 'sleep 1000'))
    if killer != 'itself':
        os.kill(first, signal.SIGKILL)
    error = answer(worker)
    assert isinstance(error, PolicyError)
    assert 'code -9' in str(error)
    worker.wait_ready(LONG)
    assert worker.pid != first
    assert worker.poll() is None, 'the lost request is never answered'
    assert ask(worker, 'go', stamp=9.0).stamp == 9.0


def test_an_idle_policy_that_dies_is_noticed_by_the_next_poll(launch):
    worker = launch()
    worker.wait_ready(LONG)
    os.kill(worker.pid, signal.SIGKILL)
    assert 'lost' in str(answer(worker))


def test_restarts_end_after_the_allowed_number(launch):
    worker = launch('dying')
    with pytest.raises(PolicyError, match='given up after 2 restarts'):
        worker.wait_ready(LONG)
    assert worker.state is WorkerState.FAILED
    assert worker.pid is None
    assert not worker.submit(observe('go'))


def test_a_policy_that_recovers_is_ready_again(launch, tmp_path):
    marker = tmp_path / 'die'
    marker.touch()
    worker = launch('dying_until', (str(marker),))
    assert worker.wait_ready(LONG).joints == ('a', 'b')


def test_the_wait_before_a_restart_doubles_up_to_a_bound(launch):
    clock = ManualClock()
    times = WorkerTimes(backoff=1.0, longest_backoff=3.0, restarts=9)
    worker = launch('dying', times=times, clock=clock.now)
    for wait in (1.0, 2.0, 3.0, 3.0):
        assert isinstance(answer(worker), PolicyError)
        assert worker.state is WorkerState.WAITING
        clock.advance(wait - 0.01)
        assert worker.poll() is None
        assert worker.pid is None
        clock.advance(0.02)
        worker.poll()
        assert worker.state is WorkerState.LOADING


def test_what_cannot_be_loaded_says_why_and_is_not_tried_again(launch):
    worker = launch('unloadable', ('run `vla-control train`',))
    with pytest.raises(PolicyError, match='vla-control train'):
        worker.wait_ready(LONG)
    assert worker.state is WorkerState.FAILED
    worker.start()
    assert worker.state is WorkerState.LOADING, 'start() is how to try again'


def test_a_late_answer_is_thrown_away(launch):
    clock = ManualClock()
    worker = launch(times=WorkerTimes(deadline=0.5, grace=1e6), clock=clock.now)
    worker.wait_ready(LONG)
    assert worker.submit(observe('sleep 0.2', stamp=1.0))
    clock.advance(0.6)
    assert 'deadline is 0.50 s' in str(answer(worker))
    pid = worker.pid
    while not worker.submit(observe('go', stamp=2.0)):
        assert worker.poll() is None, 'the late answer must not surface'
        worker.wait(1.0)
    assert answer(worker).stamp == 2.0
    assert worker.pid == pid


def test_a_stuck_policy_is_ended_after_the_grace(launch):
    clock = ManualClock()
    worker = launch(times=WorkerTimes(deadline=0.5, grace=1.0, backoff=0.0), clock=clock.now)
    worker.wait_ready(LONG)
    pid = worker.pid
    assert worker.submit(observe('sleep 1000'))
    clock.advance(0.6)
    assert 'deadline' in str(worker.poll())
    clock.advance(1.0)
    assert 'not answered for 1.6' in str(worker.poll())
    worker.wait_ready(LONG)
    assert worker.pid not in (None, pid)


def test_a_policy_that_never_loads_is_given_up(launch):
    clock = ManualClock()
    times = WorkerTimes(loading=5.0, restarts=0)
    worker = launch('never_loading', times=times, clock=clock.now)
    assert worker.poll() is None
    clock.advance(5.1)
    assert 'not loaded after 5.1 s' in str(worker.poll())
    assert worker.state is WorkerState.FAILED


def test_reset_reaches_the_policy_and_drops_the_answer_under_way(launch):
    worker = launch()
    worker.wait_ready(LONG)
    assert ask(worker, 'go').positions[0, 0] == 1
    assert ask(worker, 'go').positions[0, 0] == 2
    assert worker.submit(observe('go'))
    worker.reset()
    while not worker.submit(observe('go')):
        assert worker.poll() is None
        worker.wait(1.0)
    assert answer(worker).positions[0, 0] == 1


def test_latency_leaves_out_the_first_answer(launch):
    clock = ManualClock()
    worker = launch(clock=clock.now)
    worker.wait_ready(LONG)
    assert worker.latency.count == 0
    for latency in (0.9, 0.1, 0.2, 0.3):
        assert worker.submit(observe('go'))
        worker.wait(LONG)
        clock.advance(latency)
        assert isinstance(worker.poll(), ActionChunk)
    assert worker.latency.count == 3
    assert worker.latency.p50 == pytest.approx(0.2)
    assert worker.latency.p95 == pytest.approx(0.29)


def test_closing_twice_ends_the_process_once(launch):
    worker = launch()
    worker.wait_ready(LONG)
    process = os.pidfd_open(worker.pid)
    worker.close()
    worker.close()
    assert select.select([process], [], [], 0.0)[0], 'the process is gone when close() returns'
    os.close(process)
    assert worker.poll() is None
    assert not worker.submit(observe('go'))


def test_the_policy_dies_with_a_killed_parent():
    parent = subprocess.Popen(
        [sys.executable, '-c', PARENT, HERE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)},
    )
    policy = os.pidfd_open(int(parent.stdout.readline()))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert select.select([policy], [], [], LONG)[0], 'the policy outlived its parent'
    os.close(policy)
