# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Ears on a driver's bus: every command that was sent, decoded as its motor decodes it."""

from typing import NamedTuple

import numpy as np

from vla_control.buses.damiao import command_id, decode_mit, decode_pos_force
from vla_control.buses.damiao import Mode as DamiaoMode
from vla_control.buses.unitree import (
    ARM_COMMAND,
    ARM_WEIGHT_SLOT,
    decode_low_cmd,
    hand_command,
    LOW_COMMAND,
)
from vla_control.core.spec import JointSpec
from vla_control.robots.damiao_motors import Motor, motors_of
from vla_control.runtime.bench.safety_unitree import UnitreeWire

SPECIAL = range(0xFFFFFFFFFFFFFFFB, 0xFFFFFFFFFFFFFFFF)  # enable, disable, zero, clear


class Code(NamedTuple):
    """One code of a field, in units of the joint."""

    kp: float  # [N·m/rad]
    kd: float  # [N·m·s/rad]
    tau: float  # [N·m, N]


class Sent(NamedTuple):
    """What one motor was told, in units of its joint."""

    joint: JointSpec
    impedance: bool  # else position and force, and v and tau are limits
    q: float  # [rad, m]
    v: float  # [rad/s, m/s]
    kp: float  # [N·m/rad] as it acts: where commands are blended in, by its weight
    kd: float  # [N·m·s/rad]
    tau: float  # [N·m, N]
    code: Code
    weight: float = 1.0  # 0..1 share of this command in what the motor does
    reach: float = np.inf  # [rad, m] the largest |q| that fits in a frame
    motor: Motor | None = None  # of a Damiao robot


class Tap:
    """A bus that keeps the frames sent on it, as (arbitration id, data)."""

    def __init__(self, bus):
        self.bus = bus
        self.frames = []

    def send(self, arbitration_id, data):
        self.frames.append((arbitration_id, bytes(data)))
        self.bus.send(arbitration_id, data)

    def __getattr__(self, name):
        return getattr(self.bus, name)


class BatchTap(Tap):
    """The same for a bus that takes a tick's frames at once."""

    def send_all(self, frames):
        frames = list(frames)
        self.frames += [(i, bytes(data)) for i, data in frames]
        self.bus.send_all(frames)


class DamiaoEar:
    """Listens to one bus of Damiao motors."""

    def __init__(self, spec, bus):
        self.bus = (BatchTap if hasattr(bus, 'send_all') else Tap)(bus)
        self._joints, self._motors = spec.joints, motors_of(spec)
        self._ids = {command_id(m.mode, m.tx): i for i, m in enumerate(self._motors)}

    def told(self):
        """Return what the motors were told since the last call, oldest first."""
        found = []
        for arbitration_id, data in self.bus.frames:
            if arbitration_id in self._ids and int.from_bytes(data, 'big') not in SPECIAL:
                found.append(self._sent(self._ids[arbitration_id], data))
        self.bus.frames.clear()
        return found

    def _sent(self, index, data):
        joint, motor = self._joints[index], self._motors[index]
        scale, size = motor.scale, abs(motor.scale)
        reach = motor.ranges.position / size + abs(motor.offset)
        if motor.mode is not DamiaoMode.MIT:
            q, speed, current = decode_pos_force(data)
            force, lsb = (size * motor.full_torque * x for x in (current, 1e-4))
            q = (q - motor.offset) / scale
            code = Code(0.0, 0.0, lsb)
            return Sent(joint, False, q, speed / size, 0.0, 0.0, force, code, motor=motor)
        q, v, kp, kd, tau = decode_mit(motor.ranges, data)
        code = Code(
            scale**2 * 500.0 / 4095, scale**2 * 5.0 / 4095, size * 2 * motor.ranges.torque / 4095
        )
        return Sent(
            joint,
            True,
            (q - motor.offset) / scale,
            v / scale,
            kp * scale**2,
            kd * scale**2,
            tau * scale,
            code,
            reach=reach,
            motor=motor,
        )


class UnitreeEar:
    """Listens to the topics of one Unitree robot, as the safety bench does, message by message."""

    def __init__(self, spec, bus):
        self.wire = UnitreeWire(spec, bus)
        self.bus = self.wire.bus
        self._spec, self._blends = spec, 'arm_sdk' in spec.bus
        self._body = ARM_COMMAND if self._blends else LOW_COMMAND
        self._joints = {self._body: []}
        for i, joint in enumerate(spec.joints):
            hand = joint.motor.get('hand')
            self._joints.setdefault(hand_command(hand) if hand else self._body, []).append(i)
        half = self.wire.half_code
        self._codes = [
            Code(*(2.0 * float(row[0, i]) for row in (half.kp, half.kd, half.tau)))
            for i in range(len(spec.joints))
        ]
        self._newest = None  # command of the body; the wire reads no hand without one

    def told(self):
        """Return what the motors were told since the last call, oldest first."""
        heard, found = list(self.bus.heard), []
        for topic, payload in heard:
            assert topic not in {ARM_COMMAND, LOW_COMMAND} - {self._body}, 'the other door'
            if topic == self._body:
                self._newest = (topic, payload)
            if topic in self._joints:
                found += self._sent(topic, payload)
        self.bus.heard.clear()
        return found

    def _sent(self, topic, payload):
        self.bus.heard[:] = dict([self._newest, (topic, payload)]).items()
        assert self.wire.end_tick()
        sent = self.wire.decode()
        weight = 1.0
        if self._blends and topic == self._body:
            weight = float(decode_low_cmd(payload)['motor_cmd']['q'][ARM_WEIGHT_SLOT])
            assert 0.0 <= weight <= 1.0
        return [
            Sent(
                self._spec.joints[i],
                True,
                *(float(getattr(sent, name)[0, i]) for name in ('q', 'v', 'kp', 'kd', 'tau')),
                self._codes[i],
                weight,
            )
            for i in self._joints[topic]
        ]


EARS = {'dk1': DamiaoEar, 'g1': UnitreeEar, 'openarm': DamiaoEar}


def listen(spec, bus):
    """Put an ear on the bus of a robot; what the driver is to be given is its ``bus``."""
    return EARS[spec.driver](spec, bus)
