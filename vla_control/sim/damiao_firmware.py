# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
One Damiao motor as its firmware behaves on the bus and at the shaft.

Frames and registers follow the manufacturer's manuals and change log. Where those are silent the
emulation takes the choice that is hardest on a driver, so that a driver which passes here does not
rely on luck: only commands and enabling feed the watchdog (reading does not); a command for
another mode moves nothing and is answered with the state; a refused write answers with the old
value; a refused store is not answered. The loop gains of the position and speed modes, and the
temperatures, are of the right order only; ACC, DEC and KI_APR are registers without effect.
"""

import math

from vla_control.buses.damiao import (
    CLEAR_ERROR,
    decode_mit,
    decode_pos_force,
    decode_pos_vel,
    decode_vel,
    DISABLE,
    ENABLE,
    encode_feedback,
    Feedback,
    MitRanges,
    Mode,
    READ,
    Reg,
    REGISTER_ID,
    SET_ZERO,
    STORE,
    WATCHDOG_TICK,
    WRITE,
)
from vla_control.core.errors import CodecError
from vla_control.sim.damiao_memory import Memory
from vla_control.sim.damiao_models import DRIVE_TRIP, MotorModel, Thermometers

REFRESH = 0xCC
DISABLED, ENABLED = 0x0, 0x1
DRIVE_HOT, WINDING_HOT, LOST_COMMUNICATION = 0xB, 0xC, 0xD

Reply = tuple[int, bytes]  # arbitration id, data


class DamiaoMotor:
    """
    A motor on the bus (on_frame) and on its shaft (measure, torque).

    Faults to inject: ``silent`` (its plug is pulled: hears and says nothing), ``mute`` (obeys but
    is not heard), ``drop_every`` (loses every k-th answer), ``stuck`` (its encoder freezes),
    set_fault(), and temperatures through ``heat``.
    """

    def __init__(
        self, model: MotorModel, ranges: MitRanges, tx: int, rx: int, bit_rate_code: int = 9
    ) -> None:
        """
        Power up a motor: disabled, in MIT mode, its watchdog off.

        :param model: what it is made of.
        :param ranges: what registers 21 to 23 hold.
        :param tx: id it listens to, register 8.
        :param rx: id it answers with, register 7.
        :param bit_rate_code: register 35; 9 is CAN-FD at 5 Mbit/s.
        """
        self.model = model
        self.memory = Memory(model, ranges, tx, rx, bit_rate_code)
        self.heat = Thermometers(model)
        self.silent = self.mute = self.stuck = False
        self.drop_every = 0  # 0 loses none
        self.ignored = 0  # commands for another mode, or of a wrong length
        self.status = DISABLED
        self.applied = 0.0  # [N·m] at the shaft since the last torque()
        self._zero = 0.0  # [rad] shaft angle that reads 0, kept in flash
        self._shaft = self._q = self._v = 0.0
        self._time: float | None = None  # [s] of the last torque()
        self._fed = -math.inf  # [s] of the last command
        self._answers = 0
        self._command: tuple[float, ...] = ()  # fields of the newest one; empty makes no torque
        self._integral = 0.0  # [N·m] of the speed loop
        self._load()

    @property
    def enabled(self) -> bool:
        """Whether it makes torque."""
        return self.status == ENABLED

    @property
    def address(self) -> int:
        """The id it listens to now, register 8."""
        return self._tx

    def listens(self, arbitration_id: int, data: bytes) -> bool:
        """Return whether a frame is for this motor; commands match on the low eight bits."""
        if arbitration_id == REGISTER_ID:
            return len(data) >= 4 and data[0] | data[1] << 8 == self._tx
        return arbitration_id & 0xFF == self._tx & 0xFF

    def on_frame(self, arbitration_id: int, data: bytes, now: float) -> list[Reply]:
        """
        Obey a frame and return the answers, at most one.

        :param now: [s]
        """
        if self.silent or not self.listens(arbitration_id, data):
            return []
        self._watch(now)
        if arbitration_id == REGISTER_ID:
            answer = self._on_register(data)
        else:
            self._on_command(arbitration_id, data, now)
            answer = self._state()
        if answer is None or self.mute:
            return []
        self._answers += 1
        if self.drop_every and self._answers % self.drop_every == 0:
            return []
        return [(self._rx, answer)]

    def measure(self, q: float, v: float) -> None:
        """Let the encoder see the shaft: angle [rad] and speed [rad/s]."""
        self._shaft = q
        if not self.stuck:
            self._q = q - self._zero
            self._v = v

    def torque(self, now: float) -> float:
        """
        Return the torque at the shaft [N·m] until the next call.

        :param now: [s]; must not go back.
        """
        dt = 0.0 if self._time is None else now - self._time
        self._time = now
        self._watch(now)
        limit = self._limit
        tau = self._law(dt) if self.status == ENABLED else 0.0
        self.applied = min(max(tau, -limit), limit)
        self.heat.heat(self.applied, dt)
        if self.heat.winding >= self._winding_trip:
            self.set_fault(WINDING_HOT)
        elif self.heat.drive >= DRIVE_TRIP:
            self.set_fault(DRIVE_HOT)
        return self.applied

    def set_fault(self, nibble: int) -> None:
        """Latch a fault: torque off until cleared and enabled again; the first one stays."""
        if self.status in (DISABLED, ENABLED):
            self.status = nibble
            self.applied = 0.0
            self._forget()

    def power_cycle(self) -> None:
        """Lose power and come back: what was not stored is gone, the angle is within one turn."""
        self.memory.power_cycle()
        self.status = DISABLED
        self.applied = 0.0
        self._time = None
        turns = round((self._shaft - self._zero) / math.tau)
        self._zero += turns * math.tau
        self._forget()
        self._load()
        self.measure(self._shaft, 0.0)

    def _watch(self, now: float) -> None:
        if self.status == ENABLED and self._timeout and now - self._fed >= self._timeout - 1e-9:
            self.set_fault(LOST_COMMUNICATION)

    def _on_command(self, arbitration_id: int, data: bytes, now: float) -> None:
        data = bytes(data)
        if data == ENABLE:
            if self.status == DISABLED:
                self._forget()
                self.status = ENABLED
            self._fed = now
        elif data == DISABLE:
            if self.status == ENABLED:
                self.status = DISABLED
            self.applied = 0.0
            self._forget()
        elif data == CLEAR_ERROR:
            if self.status != ENABLED:
                self.status = DISABLED
        elif data == SET_ZERO:
            self._zero = self._shaft
            self.measure(self._shaft, self._v)
        else:
            self._on_setpoint(arbitration_id >> 8, data, now)

    def _on_setpoint(self, offset: int, data: bytes, now: float) -> None:
        mode = self._mode
        try:
            if offset != mode - 1:
                raise CodecError('a command for another mode')
            if mode is Mode.MIT:
                command: tuple[float, ...] = decode_mit(self._ranges, data)
            elif mode is Mode.POS_VEL:
                command = decode_pos_vel(data)
            elif mode is Mode.VEL:
                command = (decode_vel(data),)
            else:
                command = decode_pos_force(data)
            finite = all(map(math.isfinite, command))
        except CodecError:
            finite = False
        if not finite:
            self.ignored += 1
            return
        self._fed = now
        if self.status == ENABLED:
            self._command = command

    def _on_register(self, data: bytes) -> bytes | None:
        operation, rid = data[2], data[3]
        if operation == REFRESH:
            return self._state()
        if operation == STORE:
            if self.status == ENABLED:
                return None
            self.memory.store()
            return bytes(data[:3]) + b'\x01'
        if operation == WRITE and len(data) == 8:
            if self.memory.write(rid, data[4:8]):
                self._load()
                if rid == Reg.CTRL_MODE:
                    self._forget()
        elif operation != READ:
            return None
        self._show_measurements()
        raw = self.memory.raw(rid)
        return None if raw is None else bytes(data[:4]) + raw

    def _law(self, dt: float) -> float:
        command = self._command
        if not command:
            return 0.0
        mode = self._mode
        if mode is Mode.MIT:
            q, v, kp, kd, tau = command
            return kp * (q - self._q) + kd * (v - self._v) + tau
        if mode is Mode.VEL:
            return self._speed_loop(command[0], self._limit, dt)
        speed = command[1]
        wanted = min(max(self._position_gain * (command[0] - self._q), -speed), speed)
        if mode is Mode.POS_VEL:
            return self._speed_loop(wanted, self._limit, dt)
        return self._speed_loop(wanted, command[2] * self.model.full_torque, dt)

    def _speed_loop(self, wanted: float, cap: float, dt: float) -> float:
        """Proportional and integral speed control whose torque, integral too, stays capped."""
        cap = min(cap, self._limit)
        error = wanted - self._v
        self._integral = min(max(self._integral + self._speed_integral * error * dt, -cap), cap)
        return min(max(self._speed_gain * error + self._integral, -cap), cap)

    def _state(self) -> bytes:
        return encode_feedback(
            self._ranges,
            Feedback(
                self._tx & 0xF,
                self.status,
                self._q,
                self._v,
                self.applied,
                int(self.heat.drive),
                int(self.heat.winding),
            ),
        )

    def _forget(self) -> None:
        self._command = ()
        self._integral = 0.0

    def _load(self) -> None:
        """Take over the registers the loops use, once per change instead of once per step."""
        memory = self.memory
        self._tx = int(memory[Reg.ESC_ID])
        self._rx = int(memory[Reg.MST_ID])
        self._mode = Mode(int(memory[Reg.CTRL_MODE]))
        self._timeout = memory[Reg.TIMEOUT] * WATCHDOG_TICK  # [s], 0 = off
        self._winding_trip = memory[Reg.OT_VALUE]
        self._speed_gain = memory[Reg.KP_ASR]
        self._speed_integral = memory[Reg.KI_ASR]
        self._position_gain = memory[Reg.KP_APR]
        self._ranges = memory.ranges()
        self._limit = min(self._ranges.torque, self.model.peak_torque)

    def _show_measurements(self) -> None:
        memory = self.memory
        memory.show(Reg.XOUT, self._q)
        memory.show(Reg.P_M, self._q * self.model.gear)
        memory.show(Reg.M_OFF, self._zero)
        memory.show(Reg.T_PCB, self.heat.drive)
        memory.show(Reg.T_MOTOR, self.heat.winding)
