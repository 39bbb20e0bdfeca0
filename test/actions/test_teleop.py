# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""A follower is brought to its leader before it follows, and no leader makes it jump."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest

from vla_control.actions.blend import BlendConfig, BlendMethod
from vla_control.actions.executor import ChunkExecutor
from vla_control.actions.teleop import Coupling, CouplingConfig, HORIZON, LeaderPose, Phase
from vla_control.core.errors import ConfigError, VlaControlError
from vla_control.core.messages import frozen_floats
from vla_control.core.spec import load_robot
from vla_control.safety.checker import worst_ratios

SPEC = load_robot('dk1')
HOME = frozen_floats(SPEC.home)
CONFIG = CouplingConfig(
    speed=0.4, calm=0.3, settle=0.5, wild=1.0, lag=0.5, silence=0.1, behind=0.12
)
PERIOD = 0.02  # [s]
AWAY = frozen_floats(HOME + np.array([0.3, -0.2, 0.4, 0.2, -0.3, 0.5, -0.02]))


class Pair:
    """A follower at home, its leader where the test puts it, and a clock."""

    def __init__(self, leader=AWAY):
        self.coupling = Coupling(SPEC, CONFIG)
        self.now = 10.0
        self.coupling.reset(self.now, HOME)
        self.leader = leader
        self.trail = [HOME]
        self.chunks = []

    def pose(self):
        return None if self.leader is None else LeaderPose(stamp=self.now, q=self.leader)

    def step(self, pose=None):
        self.now += PERIOD
        self.trail.append(self.coupling.step(self.now, self.pose() if pose is None else pose))
        self.chunks.append(self.coupling.chunk())
        return self.trail[-1]

    def run(self, seconds, motion=None):
        for k in range(round(seconds / PERIOD)):
            if motion is not None:
                self.leader = frozen_floats(motion((k + 1) * PERIOD))
            self.step()
        return self.trail[-1]

    def couple(self):
        self.run(5.0)
        assert self.coupling.phase is Phase.COUPLED
        return self

    @property
    def speeds(self):
        return np.abs(np.diff(self.trail, axis=0)) / PERIOD


@pytest.fixture
def pair():
    return Pair()


def test_the_follower_comes_to_a_leader_that_is_held_still_and_then_follows_exactly(pair):
    np.testing.assert_array_equal(pair.run(CONFIG.settle - PERIOD), HOME)
    pair.run(5.0)
    assert pair.coupling.phase is Phase.COUPLED
    assert pair.coupling.reason == ''
    np.testing.assert_allclose(pair.trail[-1], AWAY, atol=1e-12)
    assert pair.speeds[:, :6].max() <= CONFIG.speed * 1.001
    near = frozen_floats(AWAY + 0.01)
    pair.leader = near
    pair.run(0.2)
    np.testing.assert_allclose(pair.trail[-1][:6], near[:6], atol=1e-12)


def test_the_ramp_begins_and_ends_at_rest_and_meets_a_leader_that_goes_on_slowly(pair):
    def drift(t):
        return AWAY + 0.1 * np.sin(t) * ~SPEC.gripper

    pair.run(5.0, drift)
    assert pair.coupling.phase is Phase.COUPLED
    np.testing.assert_allclose(pair.trail[-1], drift(5.0), atol=1e-9)
    accelerations = np.diff(pair.trail, n=2, axis=0)[:, :6] / PERIOD**2
    assert np.abs(accelerations).max() < 2.0


def test_a_leader_that_moves_is_not_approached(pair):
    pair.run(3.0, lambda t: AWAY + 0.2 * np.sin(4.0 * t))
    assert pair.coupling.phase is Phase.HOLD
    assert 'hold the leader still' in pair.coupling.reason
    np.testing.assert_array_equal(pair.trail[-1], HOME)


def test_a_leader_that_moves_wildly_while_it_is_approached_ends_the_approach_softly(pair):
    pair.run(CONFIG.settle + 0.5)
    assert pair.coupling.phase is Phase.ALIGN
    pair.run(0.4, lambda t: AWAY + 0.4 * np.sin(8.0 * t) * ~SPEC.gripper)
    assert pair.coupling.phase is Phase.HOLD
    pair.run(0.4, lambda t: AWAY + 0.4 * np.sin(8.0 * t) * ~SPEC.gripper)
    rest = pair.trail[-1]
    assert pair.speeds[:, :6].max() <= CONFIG.wild
    np.testing.assert_array_equal(pair.step(), rest)
    pair.leader = AWAY
    pair.couple()


@pytest.mark.parametrize('phase', [Phase.ALIGN, Phase.COUPLED])
def test_a_silent_leader_pauses_the_follower_which_comes_again_by_the_ramp(pair, phase):
    pair.run(1.0 if phase is Phase.ALIGN else 5.0)
    assert pair.coupling.phase is phase
    pair.leader = None
    pair.run(1.0)
    rest = pair.trail[-1]
    assert pair.coupling.phase is Phase.HOLD
    assert 'silent' in pair.coupling.reason
    pair.leader = frozen_floats(HOME)
    np.testing.assert_array_equal(pair.step(), rest)
    begin = len(pair.trail)
    pair.couple()
    assert pair.speeds[begin:, :6].max() <= CONFIG.speed * 1.001


def test_one_old_reading_is_followed_for_as_long_as_it_may_stand_in(pair):
    pair.couple()
    last = LeaderPose(stamp=pair.now, q=AWAY)
    for _ in range(round(CONFIG.silence / PERIOD) - 1):
        pair.step(last)
        assert pair.coupling.phase is Phase.COUPLED
    pair.step(last)
    pair.step(last)
    assert pair.coupling.phase is Phase.HOLD
    assert 'silent for 0.1' in pair.coupling.reason


def test_a_pause_in_full_motion_brakes_within_the_limits(pair):
    pair.couple()

    def go(t):
        return AWAY + min(t, 0.1) * 5.0 * t * np.array([-1, 1, -1, -1, 1, -1, 0])

    pair.run(0.6, go)
    begin = len(pair.trail) - 2
    assert pair.speeds[-1, 0] > 0.4
    pair.leader = None
    pair.run(1.0)
    pushes = np.abs(np.diff(pair.trail[begin:], n=2, axis=0) / PERIOD**2).max(axis=0)
    assert (pushes[:6] <= SPEC.acceleration[:6]).all()
    np.testing.assert_array_equal(pair.trail[-1], pair.trail[-2])


@pytest.mark.parametrize('bad', [np.nan, np.inf, 1e9, -4.0])
def test_nonsense_is_refused_and_the_follower_stays(pair, bad):
    pair.couple()
    q = AWAY.copy()
    q[2] = bad
    before = pair.trail[-1]
    pair.leader = q
    np.testing.assert_allclose(pair.run(0.5), before, atol=1e-12)
    assert pair.coupling.phase is Phase.HOLD
    assert 'leader' in pair.coupling.reason


def test_a_pose_of_another_robot_is_refused(pair):
    pair.leader = frozen_floats(np.zeros(6))
    pair.run(2.0)
    assert 'no pose' in pair.coupling.reason


def test_a_leader_a_little_outside_the_limits_is_followed_to_the_limits():
    beyond = AWAY.copy()
    beyond[1] = SPEC.lower[1] - 0.1
    beyond[6] = 1.2 * SPEC.upper[6]
    pair = Pair(frozen_floats(beyond))
    pair.run(8.0)
    assert pair.coupling.phase is Phase.COUPLED
    assert pair.trail[-1][1] == SPEC.lower[1]
    assert pair.trail[-1][6] == SPEC.upper[6]


def test_a_leader_far_ahead_is_lost(pair):
    pair.couple()
    pair.leader = frozen_floats(AWAY - np.array([0.9, 0, 0, 0, 0, 0, 0]))
    pair.step()
    assert pair.coupling.phase is Phase.HOLD
    assert 'joint1 of the leader is 0.90 rad ahead' in pair.coupling.reason
    pair.couple()


def test_a_driver_that_stopped_and_resumes_begins_anew(pair):
    pair.couple()
    pair.coupling.reset(pair.now, HOME)
    assert pair.coupling.phase is Phase.HOLD
    np.testing.assert_array_equal(pair.step(), HOME)
    np.testing.assert_array_equal(pair.chunks[-1].positions, np.tile(HOME, (HORIZON, 1)))


def test_a_step_that_comes_late_moves_no_further_than_one_in_time(pair):
    pair.run(1.5)
    pair.now += 3.0
    before = pair.trail[-1]
    after = pair.step()
    assert np.abs(after - before)[:6].max() <= 2.0 * PERIOD * CONFIG.wild
    assert pair.coupling.step(pair.now - 1.0, pair.pose()) is after, 'time does not go back'


moves = st.lists(
    st.one_of(
        st.none(),
        st.tuples(*(st.floats(-1.0, 1.0) for _ in SPEC.names)).map(
            lambda u: frozen_floats(HOME + np.array(u) * [1, 1, 1, 1, 1, 1, 0.04])
        ),
        st.tuples(*(st.floats(allow_nan=True, allow_infinity=True) for _ in SPEC.names)).map(
            frozen_floats
        ),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=20, deadline=None)
@given(leaders=moves, times=st.lists(st.floats(0.02, 2.0), min_size=6, max_size=6))
def test_no_leader_makes_it_jump(leaders, times):
    pair = Pair()
    for leader, seconds in zip(leaders, times, strict=False):
        pair.leader = leader
        pair.run(seconds)
    assert (pair.speeds <= SPEC.velocity * (1.0 + 1e-9)).all()
    trail = np.array(pair.trail)
    assert (trail >= SPEC.lower).all() and (trail <= SPEC.upper).all()
    for before, after in zip(pair.chunks, pair.chunks[2:], strict=False):
        np.testing.assert_allclose(after.positions[:-1], before.positions[1:], atol=1e-9)


def test_the_executor_follows_a_hand_within_the_limits_and_a_little_behind():
    pair = Pair()
    executor = ChunkExecutor(SPEC, BlendConfig(method=BlendMethod.REPLACE))
    executor.align(pair.now, HOME)

    def hand(t):
        grown = min(max(t - 4.0, 0.0), 1.0)
        return AWAY + 0.15 * grown * np.sin(2.0 * np.pi * (t - 4.0)) * ~SPEC.gripper

    times, sent, start = [], [], pair.now
    for k in range(round(8.0 / SPEC.dt)):
        if k % 5 == 0:
            pair.leader = frozen_floats(hand(pair.now + PERIOD - start))
            pair.step()
            verdict = executor.offer(pair.chunks[-1], pair.now)
            assert verdict.accepted, verdict.reason
            assert verdict.note == ''
        now = start + PERIOD + k * SPEC.dt
        times.append(now)
        sent.append(executor.tick(now).q)
    times, sent = np.array(times), np.array(sent)
    worst = worst_ratios(times, sent, SPEC)
    assert worst.velocity <= 1.0 and worst.acceleration <= 1.0
    late = times - start > 6.0
    behind = np.array([hand(t - start - CONFIG.behind) for t in times[late]])
    assert np.abs(sent[late] - behind)[:, :6].max() < 0.01


def test_before_it_knows_where_the_follower_is_nothing_is_asked_for():
    coupling = Coupling(SPEC, CONFIG)
    with pytest.raises(VlaControlError, match='reset'):
        coupling.step(0.0, None)
    with pytest.raises(VlaControlError, match='reset'):
        coupling.chunk()
    with pytest.raises(VlaControlError, match='cannot couple at'):
        coupling.reset(0.0, np.full(7, np.nan))


def test_a_number_that_makes_no_sense_is_named():
    with pytest.raises(ConfigError, match=r'coupling.speed is 0.0'):
        replace(CONFIG, speed=0.0)
