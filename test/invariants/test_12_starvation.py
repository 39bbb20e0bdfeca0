# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Invariant 12: when commands stop the robot comes to rest, holds without drift, and stays.

Chunks, or the references made of them, stop at random ticks of a motion: the real executor and
controller ramp to rest inside every limit and latch. What comes again moves nothing until the
operator has resumed and a command was made after it.
"""

import re

from benches import Bench
import numpy as np
import pytest

from vla_control.core.messages import ActionChunk
from vla_control.core.motion import stop
from vla_control.runtime.bench.safety_rig import Follower
from vla_control.safety.checker import worst_ratios
from vla_control.safety.supervisor import Event, Mode

STEPS, STEP = 20, 1 / 30  # [1, s] of a chunk
REPLAN = 0.2  # [s] between chunks
DELAY = 0.06  # [s] from its capture to its arrival
EXTRAPOLATION = 3  # periods a reference is continued for before it counts as missing
EPISODES = 3


class Graph(Bench):
    """A policy, the executor of its chunks, and the controller that follows their references."""

    def start(self):
        self.follower = Follower(self.spec, self.spec.dt)
        self.asks = self.answers = True  # whether chunks come, and references
        self.capture = lambda: self.now - DELAY
        self.end = np.inf  # [s] the last due point of the newest chunk
        self.verdict = None
        self.next = 0.0  # [s] when a chunk comes next
        self.rows = []  # positions commanded, one a tick
        room = np.minimum(self.spec.upper - self.home, self.home - self.spec.lower)
        self.size = np.minimum(0.2, 0.6 * np.maximum(room, 0.0))
        super().start()

    @property
    def executor(self):
        return self.follower.executor

    def pass_time(self):
        self.follower.follow(self.now, self.mode, self.sent)
        super().pass_time()
        if self.asks and self.now >= self.next:
            self.offer()
        reference = self.follower.reference(self.now)
        if self.answers and reference is not None:
            self.controller.put(reference)

    def offer(self):
        """Let a chunk of a smooth motion arrive."""
        stamp = self.capture()
        due = stamp + STEP * np.arange(1, STEPS + 1)[:, None]
        positions = self.home + self.size * np.sin(3.0 * due)
        chunk = ActionChunk(stamp=stamp, dt=STEP, joints=self.spec.names, positions=positions)
        self.verdict = self.follower.offer(chunk, self.now)
        self.next = self.now + REPLAN
        if self.verdict.accepted:
            self.end = stamp + STEPS * STEP

    def tick(self, count=1, feed=None):
        rows = super().tick(count, feed)
        self.rows.extend(rows)
        return rows

    def until(self, done, seconds):
        """Tick until something holds; return the positions commanded meanwhile."""
        begun = len(self.rows)
        for _ in range(int(seconds / self.spec.dt)):
            self.tick()
            if done():
                return np.array(self.rows[begun:])
        raise AssertionError(f'not within {seconds} s: {self.mode} {self.reason}')

    def begin(self, seconds):
        """Resume, and follow for a while."""
        self.asks = self.answers = True
        self.resume()
        self.until(lambda: self.mode is Mode.RUN and not self.executor.at_rest, 1.0)
        self.tick(int(seconds / self.spec.dt))
        assert self.mode is Mode.RUN

    def kept(self):
        """Judge all positions commanded since the alignment."""
        times = self.spec.dt * np.arange(float(len(self.rows)))
        return worst_ratios(times, np.array(self.rows), self.spec, from_rest=True).kept()


@pytest.fixture
def graph(robot):
    graph = Graph(robot)
    graph.activate()
    return graph


def moved(rows):
    return bool((np.diff(rows, axis=0) != 0.0).any())


def settled(rows):
    """Return from which row on nothing changes any more, to the bit."""
    changes = np.flatnonzero((np.diff(rows, axis=0) != 0.0).any(axis=1))
    return int(changes[-1]) + 1 if len(changes) else 0


def test_a_policy_that_falls_silent_ends_in_a_latched_hold_without_drift(robot, graph):
    rng, dt, timeout = np.random.default_rng(12), robot.dt, robot.safety.chunk_timeout
    for _ in range(EPISODES):
        graph.begin(rng.uniform(0.3, 1.5))
        graph.asks = False
        graph.until(lambda: graph.now >= graph.end, 1.0)
        assert graph.mode is Mode.RUN and not graph.executor.held
        since = len(graph.rows) - 1
        graph.until(lambda: graph.executor.held, 1.5)
        assert timeout <= graph.now + dt - graph.end <= timeout + 2.5 * dt
        assert re.match(r'no action chunk for 1\.0\d s .*chunk_timeout', graph.executor.held)
        assert graph.mode is Mode.RUN, 'references at rest still come'
        graph.until(lambda: graph.mode is Mode.HOLD, 0.2)
        assert graph.reason == f'no joint command for {robot.safety.command_timeout} s'
        graph.tick(50)
        assert 0 < settled(graph.rows[since:]) <= 0.5 / dt, 'at rest long before the latch'
        chunks_move_nothing_until_resumed(graph)
    assert graph.kept()


def chunks_move_nothing_until_resumed(graph):
    """See that a resume alone does not move it either, nor with a chunk captured before."""
    held, since = graph.executor.held, len(graph.rows) - 1
    graph.asks = True
    graph.tick(60)
    assert graph.mode is Mode.HOLD
    assert graph.verdict.reason == f'held: {held}; resume first'
    graph.asks = False
    graph.resume()
    graph.tick(60)
    resumed = graph.follower.since
    graph.capture, graph.asks = lambda: resumed - 0.01, True
    graph.tick(60)
    assert graph.mode is Mode.READY
    assert 'before the robot was aligned or resumed' in graph.verdict.reason
    assert settled(graph.rows[since:]) == 0
    graph.capture = lambda: max(graph.now - DELAY, resumed)
    graph.until(lambda: graph.mode is Mode.RUN, 0.5)
    assert graph.verdict.accepted and moved(graph.tick(60))
    stand(graph)


def stand(graph):
    graph.controller.request(Event.HOLD)
    graph.until(lambda: graph.mode is Mode.HOLD, 1.0)


def test_references_that_stop_end_in_a_latched_hold_without_drift(robot, graph):
    rng, dt = np.random.default_rng(21), robot.dt
    for _ in range(EPISODES):
        graph.begin(rng.uniform(0.3, 1.5))
        graph.answers, since = False, len(graph.rows) - 1
        graph.tick(EXTRAPOLATION + 1)
        last = graph.controller.gate.state
        way = stop(last.q, last.v, last.a, robot.acceleration, robot.jerk)
        fastest = EXTRAPOLATION + 2 + int(np.ceil(way.duration.max() / dt))
        graph.until(lambda: graph.mode is Mode.HOLD, 1.0)
        assert graph.reason == f'no joint command for {robot.safety.command_timeout} s'
        graph.tick(50)
        assert 0 < settled(graph.rows[since:]) <= fastest
        references_move_nothing_until_resumed(graph)
    assert graph.kept()


def references_move_nothing_until_resumed(graph):
    """Whoever sends them: one who never stopped, or one whose references come late."""
    since, dt, sway = len(graph.rows) - 1, graph.spec.dt, graph.swing()
    graph.tick(60, sway)
    assert graph.mode is Mode.HOLD
    graph.controller.request(Event.RESUME)
    graph.tick(5, sway)
    assert graph.mode is Mode.READY, 'some of these were made before the resume'
    stand(graph)
    graph.tick(20)
    graph.resume()
    resumed = graph.now
    graph.tick(10, lambda now: sway(now - 15 * dt))
    assert graph.controller.stream.last_stamp < resumed
    graph.tick(50)
    assert graph.mode is Mode.READY
    assert settled(graph.rows[since:]) == 0
    following = graph.tick(60, graph.swing())
    assert graph.mode is Mode.RUN and moved(following)
    stand(graph)


@pytest.mark.parametrize('what', ['chunks', 'references'])
def test_a_pause_shorter_than_the_limit_does_not_leave_run(robot, graph, what):
    graph.begin(0.5)
    if what == 'chunks':
        graph.asks = False
        graph.until(lambda: graph.now >= graph.end, 1.0)
        graph.tick(int(0.9 * robot.safety.chunk_timeout / robot.dt))
        assert not moved(graph.rows[-5:]), 'it has come to rest meanwhile'
    else:
        graph.answers = False
        graph.tick(int(0.9 * robot.safety.command_timeout / robot.dt))
    graph.asks = graph.answers = True
    graph.tick(int(0.5 / robot.dt))
    assert graph.mode is Mode.RUN and not graph.executor.held
    assert moved(graph.rows[-10:]), 'and it goes on without a resume'
    assert graph.kept()
