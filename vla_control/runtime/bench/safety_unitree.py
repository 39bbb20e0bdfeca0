# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""What a Unitree robot was told, read from the bytes on its topics by offsets of its own."""

import hashlib
from typing import Any

import numpy as np

from vla_control.buses.unitree import ARM_COMMAND, ARM_WEIGHT_SLOT, hand_command, LOW_COMMAND
from vla_control.buses.unitree_bus import UnitreeBus
from vla_control.core.messages import Floats
from vla_control.core.spec import RobotSpec
from vla_control.runtime.bench.safety_wire import ASTRAY, Sent
from vla_control.runtime.bench.unitree_wrapped import WrappedBus

_MOTOR = 28  # [bytes] of one motor's command
_BODY, _HAND = 8, 12  # [bytes] before the q of motor 0, header included
_FIELDS = ('q', 'v', 'tau', 'kp', 'kd')  # float32, in this order


class TopicEar(WrappedBus):
    """A bus that keeps a copy of what is published."""

    def __init__(self, bus: UnitreeBus) -> None:
        """Wrap a bus."""
        super().__init__(bus)
        self.heard: list[tuple[str, bytes]] = []  # topic, payload

    def publish(self, topic: str, payload: bytes) -> None:
        """Note and pass on."""
        self.heard.append((topic, bytes(payload)))
        super().publish(topic, payload)


class UnitreeWire:
    """
    Low-level or arm commands of a G1, and those of its hands where a tick has any.

    Through the arm topic stiffness, damping and torque count by the weight they act with.
    """

    def __init__(self, spec: RobotSpec, bus: Any) -> None:
        """Listen to the bus of this robot."""
        self.bus = TopicEar(bus)
        self._n = len(spec.joints)
        self._blends = 'arm_sdk' in spec.bus
        self._topic = ARM_COMMAND if self._blends else LOW_COMMAND
        motors = [joint.motor for joint in spec.joints]
        body = [(k, m['slot']) for k, m in enumerate(motors) if 'slot' in m]
        self._body = np.array(body, dtype=np.intp).reshape(-1, 2).T
        self._hands = {
            hand_command(side): np.array(
                [(k, m['index']) for k, m in enumerate(motors) if m.get('hand') == side]
            ).T
            for side in sorted({m['hand'] for m in motors if 'hand' in m})
        }
        damping = spec.bus.get('low_level', {}).get('damping', 0.0)
        self.most_damping = np.maximum(spec.kd, damping)
        self._ticks: list[Floats] = []  # (5, n) each
        self._hash = hashlib.sha256()
        # A joint found beyond its stop is held there, and float32 is coarser the larger a number.
        stops = np.array([max(abs(j.lower), abs(j.upper)) for j in spec.joints])
        self.half_code = Sent(
            q=_half(stops + ASTRAY * spec.safety.tracking_stop),
            v=_half(spec.velocity),
            kp=_half(spec.kp),
            kd=_half(self.most_damping),
            tau=_half(spec.effort),
        )

    @property
    def digest(self) -> str:
        """Hash of every byte sent so far, without the numbers of calls."""
        return self._hash.hexdigest()

    def end_tick(self) -> bool:
        """Close the tick; return whether the body was told something in it."""
        tick = np.full((len(_FIELDS), self._n), np.nan)
        told = False
        for topic, payload in self.bus.heard:
            self._hash.update(topic.encode() + _told(topic, payload))
            if topic == self._topic:
                # The hands are told after the body; what came before was another command's.
                tick[:] = np.nan
                joints, slots = self._body
                tick[:, joints] = _motors(payload, _BODY)[:, slots]
                if self._blends:
                    tick[2:, joints] *= _motors(payload, _BODY)[0, ARM_WEIGHT_SLOT]
                told = True
            elif topic in self._hands:
                joints, indices = self._hands[topic]
                tick[:, joints] = _motors(payload, _HAND)[:, indices]
        self.bus.heard.clear()
        if told:
            self._ticks.append(tick)
        return told

    def forget(self) -> None:
        """Drop the newest tick."""
        self._ticks.pop()

    def decode(self) -> Sent:
        """Return the ticks since the last call in which the body was told something."""
        ticks = np.array(self._ticks).reshape(-1, len(_FIELDS), self._n)
        self._ticks.clear()
        return Sent(
            q=ticks[:, 0],
            v=ticks[:, 1],
            tau=np.abs(ticks[:, 2]),
            kp=ticks[:, 3],
            kd=ticks[:, 4],
        )


def _told(topic: str, payload: bytes) -> bytes:
    """Return what a sample says: all of it but the number of a call, which is never the same."""
    return payload[:4] + payload[12:] if topic.startswith('rt/api/') else payload


def _motors(payload: bytes, first: int) -> Floats:
    """Return q, v, tau, kp and kd of every motor, (5, motors)."""
    count = (len(payload) - first) // _MOTOR
    raw = np.frombuffer(payload, '<f4', count * _MOTOR // 4, first).reshape(count, _MOTOR // 4)
    return np.asarray(raw[:, : len(_FIELDS)].T, dtype=np.float64)


def _half(most: Floats) -> Floats:
    """Return half the spacing of float32 at a magnitude, (1, n)."""
    return np.asarray(np.spacing(most.astype(np.float32)) / 2.0, dtype=np.float64)[None]
