# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Dynamixel motors, protocol 2.0: a thin bus over the packets of dynamixel_sdk."""

from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
import time
from typing import Any

from vla_control.buses.byte_ports import BytePort
from vla_control.buses.lock import BusLock
from vla_control.core.errors import BusError

BAUD = 1_000_000  # [bit/s]
COUNTS = 4096  # per turn
HELD = 0.1  # [s] a reading stands in for those that are lost
TRIES = 2  # of everything; a packet in ten thousand is lost on a good cable
CURRENT_POSITION = 5  # operating mode: to a position, with no more than a current
_OFF, _ON = 0, 1
_ALERT = 0x80  # of an error: the motor has something to report, and has done as it was told


class Item(Enum):
    """What a motor keeps: address and size [bytes] in its control table."""

    RETURN_DELAY = (9, 1)
    OPERATING_MODE = (11, 1)
    CURRENT_LIMIT = (38, 2)
    TORQUE_ENABLE = (64, 1)
    GOAL_POSITION = (116, 4)
    PRESENT_POSITION = (132, 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Where the motors were."""

    stamp: float  # [s] when they were asked
    counts: tuple[int, ...]  # (n,) in the order of the ids


class _SdkPort:
    """
    What the SDK asks of a port, under the names it uses.

    The SDK's own polls without a pause, measures time by a clock that can be set, and overrides
    the timeout it was given for each packet.
    """

    def __init__(self, port: BytePort, timeout: float) -> None:
        self.is_using = False
        self._port = port
        self._timeout = timeout  # [s]
        self._deadline = 0.0  # [s]
        self._kept = b''

    def clearPort(self) -> None:
        self._kept = b''
        while self._port.read():
            pass

    def writePort(self, packet: Iterable[int]) -> int:
        return self._port.write(bytes(packet))

    def readPort(self, length: int) -> bytes:
        if not self._kept:
            self._kept = self._port.read(max(self._deadline - time.monotonic(), 0.0))
        data, self._kept = self._kept[:length], self._kept[length:]
        return data

    def setPacketTimeout(self, length: int) -> None:
        self._deadline = time.monotonic() + self._timeout

    def setPacketTimeoutMillis(self, milliseconds: float) -> None:
        self._deadline = time.monotonic() + 1e-3 * milliseconds

    def isPacketTimeout(self) -> bool:
        return time.monotonic() >= self._deadline


class DynamixelBus:
    """The motors of one serial line, open between open() and close()."""

    def __init__(
        self,
        port: BytePort,
        ids: Collection[int],
        *,
        timeout: float,
        lock_folder: Path | None = None,
    ) -> None:
        """
        Prepare a bus; nothing is opened yet.

        :param port: where the motors are.
        :param ids: of the motors positions() asks for.
        :param timeout: [s] longest wait for an answer.
        :param lock_folder: where the lock file lives; the machine's own by default.
        :raises BusError: when dynamixel_sdk is not installed.
        """
        try:
            import dynamixel_sdk
        except ImportError as error:
            raise BusError(
                "the leader needs dynamixel_sdk: pip install 'vla_control[dk1]'"
            ) from error
        self._sdk: Any = dynamixel_sdk
        self._packets: Any = dynamixel_sdk.PacketHandler(2.0)
        self._port = port
        self._ids = tuple(ids)
        self._timeout = timeout
        self._lock_folder = lock_folder
        self._lock: BusLock | None = None
        self._line: _SdkPort | None = None
        self._group: Any = None
        self._last: Reading | None = None
        self.lost = 0  # answers that did not come, retried or not

    @property
    def name(self) -> str:
        """Of the port, for messages."""
        return self._port.name

    def open(self) -> None:
        """
        Take the line; the lock first, so a refused second user never touches it.

        :raises BusError: naming the holder, or what to do about a missing device.
        """
        if self._line is not None:
            raise BusError(f'{self.name} is open already')
        if self._port.shared:
            self._lock = BusLock(f'serial {self.name}', self._lock_folder)
            self._lock.acquire()
        try:
            self._port.open()
            self._line = _SdkPort(self._port, self._timeout)
        finally:
            if self._line is None:
                self._release()
        address, size = Item.PRESENT_POSITION.value
        self._group = self._sdk.GroupSyncRead(self._line, self._packets, address, size)
        for motor in self._ids:
            self._group.addParam(motor)
        self._last = None

    def check(self, motor: int, models: Collection[int]) -> None:
        """
        Ask a motor who it is.

        :param models: numbers that are right.
        :raises BusError: when it is silent or another.
        """
        (model,) = self._try(f'motor {motor}', lambda line: self._packets.ping(line, motor))
        if model not in models:
            raise BusError(
                f'motor {motor} at {self.name} is of model {model}, not one of {sorted(models)}; '
                'is this the leader arm, and are its ids set?'
            )

    def write(self, motor: int, item: Item, value: int) -> None:
        """
        Set a number of a motor, and wait for it to agree.

        :raises BusError: when it does not answer, or refuses.
        """
        address, size = item.value
        tell = {1: 'write1ByteTxRx', 2: 'write2ByteTxRx', 4: 'write4ByteTxRx'}[size]
        call = getattr(self._packets, tell)
        what = f'{item.name.lower()} of motor {motor} to {value}'
        self._try(what, lambda line: call(line, motor, address, value))

    def release(self, motor: int) -> None:
        """
        Let a motor be turned by hand, and answer without delay.

        :raises BusError: when it does not answer.
        """
        self.write(motor, Item.TORQUE_ENABLE, _OFF)
        self.write(motor, Item.RETURN_DELAY, 0)

    def spring(self, motor: int, goal: int, current: int) -> None:
        """
        Pull a motor to a position as a weak spring would.

        :param goal: [counts].
        :param current: [mA] at most.
        :raises BusError: when it does not answer, or refuses.
        """
        self.write(motor, Item.TORQUE_ENABLE, _OFF)
        self.write(motor, Item.OPERATING_MODE, CURRENT_POSITION)
        self.write(motor, Item.CURRENT_LIMIT, current)
        self.write(motor, Item.GOAL_POSITION, goal)
        self.write(motor, Item.TORQUE_ENABLE, _ON)

    def positions(self, now: float) -> Reading | None:
        """
        Ask all motors where they are; waits for at most two timeouts.

        :param now: [s] of the request.
        :returns: the newest reading, for 0.1 s also an older one; None after that.
        :raises BusError: when the line is closed or lost.
        """
        line = self._require()
        for _ in range(TRIES):
            line.is_using = False
            if self._group.txRxPacket() == self._sdk.COMM_SUCCESS:
                self._last = Reading(stamp=now, counts=tuple(self._count(m) for m in self._ids))
                return self._last
            self.lost += 1
        if self._last is not None and not 0.0 <= now - self._last.stamp <= HELD:
            self._last = None
        return self._last

    def close(self) -> None:
        """Switch all motors off where they can still be reached, and give up the line."""
        if self._line is not None:
            for motor in self._ids:
                with suppress(BusError):
                    self.write(motor, Item.TORQUE_ENABLE, _OFF)
        self._port.close()
        self._line = None
        self._release()

    def _count(self, motor: int) -> int:
        address, size = Item.PRESENT_POSITION.value
        raw = int(self._group.getData(motor, address, size))
        return raw - (1 << 32) if raw >= 1 << 31 else raw

    def _try(self, what: str, ask: Callable[[_SdkPort], tuple[int, ...]]) -> tuple[int, ...]:
        """Ask; the answer ends with a result of the line and an error of the motor."""
        line = self._require()
        result = error = 0
        for _ in range(TRIES):
            line.is_using = False
            *answer, result, error = ask(line)
            if result == self._sdk.COMM_SUCCESS:
                break
            self.lost += 1
        else:
            why = self._packets.getTxRxResult(result)
            raise BusError(f'{what} at {self.name}: {why}; is the leader powered and wired?')
        if error & ~_ALERT:
            raise BusError(f'{what} at {self.name}: {self._packets.getRxPacketError(error)}')
        return tuple(answer)

    def _require(self) -> _SdkPort:
        if self._line is None:
            raise BusError(f'{self.name} is closed; call open() first')
        return self._line

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None
