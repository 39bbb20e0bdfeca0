# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Every robot there is, and two long seeded attacks on each: on its gate, and on all of it.

A test that names ``robot`` is run for every robot of config/robots; with ``joint`` for each of
its joints, with ``arm_joint`` for those that are no gripper: all of OpenArm, some of the others.
"""

from typing import NamedTuple

from benches import hung
from motions import fleet, Wild
import numpy as np
import pytest

from vla_control.core.config import available
from vla_control.core.spec import load_robot
from vla_control.runtime.bench.safety_attack import Siege
from vla_control.runtime.bench.safety_ledger import merged
from vla_control.safety.checker import worst_ratios
from vla_control.safety.gate import Gate

WIDTH = 384  # joints of the fleet a gate is abused with; wider is not faster
PIECES = 10_000  # of abuse on OpenArm
EFFORT = 60_000  # of pieces times joints on another robot, so that each takes about as long
PARTS, CHUNKS = 2, 250  # sieges of a robot, chunks in each
FIRST = 'openarm'
NAMES = sorted(available('robots'), key=lambda name: (name != FIRST, name))


class Abuse(NamedTuple):
    worst: object
    gate: object
    pieces: int


class Besieged(NamedTuple):
    worst: dict  # by measure of the ledger, the value
    samples: dict  # the same, how many
    accepted: int  # chunks
    passed: int  # ticks
    limited: int  # ticks


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


@pytest.fixture
def thorough(robot):
    """Whether a robot gets every sample of a test; those of its kind get some."""
    return robot.name == FIRST


@pytest.fixture(scope='session')
def spec():
    return load_robot(FIRST)


@pytest.fixture(scope='session')
def abuse(robot):
    """What a gate made of references no executor should give."""
    n = len(robot.joints)
    pieces = PIECES if robot.name == FIRST else min(PIECES, EFFORT // n)
    rng = np.random.default_rng(20260101)
    robots = WIDTH // n
    many = fleet(robot, robots)
    gate, wild = Gate(many), Wild(many, robots, rng)
    start = rng.uniform(many.lower, many.upper)
    gate.reset(start)
    log = [start]
    while wild.drawn < pieces:
        if rng.random() < 0.01:
            gate.velocity_scale = rng.uniform(0.05, 1.0)
        log.append(gate.step(wild.next(len(log), gate.state)).q)
    times = np.arange(len(log)) * many.dt
    worst = worst_ratios(times, np.array(log), many, from_rest=True)
    return Abuse(worst, gate, wild.drawn)


@pytest.fixture(scope='session')
def siege(robot):
    """What became of chunks no policy should give, from executor to bus, troubles included."""
    outcomes = [Siege(hung(robot), 20260101, part).run(CHUNKS) for part in range(PARTS)]
    ledger = merged(o.ledger for o in outcomes).worst
    return Besieged(
        worst={key: value for key, (value, _) in ledger.items()},
        samples={key: count for key, (_, count) in ledger.items()},
        accepted=sum(sum(o.accepted.values()) for o in outcomes),
        passed=sum(o.passed for o in outcomes),
        limited=sum(o.limited for o in outcomes),
    )
