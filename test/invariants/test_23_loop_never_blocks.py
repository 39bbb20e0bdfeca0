# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Invariant 23: a tick touches no file, no log, no lock and no queue that grows.

Each trouble is put beside a loop on a hand-wound clock; what counts is that as many ticks were
done as without it, with as many motor commands, and that an overrun is skipped and counted. What
only time can show, a burst of logs that takes the disk and the interpreter, is put beside a loop
of a second in real time.
"""

import builtins
from contextlib import contextmanager
import io
import logging
import os
from pathlib import Path
import sys
import threading
import time

from benches import at_rest, Bench, steady_chunk
import numpy as np
import pytest

from vla_control.actions.executor import ChunkExecutor
from vla_control.core.clock import ManualClock, SteadyClock
from vla_control.core.messages import ActionChunk, JointState, Observation
from vla_control.core.realtime import quiet_process
from vla_control.policies.worker import PolicyTarget, PolicyWorker, WorkerState, WorkerTimes
from vla_control.robots.mock import Mock
from vla_control.runtime.control import RobotController
from vla_control.runtime.loop import ControlLoop
from vla_control.runtime.tick_log import TickLog
from vla_control.safety.supervisor import Event, Mode

TICKS = 500
PATIENCE = 20.0  # [s] before a thread that hangs fails the test


def looped(bench, feed=None, ticks=TICKS):
    """Run ticks of a controller in a real loop on the bench's clock; return its statistics."""

    def tick(now):
        if feed is not None:
            bench.controller.put(feed(now))
        bench.controller.tick(now)

    loop = ControlLoop(tick, bench.spec.dt, bench.clock)
    loop.run(ticks)
    return loop.statistics()


def sent(bench):
    return len(bench.driver.log)


@pytest.fixture
def bench(robot):
    return Bench(robot)


def expect_all(bench, before, statistics):
    assert (statistics.ticks, statistics.missed) == (TICKS, 0)
    assert sent(bench) - before == TICKS, 'one command a tick'


class Audit:
    """Counts what the interpreter is asked of the system while it is open."""

    WATCHED = ('open', 'os.', 'socket.', 'subprocess.', 'import', 'shutil.', 'tempfile.')
    _one = None  # a hook cannot be taken back, so there is one for the process

    def __new__(cls):
        if cls._one is None:
            cls._one = super().__new__(cls)
            cls._one.seen, cls._one.thread = [], None
            sys.addaudithook(cls._one.hook)
        return cls._one

    def hook(self, event, args):
        if self.thread == threading.get_ident() and event.startswith(self.WATCHED):
            self.seen.append((event, args))

    def __enter__(self):
        self.seen.clear()
        self.thread = threading.get_ident()
        return self.seen

    def __exit__(self, *_):
        self.thread = None


def test_the_audit_sees_a_file_that_is_opened(tmp_path):
    with Audit() as seen:
        (tmp_path / 'x').write_text('x')
    assert any(event == 'open' for event, _ in seen)


def test_a_tick_opens_nothing_and_imports_nothing(bench):
    swing = bench.run()
    bench.tick(20, swing)
    before = sent(bench)
    with Audit() as seen:
        statistics = looped(bench, swing)
    assert seen == []
    expect_all(bench, before, statistics)


def test_neither_does_one_that_brakes_holds_faults_and_is_reset(bench):
    swing = bench.run()
    bench.tick(20, swing)
    bench.controller.request(Event.E_STOP)
    bench.tick(2)
    bench.controller.request(Event.RESET)
    bench.tick(2)
    with Audit() as seen:
        looped(bench, None, 50)
        bench.resume()
        looped(bench, bench.still, 50)
        bench.controller.request(Event.HOLD)
        looped(bench, None, 50)
        bench.controller.request(Event.E_STOP)
        looped(bench, None, 50)
        bench.controller.request(Event.RESET)
        looped(bench, None, 50)
    assert seen == []


class Trap(logging.Handler):
    """A log on a full disk: each record takes 5 s and then fails."""

    def __init__(self, clock):
        super().__init__()
        self.clock = clock
        self.records = 0

    def emit(self, record):
        self.records += 1
        self.clock.advance(5.0)
        raise OSError(28, 'No space left on device')


def test_a_log_that_blocks_and_a_full_disk_do_not_reach_the_tick(bench, monkeypatch):
    swing = bench.run()
    before = sent(bench)
    root, trap = logging.getLogger(), Trap(bench.clock)
    level = root.level
    root.addHandler(trap)
    root.setLevel(logging.DEBUG)

    def full(*args, **kwargs):
        bench.clock.advance(5.0)
        raise OSError(28, 'No space left on device')

    for module, name in ((builtins, 'open'), (io, 'open'), (os, 'open'), (os, 'write')):
        monkeypatch.setattr(module, name, full)
    monkeypatch.setattr(Path, 'open', full)
    try:
        statistics = looped(bench, swing)
        bench.controller.put(bench.still(np.nan))
        bench.controller.request(Event.HOLD)
        last = looped(bench, swing)
    finally:
        monkeypatch.undo()
        root.removeHandler(trap)
        root.setLevel(level)
    assert trap.records == 0
    expect_all(bench, before + TICKS, last)
    assert (statistics.ticks, statistics.missed) == (TICKS, 0)


class SlowDisk(logging.StreamHandler):
    """A log file that takes 20 ms more for each record, with the handler's lock held."""

    def emit(self, record):
        super().emit(record)
        if self.stream.tell() > 200e6:
            self.stream.seek(0)
        time.sleep(0.02)


@contextmanager
def burst(path):
    """Log some 100 MB a second from a thread; whoever else logs meanwhile has to queue."""
    stop, log, root = threading.Event(), logging.Logger('burst'), logging.getLogger()
    with path.open('w') as file:
        disk = SlowDisk(file)
        log.addHandler(disk)
        root.addHandler(disk)

        def write():
            while not stop.is_set():
                log.error('x' * 2_000_000)

        thread = threading.Thread(target=write, daemon=True)
        thread.start()
        try:
            yield file
        finally:
            stop.set()
            thread.join(PATIENCE)
            root.removeHandler(disk)


def ticks_of_a_second(robot, meddle=lambda: None):
    """Count what a loop in real time does in a second, prepared as the driver node's is."""
    clock, driver = SteadyClock(), Mock(robot)
    controller = RobotController(robot, driver)
    controller.configure(clock.now())

    def tick(now):
        controller.put(at_rest(now, robot.home))
        controller.tick(now)
        meddle()

    loop = ControlLoop(tick, robot.dt, clock)
    with quiet_process():
        controller.activate(clock.now())
        controller.request(Event.RESUME)
        loop.start()
        time.sleep(1.0)
        assert loop.stop(PATIENCE) and loop.failure is None
    return loop.statistics().ticks


def test_a_burst_of_logs_changes_no_tick(spec, tmp_path):
    """A busy machine gets three tries to be as busy with the burst as without it."""
    for _ in range(3):
        quiet = ticks_of_a_second(spec)
        with burst(tmp_path / 'log') as file:
            beside = ticks_of_a_second(spec)
            written = file.tell()
        assert written > 10e6
        if beside > 0.6 * quiet:
            break
    assert beside > 0.6 * quiet


def test_a_tick_that_logged_would_be_seen(spec, tmp_path):
    with burst(tmp_path / 'log'):
        queueing = ticks_of_a_second(spec, lambda: logging.error('one line'))
    assert queueing < 0.3 / spec.dt


def question(stamp):
    none = np.zeros(2)
    joints = JointState(
        stamp=stamp, joints=('a', 'b'), positions=none, velocities=none, efforts=none
    )
    return Observation(stamp=stamp, images={}, joints=joints, instruction='sleep 60')


@pytest.fixture
def asleep(monkeypatch):
    """A policy in its process that was asked, and will not answer while a test runs."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / 'policies'))
    target = PolicyTarget(function='worker_policies:scripted')
    worker = PolicyWorker(target, WorkerTimes(deadline=120.0))
    worker.start()
    worker.wait_ready(PATIENCE)
    assert worker.submit(question(0.0))
    yield worker
    worker.close()


def test_a_policy_that_sleeps_for_a_minute_costs_no_tick_and_ends_in_a_hold(bench, asleep):
    """Whoever ticks also looks for its answer, and asks it again, and waits for neither."""
    bench.run()
    before, begun = sent(bench), time.monotonic()

    def tick(now):
        assert asleep.poll() is None
        assert not asleep.submit(question(now))
        assert time.monotonic() - begun < PATIENCE, 'somebody waits'
        bench.controller.tick(now)

    loop = ControlLoop(tick, bench.spec.dt, bench.clock)
    loop.run(TICKS)
    expect_all(bench, before, loop.statistics())
    assert asleep.state is WorkerState.BUSY, 'it still sleeps'
    assert bench.mode is Mode.HOLD
    assert 'no joint command' in bench.reason


class Stuck:
    """Positions whose reading takes as long as the test wants."""

    def __init__(self, values):
        self.values = values
        self.entered, self.release = threading.Event(), threading.Event()

    def __array__(self, dtype=None, copy=None):
        self.entered.set()
        if not self.release.wait(PATIENCE):
            raise TimeoutError
        return np.array(self.values)


def test_a_chunk_that_is_being_taken_in_does_not_hold_up_the_reference(robot):
    executor, good = ChunkExecutor(robot), steady_chunk(robot)
    executor.align(0.0, good.positions[0])
    assert executor.offer(good, 0.01).accepted
    slow = Stuck(good.positions)
    chunk = ActionChunk(stamp=0.02, dt=1 / 30, joints=robot.names, positions=slow)
    verdicts = []
    thread = threading.Thread(target=lambda: verdicts.append(executor.offer(chunk, 0.03)))
    thread.start()
    assert slow.entered.wait(PATIENCE)
    ticks = [executor.tick(0.03 + k * robot.dt) for k in range(50)]
    assert len(ticks) == 50 and not verdicts, 'fifty references while the chunk was stuck'
    slow.release.set()
    thread.join(PATIENCE)
    assert len(verdicts) == 1


def test_what_arrives_between_two_ticks_is_bounded(bench):
    swing = bench.run()
    before = sent(bench)
    for k in range(20_000):
        bench.controller.put(swing(bench.now + k * 1e-7))
    assert len(bench.controller.stream._samples) <= 16
    bench.tick(1, swing)
    assert sent(bench) == before + 1, 'however many came, one command'


def test_the_record_of_the_ticks_does_not_grow(robot):
    log = TickLog(robot.names, robot.dt, capacity=100)
    bench = Bench(robot, log=log)
    swing = bench.run()

    def size():
        arrays = (log._time, log._sent, log._measured, log._source)
        return sum(a.nbytes for a in arrays), len(log._mode)

    before = size()
    bench.tick(500, swing)
    assert size() == before
    assert len(log.record().time) == 100


def test_an_overrun_is_skipped_and_counted_never_made_up(robot):
    clock = ManualClock(0.0)
    times = []

    def tick(now):
        times.append(now)
        if len(times) % 10 == 0:
            clock.advance(3.5 * robot.dt)

    loop = ControlLoop(tick, robot.dt, clock)
    loop.run(100)
    periods = np.diff(times) / robot.dt
    assert periods.min() > 1.0 - 1e-6, 'no burst after an overrun'
    assert loop.statistics().missed == 10 * 3
    assert round((times[-1] - times[0]) / robot.dt) == 99 + 9 * 3
