# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
An emulated Damiao USB-CAN adapter with the motors of a robot behind it.

Bytes on one side, torques for physics on the other. A gripper that needs homing is found homed,
as on a robot that was not switched off since; power_cycle() of its motor makes it forget.
"""

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Protocol

from vla_control.buses.byte_ports import BytePort, MemoryPort
from vla_control.buses.damiao import motor_setups, Reg, write_register
from vla_control.buses.damiao_adapter import CommandReader, encode_answer, HostFrame
from vla_control.buses.frames import BusState
from vla_control.buses.serial_can import SerialCan, SerialConfig
from vla_control.core.messages import Floats
from vla_control.core.spec import RobotSpec
from vla_control.robots.damiao_identify import homed_counts
from vla_control.sim.damiao_motors import DamiaoBus
from vla_control.sim.pty_port import PtyPort


class Plug(BytePort, Protocol):
    """A port whose cable can be pulled."""

    def unplug(self) -> None:
        """Pull the cable."""

    def plug(self) -> None:
        """Put it back."""


@dataclass(slots=True, kw_only=True)
class AdapterFaults:
    """What the adapter does wrong; the motors have their own switches."""

    delay: float = 0.0  # [s] each answer leaves late
    piece: int = 0  # bytes that leave at once; the rest at the next serve(). 0: everything
    junk: bytes = b''  # precedes every answer
    late: Collection[int] = field(default_factory=tuple)  # motor ids heard one request late
    lost: int = 0  # bytes cut off the end of every answer


class DamiaoAdapter:
    """
    The electronics of a robot behind one adapter, as a sim.device.Device.

    ``motors`` are there to inject faults into, ``faults`` are the adapter's own.
    """

    def __init__(self, port: Plug, spec: RobotSpec) -> None:
        """
        Build the motors; the port is opened.

        :raises BusError: when the port cannot be opened.
        :raises ConfigError: naming the motor section or the model that is not known.
        """
        self.motors = DamiaoBus(spec)
        self.faults = AdapterFaults()
        self._port = port
        self._reader = CommandReader()
        self._answers: deque[tuple[float, bytes]] = deque()  # [s] when to leave, packet
        self._pending = b''  # begun to leave
        self._older: dict[int, bytes] = {}  # id -> what it answered before
        counts = homed_counts(spec.safety.motor_watchdog)
        for setup in motor_setups(spec):
            if setup.homing is not None:
                self.motors.handle(*write_register(setup.tx, Reg.TIMEOUT, counts), 0.0)
        port.open()

    @property
    def holding(self) -> bool:
        """Whether any motor is enabled."""
        return any(m.enabled for m in self.motors.motors)

    @property
    def junk(self) -> int:
        """Bytes from the host that were no command."""
        return self._reader.junk

    def serve(self, now: float, wait: float = 0.0) -> bool:
        """
        Answer every command that has arrived.

        :param now: [s]
        :param wait: [s] longest wait for the first one; 0 never blocks.
        :returns: whether there were any.
        """
        if self._port.state is not BusState.UP:
            return False
        if self._pending:
            wait = 0.0
        elif self._answers:
            wait = min(wait, max(self._answers[0][0] - now, 0.0))
        commands = self._reader.feed(self._port.read(wait))
        for command in commands:
            # A bit rate is taken in silence: the emulated bus has one only.
            if isinstance(command, HostFrame):
                for sender, data in self.motors.handle(*command, now):
                    self._queue(sender, data, now)
        self._flush(now)
        return bool(commands)

    def measure(self, now: float, q: Floats, v: Floats) -> None:
        """Show the encoders the joints; as DamiaoBus.measure."""
        self.motors.measure(now, q, v)

    def torques(self, now: float) -> Floats:
        """Return what the motors exert (n,) [N·m, grippers N]; call once per physics step."""
        return self.motors.torques(now)

    def say(self, arbitration_id: int, data: bytes, now: float) -> None:
        """Send a frame nobody asked for, as another node on the bus might."""
        self._queue(arbitration_id, data, now)
        self._flush(now)

    def unplug(self) -> None:
        """Pull the USB cable; the motors stay powered."""
        self._port.unplug()
        self._answers.clear()
        self._pending = b''

    def plug(self) -> None:
        """Put the USB cable back."""
        self._reader = CommandReader()
        self._port.plug()

    def close(self) -> None:
        """Leave the bus; safe to call twice."""
        self._port.close()

    def _queue(self, sender: int, data: bytes, now: float) -> None:
        packet = encode_answer(sender, data)
        if sender in self.faults.late:
            packet, self._older[sender] = self._older.get(sender, b''), packet
        packet = packet[: max(len(packet) - self.faults.lost, 0)]
        self._answers.append((now + self.faults.delay, self.faults.junk + packet))

    def _flush(self, now: float) -> None:
        while self._answers and self._answers[0][0] <= now + 1e-9:
            self._pending += self._answers.popleft()[1]
        if not self._pending:
            return
        piece = self.faults.piece or len(self._pending)
        self._port.write(self._pending[:piece])
        self._pending = self._pending[piece:]


def on_pty(spec: RobotSpec) -> DamiaoAdapter:
    """
    Put the adapter where a driver with hardware ``sim`` looks for it.

    :raises BusError: when the path cannot be used.
    """
    return DamiaoAdapter(PtyPort(SerialConfig.from_spec(spec, 'sim').path), spec)


def in_memory(spec: RobotSpec) -> tuple[SerialCan, DamiaoAdapter]:
    """Return the driver's bus and the adapter, joined by bytes in memory."""
    host, end = MemoryPort.pair()
    known = [setup.rx for setup in motor_setups(spec)]
    return SerialCan(host, known), DamiaoAdapter(end, spec)
