# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Every robot there is, and a long seeded run of the gate under every abuse of each.

A test that names ``robot`` is run for every robot of config/robots; with ``joint`` for each of
its joints, with ``arm_joint`` for those that are no gripper: all of OpenArm, some of the others.
"""

from typing import NamedTuple

from motions import fleet, measured, Wild
import numpy as np
import pytest

from vla_control.core.config import available
from vla_control.core.spec import load_robot
from vla_control.safety.checker import worst_ratios
from vla_control.safety.gate import Gate

ROBOTS = 16
CHUNKS = 10_000
FEWER = 1_000  # for the other robots, whose limits are of the same order
FIRST = 'openarm'
NAMES = sorted(available('robots'), key=lambda name: (name != FIRST, name))


class Abuse(NamedTuple):
    worst: object
    gate: object
    chunks: int
    samples: int


def pytest_generate_tests(metafunc):
    fixtures = metafunc.fixturenames
    if 'robot' not in fixtures:
        return
    for name in ('joint', 'arm_joint'):
        if name in fixtures:
            cases = []
            for robot in NAMES:
                spec = load_robot(robot)
                kept = [i for i, g in enumerate(spec.gripper) if name == 'joint' or not g]
                cases += [(robot, i) for i in kept[:: 1 if robot == FIRST else len(kept) // 3]]
            metafunc.parametrize(('robot', name), cases, indirect=['robot'], scope='session')
            return
    metafunc.parametrize('robot', NAMES, indirect=True, scope='session')


@pytest.fixture(scope='session')
def robot(request):
    """Every robot of config/robots in turn."""
    return load_robot(request.param)


@pytest.fixture(scope='session')
def spec():
    return load_robot(FIRST)


@pytest.fixture(scope='session')
def abuse(robot):
    spec = robot
    rng = np.random.default_rng(20260101)
    many = fleet(spec, ROBOTS)
    gate, wild = Gate(many), Wild(many, ROBOTS, rng)
    start = rng.uniform(many.lower, many.upper)
    gate.reset(start)
    log = [start]
    while wild.drawn < (CHUNKS if spec.name == FIRST else FEWER):
        if rng.random() < 0.01:
            gate.velocity_scale = rng.uniform(0.05, 1.0)
        log.append(gate.step(wild.next(len(log), gate.state)).q)
    times = np.arange(len(log)) * many.dt
    worst = worst_ratios(times, np.array(log), many, from_rest=True)
    return Abuse(worst, gate, wild.drawn, len(log) * ROBOTS)


@pytest.fixture
def healthy(spec):
    return measured(spec)
