# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The G1 at its table in virtual time: driver, emulated board, physics and a slow policy."""

from dataclasses import replace

import numpy as np
import pytest

from vla_control.actions.blend import BlendConfig
from vla_control.core.spec import load_robot
from vla_control.policies.wave import WaveOptions, WavePolicy
from vla_control.runtime.lockstep import LockstepLoop, Timing
from vla_control.runtime.tick_log import TickLog
from vla_control.safety.checker import worst_ratios
from vla_control.safety.supervisor import Mode
from vla_control.sim.kinematics import hand_solvers
from vla_control.sim.starts import sample_start
from vla_control.sim.world import World

SECONDS = 4.0


@pytest.fixture(scope='module')
def spec():
    return replace(load_robot('g1'), cameras=())


def test_the_arms_follow_a_slow_motion_though_it_begins_before_they_are_ours(spec):
    arms = tuple(np.array(spec.names)[~spec.gripper])
    policy = WavePolicy(spec, WaveOptions(joints=arms, amplitude=0.2, period=4.0))
    log = TickLog(spec.names, spec.dt, round(SECONDS / spec.dt))
    farthest = 0.0
    with World(spec) as world:
        rng = np.random.default_rng(1)
        start = sample_start(spec, world.scene, hand_solvers(spec, world.scene), rng)
        loop = LockstepLoop(spec, world, policy, BlendConfig(), Timing(), log)
        loop.reset(start.layout, start.q, '')
        for _ in range(round(SECONDS / spec.dt)):
            loop.tick()
            snapshot = loop.controller.snapshot
            assert snapshot.mode in (Mode.READY, Mode.RUN), snapshot.reason
            assert not snapshot.warnings
            off = np.abs(snapshot.commanded.q - world.positions)[~spec.gripper]
            farthest = max(farthest, float(off.max()))
    sent = log.record().sent
    worst = worst_ratios(spec.dt * np.arange(len(sent)), sent, spec)
    assert farthest < 0.1
    assert np.ptp(sent[:, ~spec.gripper], axis=0).min() > 0.15
    assert worst.position <= 0.0
    assert max(worst.velocity, worst.acceleration, worst.jerk) <= 1.0
    assert not loop.rejected
    assert loop.controller.driver.weight == 1.0
