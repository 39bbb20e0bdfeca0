# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The emulated motors of a robot: ids, joint units, and answers within the step they came in."""

from dataclasses import replace

import numpy as np
import pytest

from vla_control.buses.damiao import (
    bus_ranges,
    decode_feedback,
    ENABLE,
    encode_mit,
    encode_pos_force,
    Mode,
    motor_setups,
    read_register,
    refresh,
    Reg,
    write_register,
)
from vla_control.buses.loopback import LoopbackBus
from vla_control.core.errors import BusError, ConfigError, SimulationError
from vla_control.core.spec import load_robot
from vla_control.sim.damiao_motors import DamiaoBus, MotorServer

SPEC = load_robot('openarm')
SETUPS = motor_setups(SPEC)
RANGES = bus_ranges(SPEC.bus, 'openarm: bus')
N = len(SETUPS)
GRIPPER = N - 1
REST = np.zeros(N)


@pytest.fixture
def motors():
    return DamiaoBus(SPEC)


def enable(motors):
    motors.handle(*write_register(SETUPS[GRIPPER].tx, Reg.CTRL_MODE, Mode.POS_FORCE), 0.0)
    for setup in SETUPS:
        motors.handle(setup.tx, ENABLE, 0.0)
    return motors


def test_each_frame_is_answered_by_its_motor_alone(motors):
    for setup in SETUPS:
        answers = motors.handle(*refresh(setup.tx), 0.0) + motors.handle(setup.tx, ENABLE, 0.0)
        assert [sender for sender, _ in answers] == [setup.rx, setup.rx]
    assert motors.handle(0x55, ENABLE, 0.0) == []
    assert motors.handle(SETUPS[0].rx, bytes(8), 0.0) == []


def test_motors_identify_as_the_robot_of_the_specification(motors):
    for setup in SETUPS:
        ranges = RANGES[setup.model]
        wanted = (ranges.position, ranges.velocity, ranges.torque)
        motor = motors.motors[SETUPS.index(setup)]
        assert tuple(motor.memory[r] for r in (Reg.PMAX, Reg.VMAX, Reg.TMAX)) == wanted
        assert motor.memory[Reg.CAN_BR] == 9


def test_classic_can_motors_have_the_code_of_their_bit_rate():
    classic = DamiaoBus(replace(SPEC, bus=SPEC.bus | {'fd': False}))
    assert classic.motors[0].memory[Reg.CAN_BR] == 4


def test_joint_angles_show_on_their_motor_and_finger_travel_as_motor_angle(motors):
    q = np.array([0.1, 0.2, -0.3, 1.4, 0.5, -0.6, 0.7, 0.044])
    v = np.array([0.5, -0.5, 0.1, 0.0, 1.0, -1.0, 2.0, 0.1])
    motors.measure(0.0, q, v)
    for i, setup in enumerate(SETUPS):
        [(_, data)] = motors.handle(*refresh(setup.tx), 0.0)
        state = decode_feedback(RANGES[setup.model], data)
        scale = -23.8 if i == GRIPPER else 1.0
        assert state.q == pytest.approx(q[i] * scale, abs=2e-4)
        assert state.v == pytest.approx(v[i] * scale, abs=0.012)
    assert q[GRIPPER] * -23.8 == pytest.approx(-1.0472)


def test_arm_torques_are_joint_torques(motors):
    enable(motors)
    motors.measure(0.0, REST, REST)
    for i in range(GRIPPER):
        data = encode_mit(RANGES[SETUPS[i].model], 0.0, 0.0, 0.0, 0.0, 1.0 + 0.5 * i)
        motors.handle(SETUPS[i].tx, data, 0.0)
    torques = motors.torques(0.0)
    assert torques.shape == (N,)
    assert torques[:GRIPPER] == pytest.approx(1.0 + 0.5 * np.arange(GRIPPER), abs=0.014)
    assert torques[GRIPPER] == 0.0


def test_a_gripper_opens_with_newtons_of_the_sign_of_its_travel(motors):
    enable(motors)
    motors.measure(0.0, REST, REST)
    motors.handle(SETUPS[GRIPPER].tx + 0x300, encode_pos_force(-1.0472, 8.0, 1.5 / 9.6957), 0.0)
    forces = [motors.torques(0.002 * i)[GRIPPER] for i in range(1000)]
    assert forces[-1] == pytest.approx(1.5 * 23.8, rel=1e-3)
    assert max(forces) == forces[-1]


def test_work_at_the_finger_is_work_at_the_motor(motors):
    enable(motors)
    motors.handle(SETUPS[GRIPPER].tx + 0x300, encode_pos_force(-0.5, 8.0, 0.1), 0.0)
    v = np.zeros(N)
    v[GRIPPER] = 0.02
    motors.measure(0.0, REST, v)
    force = motors.torques(0.0)[GRIPPER]
    motor = motors.motor('openarm_right_finger_joint1')
    assert force * 0.02 == pytest.approx(motor.applied * 0.02 * -23.8)


def test_motors_are_found_by_joint_to_be_broken(motors):
    motors.motor('openarm_right_joint3').silent = True
    assert motors.handle(SETUPS[2].tx, ENABLE, 0.0) == []
    with pytest.raises(SimulationError, match='no joint'):
        motors.motor('joint3')


def test_two_motors_with_one_id_both_answer(motors):
    motors.handle(*write_register(SETUPS[1].tx, Reg.ESC_ID, SETUPS[0].tx), 0.0)
    senders = [s for s, _ in motors.handle(SETUPS[0].tx, ENABLE, 0.0)]
    assert senders == [SETUPS[0].rx, SETUPS[1].rx]
    assert len(motors.handle(*read_register(SETUPS[0].tx, 7), 0.0)) == 2


def test_physics_that_is_not_finite_stops_the_simulation(motors):
    for bad in (np.nan, np.inf):
        q = REST.copy()
        q[3] = bad
        with pytest.raises(SimulationError, match='not finite'):
            motors.measure(1.0, q, REST)
        with pytest.raises(SimulationError, match='not finite'):
            motors.measure(1.0, REST, q)


def test_power_loss_disables_everything(motors):
    enable(motors)
    motors.power_cycle()
    assert not any(m.enabled for m in motors.motors)
    assert not motors.torques(0.0).any()


def test_an_unknown_motor_model_is_refused():
    joints = list(SPEC.joints)
    joints[0] = replace(joints[0], motor=joints[0].motor | {'model': 'DM6006'})
    bus = SPEC.bus | {'ranges': SPEC.bus['ranges'] | {'DM6006': SPEC.bus['ranges']['DM8009']}}
    with pytest.raises(ConfigError, match=r"no emulation of motor models \['DM6006'\]"):
        DamiaoBus(replace(SPEC, joints=tuple(joints), bus=bus))


def test_a_bit_rate_without_a_code_is_refused():
    with pytest.raises(ConfigError, match='data_bitrate'):
        DamiaoBus(replace(SPEC, bus=SPEC.bus | {'data_bitrate': 3_000_000}))


def test_the_server_answers_within_the_step_a_frame_came_in(motors):
    driver, device = LoopbackBus.pair()
    driver.open()
    device.open()
    server = MotorServer(device, motors)
    for setup in SETUPS:
        driver.send(setup.tx, ENABLE)
    assert driver.receive() == []
    assert server.serve(0.0)
    assert [f.arbitration_id for f in driver.receive()] == [s.rx for s in SETUPS]
    assert not server.serve(0.0)
    device.close()
    with pytest.raises(BusError, match='closed'):
        server.serve(0.0)
