# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Policies that misbehave on purpose, made by name in a worker's process."""

import os
import signal
import time

import numpy as np

from vla_control.core.errors import PolicyError
from vla_control.core.messages import ActionChunk, frozen_floats
from vla_control.core.protocols import PolicyDescription

JOINTS = ('a', 'b')


class Scripted:
    """Does what the instruction says; every chunk holds how often it was asked since reset()."""

    def __init__(self):
        self.asked = 0

    def describe(self):
        return PolicyDescription(cameras={}, joints=JOINTS, dt=0.1, horizon=4, instruction=True)

    def infer(self, observation, prefix):
        self.asked += 1
        word, _, rest = observation.instruction.partition(' ')
        horizon = 4
        if word == 'die':
            os.kill(os.getpid(), signal.SIGKILL)
        elif word == 'refuse':
            raise PolicyError(rest)
        elif word == 'divide':
            raise ValueError(rest)
        elif word == 'sleep':
            time.sleep(float(rest))
        elif word == 'short':
            horizon = 3
        value = self.asked if prefix is None else float(prefix.positions.sum())
        if word == 'committed':
            value = float(prefix.committed)
        elif word == 'mean':
            value = float(observation.images[rest].pixels.mean())
        elif word == 'first':
            value = float(observation.joints.positions[0])
        elif word == 'nan':
            value = float('nan')
        return ActionChunk(
            stamp=observation.stamp,
            dt=0.1,
            joints=JOINTS,
            positions=frozen_floats(np.full((horizon, 2), value)),
        )

    def reset(self):
        self.asked = 0


def scripted():
    return Scripted()


def unloadable(reason):
    raise PolicyError(reason)


def dying():
    os.kill(os.getpid(), signal.SIGKILL)


def dying_until(path):
    """Die as long as a file is there, taking it away."""
    if os.path.exists(path):
        os.unlink(path)
        dying()
    return Scripted()


def never_loading():
    time.sleep(1e6)
