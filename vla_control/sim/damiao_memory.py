# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The registers of one emulated Damiao motor: what it is shipped with, RAM and flash."""

from vla_control.buses.damiao import (
    MitRanges,
    pack_register,
    Reg,
    REGISTERS,
    unpack_register,
)
from vla_control.core.errors import CodecError
from vla_control.sim.damiao_models import AMBIENT, MotorModel, SUPPLY


class Memory:
    """
    Register values in RAM, with a flash copy that survives power loss.

    Values pass through their four wire bytes, so a float32 register holds a float32.
    """

    def __init__(
        self, model: MotorModel, ranges: MitRanges, tx: int, rx: int, bit_rate_code: int
    ) -> None:
        """Fill with what a motor is shipped with: MIT mode, no watchdog."""
        shipped: dict[int, float] = dict.fromkeys(REGISTERS, 0)
        shipped |= {
            Reg.UV_VALUE: 15.0,
            Reg.OT_VALUE: 100.0,
            3: 0.95,
            Reg.ACC: 50.0,
            Reg.DEC: -50.0,
            Reg.MAX_SPD: model.no_load_speed,
            Reg.MST_ID: rx,
            Reg.ESC_ID: tx,
            Reg.CTRL_MODE: 1,
            Reg.HW_VER: 3,
            Reg.SW_VER: model.software,
            Reg.NPP: model.pole_pairs,
            Reg.GEAR: model.gear,
            Reg.PMAX: ranges.position,
            Reg.VMAX: ranges.velocity,
            Reg.TMAX: ranges.torque,
            24: 1000.0,
            Reg.KP_ASR: model.speed_gain,
            Reg.KI_ASR: model.speed_integral,
            Reg.KP_APR: model.position_gain,
            29: 32.0,
            30: 1.0,
            31: 4.0,
            32: 100.0,
            33: 1000.0,
            34: 1000.0,
            Reg.CAN_BR: bit_rate_code,
            Reg.SUB_VER: 4,
            55: 1.0,
            Reg.IMAX: model.drive_current,
            Reg.VBUS: SUPPLY,
            Reg.T_PCB: AMBIENT,
            Reg.T_MOTOR: AMBIENT,
        }
        self._ram = {rid: pack_register(rid, value) for rid, value in shipped.items()}
        self._flash = dict(self._ram)
        self.flash_cycles = 0  # about 10,000 wear the real one out

    def __getitem__(self, rid: int) -> float:
        """Return the value of a register."""
        return unpack_register(rid, self._ram[rid])

    def raw(self, rid: int) -> bytes | None:
        """Return the four value bytes, or None for a register that does not exist."""
        return self._ram.get(rid)

    def show(self, rid: int, value: float) -> None:
        """Put what the motor measures in a read-only register."""
        self._ram[rid] = pack_register(rid, value)

    def write(self, rid: int, raw: bytes) -> bool:
        """Write the four bytes if the manual allows it, and return whether it did."""
        register = REGISTERS.get(rid)
        if register is None or not register.writable:
            return False
        if not register.accepts(unpack_register(rid, raw)):
            return False
        self._ram[rid] = bytes(raw)
        return True

    def store(self) -> None:
        """Copy every register to flash."""
        self._flash = dict(self._ram)
        self.flash_cycles += 1

    def power_cycle(self) -> None:
        """Forget what was not stored."""
        self._ram = dict(self._flash)

    def ranges(self) -> MitRanges:
        """
        Return the packing ranges of registers 21 to 23.

        :raises CodecError: when one of them has underflowed to zero.
        """
        values = (self[Reg.PMAX], self[Reg.VMAX], self[Reg.TMAX])
        if min(values) <= 0.0:
            raise CodecError(f'ranges {values} of an emulated motor must be > 0')
        return MitRanges(*values)
