# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
A policy in a process of its own, asked without waiting.

Whatever a policy does (block, crash, leak, hold the interpreter), the process that asks keeps
its rhythm: it gets a chunk, an error, or nothing yet.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
import time
from typing import Any

import numpy as np

from vla_control.core.errors import PolicyError
from vla_control.core.messages import ActionChunk, Observation
from vla_control.core.protocols import PolicyDescription
from vla_control.policies.process import PolicyProcess
from vla_control.policies.wire import pack_observation, unpack_chunk, unpack_description


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyTarget:
    """How the policy's process gets its policy: a function it imports and calls."""

    function: str  # 'package.module:function' returning a Policy
    arguments: tuple[str | int | float | bool, ...] = ()
    priority: int = 0  # SCHED_FIFO of taking requests and answering, not of the policy's work


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerTimes:
    """When to lose patience."""

    deadline: float = 1.0  # [s] to answer; a later answer is thrown away
    grace: float = 5.0  # [s] beyond the deadline before the process is ended
    loading: float = 120.0  # [s] to load the policy
    backoff: float = 0.5  # [s] before the first restart; doubles each time
    longest_backoff: float = 8.0  # [s]
    restarts: int = 3  # in a row, without an answer between, before giving up


class WorkerState(Enum):
    """What the worker is doing."""

    STOPPED = 'stopped'
    LOADING = 'loading'
    READY = 'ready'
    BUSY = 'busy'
    WAITING = 'waiting to restart'
    FAILED = 'failed'


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """From submit to answer; the first answer of each process is not counted."""

    count: int
    p50: float  # [s] nan without samples
    p95: float  # [s]


class PolicyWorker:
    """
    One request in flight, the newest answer or none, restarts within bounds.

    Used by one thread. Nothing here waits, except ``wait``, ``wait_ready`` and ``close``.
    """

    def __init__(
        self,
        target: PolicyTarget,
        times: WorkerTimes = WorkerTimes(),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Remember what to run; start() must follow.

        :param clock: [s] of deadlines and latencies; never the time of stamps.
        """
        self._target = target
        self._times = times
        self._clock = clock
        self._process: PolicyProcess | None = None
        self.state = WorkerState.STOPPED
        self.description: PolicyDescription | None = None  # once loaded
        self._since = 0.0  # [s] the state was entered, or the request was made
        self._request = 0  # number of the newest request
        self._wanted = False  # whether its answer is still of use
        self._reset = False  # whether the policy is to forget before the next request
        self._deaths = 0  # in a row
        self._cold = True
        self._latencies: deque[float] = deque(maxlen=512)
        self._events: deque[ActionChunk | PolicyError] = deque()

    def start(self) -> None:
        """Begin to load the policy; also after it failed. Does nothing while one runs."""
        if self.state in (WorkerState.STOPPED, WorkerState.FAILED):
            self._deaths = 0
            self._events.clear()
            self._launch()

    def wait_ready(self, timeout: float) -> PolicyDescription:
        """
        Wait until the policy is loaded.

        :param timeout: [s] longest wait.
        :raises PolicyError: with the reason when it cannot be loaded, or not in time.
        """
        end = self._clock() + timeout
        while self.state in (WorkerState.LOADING, WorkerState.WAITING):
            left = end - self._clock()
            if left <= 0.0:
                raise PolicyError(f'the policy is not loaded after {timeout:.1f} s; still trying')
            self.wait(min(left, 0.1))
            self._advance()
        if self.state is WorkerState.FAILED:
            raise PolicyError(str(self._events.pop()) if self._events else 'the policy has failed')
        if self.description is None:
            raise PolicyError('the worker is not started; call start() first')
        return self.description

    def submit(self, observation: Observation, prefix: ActionChunk | None = None) -> bool:
        """
        Ask for a chunk; False when the policy is busy or not there.

        :raises PolicyError: when the observation cannot be sent.
        """
        self._advance()
        if self.state is not WorkerState.READY or self._process is None:
            return False
        packed = pack_observation(self._process.region(), observation, prefix)
        self._request += 1
        sent = self._process.send(
            {'request': self._request, 'reset': self._reset, 'observation': packed}
        )
        if not sent:
            self._lose('its process is gone')
            return False
        self._reset = False
        self._wanted = True
        self._enter(WorkerState.BUSY)
        return True

    def poll(self) -> ActionChunk | PolicyError | None:
        """Return the answer to the request, or why there will be none, or None for not yet."""
        self._advance()
        return self._events.popleft() if self._events else None

    def wait(self, timeout: float) -> None:
        """Wait for something to poll, up to a timeout [s]; may be called from another thread."""
        process = self._process
        if process is not None:
            process.wait(timeout)
        elif self.state is WorkerState.WAITING:
            time.sleep(min(timeout, max(0.0, self._restart_at() - self._clock())))

    def reset(self) -> None:
        """Make the policy forget the past; an answer under way is thrown away."""
        self._reset = True
        self._wanted = False
        errors = [event for event in self._events if isinstance(event, PolicyError)]
        self._events = deque(errors)

    def close(self) -> None:
        """End the process; safe to call twice."""
        self._end_process()
        self._events.clear()
        self._enter(WorkerState.STOPPED)

    @property
    def pid(self) -> int | None:
        """Process id of the policy, or None where there is no process."""
        return self._process.pid if self._process is not None else None

    @property
    def latency(self) -> Latency:
        """Statistics of the newest answers."""
        if not self._latencies:
            return Latency(count=0, p50=float('nan'), p95=float('nan'))
        p50, p95 = np.percentile(self._latencies, [50.0, 95.0])
        return Latency(count=len(self._latencies), p50=float(p50), p95=float(p95))

    def _advance(self) -> None:
        """Take in what has happened; never waits."""
        if self.state is WorkerState.WAITING and self._clock() >= self._restart_at():
            self._launch()
        process = self._process
        if process is None:
            return
        # Messages before the death: an answer sent in full is an answer.
        while (message := process.receive()) is not None:
            self._take(*message)
            if self._process is None:
                return
        if not process.alive():
            self._lose(f'its process ended with code {process.exit_code}')
            return
        self._check_patience()

    def _take(self, values: dict[str, Any], data: bytes) -> None:
        if 'ready' in values:
            self.description = unpack_description(values['ready'])
            self._enter(WorkerState.READY)
        elif 'failed' in values:
            self._end_process()
            self._enter(WorkerState.FAILED)
            self._events.append(PolicyError(values['failed']))
        elif values.get('answer') == self._request:
            self._take_answer(values, data)

    def _take_answer(self, values: dict[str, Any], data: bytes) -> None:
        latency = self._clock() - self._since
        self._enter(WorkerState.READY)
        self._deaths = 0
        if self._cold:
            self._cold = False
        else:
            self._latencies.append(latency)
        if not self._wanted:
            return
        self._wanted = False
        if 'error' in values:
            self._events.append(PolicyError(values['error']))
        elif latency > self._times.deadline:
            self._events.append(self._too_late(latency))
        else:
            self._events.append(unpack_chunk(values, data))

    def _check_patience(self) -> None:
        waited = self._clock() - self._since
        if self.state is WorkerState.LOADING and waited > self._times.loading:
            self._lose(f'it was not loaded after {waited:.1f} s')
        if self.state is not WorkerState.BUSY or waited <= self._times.deadline:
            return
        if waited > self._times.deadline + self._times.grace:
            self._lose(f'it has not answered for {waited:.1f} s')
        elif self._wanted:
            self._wanted = False
            self._events.append(self._too_late(waited))

    def _too_late(self, waited: float) -> PolicyError:
        return PolicyError(
            f'the policy took {waited:.2f} s, its deadline is {self._times.deadline:.2f} s; '
            'lower the load of the machine or raise `deadline` in the YAML of the policy'
        )

    def _lose(self, reason: str) -> None:
        """Note the death of the process and plan what follows."""
        self._end_process()
        self._deaths += 1
        self._wanted = False
        if self._deaths > self._times.restarts:
            self._enter(WorkerState.FAILED)
            text = f'the policy is lost: {reason}; given up after {self._deaths - 1} restarts'
        else:
            self._enter(WorkerState.WAITING)
            text = f'the policy is lost: {reason}; it is started again'
        self._events.append(PolicyError(text))

    def _restart_at(self) -> float:
        wait = self._times.backoff * 2.0 ** (self._deaths - 1)
        return self._since + min(wait, self._times.longest_backoff)

    def _launch(self) -> None:
        target = self._target
        self._process = PolicyProcess(target.function, target.arguments, target.priority)
        self._cold = True
        self._reset = False  # a new process has no past
        self._enter(WorkerState.LOADING)

    def _end_process(self) -> None:
        if self._process is not None:
            self._process.close()
            self._process = None

    def _enter(self, state: WorkerState) -> None:
        self.state = state
        self._since = self._clock()
