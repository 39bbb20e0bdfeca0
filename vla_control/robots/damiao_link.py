# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Frames to and from the Damiao motors of one bus: the newest state of each, and its age."""

from collections.abc import Callable, Iterable, Mapping, Sequence
import math

import numpy as np

from vla_control.buses.damiao import (
    decode_feedback,
    decode_register_reply,
    motor_status,
    REGISTER_ID,
)
from vla_control.buses.frames import BatchBus, Frame, FrameBus
from vla_control.core.errors import BusError
from vla_control.core.messages import Floats, MotorStatus
from vla_control.core.protocols import Clock
from vla_control.robots.damiao_motors import Motor, Payload

REPLY_TIME = 0.05  # [s] to wait for an answer; they come within 1 ms unless the host is loaded
TRIES = 3  # a frame is sent before its motor counts as silent
POLL = 0.002  # [s] between looks at the bus while waiting
_REPLY_CODES = (0x33, 0x55, 0xAA)  # third byte of a register reply: read, write, store


class DamiaoLink:
    """
    The motors of one bus as last heard.

    Lists are in joint order and motor units: a control tick touches 8 numbers at a time, where
    lists beat arrays.
    """

    def __init__(self, motors: Sequence[Motor], bus: FrameBus, clock: Clock) -> None:
        """
        Know the motors; nothing is sent.

        :param clock: what waiting for answers waits on.
        """
        self.motors = tuple(motors)
        self.bus = bus
        self._batches = bus if isinstance(bus, BatchBus) else None
        self.clock = clock
        self._looked = -math.inf  # [s] when the queue was last known to be empty or asked for
        n = len(self.motors)
        self.q = [math.nan] * n  # [rad] of the motor
        self.v = [math.nan] * n  # [rad/s]
        self.tau = [math.nan] * n  # [N·m]
        self.temperature = [math.nan] * n  # [deg C] the hotter of drive and winding
        self.status = [MotorStatus.SILENT] * n
        self.answered = [-math.inf] * n  # [s] before which the newest state frame did not come
        self.heard = [0] * n  # state frames so far
        self.counters = {
            'unknown_frames': 0,  # from an id that is no motor of ours
            'malformed_frames': 0,  # wrong length, or from another motor than its id says
            'late_registers': 0,  # register replies nobody waits for any more
            'read_errors': 0,
            'write_errors': 0,
        }
        self._scale = np.array([m.scale for m in self.motors])
        self._offset = np.array([m.offset for m in self.motors])
        self._by_rx = {m.rx: i for i, m in enumerate(self.motors)}
        self._by_tx = {m.tx: i for i, m in enumerate(self.motors)}
        self._pending: dict[int, int] = {}  # motor -> register asked for
        self._replies: dict[int, list[tuple[float, int]]] = {}  # motor -> (value, answer id)

    def positions(self) -> Floats:
        """Return the joint positions (n,) [rad, grippers m]; NaN where never heard."""
        return np.asarray((np.array(self.q) - self._offset) / self._scale)

    def velocities(self) -> Floats:
        """Return the joint velocities (n,) [rad/s, grippers m/s]."""
        return np.asarray(np.array(self.v) / self._scale)

    def efforts(self) -> Floats:
        """Return the joint efforts (n,) [N·m, grippers N]."""
        return np.asarray(np.array(self.tau) * self._scale)

    def forget(self) -> None:
        """Drop what was heard, as after a new connection."""
        n = len(self.motors)
        self.status = [MotorStatus.SILENT] * n
        self.answered = [-math.inf] * n
        for values in (self.q, self.v, self.tau, self.temperature):
            values[:] = [math.nan] * n

    def drain(self, now: float) -> None:
        """Take in every frame that has arrived; a dead bus is counted, never raised."""
        try:
            frames = self.bus.receive()
        except (BusError, OSError):
            self.counters['read_errors'] += 1
            return
        self._take(frames, now)

    def burst(self, frames: Iterable[Payload], now: float) -> None:
        """
        Send all frames back to back.

        :param now: [s] the time they are sent.
        :raises BusError: after trying all of them, when any could not be sent.
        """
        failed: Exception | None = None
        self._looked = now
        if self._batches is not None:
            self._batch(self._batches, frames)
            return
        for arbitration_id, data in frames:
            try:
                self.bus.send(arbitration_id, data)
            except (BusError, OSError) as error:
                # The other motors still want theirs: a full queue must not starve the last ones.
                self.counters['write_errors'] += 1
                failed = error
        if failed is not None:
            raise BusError(f'cannot send to the motors: {failed}') from failed

    def _batch(self, bus: BatchBus, frames: Iterable[Payload]) -> None:
        try:
            bus.send_all(frames)
        except (BusError, OSError) as error:
            self.counters['write_errors'] += 1
            raise BusError(f'cannot send to the motors: {error}') from error

    def ask(
        self,
        requests: Mapping[int, Sequence[Payload]],
        done: Callable[[int], bool],
        meanwhile: Callable[[], None] | None = None,
    ) -> list[int]:
        """
        Send each motor its frames until it has answered as wished, in bounded time.

        :param requests: frames by motor index.
        :param done: whether a motor has answered as wished.
        :param meanwhile: called at every look, to keep the other motors fed.
        :returns: the motors that did not, in order.
        :raises BusError: when the bus does not take frames.
        """
        waiting = sorted(requests)
        for _ in range(TRIES):
            self.burst((f for i in waiting for f in requests[i]), self.clock.now())
            deadline = self.clock.now() + REPLY_TIME
            while waiting and self.clock.now() < deadline:
                self._wait()
                waiting = [i for i in waiting if not done(i)]
                if meanwhile is not None:
                    meanwhile()
            if not waiting:
                break
        return waiting

    def ask_states(
        self,
        requests: Mapping[int, Sequence[Payload]],
        statuses: Sequence[MotorStatus] = tuple(MotorStatus),
        meanwhile: Callable[[], None] | None = None,
    ) -> list[int]:
        """
        Send each motor its frames until it answers a new state with one of these statuses.

        :returns: the motors that did not, in order.
        """
        self.drain(self.clock.now())  # what is queued already answers something older
        before = list(self.heard)
        return self.ask(
            requests,
            lambda i: self.heard[i] > before[i] and self.status[i] in statuses,
            meanwhile,
        )

    def ask_registers(
        self,
        requests: Mapping[int, Payload],
        rid: int,
        meanwhile: Callable[[], None] | None = None,
    ) -> dict[int, list[tuple[float, int]]]:
        """
        Send each motor a register request.

        :param requests: one read or write frame by motor index.
        :param rid: the register they are about.
        :returns: by motor every answer as (value, answer id); silent motors are missing.
        """
        self._replies = {}
        self._pending = dict.fromkeys(requests, rid)
        try:
            frames = {i: [frame] for i, frame in requests.items()}
            self.ask(frames, lambda i: i in self._replies, meanwhile)
        finally:
            self._pending = {}
        return self._replies

    def expect(self, index: int, rid: int) -> None:
        """Take the next answer of a motor about a register for one; see ``answer``."""
        self._replies.pop(index, None)
        self._pending[index] = rid

    def answer(self, index: int) -> float | None:
        """Return the value of the register that was expected, once; None until it has come."""
        replies = self._replies.pop(index, None)
        if replies is None:
            return None
        self._pending.pop(index, None)
        return replies[0][0]

    def _wait(self) -> None:
        """Take in what arrives within the next moment."""
        start = self.clock.now()
        try:
            frames = self.bus.receive(POLL)
        except (BusError, OSError):
            self.counters['read_errors'] += 1
            frames = []
        if not frames:
            # In virtual time the clock is what lets the other end of the bus answer.
            self.clock.sleep_until(start + POLL)
        self._take(frames, self.clock.now())

    def _take(self, frames: Sequence[Frame], now: float) -> None:
        # Transports do not say when a frame came, only that it had not by the look before. Answers
        # come 1 to 2 ms after their frames are sent and lie there until the next tick, or for as
        # long as the loop stood still: so they count as old as what they answer, never younger.
        came, self._looked = self._looked, now
        for frame in frames:
            if self._pending and self._take_register(frame):
                continue
            index = self._by_rx.get(frame.arbitration_id)
            if index is None:
                self.counters['unknown_frames'] += 1
            else:
                self._take_state(index, frame.data, came)

    def _take_register(self, frame: Frame) -> bool:
        # Requests travel under REGISTER_ID and look like their replies; some buses echo them.
        data = frame.data
        if len(data) < 4 or frame.arbitration_id == REGISTER_ID:
            return False
        index = self._by_tx.get(data[0] | data[1] << 8)
        if index is None or index not in self._pending:
            return False
        reply = decode_register_reply(data, self.motors[index].tx, (self._pending[index],))
        if reply is None:
            return False
        self._replies.setdefault(index, []).append((reply.value, frame.arbitration_id))
        return True

    def _take_state(self, index: int, data: bytes, came: float) -> None:
        motor = self.motors[index]
        if len(data) != 8 or data[0] & 0xF != motor.tx & 0xF:
            self.counters['malformed_frames'] += 1
            return
        # Read as a state this would be a disabled motor near -PMAX, where no joint can be.
        if data[0] == motor.tx and data[1] == 0 and data[2] in _REPLY_CODES:
            self.counters['late_registers'] += 1
            return
        _, nibble, q, v, tau, drive, winding = decode_feedback(motor.ranges, data)
        self.q[index] = q
        self.v[index] = v
        self.tau[index] = tau
        self.temperature[index] = float(max(drive, winding))
        self.status[index] = motor_status(nibble)
        self.answered[index] = came
        self.heard[index] += 1
