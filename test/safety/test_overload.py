# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Too much torque, too much speed and too much heat stop a robot; what is allowed does not."""

import dataclasses
import math

import motions
from motions import middle, reference
import numpy as np
import pytest

from vla_control.core.config import available
from vla_control.core.errors import ConfigError
from vla_control.core.spec import load_robot
from vla_control.robots.dynamics import RobotDynamics
from vla_control.safety.supervisor import Event
from vla_control.safety.watchdog import Watchdogs

ROBOTS = sorted(available('robots'))
ARM = load_robot('dk1')
SHOULDER = 1  # joint2, which carries the stretched arm


def only(spec, index, value):
    out = np.zeros(len(spec.joints))
    out[index] = value
    return out


class Watch:
    """Watchdogs of a robot that stands where it is told, and what they found last."""

    def __init__(self, spec):
        self.spec, self.dogs, self.now = spec, Watchdogs(spec), 0.0
        self.found = []

    def see(self, ticks=1, dt=None, **measured):
        for _ in range(ticks):
            self.now += dt or self.spec.dt
            state = motions.measured(self.spec, **measured)
            self.found = self.dogs.check(self.now, state, reference(middle(self.spec)))
        return self.found

    def until(self, event, most, **measured):
        """Return the time [s] after which an event is found; fails when it never is."""
        start = self.now
        while self.now - start < most:
            if event in [e for e, _ in self.see(dt=0.1, **measured)]:
                return self.now - start
        raise AssertionError(f'no {event} within {most} s')


@pytest.fixture(params=ROBOTS)
def watch(request):
    return Watch(load_robot(request.param))


def arm_joints(spec):
    return np.flatnonzero(~spec.gripper)


def test_what_a_joint_may_be_commanded_is_never_too_much(watch):
    spec = watch.spec
    at_limits = {'v': -spec.velocity, 'effort': -spec.effort}
    ticks = round(2.0 * spec.safety.effort_time / spec.dt)
    assert watch.see(ticks, **at_limits) == []


def test_an_effort_above_the_peak_is_a_fault_after_a_while_and_names_the_joint(watch):
    spec, safety = watch.spec, watch.spec.safety
    joint = arm_joints(spec)[-1]
    effort = only(spec, joint, -1.01 * safety.effort_peak * spec.effort[joint])
    ticks = round(safety.effort_time / spec.dt)
    assert watch.see(ticks, effort=effort) == []
    [(event, reason)] = watch.see(2, effort=effort)
    assert event is Event.FAULT
    assert f'above the peak effort for {safety.effort_time * 1e3:.0f} ms' in reason
    assert spec.names[joint] in reason and spec.names[0] not in reason


def test_the_time_above_the_peak_effort_begins_anew_after_every_tick_below_it(watch):
    spec, safety = watch.spec, watch.spec.safety
    effort = only(spec, 0, 1.01 * safety.effort_peak * spec.effort[0])
    ticks = round(safety.effort_time / spec.dt)
    for _ in range(3):
        assert watch.see(ticks, effort=effort) == []
        assert watch.see() == []


def test_a_joint_that_runs_away_is_a_fault_in_the_fifth_tick(watch):
    spec, safety = watch.spec, watch.spec.safety
    joint = arm_joints(spec)[2]
    v = only(spec, joint, 1.01 * safety.overspeed * spec.velocity[joint])
    assert watch.see(safety.overspeed_ticks - 1, v=v) == []
    assert watch.see() == [], 'a tick at rest ends the count'
    assert watch.see(safety.overspeed_ticks - 1, v=v) == []
    [(event, reason)] = watch.see(v=v)
    assert event is Event.FAULT
    assert f'too fast for {safety.overspeed_ticks} ticks: {spec.names[joint]}' in reason


def test_a_reset_forgets_efforts_and_speeds():
    watch, safety = Watch(ARM), ARM.safety
    v = only(ARM, 0, np.inf)
    effort = only(ARM, 0, np.inf)
    watch.see(safety.overspeed_ticks - 1, v=v, effort=effort)
    watch.dogs.reset(watch.now)
    assert watch.see(v=v, effort=effort) == []


@pytest.mark.parametrize('what', ['v', 'effort'])
def test_a_measurement_that_is_no_number_is_too_much(watch, what):
    spec, safety = watch.spec, watch.spec.safety
    ticks = max(round(safety.effort_time / spec.dt) + 2, safety.overspeed_ticks)
    found = watch.see(ticks, **{what: only(spec, 0, np.nan)})
    assert Event.FAULT in [e for e, _ in found]
    assert spec.names[0] in ' '.join(reason for _, reason in found)


def test_a_gripper_that_squeezes_or_snaps_shut_is_its_motors_business(watch):
    spec = watch.spec
    hand = np.where(spec.gripper, 1e3, 0.0)
    for value in (hand, np.where(spec.gripper, np.nan, 0.0)):
        assert watch.see(200, v=value, effort=value) == []


def test_the_rated_effort_is_borne_for_ever():
    watch = Watch(ARM)
    watch.see(1080, dt=10.0, effort=np.where(ARM.gripper, 0.0, ARM.rated))
    assert [e for e, _ in watch.found] == [Event.WARNING], 'warm, and no more'


def test_the_stretched_arm_is_carried_for_minutes_warned_of_and_then_stopped():
    q = np.array([0.0, np.pi - 0.15, np.pi - 0.15, 0.0, 0.0, 0.0, 0.0])
    gravity = RobotDynamics.from_spec(ARM).gravity(q)
    assert ARM.rated[SHOULDER] < abs(gravity[SHOULDER]) < 12.7
    watch = Watch(ARM)
    assert watch.until(Event.WARNING, 300.0, effort=gravity) > 110.0
    assert 'joint2 (80% of the heat of its rated 9 N·m)' in watch.found[0][1]
    watch.until(Event.FAULT, 100.0, effort=gravity)
    assert watch.now > 150.0
    assert 'joint2' in watch.found[0][1] and 'joint3' not in watch.found[0][1]


def test_a_warm_openarm_bears_its_rated_payload_for_its_rated_minute():
    spec = load_robot('openarm')
    watch = Watch(spec)
    watch.see(3600, dt=1.0, effort=only(spec, 0, 10.8))  # its own weight, stretched, for an hour
    assert watch.until(Event.FAULT, 120.0, effort=only(spec, 0, 35.6)) > 60.0


def test_no_rated_torque_no_heat():
    spec = load_robot('g1')
    watch = Watch(spec)
    assert watch.see(2000, dt=1.0, effort=np.where(spec.gripper, 0.0, spec.effort)) == []


def test_heat_outlives_a_reset_which_waits_until_the_motor_has_cooled():
    watch, load = Watch(ARM), only(ARM, 0, ARM.effort[0])
    watch.until(Event.FAULT, 60.0, effort=load)
    watch.dogs.reset(watch.now)
    still = motions.measured(ARM)
    assert 'joint1' in watch.dogs.unhealthy(still)
    cooled = ARM.safety.thermal_time * math.log(1.0 / ARM.safety.thermal_warning)
    watch.dogs.note(watch.now + 0.9 * cooled, still)
    assert 'limit 80%' in watch.dogs.unhealthy(still), 'it would stop again at once'
    watch.dogs.note(watch.now + 1.1 * cooled, still)
    assert watch.dogs.unhealthy(still) == ''


def test_two_looks_at_one_instant_heat_once():
    watch, load = Watch(ARM), only(ARM, 0, ARM.effort[0])
    watch.see(effort=load)
    for _ in range(1000):
        watch.dogs.note(watch.now, motions.measured(ARM, effort=load))
    assert watch.dogs.unhealthy(motions.measured(ARM)) == ''


def test_one_torque_that_is_no_number_leaves_the_count_of_heat_intact():
    watch = Watch(ARM)
    for wrong in (np.nan, np.inf):
        watch.see(effort=only(ARM, 0, wrong))
        assert watch.see() == []
    assert Event.FAULT in [e for e, _ in watch.see(100, dt=1.0, effort=only(ARM, 0, np.nan))]
    watch.see(dt=600.0)
    assert watch.see() == [], 'and it cools again'


@pytest.mark.parametrize('value', [0.0, -9.0, math.nan])
def test_a_rated_effort_that_is_none_is_refused(value):
    joints = (dataclasses.replace(ARM.joints[0], rated=value), *ARM.joints[1:])
    with pytest.raises(ConfigError, match=r'joint1\.rated is'):
        dataclasses.replace(ARM, joints=joints)
