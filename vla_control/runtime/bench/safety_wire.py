# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
What was sent, read back from the frames on the bus: the only witness the safety bench believes.

Frames are kept as they are and decoded many ticks at once, by formulas of its own.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
import hashlib
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vla_control.buses.damiao import CLEAR_ERROR, command_id, DISABLE, ENABLE, Mode, SET_ZERO
from vla_control.buses.frames import BatchBus, BusState, Frame, FrameBus
from vla_control.core.errors import ConfigError
from vla_control.core.messages import Floats
from vla_control.core.spec import RobotSpec
from vla_control.robots.damiao_motors import motors_of

ASTRAY = 1.2  # times tracking_stop: as far beyond its stop a joint may be found, and held
_SPECIAL = frozenset((ENABLE, DISABLE, SET_ZERO, CLEAR_ERROR))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What motors were told in m ticks, RobotSpec order; nan where frames have no such field."""

    q: Floats  # (m, n) [rad], grippers [m]
    v: Floats  # (m, n) [rad/s], grippers [m/s]
    kp: Floats  # (m, n) [N·m/rad]
    kd: Floats  # (m, n) [N·m·s/rad]
    tau: Floats  # (m, n) [N·m], grippers [N]; where a frame limits the torque, that limit

    def __len__(self) -> int:
        """Ticks."""
        return len(self.q)


class Wire(Protocol):
    """Listens to the driver's end of a bus in memory."""

    bus: Any  # what the driver is to be given instead of the bus
    most_damping: Floats  # (n,) [N·m·s/rad] that any frame may ask for

    @property
    def half_code(self) -> Sent:
        """Half a code of every field, (1, n)."""

    def end_tick(self) -> bool:
        """Close the tick; return whether every motor was told something in it."""

    def forget(self) -> None:
        """Drop the newest tick, because another bus of the robot was not heard in it."""

    def decode(self) -> Sent:
        """Return the ticks since the last call in which every motor was told something."""

    @property
    def digest(self) -> str:
        """Hash of every byte sent so far."""


class Ear:
    """A frame bus that keeps a copy of what is sent."""

    def __init__(self, bus: FrameBus) -> None:
        """Wrap a bus."""
        self._bus = bus
        self.heard: list[tuple[int, bytes]] = []  # arbitration id, data

    @property
    def state(self) -> BusState:
        """Pass on."""
        return self._bus.state

    @property
    def counters(self) -> Mapping[str, int]:
        """Pass on."""
        return self._bus.counters

    def open(self) -> None:
        """Pass on."""
        self._bus.open()

    def send(self, arbitration_id: int, data: bytes) -> None:
        """Note and pass on."""
        self.heard.append((arbitration_id, bytes(data)))
        self._bus.send(arbitration_id, data)

    def receive(self, timeout: float = 0.0) -> list[Frame]:
        """Pass on."""
        return self._bus.receive(timeout)

    def close(self) -> None:
        """Pass on."""
        self._bus.close()


class BatchEar(Ear):
    """The same of a bus that takes several frames in one write."""

    def send_all(self, frames: Iterable[tuple[int, bytes]]) -> None:
        """Note and pass on."""
        batch = [(arbitration_id, bytes(data)) for arbitration_id, data in frames]
        self.heard += batch
        self._bus.send_all(batch)  # type: ignore[attr-defined]


class DamiaoWire:
    """Impedance and position-force frames of Damiao motors on one bus."""

    def __init__(self, spec: RobotSpec, bus: FrameBus) -> None:
        """Listen to a bus of this robot."""
        self.bus = BatchEar(bus) if isinstance(bus, BatchBus) else Ear(bus)
        self._motors = motors = motors_of(spec)
        self._ids = {command_id(m.mode, m.tx): i for i, m in enumerate(motors)}
        self._scale = np.array([m.scale for m in motors])
        self._mit = np.array([m.mode is Mode.MIT for m in motors])
        self._range = np.array(
            [(m.ranges.position, m.ranges.velocity, m.ranges.torque) for m in motors]
        ).T
        self._offset = np.array([m.offset for m in motors])
        self._full = np.array([m.full_torque for m in motors])
        self.most_damping = spec.kd
        self._words: list[bytes] = []
        self._hash = hashlib.sha256()
        stops = np.array([max(abs(j.lower), abs(j.upper)) for j in spec.joints])
        self.half_code = self._half_codes(stops)

    @property
    def digest(self) -> str:
        """Hash of every byte sent so far."""
        return self._hash.hexdigest()

    def end_tick(self) -> bool:
        """Close the tick; return whether every motor was told something in it."""
        frames = self.bus.heard
        last: dict[int, bytes] = {}
        for arbitration_id, data in frames:
            self._hash.update(arbitration_id.to_bytes(2, 'big') + data)
            index = self._ids.get(arbitration_id)
            if index is not None and data not in _SPECIAL:
                last[index] = data
        frames.clear()
        if len(last) != len(self._motors):
            return False
        self._words.append(b''.join(last[i] for i in range(len(last))))
        return True

    def forget(self) -> None:
        """Drop the newest tick."""
        self._words.pop()

    def decode(self) -> Sent:
        """Return the ticks since the last call in which every motor was told something."""
        raw = b''.join(self._words)
        self._words.clear()
        n = len(self._motors)
        return self._merge(
            self._impedance(np.frombuffer(raw, '>u8').reshape(-1, n)),
            self._position_force(np.frombuffer(raw, '<f4').reshape(-1, n, 2), raw),
        )

    def _impedance(self, words: NDArray[np.uint64]) -> tuple[Floats, ...]:
        position, velocity, torque = self._range

        def field(shift: int, bits: int) -> Floats:
            return np.asarray((words >> np.uint64(shift)) & np.uint64(2**bits - 1), dtype=float)

        q = (2.0 * field(48, 16) - 65535.0) / 65535.0 * position
        v = (2.0 * field(36, 12) - 4095.0) / 4095.0 * velocity
        kp = field(24, 12) / 4095.0 * 500.0
        kd = field(12, 12) / 4095.0 * 5.0
        tau = (2.0 * field(0, 12) - 4095.0) / 4095.0 * torque
        return self._to_joint(q, v, kp, kd, tau)

    def _position_force(self, floats: NDArray[np.float32], raw: bytes) -> tuple[Floats, ...]:
        n = len(self._motors)
        currents = np.frombuffer(raw, '<u2').reshape(-1, n, 4)[:, :, 3] / 10000.0
        none = np.full(currents.shape, np.nan)
        return self._to_joint(
            np.where(self._mit, np.nan, floats[:, :, 0]), none, none, none, currents * self._full
        )

    def _to_joint(
        self, q: Floats, v: Floats, kp: Floats, kd: Floats, tau: Floats
    ) -> tuple[Floats, ...]:
        scale = self._scale
        return (q - self._offset) / scale, v / scale, kp * scale**2, kd * scale**2, tau * scale

    def _merge(self, mit: tuple[Floats, ...], force: tuple[Floats, ...]) -> Sent:
        q, v, kp, kd, tau = (np.where(self._mit, a, b) for a, b in zip(mit, force, strict=True))
        return Sent(q=q, v=v, kp=kp, kd=kd, tau=np.abs(tau))

    def _half_codes(self, stops: Floats) -> Sent:
        position, velocity, torque = self._range
        mit = (
            position / 65535.0,
            velocity / 4095.0,
            250.0 / 4095.0,
            2.5 / 4095.0,
            torque / 4095.0,
        )
        # A float32 is rounded by at most half its spacing, which is largest at the far stop.
        float32 = (
            np.spacing((np.abs(stops * self._scale) + np.abs(self._offset)).astype(np.float32))
            / 2.0
        )
        none = np.full(len(stops), np.nan)
        force = (float32, none, none, none, self._full / 20000.0)
        rows = (
            np.abs(np.where(self._mit, a, b) * factor)[None]
            for a, b, factor in zip(
                mit,
                force,
                (1 / self._scale, 1 / self._scale, self._scale**2, self._scale**2, self._scale),
                strict=True,
            )
        )
        q, v, kp, kd, tau = rows
        return Sent(q=q, v=v, kp=kp, kd=kd, tau=tau)


class PairWire:
    """The wires of a robot made of parts, each with a bus of its own."""

    def __init__(self, spec: RobotSpec, buses: Sequence[Any]) -> None:
        """Listen to all buses of this robot."""
        self._wires = [
            open_wire(part, bus) for part, bus in zip(spec.parts.values(), buses, strict=True)
        ]
        self.bus = tuple(wire.bus for wire in self._wires)
        self.most_damping = np.concatenate([wire.most_damping for wire in self._wires])
        self.half_code = _side_by_side([wire.half_code for wire in self._wires])

    @property
    def digest(self) -> str:
        """Hashes of every byte sent so far."""
        return ' '.join(wire.digest for wire in self._wires)

    def end_tick(self) -> bool:
        """Close the tick; return whether every motor was told something in it."""
        told = [wire.end_tick() for wire in self._wires]
        if any(told) and not all(told):
            for wire, heard in zip(self._wires, told, strict=True):
                if heard:
                    wire.forget()
        return all(told)

    def forget(self) -> None:
        """Drop the newest tick."""
        for wire in self._wires:
            wire.forget()

    def decode(self) -> Sent:
        """Return the ticks since the last call in which every motor was told something."""
        return _side_by_side([wire.decode() for wire in self._wires])


def _side_by_side(parts: Sequence[Sent]) -> Sent:
    return Sent(
        **{
            name: np.concatenate([getattr(part, name) for part in parts], axis=1)
            for name in Sent.__slots__
        }
    )


def open_wire(spec: RobotSpec, bus: Any) -> Wire:
    """
    Listen to a robot's bus in memory.

    :param bus: the driver's end, as ``sim.devices.loopback`` gives it.
    :raises ConfigError: when nobody reads the frames of this driver.
    """
    if spec.driver not in WIRES:
        raise ConfigError(
            f'{spec.name}: no reader for the frames of driver {spec.driver!r}; there are '
            f'{sorted(WIRES)} (runtime/bench/safety_wire.py)'
        )
    return WIRES[spec.driver](spec, bus)


def _unitree(spec: RobotSpec, bus: Any) -> Wire:
    from vla_control.runtime.bench.safety_unitree import UnitreeWire

    return UnitreeWire(spec, bus)


WIRES: dict[str, Callable[[RobotSpec, Any], Wire]] = {
    'dk1': DamiaoWire,
    'g1': _unitree,
    'openarm': DamiaoWire,
    'pair': PairWire,
}
