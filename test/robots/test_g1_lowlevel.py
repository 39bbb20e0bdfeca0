# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The whole body of a G1 in a harness: what is asked for before it moves, and how it stops."""

from g1_rig import G1Rig
import numpy as np
import pytest

from vla_control.buses.unitree import ARM_COMMAND, LOW_COMMAND
from vla_control.core.errors import ConfigError, RobotError
from vla_control.core.spec import load_robot
from vla_control.robots.factory import make_driver

HARNESS = {'low_level': {'harness': True, 'damping': 1.5, 'damping_time': 0.1}}


@pytest.fixture
def rig():
    return G1Rig('g1_lowlevel', **HARNESS)


def test_without_a_confirmed_harness_there_is_no_driver(rig):
    with pytest.raises(ConfigError, match='harness: true'):
        make_driver(load_robot('g1_lowlevel'), 'sim', rig, bus=rig.bus)


def test_a_running_controller_is_refused_by_name(rig):
    rig.board.name = 'ai'
    with pytest.raises(RobotError, match=r"controller 'ai' runs; release it"):
        rig.driver.connect(rig.now())


def test_a_controller_that_comes_back_is_a_fault(rig):
    rig.started()
    rig.run(1.5, rig.command())
    rig.board.name = 'ai'
    (fault,) = rig.run(1.1, rig.command()).faults
    assert fault.startswith("the robot's controller: controller 'ai' runs; release it")


def test_nothing_is_sent_before_the_first_tick_of_the_loop(rig):
    rig.started()
    assert rig.sent(LOW_COMMAND) == []
    rig.tick(rig.command(gain=0.0))
    assert len(rig.sent(LOW_COMMAND)) == 1


def test_every_motor_is_commanded_and_no_other_slot(rig):
    rig.started()
    rig.run(0.1, rig.command())
    command = rig.sent(LOW_COMMAND)[-1]
    motors = command['motor_cmd']
    assert motors['mode'][:29].tolist() == [1] * 29
    np.testing.assert_allclose(motors['kp'][:29], rig.spec.kp)
    np.testing.assert_allclose(motors['kd'][:29], rig.spec.kd)
    assert not motors[29:].tobytes().strip(b'\x00')
    assert int(command['mode_machine']) == 5
    assert rig.sent(ARM_COMMAND) == []


def test_damping_gives_way_to_the_gains_as_they_come_in(rig):
    rig.started()
    for gain in (0.0, 0.5):
        rig.tick(rig.command(gain=gain))
        motors = rig.sent(LOW_COMMAND)[-1]['motor_cmd']
        np.testing.assert_allclose(motors['kp'][:29], gain * rig.spec.kp)
        wanted = gain * rig.spec.kd + (1.0 - gain) * 1.5
        np.testing.assert_allclose(motors['kd'][:29], wanted, rtol=1e-6)


def damped(command):
    motors = command['motor_cmd'][:29]
    return (
        (motors['kp'] == 0.0).all()
        and (motors['kd'] == 1.5).all()
        and (motors['tau'] == 0.0).all()
        and (motors['dq'] == 0.0).all()
        and (motors['mode'] == 1).all()
    )


def test_to_stop_is_to_stream_damping(rig):
    rig.started()
    rig.run(0.05, rig.command())
    start = len(rig.sent(LOW_COMMAND))
    rig.run(0.1)
    stopped = rig.sent(LOW_COMMAND)[start:]
    assert len(stopped) == round(0.1 / rig.spec.dt)
    assert all(map(damped, stopped))


def test_closing_damps_for_its_time_and_never_sends_zeros(rig):
    rig.started()
    rig.run(0.05, rig.command())
    start = len(rig.sent(LOW_COMMAND))
    rig.driver.close(rig.now())
    last = rig.sent(LOW_COMMAND)[start:]
    assert len(last) == pytest.approx(0.1 / rig.spec.dt, abs=2)
    assert all(map(damped, last))


def test_damping_goes_on_while_faults_are_cleared(rig):
    rig.started()
    rig.run(0.05, rig.command())
    start = len(rig.sent(LOW_COMMAND))
    rig.driver.clear_faults(rig.now())
    between = rig.sent(LOW_COMMAND)[start:]
    assert between
    assert all(map(damped, between))
