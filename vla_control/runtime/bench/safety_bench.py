# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""A robot in a legal motion, to which things are done."""

from collections.abc import Callable

import numpy as np

from vla_control.core.errors import SimulationError
from vla_control.core.messages import Floats, Reference
from vla_control.core.spec import RobotSpec
from vla_control.runtime.bench.safety_ledger import Ledger
from vla_control.runtime.bench.safety_rig import Rig
from vla_control.runtime.bench.safety_troubles import Troubles
from vla_control.runtime.bench.safety_wire import Sent
from vla_control.safety.supervisor import Event, Mode

PATIENCE = 2500  # ticks until something that should happen counts as never
NEVER = 1e9  # ticks


class Swing:
    """Sines about the middle of every range that use a share of every limit."""

    def __init__(self, spec: RobotSpec, share: float) -> None:
        """Lay them out."""
        self.centre = (spec.lower + spec.upper) / 2.0
        v, a, j = share * spec.velocity, share * spec.acceleration, share * spec.jerk
        room = share * (spec.upper - spec.lower) / 2.0
        self._w = np.sqrt(j / v)
        self.size = np.minimum.reduce([v / self._w, a / self._w**2, j / self._w**3, room])

    def at(self, t: float, offset: 'Floats | float' = 0.0) -> Reference:
        """Return the reference of an instant [s], moved by an offset [rad]."""
        s, c = self.size * np.sin(self._w * t), self.size * np.cos(self._w * t)
        return Reference(stamp=t, q=self.centre + offset + s, v=self._w * c, a=-(self._w**2) * s)


class Bench:
    """A rig in a legal motion, to which things are done."""

    def __init__(self, spec: RobotSpec, rng: np.random.Generator, ledger: Ledger) -> None:
        """Start a robot."""
        self.spec, self.rng, self.ledger = spec, rng, ledger
        self.swing = Swing(spec, 0.5)
        self.offset: Floats = np.zeros(len(spec.joints))
        self.rig = Rig(spec, q=self.swing.centre)
        self.troubles = Troubles(self.rig, rng)
        self.told = False
        self.told_last: Floats = np.full(len(spec.joints), np.nan)  # positions, by last_frames()

    def tick(self) -> None:
        """Live through one control period of the motion."""
        self.told = self.rig.tick(self.swing.at(self.rig.now, self.offset))

    def settle(self) -> None:
        """
        Bring the robot back to motion.

        :raises SimulationError: when it does not come back.
        """
        rig = self.rig
        self.troubles.lift()
        for _ in range(PATIENCE):
            if rig.mode is Mode.RUN:
                return
            if rig.mode is Mode.FAULT:
                rig.request(Event.RESET)
            elif rig.mode is Mode.HOLD:
                rig.request(Event.RESUME)
            self.tick()
        raise SimulationError(
            f'{self.spec.name} does not come back to motion: {rig.controller.snapshot.reason}'
        )

    def last_frames(self) -> Sent:
        """Return what motors were told since the last call."""
        sent = self.rig.wire.decode()
        told = self.told_last.copy()
        for q in sent.q:
            told = np.where(np.isnan(q), told, q)
        self.told_last = told
        return sent

    def wander(self) -> None:
        """Go on for a random while."""
        for _ in range(int(self.rng.integers(1, 40))):
            self.tick()

    def until(self, done: Callable[[], bool]) -> int:
        """Tick until something is so; return how many ticks that took."""
        for k in range(1, PATIENCE + 1):
            self.tick()
            if done():
                return k
        return int(NEVER)
