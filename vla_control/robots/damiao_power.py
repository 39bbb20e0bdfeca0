# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Switching Damiao motors off for sure, and saying which ones do not do as told."""

from collections.abc import Callable, Iterable
import logging

import numpy as np

from vla_control.buses.damiao import DISABLE
from vla_control.core.errors import BusError, RobotError
from vla_control.core.messages import MotorStatus, RobotState
from vla_control.core.protocols import Clock
from vla_control.core.spec import RobotSpec
from vla_control.robots.damiao_link import DamiaoLink

REST_SPEED = 0.1  # [rad/s] slower than this is rest; four codes of the coarsest motor
DISABLE_ROUNDS = (3, 10)  # disable frames are sent at least and at most so often

_log = logging.getLogger(__name__)


def switch_off(link: DamiaoLink, robot: str, indices: Iterable[int], dt: float) -> bool:
    """
    Send disable frames until every motor says it is off; log the ones that never do.

    :param dt: [s] between rounds.
    :returns: whether all of them are confirmed off.
    """
    chosen = tuple(indices)
    least, most = DISABLE_ROUNDS
    link.drain(link.clock.now())
    heard = list(link.heard)
    running = list(chosen)
    for attempt in range(most):
        now = link.clock.now()
        try:
            link.burst([(link.motors[i].tx, DISABLE) for i in chosen], now)
        except BusError:
            break
        link.clock.sleep_until(now + dt)
        link.drain(link.clock.now())
        running = [
            i for i in chosen if link.heard[i] == heard[i] or link.status[i] is MotorStatus.ENABLED
        ]
        if not running and attempt + 1 >= least:
            return True
    _log.error(
        '%s: not confirmed off: %s; cut the power of the arm before touching it',
        robot,
        [link.motors[i].joint for i in running],
    )
    return False


def sink(
    spec: RobotSpec,
    clock: Clock,
    seconds: float,
    read: Callable[[float], RobotState],
    damp: Callable[[float, float], None],
) -> None:
    """
    Damp, let go of the weight over half the time, then wait for rest.

    :param seconds: [s] longest time.
    :param read: measures, given the time [s].
    :param damp: sends one tick of damping, given the time [s] and the share 0..1 of the weight to
        carry.
    """
    start, half = clock.now(), 0.5 * seconds
    arm = ~spec.gripper
    while (elapsed := (now := clock.now()) - start) < seconds:
        state = read(now)
        resting = bool((np.abs(state.v[arm]) < REST_SPEED).all())
        gone = float(state.age.min()) > spec.safety.feedback_fault
        if gone or (elapsed >= half and resting):
            return
        try:
            damp(now, max(1.0 - elapsed / half, 0.0))
        except BusError:
            return
        clock.sleep_until(now + spec.dt)


def complain(link: DamiaoLink, robot: str, indices: Iterable[int], what: str) -> None:
    """
    Raise for some motors, saying what each of them last reported; fine when there are none.

    :raises RobotError: naming every one of them.
    """
    lines = [
        f'{link.motors[i].joint} (motor 0x{link.motors[i].tx:02X}) {what}, its last report was '
        f'{link.status[i].value!r} {link.clock.now() - link.answered[i]:.3f} s ago'
        for i in indices
    ]
    if lines:
        raise RobotError(f'{robot}: ' + '; '.join(lines) + '. Find the cause, then reset')
