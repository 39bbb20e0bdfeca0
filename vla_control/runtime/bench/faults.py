# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""What goes wrong between a camera and the arm, drawn from the seed alone."""

from dataclasses import dataclass
from enum import Enum
import math

import numpy as np

JITTER = (0.5, 1.5)  # the delay is multiplied by something in here
JITTER_EXTRA = 0.050  # [s] and up to this is added
DROP_SHARE = 0.2  # of the answers are lost
LATE_SHARE = 0.3  # of the answers are overtaken by the next one
LATE = 0.5  # [s] by which those are late
NAN_SHARE = 0.2  # of the chunks hold a NaN
FREEZE = 1.0  # [s] the camera repeats its last frame
CLOCK_STEP = 1.0  # [s] the clock is set forward


class Fault(Enum):
    """One kind of trouble a run."""

    NONE = 'none'
    JITTER = 'jitter'  # answers take half to one and a half times as long, and up to 50 ms more
    DROP = 'drop'  # one answer of five is lost
    REORDER = 'reorder'  # three of ten come half a second late, after the next one
    SERVER_DEATH = 'server_death'  # no answers any more from half time on
    NAN = 'nan'  # one chunk of five holds a NaN
    CAMERA_FREEZE = 'camera_freeze'  # for a second, answers are from the last frame before it
    CLOCK_JUMP = 'clock_jump'  # at half time the clock is set 1 s forward


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """A fault placed in a run."""

    fault: Fault
    begins: float  # [s] true time; of use to the faults that begin
    seed: int

    @property
    def one_in_flight(self) -> bool:
        """Whether the next request waits for the answer; else nothing could be overtaken."""
        return self.fault is not Fault.REORDER

    def delay(self, delay: float, number: int) -> float:
        """Return how long the answer to a request takes [s], inf where it never comes."""
        rng = np.random.default_rng([self.seed, 2, number])
        if self.fault is Fault.JITTER:
            return float(delay * rng.uniform(*JITTER) + rng.uniform(0.0, JITTER_EXTRA))
        if self.fault is Fault.DROP and rng.random() < DROP_SHARE:
            return math.inf
        if self.fault is Fault.REORDER and rng.random() < LATE_SHARE:
            return delay + LATE
        return delay

    def answers(self, arrival: float) -> bool:
        """Whether the server still lives when an answer would come [s]."""
        return self.fault is not Fault.SERVER_DEATH or arrival < self.begins

    def captured(self, asked: float) -> float:
        """Return when the newest image at a request was captured [s]."""
        if self.fault is Fault.CAMERA_FREEZE and self.begins <= asked < self.begins + FREEZE:
            return self.begins
        return asked

    def poisoned(self, number: int) -> bool:
        """Whether the chunk holds a NaN."""
        rng = np.random.default_rng([self.seed, 3, number])
        return self.fault is Fault.NAN and rng.random() < NAN_SHARE

    def clock(self, time: float) -> float:
        """Return what the clock shows at a true time [s]."""
        jumped = self.fault is Fault.CLOCK_JUMP and time >= self.begins
        return time + CLOCK_STEP if jumped else time

    @property
    def followable_until(self) -> float:
        """Until when a method can be blamed for not following the true motion [s]."""
        lasting = self.fault in (Fault.SERVER_DEATH, Fault.CLOCK_JUMP)
        return self.begins if lasting else math.inf


def trouble(fault: Fault, seconds: float, seed: int) -> Trouble:
    """Place a fault at half time of a run of some seconds."""
    return Trouble(fault=fault, begins=0.5 * seconds, seed=seed)
