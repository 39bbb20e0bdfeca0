# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
How hot the motors of a G1 are: each has a sensor in its casing and one in its winding.

A winding may be far hotter than a casing, so each has limits of its own. Every motor of the body
is watched, whoever commands it: the waist is held by us, and legs that overheat let the robot
fall. The casings of the joints of a RobotSpec are left to the watchdogs of every robot.
"""

import numpy as np
from numpy.typing import NDArray

from vla_control.buses.unitree import MOTORS
from vla_control.core.messages import Floats
from vla_control.core.spec import RobotSpec
from vla_control.robots.g1_config import G1Config, Motors

CASING, WINDING = 0, 1  # columns of MotorState_.temperature


class G1Heat:
    """Compares every sensor with its limits."""

    def __init__(self, spec: RobotSpec, motors: Motors, config: G1Config) -> None:
        """
        Take the limits of a robot.

        :param motors: which of the body's are joints of the spec.
        """
        self._names = spec.names
        self._others = np.ones(MOTORS, dtype=np.bool_)  # slots no joint of the spec has
        self._others[motors.slots] = False
        safety, limits = spec.safety, config.limits
        self._warning = np.array([safety.temperature_warning, limits.winding_warning])  # [deg C]
        self._stop = np.array([safety.temperature_stop, limits.winding_stop])  # [deg C]
        self._judged = b''  # what the verdict was given on
        self._verdict: tuple[tuple[str, ...], tuple[str, ...]] = (), ()

    def judge(
        self, body: NDArray[np.int16], winding: Floats
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """
        Return why the robot must stop, and what is to be warned of, in words with numbers.

        :param body: (29, 2) [deg C] casing and winding of every motor of the body.
        :param winding: (n,) [deg C] of every joint of the spec, fingers included.
        """
        # Sensors tell whole degrees, so most of 500 states a second are as warm as the last one.
        given = body.tobytes() + winding.tobytes()
        if given != self._judged:
            self._judged, self._verdict = given, self._judge(body, winding)
        return self._verdict

    def _judge(
        self, body: NDArray[np.int16], winding: Floats
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        cool = (body < self._warning).all() and not (winding >= self._warning[WINDING]).any()
        if cool:
            return (), ()
        hot = [(f'winding of {n}', t, WINDING) for n, t in zip(self._names, winding, strict=True)]
        for slot in np.flatnonzero(self._others):
            casing, inside = body[slot]
            hot.append((f'casing of motor slot {slot}', casing, CASING))
            hot.append((f'winding of motor slot {slot}', inside, WINDING))
        return (
            _beyond([h for h in hot if h[1] >= self._stop[h[2]]], self._stop),
            _beyond(
                [h for h in hot if self._warning[h[2]] <= h[1] < self._stop[h[2]]], self._stop
            ),
        )


def _beyond(hot: list[tuple[str, float, int]], limit: Floats) -> tuple[str, ...]:
    return tuple(f'{who} at {t:.0f} deg C, limit {limit[sensor]:.0f}' for who, t, sensor in hot)
