# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
The eleven defects reproduced in the DK1's own software (0.3.8), none of which may be ours.

Numbered as they were found; the second of each pair of numbers is what its software does.
"""

from contextlib import contextmanager

from dk1_rig import at_rest, ControlledDk1, Dk1Rig
from leader_rig import config, HASTY, leader_at
import numpy as np
from pair_rigs import PairRig
import pytest

from vla_control.actions.teleop import Coupling, Phase
from vla_control.buses.damiao import decode_mit, encode_mit, MitRanges, Reg
from vla_control.core.errors import BusError
from vla_control.core.messages import frozen_floats, MotorStatus
from vla_control.core.spec import load_robot
from vla_control.robots.dk1_leader import Leader
from vla_control.robots.dynamics import RobotDynamics
from vla_control.safety.supervisor import Event, Mode
from vla_control.sim.dynamixel_leader import LeaderFaults

FINGER = 'gripper_left'


class HandLedDk1:
    """
    A leader on a pseudo-terminal, turned at its first joint, and the coupling of its follower.

    The coupling lives in the test's time, the serial line in real time.
    """

    PERIOD = 0.02  # [s] of the coupling
    SPEED = 0.3  # [rad/s] of the hand; calm enough to be approached

    def __init__(self, path):
        self._path = path
        self.spec = load_robot('dk1')
        self._config = config(path, HASTY)
        self.leader = Leader(self._config, self.spec, 'sim')
        self.coupling = Coupling(self.spec, self._config.coupling)
        self.now, self.angle, self.trail = 10.0, 0.0, []

    @contextmanager
    def coupled(self):
        with leader_at(self._path) as self._device:
            self._turn(0.0)
            self.leader.open()
            self.coupling.reset(self.now, frozen_floats(self.spec.home))
            while self.coupling.phase is not Phase.COUPLED:
                self.step(0.0)
                assert self.now < 20.0, self.coupling.reason
            yield
            self._device.faults = LeaderFaults()
            self.leader.close()

    def upset(self, trouble):
        """Lose the next request, or let its seven answers come after two timeouts."""
        if trouble == 'lost':
            self._device.faults.lost = 1
        else:
            self._device.faults.delay, self._device.faults.late = 2.0 * HASTY, 7

    def step(self, speed=SPEED):
        self._turn(speed * self.PERIOD)
        self.now += self.PERIOD
        self.trail.append(self.coupling.step(self.now, self.leader.read(self.now)))

    def _turn(self, by):
        self.angle += by
        q = np.array(self.spec.home)
        q[0] = self.angle
        self._device.move(self._config.counts(q, self.spec))


def test_01_an_unplugged_adapter_is_a_fault_and_not_a_frozen_state():
    arm = ControlledDk1()
    target = arm.following()
    arm.rig.device.unplug()
    snapshot = arm.ticks(2, lambda now: at_rest(target, now))
    assert snapshot.mode is Mode.FAULT
    assert 'gone' in snapshot.reason
    with pytest.raises(BusError, match='gone'):
        arm.rig.driver.write(arm.rig.command(), arm.rig.now())
    snapshot = arm.ticks(50)
    assert snapshot.measured.status == (MotorStatus.SILENT,) * 7
    assert (snapshot.measured.age > arm.spec.safety.feedback_fault).all()


def test_02_the_state_of_a_silent_motor_is_not_served_for_ever():
    arm = ControlledDk1()
    target = arm.following()
    arm.rig.silence('joint3')
    limit = arm.spec.safety.feedback_fault
    snapshot = arm.ticks(round(limit / arm.spec.dt) + 3, lambda now: at_rest(target, now))
    assert snapshot.mode is Mode.FAULT
    assert 'no answer for joint3' in snapshot.reason
    assert snapshot.measured.status[2] is MotorStatus.SILENT
    assert snapshot.measured.age[2] > limit


def test_03_homing_without_a_stop_ends_within_its_travel_and_not_at_120_rad():
    rig = Dk1Rig(homed=False)
    rig.stop = False
    rig.started()
    start = rig.motors.motor(FINGER)._q
    rig.driver.home_gripper(rig.now())
    for _ in range(15 * 250):  # what the vendor's was still turning after
        rig.tick(rig.command())
    assert not rig.driver.homing.running
    assert rig.driver.homing.needed
    assert abs(rig.motors.motor(FINGER)._q - start) < 5.7


@pytest.mark.parametrize(
    ('q', 'joint', 'torque'),
    [([0, -0.1, 0, 0, 0, 0], 1, 0.8886), ([0, 0, -0.1, 0, 0, 0], 2, 6.05)],
)
def test_04_gravity_beyond_a_stop_is_gravity_and_not_29_newton_metres(q, joint, torque):
    dynamics = RobotDynamics.from_spec(load_robot('dk1'))
    pose = np.array([*q, 0.03])
    assert dynamics.gravity(pose)[joint] == pytest.approx(torque, abs=0.01)
    zero = np.zeros(7)
    np.testing.assert_allclose(
        dynamics.inverse(pose, zero, zero), dynamics.gravity(pose), atol=1e-9
    )
    rig = Dk1Rig(q=pose)
    rig.started()  # rest is 0.087 rad from these stops, and readings err by that much
    rig.commands()
    rig.tick()
    sent = [s for s in rig.commands() if s.mit]
    assert sent[joint].tau == pytest.approx(torque, abs=0.02)


def test_05_what_is_too_large_saturates_and_does_not_wrap_round():
    ranges = MitRanges(12.5, 8.0, 28.0)
    command = decode_mit(ranges, encode_mit(ranges, 13.0, 9.0, 600.0, 5.2, 30.0))
    assert command == (12.5, 8.0, 500.0, 5.0, 28.0)  # kd 5.2 went out as 0.2, 30 N·m as -26
    rig = Dk1Rig()
    rig.started()
    rig.commands()
    a = np.full(7, 1e6)
    wanted = rig.dynamics.inverse(rig.pose, np.zeros(7), a)
    rig.driver.write(rig.command(a=a), rig.now())
    for sent, joint, tau in zip(rig.commands(), rig.spec.joints, wanted, strict=True):
        if sent.mit:
            assert sent.tau == pytest.approx(np.copysign(joint.effort, tau), abs=0.014)


def test_06_more_than_the_peak_torque_is_read_back_and_is_a_fault():
    arm = ControlledDk1()
    ranges = [m.memory.ranges().torque for m in arm.rig.motors.motors[:6]]
    # A limit at full scale can never be exceeded by what is read back.
    assert (arm.spec.safety.effort_peak * arm.spec.effort[:6] < ranges).all()
    joint, target = 1, arm.following()
    arm.ticks(600, lambda now: at_rest(target, now))
    arm.rig.motors.motor('joint2')._limit = ranges[joint]  # a drive that does not hold it back
    arm.rig.stand = True
    safety = arm.spec.safety
    strain = arm.snapshot.measured.effort[joint]
    # Less off than tracking would stop for: stiffness and weight make 27.8 N·m of it.
    arm.rig.place('joint2', target[joint] + (27.8 + strain) / arm.spec.kp[joint])
    ticks = round(safety.effort_time / arm.spec.dt)
    snapshot = arm.ticks(ticks - 1, lambda now: at_rest(target, now))
    assert snapshot.mode is Mode.RUN
    assert -28.0 < snapshot.measured.effort[joint] < -27.54
    assert abs(snapshot.measured.q - target)[joint] < safety.tracking_stop
    snapshot = arm.ticks(4, lambda now: at_rest(target, now))
    assert snapshot.mode is Mode.FAULT
    assert 'above the peak effort for 100 ms: joint2 (27.8 of 27.5 N·m)' in snapshot.reason


def test_06_over_current_that_a_motor_reports_is_heard():
    arm = ControlledDk1()
    arm.following()
    arm.rig.motors.motor('joint2').set_fault(0xA)
    snapshot = arm.ticks(2)
    assert snapshot.mode is Mode.FAULT
    assert 'motor of joint2 reports over current' in snapshot.reason


def test_07_a_far_target_is_approached_within_the_limits_and_a_fault_outlives_commands():
    arm = ControlledDk1()
    target = arm.following().copy()
    arm.ticks(600, lambda now: at_rest(target, now))
    arm.rig.commands()
    target[1] += 0.9
    arm.ticks(100, lambda now: at_rest(target, now))
    sent = np.array([s.q for s in arm.rig.commands() if s.joint == 'joint2'])
    assert np.abs(np.diff(sent)).max() <= arm.spec.joints[1].velocity * arm.spec.dt + 4e-4
    assert sent[-1] - sent[0] > 0.2
    arm.ask(Event.E_STOP)
    arm.rig.commands()
    snapshot = arm.ticks(100, lambda now: at_rest(target, now))
    assert snapshot.mode is Mode.FAULT
    assert {s.kp for s in arm.rig.commands()} == {0.0}


@pytest.mark.parametrize('third', [0x33, 0x55, 0xAA])
@pytest.mark.parametrize('pending', [False, True])
def test_08_a_state_whose_third_byte_looks_like_a_register_is_a_state(third, pending):
    rig = Dk1Rig()
    rig.started()
    if pending:
        rig.driver._link.expect(1, Reg.CTRL_MODE)
    rig.device.say(0x12, bytes([0x12, 0x8A, third, 0x80, 0x08, 0xFF, 35, 40]), rig.now())
    state = rig.driver.read(rig.now())
    assert state.q[1] == pytest.approx(25 * (0x8A00 + third) / 65535 - 12.5)
    assert state.bus['late_registers'] == 0


def test_08_a_register_is_never_a_pose():
    rig = Dk1Rig()
    rig.started()
    before = rig.tick(rig.command())
    rig.device.say(0x12, bytes.fromhex('0200330a01000000'), rig.now())
    state = rig.driver.read(rig.now())
    assert state.q[1] == before.q[1]  # and not -12.48 rad
    assert state.bus['late_registers'] == 1


def test_09_every_tick_reads_the_answers_to_the_tick_before():
    rig = Dk1Rig()
    rig.started()
    rig.tick(rig.command())
    for _ in range(100):
        state = rig.tick(rig.command())
        np.testing.assert_allclose(state.age, rig.spec.dt, atol=1e-9)  # of what was answered
    assert state.bus['received'] == state.bus['sent']


@pytest.mark.parametrize('trouble', ['lost', 'late'])
def test_10_one_lost_or_late_packet_of_the_leader_ends_no_teleoperation(tmp_path, trouble):
    hand = HandLedDk1(tmp_path / 'leader')
    with hand.coupled():
        for k in range(50):
            if k == 10:
                hand.upset(trouble)
            hand.step()
            assert hand.coupling.phase is Phase.COUPLED, hand.coupling.reason
        assert hand.leader.lost >= 1, 'the packet was missed, as it was to be'
        assert hand.leader.reason == ''
    moved = np.diff([q[0] for q in hand.trail[-30:]])
    assert (moved > 0.0).all(), 'the follower stands still though its leader moves'
    # The last reading may be one count of 4096 and a late answer behind the hand.
    assert hand.trail[-1][0] == pytest.approx(hand.angle, abs=3 * HandLedDk1.SPEED * 0.02)


@pytest.mark.parametrize('every', [2, 3, 50])
def test_10_lost_answers_of_the_follower_never_end_the_motion_either(every):
    arm = ControlledDk1()
    target = arm.following()
    for motor in arm.rig.motors.motors:
        motor.drop_every = every
    snapshot = arm.ticks(250, lambda now: at_rest(target, now))
    assert snapshot.mode is Mode.RUN
    assert (snapshot.measured.age <= 2.1 * arm.spec.dt).all()


def test_11_two_arms_are_one_robot_of_fourteen_joints_left_first():
    rig = PairRig('dk1_bimanual')
    assert [n.split('_')[0] for n in rig.spec.names] == ['left'] * 7 + ['right'] * 7
    rig.place('right_joint1', 0.4)
    state = rig.started()
    assert state.q.shape == (14,)
    assert state.q[7] == pytest.approx(0.4, abs=2e-4)
    assert state.status == (MotorStatus.ENABLED,) * 14
