# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""One world for all tests of the simulation; building it is the slow part."""

import numpy as np
import pytest

from vla_control.core.spec import load_robot
from vla_control.sim.kinematics import HandSolver
from vla_control.sim.servo import IdealServo
from vla_control.sim.starts import sample_start
from vla_control.sim.world import World


@pytest.fixture(scope='session')
def spec():
    return load_robot('openarm')


@pytest.fixture(scope='session')
def shared_world(spec):
    with World(spec) as world:
        yield world


@pytest.fixture(scope='session')
def solver(spec, shared_world):
    return HandSolver(spec, shared_world.scene)


@pytest.fixture
def begin(spec, shared_world, solver):
    """Reset the world to the start of a seed and return it with its start."""

    def reset(seed):
        start = sample_start(spec, shared_world.scene, [solver], np.random.default_rng(seed))
        shared_world.reset(start.layout, start.q)
        return shared_world, start

    return reset


@pytest.fixture(scope='session')
def servo(shared_world):
    return IdealServo(shared_world)
