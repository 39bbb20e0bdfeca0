# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The DK1 driver: its motors and units, and how its gripper finds its zero."""

from dataclasses import replace
from pathlib import Path

from dk1_rig import ControlledDk1, Dk1Rig
import numpy as np
import pytest
import yaml

from vla_control.buses.damiao import decode_pos_force, Reg, SET_ZERO
from vla_control.core.errors import ConfigError, RobotError
from vla_control.core.messages import MotorStatus
from vla_control.core.spec import load_robot
from vla_control.robots.damiao_motors import motors_of
from vla_control.robots.dk1 import Dk1
from vla_control.robots.dynamics import RobotDynamics
from vla_control.safety.supervisor import Event, Mode

VECTORS = yaml.safe_load((Path(__file__).parents[1] / 'data/dk1_vectors.yaml').read_text())
GRIPPER = 6
FINGER = 'gripper_left'
OPEN, SHUT = 0.041125, 0.0  # [m]


@pytest.fixture
def rig():
    return Dk1Rig()


def homed(rig, command=None, ticks=2500):
    """Tick until a homing has ended, and return its report."""
    command = command or rig.command(q=np.array(rig.spec.home))
    for _ in range(ticks):
        rig.tick(command)
        if not rig.driver.homing.running:
            return rig.driver.homing
    raise AssertionError('the homing does not end')


# Motors and units


def test_the_table_is_the_vendors():
    motors = motors_of(load_robot('dk1'))
    assert [m.tx for m in motors] == [1, 2, 3, 4, 5, 6, 7]
    assert [m.rx for m in motors] == [0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17]
    assert [m.model for m in motors] == ['DM4340'] * 3 + ['DM4310'] * 4
    assert (motors[0].ranges.velocity, motors[4].ranges.velocity) == (8.0, 30.0)


def test_efforts_are_ratings_and_not_full_scales():
    # The peak torques of the motor manuals are 27 and 7 N·m, the full scales 28 and 10.
    spec = load_robot('dk1')
    assert [j.effort for j in spec.joints[:6]] == [27.0] * 3 + [7.0] * 3


@pytest.mark.parametrize(('metres', 'radians'), [(OPEN, 0.0), (0.0205625, -2.35), (SHUT, -4.7)])
def test_the_finger_is_metres_here_and_the_vendors_radians_at_the_motor(rig, metres, radians):
    rig.place(FINGER, metres)
    state = rig.started()
    assert rig.motors.motor(FINGER)._q == pytest.approx(radians, abs=1e-5)
    assert state.q[GRIPPER] == pytest.approx(metres, abs=1e-5)
    rig.commands()
    target = rig.pose
    target[GRIPPER] = metres
    rig.driver.write(rig.command(q=target), rig.now())
    (frame,) = (s for s in rig.commands() if s.joint == FINGER)
    assert frame.q == pytest.approx(radians, abs=1e-4)


def test_a_tick_is_one_write_of_seven_packets(rig):
    rig.started()
    rig.port.writes.clear()
    rig.driver.write(rig.command(), rig.now())
    assert [len(w) for w in rig.port.writes] == [7 * 30]


def test_the_grip_is_bounded_by_the_motor(rig):
    rig._lower[GRIPPER] = 0.02  # an object between the fingers
    rig.started()
    target = rig.pose
    target[GRIPPER] = SHUT
    for _ in range(500):
        state = rig.tick(rig.command(q=target))
    # 0.5 N·m at the shaft over a pinion of 8.75 mm.
    assert rig.motors.motor(FINGER).applied == pytest.approx(-0.5, abs=0.06)
    assert state.effort[GRIPPER] == pytest.approx(-0.5 / 0.00875, abs=7.0)


def test_a_motor_may_turn_against_its_joint_from_a_zero_of_its_own():
    spec = load_robot('dk1')
    joint = replace(spec.joints[1], motor=spec.joints[1].motor | {'direction': -1, 'offset': 0.3})
    spec = replace(spec, joints=(spec.joints[0], joint, *spec.joints[2:]))
    rig = Dk1Rig(spec)
    state = rig.started()
    assert rig.motors.motor('joint2')._q == pytest.approx(0.3 - rig.q[1])
    np.testing.assert_allclose(state.q, rig.pose, atol=2e-4)
    rig.stand = False
    target = rig.pose + [0.0, 0.1, 0.0, 0.0, 0.0, 0.0, 0.0]
    for _ in range(400):
        state = rig.tick(rig.command(q=target))
    np.testing.assert_allclose(state.q, target, atol=0.01)


@pytest.mark.parametrize('vector', VECTORS['gravity'], ids=lambda v: str(v['q']))
def test_weight_and_reach_are_those_of_the_vendors_model(vector):
    spec = load_robot('dk1')
    dynamics = RobotDynamics.from_spec(spec)
    q = np.array([*vector['q'], OPEN])
    np.testing.assert_allclose(dynamics.gravity(q)[:6], vector['torque'], atol=2e-4)
    tool, _ = dynamics.forward_kinematics(q, 'tcp')
    np.testing.assert_allclose(tool, vector['tool'], atol=2e-5)


# Homing


def test_connecting_and_enabling_moves_no_gripper(rig):
    rig = Dk1Rig(homed=False)
    before = rig.pose
    state = rig.started()
    for _ in range(250):
        state = rig.tick(rig.command())
    assert rig.pose[GRIPPER] == pytest.approx(before[GRIPPER], abs=1e-4)
    assert state.bus['gripper_unhomed'] == 1
    assert rig.driver.homing.needed


def test_commands_to_an_unhomed_gripper_are_ignored_while_the_arm_obeys(caplog):
    rig = Dk1Rig(homed=False)
    rig.started()
    rig.stand = False
    assert 'gripper is not homed since power-up; call ~/home' in caplog.text
    before = rig.pose
    target = before.copy()
    target[1] += 0.1
    target[GRIPPER] = SHUT
    for _ in range(400):
        rig.tick(rig.command(q=target))
    assert rig.pose[GRIPPER] == pytest.approx(before[GRIPPER], abs=1e-4)
    assert rig.pose[1] == pytest.approx(target[1], abs=0.01)


def test_the_reading_of_an_unhomed_gripper_stays_within_its_joint():
    rig = Dk1Rig(q=[0.0, 1.35, 1.1, -0.75, 0.0, 0.0, SHUT], homed=False)
    # Shut is -4.7 rad, beyond half a turn: after power-up the motor reads 1.58 instead.
    assert rig.motors.motor(FINGER)._q == pytest.approx(-4.7 + 2 * np.pi)
    assert rig.started().q[GRIPPER] == OPEN


def test_homing_finds_the_stop_gently_and_metres_count_from_there():
    rig = Dk1Rig(q=[0.0, 1.35, 1.1, -0.75, 0.0, 0.0, 0.012], homed=False)
    rig.started()
    rig.frames()
    rig.driver.home_gripper(rig.now())
    hardest = fastest = 0.0
    for _ in range(1500):
        rig.tick(rig.command())
        motor = rig.motors.motor(FINGER)
        hardest, fastest = max(hardest, abs(motor.applied)), max(fastest, abs(motor._v))
    assert rig.driver.homing.reason == 'homed'
    assert hardest <= 0.4 + 1e-3  # [N·m] homing.torque
    assert fastest <= 2.2  # [rad/s] homing.speed
    assert rig.pose[GRIPPER] == pytest.approx(OPEN, abs=1e-6)
    state = rig.tick(rig.command())
    assert state.q[GRIPPER] == pytest.approx(OPEN, abs=1e-5)
    assert state.bus['gripper_unhomed'] == 0
    sought = [decode_pos_force(f.data) for f in rig.frames() if f.arbitration_id == 0x307]
    assert max(c.current for c in sought) <= 0.5 / 9.7 + 1e-4


def test_the_arm_is_held_while_the_gripper_is_homed():
    rig = Dk1Rig(homed=False)
    rig.started()
    rig.stand = False
    command = rig.command()
    rig.tick(command)
    rig.driver.home_gripper(rig.now())
    homed(rig, command)
    np.testing.assert_allclose(rig.pose[:6], command.q[:6], atol=2e-3)


def test_after_homing_the_gripper_stays_until_a_command_comes_near():
    rig = Dk1Rig(homed=False)
    rig.started()
    rig.driver.home_gripper(rig.now())
    shut = rig.pose
    shut[GRIPPER] = SHUT
    homed(rig, rig.command(q=shut))
    for _ in range(50):
        rig.tick(rig.command(q=shut))
    assert rig.pose[GRIPPER] == pytest.approx(OPEN, abs=1e-4)
    near = shut.copy()
    near[GRIPPER] = OPEN - 0.002
    rig.tick(rig.command(q=near))
    for _ in range(400):
        rig.tick(rig.command(q=shut))
    assert rig.pose[GRIPPER] == pytest.approx(SHUT, abs=1e-3)


def test_a_homed_gripper_is_not_homed_again_until_it_loses_power():
    rig = Dk1Rig(homed=False)
    rig.started()
    rig.driver.home_gripper(rig.now())
    homed(rig)
    rig.driver.close(rig.now())
    rig.frames()
    rig.started()  # as another program would, which knows nothing
    rig.driver.home_gripper(rig.now())
    report = homed(rig)
    assert (report.needed, report.reason) == (False, 'homed already; nothing moved')
    assert SET_ZERO not in {f.data for f in rig.frames()}
    rig.driver.close(rig.now())
    rig.motors.motor(FINGER).power_cycle()
    rig.started()
    assert rig.driver.homing.needed


def test_homing_stores_nothing_in_flash_but_the_zero():
    rig = Dk1Rig(homed=False)
    rig.started()
    rig.driver.home_gripper(rig.now())
    homed(rig)
    memory = rig.motors.motor(FINGER).memory
    assert memory.flash_cycles == 0
    assert memory[Reg.TIMEOUT] == 2001  # 100.05 ms, the mark


def test_homing_before_enabling_is_refused(rig):
    with pytest.raises(RobotError, match='before enable'):
        rig.driver.home_gripper(rig.now())


def test_a_stop_that_is_not_there_ends_the_homing_within_its_travel():
    rig = Dk1Rig(homed=False)
    rig.stop = False
    rig.started()
    start = rig.motors.motor(FINGER)._q
    rig.driver.home_gripper(rig.now())
    report = homed(rig)
    assert report.needed
    assert report.reason == 'homing failed: no stop within 5.5 rad of the motor'
    for _ in range(100):
        state = rig.tick(rig.command())
    assert rig.motors.motor(FINGER)._q - start <= 5.6
    assert abs(rig.motors.motor(FINGER)._v) < 0.05
    assert state.status == (MotorStatus.ENABLED,) * 7


def test_a_gripper_that_creeps_ends_the_homing_within_its_time():
    rig = Dk1Rig(q=[0.0, 1.35, 1.1, -0.75, 0.0, 0.0, SHUT], homed=False)
    rig.friction[GRIPPER] = 15_000.0  # [N·s/m]: 3 mm/s at the torque of homing
    rig.started()
    rig.driver.home_gripper(rig.now())
    start = rig.now()
    report = homed(rig)
    assert 'no stop within 6.0 s' in report.reason
    assert rig.now() - start == pytest.approx(6.0, abs=0.02)


def test_a_failed_homing_may_be_tried_again():
    rig = Dk1Rig(homed=False)
    rig.stop = False
    rig.started()
    rig.driver.home_gripper(rig.now())
    assert homed(rig).needed
    rig.stop = True
    rig.driver.home_gripper(rig.now())
    assert not homed(rig).needed


def test_the_safe_action_ends_a_homing_at_once():
    rig = Dk1Rig(q=[0.0, 1.35, 1.1, -0.75, 0.0, 0.0, 0.01], homed=False)
    rig.started()
    rig.driver.home_gripper(rig.now())
    for _ in range(100):
        rig.tick(rig.command())
    there = rig.pose[GRIPPER]
    assert 0.011 < there < 0.035
    for _ in range(250):
        rig.tick()
    assert rig.driver.homing.reason == 'homing failed: the safe action took over'
    assert rig.pose[GRIPPER] == pytest.approx(there, abs=1e-3)


# Under control


def test_homing_is_asked_for_in_hold_and_told_when_it_ends():
    arm = ControlledDk1(homed=False)
    arm.ticks(10)
    snapshot = arm.ask(Event.HOME)
    assert (snapshot.mode, snapshot.reason) == (Mode.HOLD, 'gripper: moving to the stop')
    snapshot = arm.until(lambda: arm.snapshot.reason == 'gripper: homed', 6.0)
    assert snapshot.mode is Mode.HOLD
    assert snapshot.commanded.q[GRIPPER] == pytest.approx(OPEN, abs=1e-4)
    arm.following()
    assert arm.mode is Mode.RUN
    assert arm.rig.pose[GRIPPER] == pytest.approx(OPEN, abs=1e-4)


def test_homing_is_refused_in_motion_and_motion_while_homing():
    arm = ControlledDk1(homed=False)
    arm.following()
    assert arm.mode is Mode.RUN
    assert 'homing refused in RUN' in arm.ask(Event.HOME).reason
    arm.ask(Event.HOLD)
    arm.until(lambda: arm.mode is Mode.HOLD, 1.0)
    arm.ask(Event.HOME)
    snapshot = arm.ask(Event.RESUME)
    assert snapshot.mode is Mode.HOLD
    assert 'resume refused: the gripper is being homed' in snapshot.reason


def test_an_emergency_stop_ends_a_homing_in_the_same_tick():
    arm = ControlledDk1(q=[0.0, 1.35, 1.1, -0.75, 0.0, 0.0, 0.01], homed=False)
    arm.ask(Event.HOME)
    arm.ticks(100)
    there = arm.rig.pose[GRIPPER]
    arm.ask(Event.E_STOP)
    snapshot = arm.ticks(250)
    assert snapshot.mode is Mode.FAULT
    assert 'the safe action took over' in snapshot.reason
    assert arm.rig.pose[GRIPPER] == pytest.approx(there, abs=1e-3)


def test_a_robot_without_homing_says_so():
    from rigs import OpenArmRig

    from vla_control.runtime.control import RobotController

    rig = OpenArmRig()
    controller = RobotController(rig.spec, rig.driver)
    controller.configure(rig.now())
    controller.activate(rig.now())
    controller.request(Event.HOME)
    rig.sleep_until(rig.now() + rig.spec.dt)
    controller.tick(rig.now())
    assert controller.snapshot.reason == 'homing refused: this robot has nothing to home'


# Configuration


@pytest.mark.parametrize(
    ('index', 'change', 'words'),
    [
        (6, {'homing': None}, 'motor.homing'),
        (6, {'offset': 0.0}, 'offset must be -4.7000'),
        (6, {'direction': -1}, 'sign of rad_per_metre'),
        (1, {'direction': 2}, 'direction'),
        (
            1,
            {'homing': {'position': 0.0, 'torque': 1.0, 'speed': 1.0, 'travel': 1.0, 'time': 1.0}},
            'only for grippers',
        ),
        (
            6,
            {
                'homing': {
                    'position': 0.041125,
                    'torque': 0.4,
                    'speed': 2.0,
                    'travel': 0.0,
                    'time': 1.0,
                }
            },
            'travel is 0.0',
        ),
    ],
)
def test_a_motor_section_that_is_wrong_is_refused(index, change, words):
    spec = load_robot('dk1')
    joints = list(spec.joints)
    motor = {k: v for k, v in (joints[index].motor | change).items() if v is not None}
    joints[index] = replace(joints[index], motor=motor)
    rig = Dk1Rig()
    with pytest.raises(ConfigError, match=words):
        Dk1(replace(spec, joints=tuple(joints)), rig.bus, rig.dynamics, rig)
