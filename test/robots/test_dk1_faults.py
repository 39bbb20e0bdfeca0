# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Every way the DK1 and its adapter can fail: where it ends, with which words, and how far it moves.

The arm follows a pose that stands still when the fault comes. It ends in the mode given, for the
reason given, and stands still; where no motor is heard any more its weight cannot be carried for
a pose nobody knows, and it sinks slowly under damping.
"""

from dk1_rig import at_rest, ControlledDk1, Dk1Rig
import numpy as np
import pytest

from vla_control.buses.damiao import Reg, write_register
from vla_control.core.errors import BusError, RobotError
from vla_control.core.messages import MotorStatus
from vla_control.safety.supervisor import Event, Mode

STILL = 0.02  # [rad] nothing has moved, and [m]
SINKING = 1.5  # [rad/s] of any joint: 5.9 N·m of weight on 4 N·m·s/rad of damping
SECOND = 250  # ticks
FINGER = 'gripper_left'


@pytest.fixture
def arm():
    """An arm that has followed a standing pose long enough for its gains to be in force."""
    arm = ControlledDk1()
    target = arm.following()
    arm.ticks(300, lambda now: at_rest(target, now))
    assert arm.mode is Mode.RUN
    arm.mark()
    arm.target = target
    return arm


def live(arm, ticks=SECOND):
    return arm.ticks(ticks, lambda now: at_rest(arm.target, now))


def assert_still(arm):
    assert arm.farthest.max() <= STILL, dict(zip(arm.spec.names, arm.farthest, strict=True))


def assert_sinking_slowly(arm):
    assert arm.fastest <= SINKING


# Motors


@pytest.mark.parametrize('joint', ['joint1', 'joint5', 'joint6'])
def test_a_silent_motor(arm, joint):
    arm.rig.silence(joint)
    snapshot = live(arm)
    assert snapshot.mode is Mode.FAULT
    assert f'no answer for {joint}' in snapshot.reason
    # Weight is not carried for a pose that is not known; it could push.
    assert max(abs(s.tau) for s in arm.rig.commands()[-7:] if s.mit) < 0.02
    assert_sinking_slowly(arm)


def test_a_silent_gripper_is_no_reason_to_let_go_of_the_arm(arm):
    arm.rig.silence(FINGER)
    snapshot = live(arm)
    assert snapshot.mode is Mode.FAULT
    assert f'no answer for {FINGER}' in snapshot.reason
    assert_still(arm)


@pytest.mark.parametrize(
    ('nibble', 'words'),
    [
        (0x8, 'over voltage'),
        (0x9, 'under voltage'),
        (0xA, 'over current'),
        (0xB, 'drive over temperature'),
        (0xC, 'winding over temperature'),
        (0xD, 'communication lost'),
        (0xE, 'overload'),
        (0x3, 'unknown status'),
    ],
)
def test_a_fault_nibble(arm, nibble, words):
    arm.rig.motors.motor('joint5').set_fault(nibble)
    snapshot = live(arm, 3)
    assert snapshot.mode is Mode.FAULT
    assert f'motor of joint5 reports {words}' in snapshot.reason
    live(arm)
    assert_still(Rest(arm, 'joint5'))
    arm.ask(Event.RESET)
    assert arm.snapshot.mode is Mode.HOLD
    assert all(m.enabled for m in arm.rig.motors.motors)


class Rest:
    """What the other joints did."""

    def __init__(self, arm, without):
        self.spec = arm.spec
        self.farthest = arm.farthest.copy()
        self.farthest[arm.spec.names.index(without)] = 0.0


@pytest.mark.parametrize(('degrees', 'mode'), [(75.0, Mode.RUN), (95.0, Mode.FAULT)])
def test_a_hot_winding(arm, degrees, mode):
    arm.rig.motors.motor('joint2').heat.winding = degrees
    snapshot = live(arm, 3)
    assert snapshot.mode is mode
    assert 'hot: joint2' in (snapshot.reason if mode is Mode.FAULT else snapshot.warnings[0])
    live(arm)
    assert_still(arm)


@pytest.mark.parametrize(
    ('rid', 'value', 'words'),
    [
        (Reg.PMAX, 12.566, 'register 21 (PMAX) is 12.566, expected 12.5'),
        (Reg.VMAX, 10.0, 'register 22 (VMAX) is 10, expected 8'),
        (Reg.TMAX, 54.0, 'register 23 (TMAX) is 54, expected 28'),
    ],
)
def test_scales_other_than_the_table_are_refused_before_anything_is_enabled(rid, value, words):
    rig = Dk1Rig()
    motor = rig.motors.motor('joint2')
    motor.on_frame(*write_register(motor.address, rid, value), rig.now())
    with pytest.raises(RobotError) as refusal:
        rig.driver.connect(rig.now())
    assert f'joint2 (motor 0x02): {words}' in str(refusal.value)
    assert not rig.device.holding


def test_the_motors_switch_off_when_the_host_dies(arm):
    arm.rig.stand = True
    arm.rig.sleep_until(arm.rig.now() + 0.095)
    assert arm.rig.device.holding
    arm.rig.sleep_until(arm.rig.now() + 0.02)
    assert {m.status for m in arm.rig.motors.motors} == {0xD}
    arm.rig.stand = False
    snapshot = live(arm, 2)
    assert snapshot.mode is Mode.FAULT
    # A host that comes back leaves them off: they are not enabled by the next command.
    live(arm, 20)
    assert {m.status for m in arm.rig.motors.motors} == {0xD}


# Adapter


def test_an_unplugged_adapter(arm):
    arm.rig.device.unplug()
    snapshot = live(arm)
    assert snapshot.mode is Mode.FAULT
    assert 'gone' in snapshot.reason
    assert snapshot.measured.status == (MotorStatus.SILENT,) * 7
    # The motors' own watchdog has switched them off; nothing pushed meanwhile.
    assert {m.status for m in arm.rig.motors.motors} == {0xD}
    assert 'reset refused' in arm.ask(Event.RESET).reason
    assert arm.mode is Mode.FAULT


def test_an_adapter_put_back_needs_a_reset_and_moves_nothing_before(arm):
    arm.rig.stand = True
    arm.rig.device.unplug()
    live(arm)
    arm.rig.device.plug()
    arm.mark()
    snapshot = live(arm)
    assert snapshot.mode is Mode.FAULT
    assert {m.status for m in arm.rig.motors.motors} == {0xD}
    snapshot = arm.ask(Event.RESET)
    assert snapshot.mode is Mode.HOLD
    arm.rig.stand = False
    live(arm)
    assert arm.mode is Mode.HOLD
    assert_still(arm)


@pytest.mark.parametrize('delay', [0.002, 0.006, 0.010])
def test_answers_that_come_late_by_a_little_change_nothing(arm, delay):
    arm.rig.device.faults.delay = delay
    assert live(arm).mode is Mode.RUN
    assert_still(arm)


def test_answers_that_stop_for_a_moment_stop_the_motion_and_need_a_resume(arm):
    arm.rig.device.faults.delay = 0.05
    live(arm, 10)
    arm.rig.device.faults.delay = 0.0
    snapshot = live(arm)
    assert snapshot.mode is Mode.HOLD
    assert 'no answer for' in snapshot.reason
    assert_still(arm)


def test_answers_that_come_later_than_the_fault_limit_fault(arm):
    arm.rig.device.faults.delay = 10.0
    snapshot = live(arm)
    assert snapshot.mode is Mode.FAULT
    assert 'no answer for' in snapshot.reason
    assert_sinking_slowly(arm)


@pytest.mark.parametrize(
    ('piece', 'mode'),
    [(1, Mode.FAULT), (5, Mode.HOLD), (16, Mode.RUN), (33, Mode.RUN), (112, Mode.RUN)],
)
def test_answers_in_pieces_are_put_together(arm, piece, mode):
    arm.rig.device.faults.piece = piece
    snapshot = live(arm)
    # The adapter is looked at four times a tick: byte by byte, a motor is heard every 112 ms.
    assert snapshot.mode is mode
    assert snapshot.measured.bus['malformed_frames'] == 0
    assert snapshot.measured.bus['junk_bytes'] == 0
    assert_sinking_slowly(arm)


@pytest.mark.parametrize('junk', [b'\x00', b'\xaa\x55', b'\xaa\x11\x08\x12\x00\x00', b'\x55' * 40])
def test_junk_between_answers_is_counted_and_skipped(arm, junk):
    arm.rig.device.faults.junk = junk
    snapshot = live(arm)
    assert snapshot.mode is Mode.RUN
    assert snapshot.measured.bus['junk_bytes'] >= 249 * 7 * len(junk)
    assert snapshot.measured.bus['malformed_frames'] == 0
    assert_still(arm)


@pytest.mark.parametrize('lost', [1, 7, 8, 9, 15])
def test_answers_that_are_cut_off_are_no_answers(arm, lost):
    before = arm.snapshot.measured.q
    arm.rig.device.faults.lost = lost
    snapshot = live(arm)
    assert snapshot.mode is Mode.FAULT
    assert 'no answer for' in snapshot.reason
    np.testing.assert_allclose(snapshot.measured.q, before, atol=1e-3)
    assert_sinking_slowly(arm)


def test_a_reply_to_an_older_request_is_one_tick_old_and_no_more(arm):
    arm.rig.device.faults.late = (0x12, 0x17)
    snapshot = live(arm)
    assert snapshot.mode is Mode.RUN
    np.testing.assert_allclose(snapshot.measured.age, arm.spec.dt, atol=1e-9)
    assert_still(arm)


def test_a_register_reply_nobody_waits_for_is_dropped(arm):
    arm.rig.device.say(0x14, bytes.fromhex('0400331500004841'), arm.rig.now())
    snapshot = live(arm, 2)
    assert snapshot.mode is Mode.RUN
    assert snapshot.measured.bus['late_registers'] == 1
    assert_still(arm)


def test_a_motor_that_answers_the_request_before_is_never_misread():
    rig = Dk1Rig()
    rig.device.faults.late = (0x13,)
    rig.driver.connect(rig.now())
    memory = rig.motors.motor('joint3').memory
    found = rig.driver.identity[2]
    assert {rid: memory[rid] for rid in found if rid != Reg.TIMEOUT} == {
        rid: value for rid, value in found.items() if rid != Reg.TIMEOUT
    }
    assert memory[Reg.TIMEOUT] == 2000


def test_a_full_queue_to_the_adapter_drops_frames_and_is_counted(arm):
    write = arm.rig.port.write
    arm.rig.port.write = lambda data: write(data[:0])
    snapshot = live(arm, 30)
    assert snapshot.measured.bus['enobufs'] >= 7 * 25
    assert snapshot.mode is Mode.FAULT
    assert 'no answer for' in snapshot.reason
    assert_sinking_slowly(arm)


# Gripper


def test_a_gripper_without_a_stop_ends_its_homing_in_hold():
    arm = ControlledDk1(homed=False)
    arm.rig.stop = False
    arm.ask(Event.HOME)
    snapshot = arm.until(lambda: 'failed' in arm.snapshot.reason, 8.0)
    assert snapshot.mode is Mode.HOLD
    assert 'no stop within 5.5 rad' in snapshot.reason
    arm.mark()
    arm.ticks(SECOND)
    assert arm.mode is Mode.HOLD
    assert_still(arm)


def test_a_gripper_that_faults_while_homing():
    arm = ControlledDk1(homed=False)
    arm.ask(Event.HOME)
    arm.ticks(100)
    arm.rig.break_motor(FINGER)
    snapshot = arm.ticks(3)
    assert snapshot.mode is Mode.FAULT
    assert f'motor of {FINGER} reports overload' in snapshot.reason
    assert arm.rig.driver.homing.needed


def test_a_gripper_that_goes_silent_while_homing():
    arm = ControlledDk1(homed=False)
    arm.ask(Event.HOME)
    arm.ticks(100)
    arm.rig.silence(FINGER)
    snapshot = arm.ticks(50)
    assert snapshot.mode is Mode.FAULT
    assert f'no answer for {FINGER}' in snapshot.reason
    assert not arm.rig.driver.homing.running


def test_a_gripper_that_loses_power_is_not_trusted_after_the_reset(arm):
    arm.rig.motors.motor(FINGER).power_cycle()
    assert live(arm, 3).mode is Mode.FAULT
    snapshot = arm.ask(Event.RESET)
    assert snapshot.mode is Mode.HOLD
    assert arm.rig.driver.homing.needed
    there = arm.rig.pose[6]
    arm.following(np.array([*arm.rig.pose[:6], 0.0]))
    live(arm)
    assert arm.rig.pose[6] == pytest.approx(there, abs=1e-3)


# Closing


def test_closing_with_the_cable_pulled_does_not_hang(arm, caplog):
    arm.rig.device.unplug()
    start = arm.rig.now()
    arm.controller.shutdown(start)
    assert arm.rig.now() - start < 1.5
    assert 'cut the power' in caplog.text
    with pytest.raises(BusError):
        arm.rig.bus.send(1, bytes(8))
