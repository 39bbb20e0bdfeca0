# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Hands the arms of a G1 back when the process of its driver is killed.

Nobody documents that the robot lets go of rt/arm_sdk when its writer dies; users report arms that
stay where they are. So a small process keeps the other end of a pipe, and where that ends without
a farewell, it says the last command again and moves its weight to 0. Until then it is nobody on
the network: a robot has one commander. It is of no help when the machine stops, when the driver
hangs without dying, or when both are killed.
"""

from contextlib import suppress
from dataclasses import asdict, dataclass, replace
import json
import os
import select
import signal
import subprocess
import sys
from typing import Any

from vla_control.buses.unitree import (
    ARM_COMMAND,
    ARM_WEIGHT_SLOT,
    decode_low_cmd,
    encode_low_cmd,
    Ends,
    UnitreeBus,
)
from vla_control.core.clock import SteadyClock
from vla_control.core.errors import BusError, RobotError
from vla_control.core.protocols import Clock
from vla_control.core.shared_record import SharedRecordReader, SharedRecordWriter

_START, _END = 10.0, 2.0  # [s] the process may take to be ready, and to end
# [s] the lock of a dead driver may outlive its pipe; afterwards another driver may have it.
_LOCK = 0.5
_CAPACITY = 2048  # [bytes] a command has half of it
_LONGEST_STEP = 2.0  # periods one command may move the weight, however late it is
_ZEROS = 5  # commands without weight before the writer may go


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardJob:
    """What the process must know."""

    network: dict[str, Any]  # interface, domain and multicast, as of a DdsConfig
    hold: float  # [s] before the weight moves
    ramp: float  # [s] of the weight from 1 to 0
    period: float  # [s] between two commands
    wait: float  # [s] longest wait for the robot to be heard of
    record: str = ''  # where the last command is


class G1Guard:
    """The driver's side: starts the process, keeps it informed, and bids it farewell."""

    def __init__(self, job: GuardJob) -> None:
        """Prepare a process that is not started yet."""
        where = '-'.join(map(str, job.network.values()))
        self._job = replace(job, record=f'g1-{where}-{os.getpid()}')
        self._record: SharedRecordWriter | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process without waiting for it."""
        self._record = SharedRecordWriter(self._job.record, _CAPACITY)
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, '-m', __name__, json.dumps(asdict(self._job))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C in the driver's terminal must not end both
            env=os.environ | {'PYTHONPATH': os.pathsep.join(p for p in sys.path if p)},
        )

    def await_ready(self) -> None:
        """
        Wait until it would notice the end of this process.

        :raises RobotError: when it does not get there.
        """
        out = self._process.stdout if self._process else None
        if out is None or not select.select([out], [], [], _START)[0] or not out.read(1):
            raise RobotError(
                'the process that hands the arms back if this one is killed did not start within '
                f'{_START} s; try `{sys.executable} -m {__name__}`'
            )

    def note(self, payload: bytes) -> None:
        """Keep the command sent last."""
        if self._record is not None:
            self._record.write(payload)

    def problem(self) -> str:
        """Say that the process is gone; '' where all is well."""
        if self._process is None or self._process.poll() is None:
            return ''
        return 'the guard process has ended: were this one killed, the arms would stay as told'

    def end(self, *, released: bool) -> None:
        """
        Let go of the process; safe to call twice.

        :param released: whether the arms are the robot's again; otherwise it hands them back.
        """
        process, record = self._process, self._record
        self._process = self._record = None
        if process is not None and released:
            with suppress(subprocess.TimeoutExpired):
                process.communicate(b'.', timeout=_END)
            process.kill()
        elif process is not None and process.stdin is not None:
            process.stdin.close()
        if record is not None:
            record.close()


def hand_back(bus: UnitreeBus, payload: bytes, job: GuardJob, clock: Clock) -> None:
    """
    Say a command again, at rest, and move its weight to 0.

    :param bus: open; a reader is waited for.
    :raises BusError: when nobody reads it, or the bus is lost.
    """
    end = clock.now() + job.wait
    while not bus.peers(ARM_COMMAND).readers:
        if clock.now() >= end:
            raise BusError(f'{bus.name}: nobody reads {ARM_COMMAND}; the arms stay as told')
        clock.sleep_until(clock.now() + job.period)
    command = decode_low_cmd(payload)
    motors, zeros = command['motor_cmd'], 0
    motors['dq'] = 0.0
    begin = last = clock.now()
    while zeros < _ZEROS:
        now = clock.now()
        step = min(now - last, _LONGEST_STEP * job.period) / job.ramp
        last = now
        if now - begin >= job.hold:
            motors['q'][ARM_WEIGHT_SLOT] = max(0.0, motors['q'][ARM_WEIGHT_SLOT] - step)
        zeros += motors['q'][ARM_WEIGHT_SLOT] == 0.0
        bus.publish(ARM_COMMAND, encode_low_cmd(command))
        clock.sleep_until(now + job.period)


def main(job: GuardJob) -> None:
    """Wait for the end of the driver, and hand its arms back where it bade no farewell."""
    from vla_control.buses.dds import DdsBus, DdsConfig  # its import takes time, so here

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the pipe alone says when to end
    bus = DdsBus(DdsConfig(**job.network, ends=Ends(reads=(), writes=(ARM_COMMAND,))))
    record, clock = SharedRecordReader(job.record), SteadyClock()
    os.write(sys.stdout.fileno(), b'.')
    if os.read(sys.stdin.fileno(), 1):
        return
    newest = record.read()
    record.path.unlink(missing_ok=True)  # the driver cannot any more
    if newest is None or decode_low_cmd(newest[1])['motor_cmd']['q'][ARM_WEIGHT_SLOT] <= 0.0:
        return
    end = clock.now() + _LOCK
    while True:
        try:
            bus.open()
            break
        except BusError:
            if clock.now() >= end:
                raise
        clock.sleep_until(clock.now() + job.period)
    hand_back(bus, newest[1], job, clock)


if __name__ == '__main__':
    main(GuardJob(**json.loads(sys.argv[1])))
