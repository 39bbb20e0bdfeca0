# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""What a G1 says of itself: the newest good state, its age, and what is wrong with the robot."""

from contextlib import suppress
import math

import numpy as np
from numpy.typing import NDArray

from vla_control.buses.unitree import (
    ARM_ACTION,
    ArmAction,
    BATTERY,
    buttons_held,
    checksum_ok,
    decode_arm_action,
    decode_bms,
    decode_hand_state,
    decode_low_state,
    hand_report,
    LOW_STATE,
    low_state,
    Message,
    motion,
    MOTORS,
    UnitreeBus,
)
from vla_control.core.errors import BusError, CodecError
from vla_control.core.messages import Floats
from vla_control.core.spec import RobotSpec
from vla_control.robots.g1_config import G1Config, Motors, span
from vla_control.robots.g1_heat import G1Heat
from vla_control.robots.g1_variants import VARIANTS

_TICK_SPAN = 1 << 32
_SLOW = 0.007  # [s] between two looks at what is told 20 times a second, if at all
# [s] a hand that has answered is left alone: it answers every 4 ms, and a look takes 10 us.
_HAND = 0.003

_Which = NDArray[np.intp] | slice  # of the joints, or of the motors of a state


class G1Link:
    """
    Listens to one robot; every array is (n,) in RobotSpec order.

    A state with a wrong checksum is dropped: it neither moves a joint nor makes it younger.
    """

    def __init__(self, spec: RobotSpec, motors: Motors, config: G1Config, bus: UnitreeBus) -> None:
        """Begin having heard nothing."""
        self._motors, self._config, self._bus = motors, config, bus
        self._joints = len(spec.joints)
        self._heat = G1Heat(spec, motors, config)
        self._body = span(motors.body), span(motors.slots)
        self._fingers = {side: (span(j), span(i)) for side, (j, i) in motors.hands.items()}
        self.forget()

    def forget(self) -> None:
        """Begin anew; called when the bus is opened."""
        n = self._joints
        # (6, n): q [rad], v [rad/s], a as the robot says, effort [N·m], and temperature [deg C] of
        # casing and of winding; in one, so that a state is taken in and handed out at once.
        self.measured = np.full((6, n), np.nan)
        self.q, *_, self.temperature, self.winding = self.measured
        self.answered = np.full(n, -np.inf)  # [s] of the newest good answer
        self.errors = np.zeros(n, dtype=np.uint32)  # bits of the motor itself, 0 where well
        self.on = np.zeros(n, dtype=np.bool_)  # whether the motor is driven by anybody
        self.low: Message = low_state()  # the newest good state of the body
        self.heard = -math.inf  # [s] of it
        self.action = ArmAction()  # what the robot's arm action service does, where there is one
        self.battery = math.nan  # [percent] of charge, nan where unknown
        self.counters = dict.fromkeys(('states', 'bad_states', 'missed_states', 'bus_errors'), 0)
        self._bad_in_a_row = 0
        self._bad = ''
        self._slow_at = -math.inf  # [s] the slow topics are due
        self._hand_at = dict.fromkeys(self._motors.hands, -math.inf)  # [s] each is due

    @property
    def sides(self) -> tuple[str, ...]:
        """The hands that joints are in."""
        return tuple(self._motors.hands)

    @property
    def mode_machine(self) -> int:
        """The hardware variant the robot reports, -1 before it was heard."""
        return int(self.low['mode_machine']) if math.isfinite(self.heard) else -1

    def slot_positions(self, slots: tuple[int, ...]) -> Floats:
        """Return where motors of the body are [rad], in or out of the spec."""
        return np.array(self.low['motor_state']['q'][list(slots)], dtype=np.float64)

    def drain(self, now: float) -> None:
        """Take in what has arrived by ``now`` [s]; a dead bus is counted, not raised."""
        try:
            for packet in self._bus.take(LOW_STATE):
                self._take_body(packet.payload, now)
            for side, due in self._hand_at.items():
                if now >= due:
                    for packet in self._bus.take(hand_report(side)):
                        self._hand_at[side] = now + _HAND
                        self._take_hand(side, packet.payload, now)
            if now >= self._slow_at:
                self._slow_at = now + _SLOW
                self._take_slow()
        except BusError:
            self.counters['bus_errors'] += 1

    def silent(self, names: tuple[str, ...], now: float, limit: float) -> list[str]:
        """Name the joints not heard of for longer than a limit [s]."""
        return [n for n, t in zip(names, self.answered, strict=True) if not now - t <= limit]

    def faults(self) -> tuple[str, ...]:
        """Return why the robot as a whole must stop, in words with numbers."""
        found = []
        if self._bad_in_a_row >= self._config.limits.bad_samples:
            found.append(f'{self._bad_in_a_row} states in a row dropped: {self._bad}')
        if not math.isfinite(self.heard):
            return tuple(found)
        variant = self._variant_fault()
        if variant:
            found.append(variant)
        found += self._operator_faults()
        found += self._body_faults()
        found += self._hot()[0]
        return tuple(found)

    def warnings(self) -> tuple[str, ...]:
        """Return what is not a fault yet, in words with numbers."""
        return self._hot()[1] if math.isfinite(self.heard) else ()

    def motor_faults(self, names: tuple[str, ...]) -> list[str]:
        """Describe the joints whose motors report an error of their own."""
        return [
            f'{names[i]} reports error bits 0x{int(self.errors[i]):x}'
            for i in np.flatnonzero(self.errors)
        ]

    def _take_body(self, payload: bytes, now: float) -> None:
        state = self._good(payload)
        if state is None:
            return
        if math.isfinite(self.heard):
            gap = (int(state['tick']) - int(self.low['tick'])) % _TICK_SPAN
            self.counters['missed_states'] += max(gap - 1, 0) if gap < 1000 else 0
        self.low, self.heard = state, now
        self.counters['states'] += 1
        joints, slots = self._body
        lenient = self._config.lenient
        self._take_motors(joints, state['motor_state'], slots, now, with_mode=not lenient)

    def _good(self, payload: bytes) -> Message | None:
        try:
            state = decode_low_state(payload)
        except CodecError as error:
            self._drop(str(error))
            return None
        if checksum_ok(state) or (self._config.lenient and int(state['crc']) == 0):
            self._bad_in_a_row = 0
            return state
        self._drop(f'wrong checksum 0x{int(state["crc"]):08x}')
        return None

    def _drop(self, why: str) -> None:
        self._bad_in_a_row += 1
        self._bad = why
        self.counters['bad_states'] += 1

    def _take_hand(self, side: str, payload: bytes, now: float) -> None:
        try:
            state = decode_hand_state(payload)
        except CodecError:
            self.counters['bad_states'] += 1
            return
        joints, indices = self._fingers[side]
        self._take_motors(joints, state['motor_state'], indices, now, with_mode=False)

    def _take_motors(
        self, joints: _Which, motors: Message, slots: _Which, now: float, *, with_mode: bool
    ) -> None:
        # Field by field: to pick whole motors first would copy 56 bytes of each, 6 us a state.
        self.measured[:4, joints] = motion(motors)[slots].T
        self.measured[4:, joints] = motors['temperature'][slots].T
        self.errors[joints] = motors['motorstate'][slots]
        # A hand's mode byte carries the motor's number; some simulators leave it 0 everywhere.
        self.on[joints] = motors['mode'][slots] if with_mode else True
        self.answered[joints] = now

    def _take_slow(self) -> None:
        for packet in self._bus.take(BATTERY):
            with suppress(CodecError):
                self.battery = float(decode_bms(packet.payload)['soc'])
        for packet in self._bus.take(ARM_ACTION):
            with suppress(CodecError):
                self.action = decode_arm_action(packet.payload)

    def _hot(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return self._heat.judge(self.low['motor_state'][:MOTORS]['temperature'], self.winding)

    def _variant_fault(self) -> str:
        wanted, got = self._config.mode_machine, self.mode_machine
        if got == wanted or (self._config.lenient and got == 0):
            return ''
        variant = VARIANTS.get(got)
        model = variant.model if variant else 'an unknown variant'
        return (
            f'the robot reports mode_machine {got} ({model}), the configuration is for {wanted} '
            f'({self._config.variant.model}): limits and motors may differ. Set bus.mode_machine '
            'once the joints of the configuration are right for this robot'
        )

    def _operator_faults(self) -> list[str]:
        found = []
        wanted = self._config.stop_buttons
        held = buttons_held(self.low['wireless_remote'].tobytes())
        if wanted and held.issuperset(wanted):
            found.append(f'{"+".join(wanted)} held on the remote control')
        if self._config.arm_sdk is not None and self.action.busy:
            found.append(
                f'the arm action service has the arms ({self.action.name!r}, action '
                f'{self.action.number}); let it end, or release them (action 99)'
            )
        least = self._config.limits.battery
        if self.battery < least:
            found.append(f'battery at {self.battery:.0f} percent, least {least:.0f}')
        return found

    def _body_faults(self) -> list[str]:
        found, limits = [], self._config.limits
        imu, motors = self.low['imu_state'], self.low['motor_state'][:MOTORS]
        tilt = _tilt(imu['quaternion'].tolist())
        if not tilt <= limits.tilt:
            found.append(f'the pelvis is tilted by {tilt:.2f} rad, limit {limits.tilt}')
        gyro = math.hypot(*imu['gyroscope'].tolist())
        if not gyro <= limits.gyro:
            found.append(f'the pelvis turns at {gyro:.1f} rad/s, limit {limits.gyro}')
        speed = np.abs(motors['dq'])
        allowed = speed <= limits.joint_speed  # NaN is fast
        if np.count_nonzero(allowed) < MOTORS:
            slot = int(allowed.argmin())
            found.append(
                f'motor slot {slot} turns at {float(speed[slot]):.1f} rad/s, '
                f'limit {limits.joint_speed}'
            )
        errors = motors['motorstate']
        if np.count_nonzero(errors):
            ours = self._motors.slots  # those are told by the status of their joints
            for broken in np.setdiff1d(np.flatnonzero(errors), ours):
                bits = int(errors[broken])
                found.append(f'motor slot {int(broken)} reports error bits 0x{bits:x}')
        return found


def _tilt(quaternion: list[float]) -> float:
    """Return the angle [rad] of the pelvis from upright; 0 where no orientation is given."""
    w, x, y, z = quaternion
    length = w * w + x * x + y * y + z * z
    if length == 0.0:  # an orientation that was never filled in, as some simulators leave it
        return 0.0
    return math.acos(min(max(1.0 - 2.0 * (x * x + y * y) / length, -1.0), 1.0))
