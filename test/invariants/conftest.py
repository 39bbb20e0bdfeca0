# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""One long seeded run of the gate under every abuse, judged by several invariants."""

from typing import NamedTuple

from motions import fleet, measured, Wild
import numpy as np
import pytest

from vla_control.core.spec import load_robot
from vla_control.safety.checker import worst_ratios
from vla_control.safety.gate import Gate

ROBOTS = 16
CHUNKS = 10_000


class Abuse(NamedTuple):
    worst: object
    gate: object
    chunks: int
    samples: int


@pytest.fixture(scope='session')
def spec():
    return load_robot('openarm')


@pytest.fixture(scope='session')
def abuse(spec):
    rng = np.random.default_rng(20260101)
    many = fleet(spec, ROBOTS)
    gate, wild = Gate(many), Wild(many, ROBOTS, rng)
    start = rng.uniform(many.lower, many.upper)
    gate.reset(start)
    log = [start]
    while wild.drawn < CHUNKS:
        if rng.random() < 0.01:
            gate.velocity_scale = rng.uniform(0.05, 1.0)
        log.append(gate.step(wild.next(len(log), gate.state)).q)
    times = np.arange(len(log)) * many.dt
    worst = worst_ratios(times, np.array(log), many, from_rest=True)
    return Abuse(worst, gate, wild.drawn, len(log) * ROBOTS)


@pytest.fixture
def healthy(spec):
    return measured(spec)
