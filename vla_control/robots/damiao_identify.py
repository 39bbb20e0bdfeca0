# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Who is on the bus: read every motor's registers, compare, and arm its own watchdog."""

from collections.abc import Callable, Iterable, Mapping, Sequence
import math
from typing import Any

from vla_control.buses.damiao import (
    MitRanges,
    read_register,
    refresh,
    Reg,
    REGISTERS,
    watchdog_counts,
    write_register,
)
from vla_control.buses.damiao_registers import BIT_RATES
from vla_control.core.errors import ConfigError, RobotError
from vla_control.core.messages import MotorStatus
from vla_control.robots.damiao_link import DamiaoLink
from vla_control.robots.damiao_motors import Motor

Identity = dict[int, float]  # register -> value

IDENTITY_REGISTERS = (
    Reg.MST_ID,
    Reg.ESC_ID,
    Reg.TIMEOUT,
    Reg.CTRL_MODE,
    Reg.HW_VER,
    Reg.SW_VER,
    Reg.SN,
    Reg.NPP,
    Reg.GEAR,
    Reg.PMAX,
    Reg.VMAX,
    Reg.TMAX,
    Reg.CAN_BR,
)
RANGE_TOLERANCE = 1e-4  # relative; ranges are float32 in the motor


def expected_baud_code(bus: Mapping[str, Any], where: str) -> int:
    """
    Return the bit-rate code motors on this bus must have.

    :param bus: the ``bus`` section: data_bitrate where fd is true, else bitrate.
    :raises ConfigError: when there is no such code.
    """
    key = 'data_bitrate' if bus.get('fd') else 'bitrate'
    rate = bus.get(key)
    codes = [code for code, known in BIT_RATES.items() if known == rate]
    if not codes:
        rates = sorted(BIT_RATES.values())
        raise ConfigError(f'{where}.{key}: {rate!r} is not one of {rates} bit/s')
    return codes[0]


def identify(
    link: DamiaoLink, robot: str, baud_code: int, known: Mapping[str, MitRanges]
) -> tuple[Identity, ...]:
    """
    Read the identity of every motor and compare it with the configuration.

    :param known: ranges by motor model, to recognise a motor in another's place.
    :returns: (n,) register values in joint order.
    :raises RobotError: naming every motor that is not what was expected.
    """
    identities: list[Identity] = [{} for _ in link.motors]
    wrong: list[str] = []
    present = list(range(len(link.motors)))
    for rid in IDENTITY_REGISTERS:
        frames = {i: read_register(link.motors[i].tx, rid) for i in present}
        replies = link.ask_registers(frames, rid)
        for i in list(present):
            answers = replies.get(i, [])
            if not answers:
                wrong.append(_no_answer(link.motors[i], rid))
                present.remove(i)
                continue
            identities[i][rid] = answers[0][0]
            if len(set(answers)) > 1:
                wrong.append(_two_motors(link.motors[i], rid, answers))
                present.remove(i)
    for i in present:
        wrong += _differences(link.motors[i], identities[i], baud_code, known)
    if wrong:
        raise RobotError(_listing(robot, 'this is not the robot its configuration says', wrong))
    return tuple(identities)


def arm_registers(
    link: DamiaoLink,
    robot: str,
    indices: Iterable[int],
    watchdog: float,
    meanwhile: Callable[[], None] | None = None,
) -> frozenset[int]:
    """
    Set control mode and watchdog of motors that are off, and read both back.

    Both live in RAM: a motor that lost power has forgotten them. A gripper that has been homed
    carries a mark there, see homed_counts(), which is left to it.

    :param watchdog: [s] of silence before a motor switches itself off.
    :param meanwhile: called while waiting, to keep the other motors fed.
    :returns: the motors that carry the mark.
    :raises RobotError: naming every motor that did not take them.
    """
    wrong: list[str] = []
    motors = {i: link.motors[i] for i in indices}
    silent = link.ask_states({i: [refresh(m.tx)] for i, m in motors.items()}, meanwhile=meanwhile)
    if silent:
        wrong = [f'{_name(motors[i])}: no answer to a state request' for i in silent]
        raise RobotError(_listing(robot, 'motors went silent', wrong))
    counts, marked = watchdog_counts(watchdog), homed_counts(watchdog)
    homed: frozenset[int] = frozenset()
    for rid in (Reg.TIMEOUT, Reg.CTRL_MODE):
        found = _read(link, motors, rid, meanwhile)
        if rid is Reg.TIMEOUT:
            homed = frozenset(i for i, m in motors.items() if m.homing and found.get(i) == marked)
            values = {i: marked if i in homed else counts for i in motors}
        else:
            values = {i: int(m.mode) for i, m in motors.items()}
        changes = {i: v for i, v in values.items() if found.get(i) != v}
        running = [i for i in changes if link.status[i] is MotorStatus.ENABLED]
        if rid is Reg.CTRL_MODE and running:
            # A mode switch clears the command values at once: under load the arm would drop.
            wrong += [
                f'{_name(motors[i])}: is enabled in mode {found.get(i)}, expected '
                f'{int(motors[i].mode)}; disable it before connecting'
                for i in running
            ]
            continue
        frames = {i: write_register(motors[i].tx, rid, v) for i, v in changes.items()}
        if frames:
            link.ask_registers(frames, rid, meanwhile)
            found = _read(link, motors, rid, meanwhile)
        wrong += [
            f'{_name(motors[i])}: register {int(rid)} ({REGISTERS[rid].name}) reads back '
            f'{found.get(i, "nothing")} after writing {v}; power the motor off and on'
            for i, v in values.items()
            if found.get(i) != v
        ]
    if wrong:
        raise RobotError(_listing(robot, 'motors do not take their settings', wrong))
    return homed


def homed_counts(watchdog: float) -> int:
    """
    Return register 9 of a gripper that has found its zero since it was switched on.

    It is one count, 50 us, longer than anybody asks for. A gripper motor turns further than its
    encoder knows without power, and this register forgets with the power as well, so the mark is
    there exactly as long as the zero can be trusted, whichever program runs. Where the watchdog is
    to be off, the mark is the longest time there is, 60 hours.
    """
    return watchdog_counts(watchdog) + 1 if watchdog > 0.0 else 2**32 - 1


def _read(
    link: DamiaoLink,
    motors: Mapping[int, Motor],
    rid: int,
    meanwhile: Callable[[], None] | None,
) -> Identity:
    frames = {i: read_register(m.tx, rid) for i, m in motors.items()}
    replies = link.ask_registers(frames, rid, meanwhile)
    return {i: answers[0][0] for i, answers in replies.items()}


def _differences(
    motor: Motor, found: Identity, baud_code: int, known: Mapping[str, MitRanges]
) -> list[str]:
    """Say where one motor differs from its section."""
    wrong = []
    for rid, expected, fix in (
        (Reg.MST_ID, motor.rx, 'motor.rx of the joint'),
        (Reg.ESC_ID, motor.tx, 'motor.tx of the joint'),
        (Reg.CAN_BR, baud_code, 'the bit rates in the bus section'),
    ):
        if found[rid] != expected:
            wrong.append(_differs(motor, rid, found[rid], expected, fix))
    ranges = motor.ranges
    for rid, full in (
        (Reg.PMAX, ranges.position),
        (Reg.VMAX, ranges.velocity),
        (Reg.TMAX, ranges.torque),
    ):
        if not _close(found[rid], full):
            fix = f'bus.ranges.{motor.model}{_other_model(motor, found, known)}'
            wrong.append(_differs(motor, rid, found[rid], full, fix))
    return wrong


def _other_model(motor: Motor, found: Identity, known: Mapping[str, MitRanges]) -> str:
    for model, ranges in known.items():
        if model != motor.model and all(
            _close(found[rid], full)
            for rid, full in (
                (Reg.PMAX, ranges.position),
                (Reg.VMAX, ranges.velocity),
                (Reg.TMAX, ranges.torque),
            )
        ):
            return f'; these are the ranges of a {model}: are the ids of two motors swapped?'
    return ''


def _differs(motor: Motor, rid: int, found: float, expected: float, fix: str) -> str:
    return (
        f'{_name(motor)}: register {int(rid)} ({REGISTERS[rid].name}) is {found:g}, expected '
        f"{expected:g}; change the motor with its maker's tool, or {fix}"
    )


def _no_answer(motor: Motor, rid: int) -> str:
    if rid != IDENTITY_REGISTERS[0]:
        return f'{_name(motor)}: answered before, but not to register {int(rid)}; check its cable'
    return (
        f'{_name(motor)}: no answer to id 0x{motor.tx:02X}; check power, cable, termination, bit '
        f'rate, and that its ESC_ID (register 8) is {motor.tx}'
    )


def _two_motors(motor: Motor, rid: int, answers: Sequence[tuple[float, int]]) -> str:
    return (
        f'{_name(motor)}: two motors answer to id 0x{motor.tx:02X} (register {int(rid)}: '
        f'{sorted({value for value, _ in answers})}); give one of them another ESC_ID'
    )


def _name(motor: Motor) -> str:
    return f'{motor.joint} (motor 0x{motor.tx:02X})'


def _close(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=RANGE_TOLERANCE)


def _listing(robot: str, what: str, lines: Sequence[str]) -> str:
    return f'{robot}: {what}:' + ''.join(f'\n  - {line}' for line in lines)
