# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""What every robot driver must do; a new robot joins with one line in RIGS."""

from functools import partial

from dk1_rig import Dk1Rig
from g1_rig import G1Rig
import numpy as np
from pair_rigs import PairRig
import pytest
from rigs import MockRig, OpenArmRig

from vla_control.core.errors import BusError, CodecError, RobotError
from vla_control.core.messages import MotorStatus

HARNESS = {'low_level': {'harness': True, 'damping': 1.5, 'damping_time': 0.1}}
RIGS = {
    'mock': MockRig,
    'mock_dk1': partial(MockRig, 'dk1'),
    'openarm': OpenArmRig,
    'dk1': Dk1Rig,
    'openarm_bimanual': PairRig,
    'dk1_bimanual': partial(PairRig, 'dk1_bimanual'),
    'g1': G1Rig,
    'g1_lowlevel': partial(G1Rig, 'g1_lowlevel', **HARNESS),
}
SECOND = 1  # a joint that is not the first, for faults


@pytest.fixture(params=RIGS)
def rig(request):
    return RIGS[request.param]()


@pytest.fixture(params=[name for name in RIGS if not name.startswith(('mock', 'g1'))])
def wired(request):
    return RIGS[request.param]()


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
    assert {s.joint for s in first} == set(wired.spec.names)
    for sent in first:
        assert sent.kp == 0.0
        assert sent.kd == 0.0
        assert sent.mit or sent.tau == 0.0
        motor = wired.motors.motor(sent.joint)
        assert sent.q == pytest.approx(motor._q, abs=4e-4)


def test_a_joint_goes_where_it_is_told(rig):
    rig.started()
    rig.stand = False
    target = rig.pose
    target[SECOND] += 0.1
    for _ in range(400):
        state = rig.tick(rig.command(q=target))
    np.testing.assert_allclose(state.q, target, atol=0.01)


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
    for _ in range(50):
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


def test_the_safe_action_damps_without_stiffness(wired):
    wired.started()
    wired.tick(wired.command())
    wired.commands()
    wired.tick()
    damping = [s for s in wired.commands() if s.mit]
    assert len(damping) == sum(s.kind.value == 'arm' for s in wired.spec.joints)
    for sent in damping:
        assert sent.kp == 0.0
        assert sent.kd > 0.0
        assert sent.v == pytest.approx(0.0, abs=0.012)


def test_no_frame_exceeds_the_gains_and_efforts_of_the_spec(wired):
    wired.started()
    wired.commands()
    wild = np.full(len(wired.spec.joints), 1e6)
    wired.driver.write(wired.command(a=wild, gain=50.0), wired.now())
    wired.driver.write(wired.command(a=-wild, gain=50.0), wired.now())
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
    for _ in range(40):
        rig.sleep_until(rig.now() + rig.spec.dt)
        state = rig.driver.read(rig.now())
        rig.driver.safe_action(rig.now())
        with pytest.raises(BusError):
            rig.driver.write(rig.command(), rig.now())
    assert (state.age >= 39 * rig.spec.dt - 1e-9).all()
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
