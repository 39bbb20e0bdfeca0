# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""An emulated leader arm: Dynamixel motors, protocol 2.0, on a serial port."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
import math
import threading
import time

import numpy as np

from vla_control.buses.dynamixel import CURRENT_POSITION, Item
from vla_control.buses.frames import BusState
from vla_control.core.spec import RobotSpec
from vla_control.robots.dk1_leader import LeaderConfig
from vla_control.sim.damiao_adapter import Plug
from vla_control.sim.dynamixel_packets import (
    ACCESS_ERROR,
    BROADCAST,
    decode,
    encode,
    INSTRUCTION_ERROR,
    LENGTH_ERROR,
    Packet,
    PING,
    READ,
    STATUS,
    SYNC_READ,
    SYNC_WRITE,
    WRITE,
)
from vla_control.sim.pty_port import PtyPort

FIRMWARE = 52
TABLE = 256  # bytes
EEPROM = 64  # addresses below it are locked while the torque is on
LISTEN = 0.005  # [s] longest wait of a turn of the thread, and error of LeaderFaults.delay
SWAY = 0.15  # [rad]
SWAY_SPEED = 0.25  # [rad/s]: calm enough to be approached
REST = 5.0  # [s] before it begins


class Servo:
    """One XL330: its control table, and a shaft that a hand or its own torque turns."""

    def __init__(self, number: int, model: int) -> None:
        """Begin without torque, in the middle of a turn."""
        self.table = bytearray(TABLE)
        self.table[0:2] = model.to_bytes(2, 'little')
        self.table[6:8] = bytes([FIRMWARE, number])
        self.set(Item.OPERATING_MODE, 3)
        self.set(Item.RETURN_DELAY, 250)
        self.count = 2048

    def get(self, item: Item) -> int:
        """Return a number of the table."""
        address, size = item.value
        return int.from_bytes(self.table[address : address + size], 'little')

    def set(self, item: Item, value: int) -> None:
        """Change a number of the table."""
        address, size = item.value
        self.table[address : address + size] = value.to_bytes(size, 'little')

    @property
    def pulls(self) -> bool:
        """Whether it goes to its goal by itself, as a trigger does."""
        on = self.get(Item.TORQUE_ENABLE) == 1
        return on and self.get(Item.OPERATING_MODE) == CURRENT_POSITION

    def look(self, count: int) -> None:
        """Put the shaft at a position [counts]."""
        self.count = count
        self.set(Item.PRESENT_POSITION, count % (1 << 32))

    def answer(self, packet: Packet) -> tuple[int, bytes]:
        """Return the error and data of the status it sends."""
        data = packet.data
        if packet.instruction == PING:
            return 0, bytes(self.table[0:2]) + bytes(self.table[6:7])
        if packet.instruction == READ and len(data) == 4:
            address, size = (int.from_bytes(data[i : i + 2], 'little') for i in (0, 2))
            return (0, bytes(self.table[address : address + size]))
        if packet.instruction == WRITE and len(data) >= 3:
            return self.store(int.from_bytes(data[:2], 'little'), data[2:]), b''
        if packet.instruction in (READ, WRITE):
            return LENGTH_ERROR, b''
        return INSTRUCTION_ERROR, b''

    def store(self, address: int, data: bytes) -> int:
        """Write to the table; returns an error where that is locked."""
        if address < EEPROM and self.get(Item.TORQUE_ENABLE) == 1:
            return ACCESS_ERROR
        self.table[address : address + len(data)] = data
        return 0


@dataclass(slots=True, kw_only=True)
class LeaderFaults:
    """What is wrong with it."""

    lost: int = 0  # requests from now on that nobody hears
    silent: frozenset[int] = frozenset()  # ids that do not answer
    delay: float = 0.0  # [s] each answer leaves late
    late: int = 0  # answers from now on that leave `delay` late; 0: all
    broken: int = 0  # answers from now on with a bit turned over


class EmulatedLeader:
    """
    Seven motors and whoever moves them.

    ``move(counts)`` puts the arm somewhere, ``script`` lets it move by itself. A trigger that
    nobody holds goes to its goal where it has torque.
    """

    def __init__(self, port: Plug, config: LeaderConfig) -> None:
        """
        Build the motors; the port is opened.

        :raises BusError: when the port cannot be opened.
        """
        models = [j.models[0] for j in config.joints] + [config.trigger.models[0]]
        self.servos = {i: Servo(i, m) for i, m in zip(config.ids, models, strict=True)}
        self.faults = LeaderFaults()
        self.script: Callable[[float], Sequence[int]] | None = None
        self.heard: list[Packet] = []  # instructions since it was built
        self._held = False
        self._turn = threading.RLock()  # the arm is moved while a thread serves it
        self._port = port
        self._buffer = bytearray()
        self._answers: deque[tuple[float, bytes]] = deque()  # [s] when to leave, packet
        port.open()
        self.move([servo.count for servo in self.servos.values()], pressed=False)

    def move(self, counts: Sequence[int], pressed: bool = True) -> None:
        """
        Put every motor somewhere.

        :param counts: (n,) in the order of the ids.
        :param pressed: whether a finger holds the trigger there; else its spring may open it.
        """
        with self._turn:
            for servo, count in zip(self.servos.values(), counts, strict=True):
                servo.look(count)
            self._held = pressed

    def serve(self, now: float, wait: float = 0.0) -> bool:
        """
        Answer every instruction that has arrived.

        :param now: [s]
        :param wait: [s] longest wait for the first one; 0 never blocks.
        :returns: whether there were any.
        """
        with self._turn:
            return self._serve(now, wait)

    def unplug(self) -> None:
        """Pull the USB cable, which powers it as well: torque and answers are gone."""
        with self._turn:
            self._port.unplug()
            self._answers.clear()
            self._buffer.clear()
            for servo in self.servos.values():
                servo.set(Item.TORQUE_ENABLE, 0)

    def plug(self) -> None:
        """Put the USB cable back."""
        with self._turn:
            self._port.plug()

    def close(self) -> None:
        """Leave the port; safe to call twice."""
        self._port.close()

    def _serve(self, now: float, wait: float) -> bool:
        if self._port.state is not BusState.UP:
            return False
        if self._answers:
            wait = min(wait, max(self._answers[0][0] - now, 0.0))
        self._buffer += self._port.read(wait)
        heard = False
        while (packet := decode(self._buffer)) is not None:
            heard = True
            self.heard.append(packet)
            if self.faults.lost > 0:
                self.faults.lost -= 1
                continue
            self._live(now)
            for number, error, data in self._execute(packet):
                self._queue(number, error, data, now)
        while self._answers and self._answers[0][0] <= now + 1e-9:
            self._port.write(self._answers.popleft()[1])
        return heard

    def _live(self, now: float) -> None:
        if self.script is not None:
            self.move(self.script(now))
        for servo in self.servos.values():
            if servo.pulls and not self._held:
                servo.look(servo.get(Item.GOAL_POSITION))

    def _execute(self, packet: Packet) -> Iterator[tuple[int, int, bytes]]:
        """Give id, error and data of every status an instruction asks for."""
        data = packet.data
        if packet.instruction == SYNC_READ and len(data) > 4:
            for number in data[4:]:
                if number in self.servos:
                    ask = Packet(number, READ, data[:4])
                    yield number, *self.servos[number].answer(ask)
        elif packet.instruction == SYNC_WRITE and len(data) > 4:
            address, size = (int.from_bytes(data[i : i + 2], 'little') for i in (0, 2))
            for at in range(4, len(data) - size, size + 1):
                if data[at] in self.servos:
                    self.servos[data[at]].store(address, data[at + 1 : at + 1 + size])
        else:
            for number, servo in self.servos.items():
                if packet.id == number or (packet.id == BROADCAST and packet.instruction == PING):
                    yield number, *servo.answer(packet)

    def _queue(self, number: int, error: int, data: bytes, now: float) -> None:
        faults = self.faults
        if number in faults.silent:
            return
        answer = encode(Packet(number, STATUS, bytes([error]) + data))
        if faults.broken > 0:
            faults.broken -= 1
            answer = answer[:-1] + bytes([answer[-1] ^ 1])
        delay = faults.delay
        if delay > 0.0 and faults.late > 0:
            faults.late -= 1
            if faults.late == 0:
                faults.delay = 0.0
        self._answers.append((now + delay, answer))


@contextmanager
def serving(leader: EmulatedLeader) -> Iterator[EmulatedLeader]:
    """Let a leader answer in a thread of its own, in real time."""
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            if not leader.serve(time.monotonic(), LISTEN):
                stop.wait(1e-3)

    thread = threading.Thread(target=serve, name='emulated leader', daemon=True)
    thread.start()
    try:
        yield leader
    finally:
        stop.set()
        thread.join()
        leader.close()


def on_pty(config: LeaderConfig) -> EmulatedLeader:
    """
    Put a leader where a driver with hardware ``sim`` looks for it.

    :raises BusError: when the path cannot be used.
    """
    return EmulatedLeader(PtyPort(config.port['sim']), config)


def swaying(config: LeaderConfig, spec: RobotSpec) -> Callable[[float], Sequence[int]]:
    """Return a script by which a leader rests at its follower's home, and sways about it."""
    home = np.array(spec.home)
    share = np.where(spec.gripper, 0.0, SWAY)
    begin: list[float] = []

    def script(now: float) -> Sequence[int]:
        begin[:] = begin or [now]
        t = max(now - begin[0] - REST, 0.0)
        q = home + share * math.sin(SWAY_SPEED / SWAY * t)
        return config.counts(np.clip(q, spec.lower, spec.upper), spec)

    return script
