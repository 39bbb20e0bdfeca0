# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
What every robot driver must do, for every robot of config/robots.

As the ideal mirror, and as the real driver on its bus in memory with the emulated electronics of
the robot. A robot of a known kind joins by itself, a new kind with one line in EMULATED.
"""

from dk1_rig import Dk1Rig
from g1_board import G1BoardRig
import numpy as np
from pair_rigs import PairRig
import pytest
from rigs import MockRig, OpenArmRig

from vla_control.core.config import available
from vla_control.core.errors import BusError, CodecError, RobotError
from vla_control.core.messages import MotorStatus
from vla_control.core.spec import JointKind, load_robot

ROBOTS = sorted(available('robots'))
EMULATED = {
    'openarm': OpenArmRig,
    'dk1': Dk1Rig,
    'pair': lambda spec: PairRig(spec.name),
    'g1': G1BoardRig,
}
SECOND = 1  # a joint that is not the first, for faults


def make_rig(robot, kind):
    spec = load_robot(robot)
    return MockRig(spec) if kind == 'mock' else EMULATED[spec.driver](spec)


@pytest.fixture(
    params=[(robot, kind) for kind in ('mock', 'sim') for robot in ROBOTS], ids='-'.join
)
def rig(request):
    return make_rig(*request.param)


@pytest.fixture(params=ROBOTS)
def wired(request):
    """A robot whose commands can be looked at."""
    return make_rig(request.param, 'sim')


def periods(rig, seconds):
    """Return the control periods in a time, rounded up."""
    return int(np.ceil(seconds / rig.spec.dt - 1e-9))


def take_over(rig):
    """Let commands come to count in full, and forget them."""
    for _ in range(periods(rig, rig.takes)):
        rig.tick(rig.command())
    rig.commands()


def test_connecting_twice_is_refused_and_closing_twice_is_fine(rig):
    rig.driver.connect(rig.now())
    with pytest.raises(RobotError, match='connected already'):
        rig.driver.connect(rig.now())
    rig.driver.close(rig.now())
    rig.driver.close(rig.now())
    rig.driver.connect(rig.now())


def test_closing_before_connecting_is_fine(rig):
    rig.driver.close(rig.now())


def test_reading_before_connecting_is_refused(rig):
    with pytest.raises(RobotError, match='connect'):
        rig.driver.read(rig.now())


def test_enabling_reports_the_measured_pose_fresh_and_enabled(rig):
    state = rig.started()
    np.testing.assert_allclose(state.q, rig.pose, atol=2e-4)
    np.testing.assert_allclose(state.v, 0.0, atol=0.02)
    assert (state.age <= rig.spec.safety.feedback_stop).all()
    assert state.status == (MotorStatus.ENABLED,) * len(rig.spec.joints)
    assert np.isfinite(state.temperature).all()
    assert not state.q.flags.writeable


def test_connecting_alone_enables_nothing(rig):
    rig.driver.connect(rig.now())
    assert MotorStatus.ENABLED not in rig.driver.read(rig.now()).status


def test_writing_before_enabling_is_refused_and_sends_nothing(rig):
    rig.driver.connect(rig.now())
    before = rig.sent_count()
    with pytest.raises(RobotError, match='enable'):
        rig.driver.write(rig.command(), rig.now())
    assert rig.sent_count() == before


def test_the_safe_action_before_enabling_does_nothing(rig):
    rig.driver.connect(rig.now())
    before = rig.sent_count()
    rig.driver.safe_action(rig.now())
    assert rig.sent_count() == before


def test_the_first_frames_carry_no_gains_and_never_ask_for_another_pose(wired):
    wired.started()
    first = wired.commands()
    if not wired.greets:
        assert first == [], 'its first command is the first write'
        return
    assert {s.joint for s in first} == set(wired.spec.names)
    for sent in first:
        assert sent.kp == 0.0
        assert sent.kd == 0.0
        assert sent.mit or sent.tau == 0.0
        assert sent.q == pytest.approx(wired.encoder(sent.joint), abs=4e-4)


def test_a_joint_goes_where_it_is_told(rig):
    rig.started()
    rig.stand = False
    target = rig.pose
    target[SECOND] += 0.1
    for _ in range(400):
        state = rig.tick(rig.command(q=target))
    assert (np.abs(state.q - target) <= 0.01 + rig.sag).all()


@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize('field', ['q', 'v', 'a', 'gain'])
def test_a_command_that_is_not_finite_sends_nothing(rig, field, value):
    rig.started()
    values = np.zeros(len(rig.spec.joints))
    values[SECOND] = value
    before = rig.sent_count()
    with pytest.raises(CodecError, match=field if field == 'gain' else rig.spec.names[SECOND]):
        rig.driver.write(rig.command(**{field: value if field == 'gain' else values}), rig.now())
    assert rig.sent_count() == before


@pytest.mark.parametrize('field', ['q', 'v', 'a'])
@pytest.mark.parametrize('count', [0, -1, 1])
def test_a_command_for_another_number_of_joints_is_refused(rig, field, count):
    rig.started()
    wrong = np.zeros(len(rig.spec.joints) + count if count else 0)
    before = rig.sent_count()
    with pytest.raises(CodecError, match='shape'):
        rig.driver.write(rig.command(**{field: wrong}), rig.now())
    assert rig.sent_count() == before


def test_a_silent_joint_grows_old_alone_and_keeps_its_last_position(rig):
    rig.started()
    before = rig.tick(rig.command())
    rig.silence(rig.spec.names[SECOND])
    start = rig.now()
    for _ in range(periods(rig, rig.spec.safety.feedback_fault) + 20):
        state = rig.tick(rig.command())
    passed = rig.now() - start
    mates = rig.mates(rig.spec.names[SECOND])
    assert state.age[SECOND] == pytest.approx(passed, abs=2.5 * rig.spec.dt)
    assert (np.delete(state.age, mates) <= 2 * rig.spec.dt).all()
    assert state.q[SECOND] == before.q[SECOND]
    assert state.status[SECOND] is MotorStatus.SILENT
    assert 0 in mates or state.status[0] is MotorStatus.ENABLED


def test_a_silent_joint_is_named_when_enabling(rig):
    joint = rig.spec.names[SECOND]
    rig.driver.connect(rig.now())
    rig.silence(joint)
    rig.sleep_until(rig.now() + 0.01)
    with pytest.raises(RobotError, match=joint):
        rig.driver.enable(rig.now())
    assert MotorStatus.ENABLED not in rig.driver.read(rig.now()).status


def test_a_joint_beyond_its_stops_is_named_when_enabling(rig):
    joint = rig.spec.joints[SECOND]
    rig.place(joint.name, joint.upper + 0.2)
    rig.driver.connect(rig.now())
    with pytest.raises(RobotError, match=f'{joint.name} reads'):
        rig.driver.enable(rig.now())
    assert MotorStatus.ENABLED not in rig.driver.read(rig.now()).status


def test_a_fault_shows_within_two_ticks_and_the_safe_action_leaves_it_alone(rig):
    rig.started()
    rig.tick(rig.command())
    rig.break_motor(rig.spec.names[SECOND])
    rig.tick(rig.command())
    state = rig.tick(rig.command())
    assert state.status[SECOND] is rig.fault_status
    assert not state.status[SECOND].healthy
    for _ in range(20):
        state = rig.tick()
    assert state.status[SECOND] is rig.fault_status
    assert state.status[0] is MotorStatus.ENABLED


def test_clearing_faults_enables_again_and_moves_nothing(rig):
    rig.started()
    rig.tick(rig.command())
    rig.break_motor(rig.spec.names[SECOND])
    for _ in range(10):
        rig.tick()
    before = rig.pose
    rig.mend(rig.spec.names[SECOND])
    rig.driver.clear_faults(rig.now())
    state = rig.tick()
    assert state.status == (MotorStatus.ENABLED,) * len(rig.spec.joints)
    np.testing.assert_allclose(rig.pose, before, atol=1e-3)


def test_the_safe_action_stands_still_and_its_stiffness_goes(wired):
    """At once where motors are damped; where the robot has a controller of its own, by and by."""
    wired.started()
    take_over(wired)
    wired.tick(wired.command())
    wired.commands()
    arms = {j.name for j in wired.spec.joints if j.kind is JointKind.ARM}
    for _ in range(periods(wired, wired.gives) + 2):
        wired.tick()
        sent = [s for s in wired.commands() if s.mit and s.joint in arms]
        assert {s.joint for s in sent} == arms
        for s in sent:
            assert s.v == pytest.approx(0.0, abs=0.012)
            assert s.kp == 0.0 or wired.gives
            assert s.kd > 0.0 or (wired.gives and s.kp == 0.0)
    assert all(s.kp == 0.0 for s in sent)


def test_no_frame_exceeds_the_gains_and_efforts_of_the_spec(wired):
    wired.started()
    take_over(wired)
    wild = np.full(len(wired.spec.joints), 1e6)
    for a in (wild, -wild):
        wired.sleep_until(wired.now() + wired.pace)
        wired.driver.write(wired.command(a=a, gain=50.0), wired.now())
    sent = wired.commands()
    assert len(sent) == 2 * len(wired.spec.joints)
    for frame in sent:
        joint = wired.spec.joints[wired.spec.names.index(frame.joint)]
        if frame.mit:
            assert frame.kp <= joint.kp + 0.07
            assert frame.kd <= joint.kd + 0.0007
            assert abs(frame.tau) <= joint.effort + 0.014


def test_a_dead_bus_ages_every_joint_and_only_writing_raises(rig):
    rig.started()
    rig.tick(rig.command())
    rig.cut_bus()
    ticks = periods(rig, rig.spec.safety.feedback_fault) + 2
    for _ in range(ticks):
        rig.sleep_until(rig.now() + rig.spec.dt)
        state = rig.driver.read(rig.now())
        rig.driver.safe_action(rig.now())
        with pytest.raises(BusError):
            rig.driver.write(rig.command(), rig.now())
    assert (state.age >= (ticks - 1) * rig.spec.dt - 1e-9).all()
    assert state.status == (MotorStatus.SILENT,) * len(rig.spec.joints)
    rig.driver.close(rig.now())
    rig.driver.close(rig.now())


def test_closing_ends_with_every_motor_off(rig):
    rig.started()
    rig.tick(rig.command())
    rig.driver.close(rig.now())
    with pytest.raises(RobotError):
        rig.driver.write(rig.command(), rig.now())
    rig.driver.connect(rig.now())
    assert MotorStatus.ENABLED not in rig.driver.read(rig.now()).status


def test_counters_are_reported(rig):
    rig.started()
    before = rig.tick(rig.command()).bus['sent']
    state = rig.tick(rig.command())
    assert state.bus['sent'] - before >= rig.per_tick
    assert all(isinstance(value, int) for value in state.bus.values())
