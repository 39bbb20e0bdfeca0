# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Two arms on two buses in memory, behind one driver and one clock."""

from dk1_rig import Dk1Rig
import numpy as np
from rigs import OpenArmRig, Rig

from vla_control.buses.frames import BusState
from vla_control.core.spec import load_robot
from vla_control.robots.factory import make_driver

ARMS = {'openarm': OpenArmRig, 'dk1': Dk1Rig}


class PairRig(Rig):
    """The real composite driver; ``sides`` are the arms, each with its bus and its motors."""

    def __init__(self, robot='openarm_bimanual'):
        self.spec = load_robot(robot)
        self.sides = {side: ARMS[p.driver](p) for side, p in self.spec.parts.items()}
        # [rad/s] of any joint before its bus is let go
        self.fastest = dict.fromkeys(self.sides, 0.0)
        self._now = 100.0
        self.driver = make_driver(self.spec, 'sim', self, [r.bus for r in self.sides.values()])

    @property
    def pose(self):
        return np.concatenate([rig.pose for rig in self.sides.values()])

    @property
    def motors(self):
        return self

    @property
    def stand(self):
        return all(rig.stand for rig in self.sides.values())

    @stand.setter
    def stand(self, value):
        for rig in self.sides.values():
            rig.stand = value

    def motor(self, joint):
        return self.side(joint).motors.motor(joint)

    def side(self, joint):
        return next(rig for rig in self.sides.values() if joint in rig.spec.names)

    def now(self):
        return self._now

    def sleep_until(self, deadline):
        """Pass time on both sides alike."""
        self._now = max(self._now, deadline)
        for side, rig in self.sides.items():
            rig.sleep_until(self._now)
            if rig.bus.state is BusState.UP:
                self.fastest[side] = max(self.fastest[side], np.abs(rig.v).max())

    def sent_count(self):
        return sum(rig.bus.counters['sent'] for rig in self.sides.values())

    def silence(self, joint):
        self.side(joint).silence(joint)

    def break_motor(self, joint):
        self.side(joint).break_motor(joint)

    def cut_bus(self):
        for rig in self.sides.values():
            rig.cut_bus()

    def place(self, joint, value):
        self.side(joint).place(joint, value)

    def commands(self, clear=True):
        return [sent for rig in self.sides.values() for sent in rig.commands(clear)]
