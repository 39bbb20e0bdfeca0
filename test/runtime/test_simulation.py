# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Physics keeps up with the clock, begins with the first motor, and is judged."""

import numpy as np
import pytest

from vla_control.buses.damiao import ENABLE
from vla_control.core.spec import load_robot
from vla_control.runtime.simulation import BusClock, goals_by_words, Simulation
from vla_control.sim.damiao_motors import DamiaoBus
from vla_control.sim.layout import COLOURS, sample_layout
from vla_control.sim.starts import Start
from vla_control.sim.tasks import Goal, load_tasks, Task, Verdict
from vla_control.sim.world import World

SPEC = load_robot('openarm')
STEP = 0.002  # [s] as in the scene


class Electronics:
    """Motors on a bus on which one frame arrives where asked to."""

    def __init__(self):
        self.frames = 0
        self.served = []
        self.motors = DamiaoBus(SPEC)
        self.measure, self.torques = self.motors.measure, self.motors.torques

    @property
    def holding(self):
        return any(m.enabled for m in self.motors.motors)

    def serve(self, now, wait=0.0):
        self.served.append(now)
        frames, self.frames = self.frames, 0
        return bool(frames)


@pytest.fixture(scope='module')
def world():
    with World(SPEC) as world:
        assert world.timestep == STEP
        yield world


@pytest.fixture
def start(world):
    rng = np.random.default_rng(1)
    return Start(layout=sample_layout(world.scene, rng), q=np.array(SPEC.home))


@pytest.fixture
def device():
    return Electronics()


@pytest.fixture
def motors(device):
    return device.motors


@pytest.fixture
def shown():
    return []


@pytest.fixture
def simulation(world, start, device, shown):
    world.reset(start.layout, start.q)
    return Simulation(
        SPEC,
        world,
        BusClock(device),
        show=lambda now, snapshot: shown.append(now),
        trace_period=0.1,
    )


def enable(motors):
    for motor in motors.motors:
        motors.handle(motor.address, ENABLE, 0.0)
    assert all(m.enabled for m in motors.motors)


def run(simulation, begin, seconds):
    for k in range(round(seconds / STEP) + 1):
        simulation.tick(begin + k * STEP)


def test_somebody_holds_the_arm_until_a_motor_is_enabled(simulation, world, motors, start):
    run(simulation, 5.0, 0.5)
    np.testing.assert_array_equal(world.positions, start.q)
    enable(motors)
    run(simulation, 5.5, 0.1)
    assert world.time == pytest.approx(0.1, abs=2 * STEP)


def test_a_short_delay_is_made_up_and_a_long_one_is_not(simulation, world, motors):
    enable(motors)
    simulation.tick(1.0)
    simulation.tick(1.01)
    assert world.time == pytest.approx(0.01)
    simulation.tick(2.0)
    assert world.time == pytest.approx(0.03, abs=STEP)
    assert simulation.lost == pytest.approx(0.97, abs=0.01)


def test_the_state_is_shown_every_eight_milliseconds(simulation, motors, shown):
    enable(motors)
    run(simulation, 1.0, 1.0)
    assert 100 <= len(shown) <= 126


def test_tidying_up_moves_the_objects_and_not_the_arm(simulation, world, motors, start):
    run(simulation, 1.0, 0.01)
    other = Start(
        layout=sample_layout(world.scene, np.random.default_rng(2)), q=np.array(SPEC.home) + 0.05
    )
    simulation.restart(other, move_arm=False)
    run(simulation, 2.0, 0.01)
    np.testing.assert_allclose(world.cube_poses[:, :2], other.layout.cubes[:, :2], atol=1e-6)
    np.testing.assert_array_equal(world.positions, start.q)
    simulation.restart(other, move_arm=True)
    run(simulation, 3.0, 0.01)
    np.testing.assert_array_equal(world.positions, other.q)
    assert simulation.restarts == 2


def test_a_task_is_judged_from_the_moment_it_is_asked_for(simulation, motors):
    enable(motors)
    simulation.ask('touch the red cube', Goal(task=Task.TOUCH, target='red'))
    run(simulation, 1.0, 0.1)
    episode = simulation.episode
    assert (episode.verdict, episode.number) == (Verdict.RUNNING, 1)
    assert episode.seconds == pytest.approx(0.1, abs=2 * STEP)
    simulation.ask('dance', None)
    run(simulation, 1.1, 0.1)
    assert simulation.episode.goal is None
    assert simulation.episode.seconds == 0.0


def test_the_trace_holds_times_and_states(simulation, world, motors, tmp_path):
    enable(motors)
    run(simulation, 7.0, 1.0)
    simulation.save_trace(tmp_path / 'deep' / 'trace.npz')
    with np.load(tmp_path / 'deep' / 'trace.npz') as trace:
        assert trace['snapshots'].shape == (len(trace['time']), len(world.snapshot()))
        assert 9 <= len(trace['time']) <= 11
        assert trace['time'][0] == 7.0


def test_waiting_is_serving_the_bus():
    server = Electronics()
    clock = BusClock(server)
    server.frames = 1
    began = clock.now()
    clock.sleep_until(began + 0.01)
    assert clock.now() >= began + 0.01
    assert began <= clock.heard < clock.now()
    assert len(server.served) > 0


def test_every_wording_is_known_whatever_its_case():
    goals = tuple(Goal(task=t, target=c) for t in Task for c in COLOURS)
    words = goals_by_words(load_tasks(), goals)
    assert words['touch the red cube'] == Goal(task=Task.TOUCH, target='red')
    assert words['transfer the blue block to the plate'].task is Task.PLACE
    assert all(w == w.lower() for w in words)
