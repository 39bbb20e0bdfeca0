# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
The Damiao motors of a robot, emulated: frames on one side, torques for physics on the other.

The driver under test and this emulation are written by the same people, so both are pinned to
outside code: frames recorded from the vendor's encoder, and third-party drivers that command
these motors in the tests (test/peers).
"""

from collections.abc import Sequence

import numpy as np

from vla_control.buses.damiao import bus_ranges, motor_setups, REGISTER_ID
from vla_control.buses.damiao_registers import BIT_RATES
from vla_control.buses.frames import FrameBus
from vla_control.core.errors import ConfigError, SimulationError
from vla_control.core.messages import Floats
from vla_control.core.spec import RobotSpec
from vla_control.sim.damiao_firmware import DamiaoMotor, Reply
from vla_control.sim.damiao_models import MODELS

__all__ = ['DamiaoBus', 'DamiaoMotor', 'MotorServer']


class DamiaoBus:
    """
    All motors of one robot, in RobotSpec order.

    Arm motors turn with their joint. A gripper motor turns ``rad_per_metre`` per metre of finger
    travel, so its torque becomes that many times as many newtons at the finger.
    """

    def __init__(self, spec: RobotSpec) -> None:
        """
        Build the motors a robot's configuration describes, powered up and disabled.

        :raises ConfigError: naming the motor section or the model that is not known.
        """
        ranges = bus_ranges(spec.bus, f'{spec.name}: bus')
        code = _bit_rate_code(spec)
        setups = motor_setups(spec)
        unknown = sorted({s.model for s in setups} - set(MODELS))
        if unknown:
            raise ConfigError(
                f'{spec.name}: no emulation of motor models {unknown}; there are {sorted(MODELS)}'
            )
        self.names = spec.names
        self.motors = tuple(
            DamiaoMotor(MODELS[s.model], ranges[s.model], s.tx, s.rx, code) for s in setups
        )
        # (n,) motor rad per joint rad or metre
        self._scale: Floats = np.array([s.scale for s in setups])
        self._offset: Floats = np.array([s.offset for s in setups])  # (n,) [rad]
        self._by_id: dict[int, list[DamiaoMotor]] = {}
        self._index()

    def motor(self, joint: str) -> DamiaoMotor:
        """
        Return the motor of a joint, to inject faults into.

        :raises SimulationError: naming the joints there are.
        """
        if joint not in self.names:
            raise SimulationError(f'no joint {joint!r}; there are {list(self.names)}')
        return self.motors[self.names.index(joint)]

    def handle(self, arbitration_id: int, data: bytes, now: float) -> list[Reply]:
        """
        Let every motor a frame is for obey it.

        :param now: [s]
        :returns: the answers as (arbitration id, data).
        """
        if arbitration_id == REGISTER_ID:
            answers = [a for m in self.motors for a in m.on_frame(arbitration_id, data, now)]
            self._index()
            return answers
        motors: Sequence[DamiaoMotor] = self._by_id.get(arbitration_id & 0xFF, ())
        return [a for m in motors for a in m.on_frame(arbitration_id, data, now)]

    def measure(self, now: float, q: Floats, v: Floats) -> None:
        """
        Show the encoders the joints.

        :param now: [s]
        :param q: (n,) [rad, grippers m]
        :param v: (n,) [rad/s, grippers m/s]
        :raises SimulationError: when physics has become non-finite.
        """
        angles = (q * self._scale + self._offset).tolist()
        speeds = (v * self._scale).tolist()
        # A sum is finite only if every term is.
        if not np.isfinite(sum(angles) + sum(speeds)):
            raise SimulationError(f'physics at {now} s is not finite: positions {q}, speeds {v}')
        for motor, angle, speed in zip(self.motors, angles, speeds, strict=True):
            motor.measure(angle, speed)

    def torques(self, now: float) -> Floats:
        """
        Return what the motors exert (n,) [N·m, grippers N]; call once per physics step.

        :param now: [s]
        """
        torques: Floats = np.array([motor.torque(now) for motor in self.motors])
        return torques * self._scale

    def power_cycle(self) -> None:
        """Switch the supply off and on: what was not stored is forgotten."""
        for motor in self.motors:
            motor.power_cycle()
        self._index()

    def _index(self) -> None:
        by_id: dict[int, list[DamiaoMotor]] = {}
        for motor in self.motors:
            by_id.setdefault(motor.address & 0xFF, []).append(motor)
        self._by_id = by_id


class MotorServer:
    """Emulated motors on a bus, a sim.device.Device; no thread, call serve() each physics step."""

    def __init__(self, bus: FrameBus, motors: DamiaoBus) -> None:
        """
        Couple the two.

        :param bus: open, in the role of the device.
        :param motors: answer what arrives on it.
        """
        self._bus = bus
        self.motors = motors

    @property
    def holding(self) -> bool:
        """Whether any motor is enabled."""
        return any(m.enabled for m in self.motors.motors)

    def serve(self, now: float, wait: float = 0.0) -> bool:
        """
        Answer every frame that has arrived.

        :param now: [s]
        :param wait: [s] longest wait for the first one; 0 never blocks.
        :returns: whether there were any.
        :raises BusError: when the bus is closed or lost.
        """
        frames = self._bus.receive(wait)
        for frame in frames:
            for arbitration_id, data in self.motors.handle(frame.arbitration_id, frame.data, now):
                self._bus.send(arbitration_id, data)
        return bool(frames)

    def measure(self, now: float, q: Floats, v: Floats) -> None:
        """Show the encoders the joints; as DamiaoBus.measure."""
        self.motors.measure(now, q, v)

    def torques(self, now: float) -> Floats:
        """Return what the motors exert (n,) [N·m, grippers N]; call once per physics step."""
        return self.motors.torques(now)

    def close(self) -> None:
        """Leave the bus; safe to call twice."""
        self._bus.close()


def _bit_rate_code(spec: RobotSpec) -> int:
    key = 'data_bitrate' if spec.bus.get('fd') else 'bitrate'
    rate = spec.bus.get(key)
    for code, known in BIT_RATES.items():
        if known == rate:
            return code
    raise ConfigError(
        f'{spec.name}: bus.{key}: {rate!r} is not one of {sorted(BIT_RATES.values())} bit/s'
    )
