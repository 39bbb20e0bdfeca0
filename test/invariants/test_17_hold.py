# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Invariant 17: a hold latches its pose once; its target never drifts, and gains come up slowly.

At the gate, and in physics that pulls at the arm all the while: a minute on OpenArm, ten
seconds on every other robot.
"""

from benches import BusBench, in_physics
from motions import reference, Swing
import numpy as np
import pytest

from vla_control.robots.dynamics import RobotDynamics
from vla_control.safety.gate import Gate
from vla_control.safety.supervisor import Event, Mode


def test_the_target_of_a_hold_is_the_same_to_the_bit_for_a_minute(spec):
    swing = Swing(spec, 0.5)
    gate = Gate(spec)
    gate.reset(swing.at(0.0).q)
    for k in range(1, 333):
        gate.step(swing.at(k * spec.dt))
    while not gate.at_rest:
        gate.step(None)
    held = gate.state.q.copy()
    for _ in range(int(60.0 / spec.dt)):
        sent = gate.step(None)
    assert np.array_equal(sent.q, held)
    assert not sent.v.any() and not sent.a.any()


def test_standing_on_a_reference_and_then_on_the_stop_is_the_same_pose(spec):
    gate = Gate(spec)
    gate.reset(np.array(spec.home))
    asked = reference(np.array(spec.home))
    for k in range(100):
        assert np.array_equal(gate.step(asked if k % 3 else None).q, asked.q)


@pytest.fixture
def pulled(robot):
    bench = in_physics(robot)
    bench.activate()
    if not bench.fed:  # it gives way to its weight until its stiffness has come up
        bench.tick(round(1.5 * robot.safety.gain_ramp / robot.dt))
    yield bench
    bench.close()


def hold(bench, seconds):
    """Hold, in turns, and return the targets and the measured positions of every tick."""
    targets, measured = [], []
    for _ in range(round(seconds / bench.spec.dt)):
        targets.append(bench.tick(1)[0])
        measured.append(bench.q.copy())
    return np.array(targets), np.array(measured)


def judge(bench, targets, measured):
    """Assert no drift of the target, and a sag below what stiffness alone would give."""
    spec, arm = bench.spec, ~bench.spec.gripper
    assert bench.mode is Mode.HOLD, bench.reason
    assert (targets == targets[0]).all(), 'the target is the same to the bit'
    weight = np.abs(RobotDynamics.from_spec(spec).gravity(targets[0]))[arm]
    static = (weight / spec.kp[arm]).max()
    sag = np.abs(measured - targets)[:, arm].max()
    assert static > 0.005, 'gravity does pull at this pose'
    assert sag < static
    # Nor does it creep away: at the end it is no further off than a second after the start.
    second = round(1.0 / spec.dt)
    off = np.abs(measured - targets)[:, arm]
    assert (off[-second:].mean(axis=0) < off[second : 2 * second].mean(axis=0) + 5e-4).all()
    return sag / static


def test_gravity_does_not_walk_the_arm_down(pulled):
    long = pulled.spec.name == 'openarm'
    judge(pulled, *hold(pulled, 60.0 if long else 10.0))


def test_a_hold_after_motion_latches_once_too(robot):
    bench = in_physics(robot)
    swing = bench.run()
    # Until its gains are in force an arm stands short of its command, whatever gravity does.
    bench.tick(round(1.5 * robot.safety.gain_ramp / robot.dt), swing)
    bench.controller.request(Event.HOLD)
    while bench.mode is not Mode.HOLD:
        bench.tick(1, swing)
    judge(bench, *hold(bench, 5.0))
    bench.close()


def test_a_push_moves_the_arm_but_not_its_target(pulled):
    bench = pulled
    bench.tick(round(1.5 * bench.spec.safety.gain_ramp / bench.spec.dt))
    target, arm = bench.sent.copy(), ~bench.spec.gripper
    before = bench.q.copy()
    share = 0.2 if bench.spec.scene else 0.05  # of the effort; lumps are lighter than legs
    push = np.where(arm, share * bench.spec.effort, 0.0)
    torques = bench.device.torques
    bench.device.torques = lambda now: torques(now) + push
    bench.tick(100)
    moved = np.abs(bench.q - before)[arm].max()
    assert moved > 0.005, 'the push was felt'
    assert np.array_equal(bench.sent, target)
    bench.device.torques = torques
    bench.tick(500)
    assert bench.mode is Mode.HOLD, bench.reason
    assert np.array_equal(bench.sent, target)
    assert np.abs(bench.q - before)[arm].max() < 0.2 * moved


def test_stiffness_ramps_up_from_zero_within_the_time_of_the_spec(robot):
    bench = BusBench(robot)
    bench.controller.activate(bench.now)
    assert all(s.kp == 0.0 for s in bench.told() if s.impedance), 'no stiffness before it is held'
    ramp, shares, heard = robot.safety.gain_ramp, [], set()
    assert ramp >= 0.5
    for _ in range(round(1.2 * ramp / robot.dt)):
        bench.tick(1)
        told = [s for s in bench.told() if s.impedance]
        lsb = max(s.code.kp / s.joint.kp for s in told)
        share = [s.kp / s.joint.kp for s in told]
        assert max(share) - min(share) <= 2 * lsb, 'all joints alike'
        shares.append(min(share))
        heard |= {s.joint.name for s in told}
    assert heard == {j.name for j in robot.joints if j.kp > 0.0}
    shares = np.array(shares)
    assert shares[0] <= 2 * robot.dt / ramp + lsb
    assert np.diff(shares).max() <= 2 * robot.dt / ramp + lsb
    assert (np.diff(shares) >= -1e-12).all()
    assert shares[-1] == pytest.approx(1.0, abs=lsb)
