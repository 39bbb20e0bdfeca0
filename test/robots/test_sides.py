# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Which arm is behind which bus is said, and found out by moving one of them by hand."""

from dataclasses import replace

import numpy as np
from pair_rigs import PairRig
import pytest

from vla_control.core.config import find_config
from vla_control.core.errors import BusError, ConfigError, RobotError
from vla_control.core.spec import load_robot
from vla_control.robots.factory import make_bus, make_driver
from vla_control.robots.sides import bus_paths, judge, MOVED, STILL, watch_sides

PATHS = {'left': '/dev/one', 'right': '/dev/other'}
REFRESH = 0xCC
pairs = pytest.mark.parametrize('robot', ['dk1_bimanual', 'openarm_bimanual'])


def log(*last, looks=10):
    """Return looks at joints that go from zero to their last positions."""
    return [np.array(last) * k / (looks - 1) for k in range(looks)]


def test_the_arm_that_was_asked_for_moved_and_its_path_is_right():
    found = judge('left', {'left': log(0.0, -0.4, 0.1), 'right': log(0.01, 0, 0)}, PATHS)
    assert (found.moved, found.matches) == ('left', True)
    assert found.travel == pytest.approx({'left': 0.4, 'right': 0.01})
    assert str(found) == 'the left arm is behind /dev/one: it matches'


def test_the_other_arm_moved_so_the_paths_are_swapped():
    found = judge('left', {'left': log(0.01, 0, 0), 'right': log(0.0, 0.4, 0.1)}, PATHS)
    assert (found.moved, found.matches) == ('right', False)
    assert '/dev/other turned, which is configured as right: it does not match' in str(found)
    assert 'Swap the paths of left and right' in str(found)


@pytest.mark.parametrize(
    ('left', 'right'),
    [(0.0, 0.0), (MOVED - 0.01, 0.0), (0.5, 0.5), (0.5, STILL + 0.01), (STILL + 0.01, 0.5)],
)
def test_less_than_a_clear_move_of_one_arm_says_nothing(left, right):
    found = judge('left', {'left': log(left), 'right': log(right)}, PATHS)
    assert (found.moved, found.matches) == ('', False)
    assert f'left by {left:.2f} rad, right by {right:.2f} rad' in str(found)


def test_a_move_there_and_back_is_a_move():
    there = log(0.4)
    assert judge('right', {'left': log(0.0), 'right': there + there[::-1]}, PATHS).matches


def channels(robot, **paths):
    spec = load_robot(robot)
    parts = {
        side: replace(part, bus={**part.bus, 'channel': {'real': paths[side]}})
        for side, part in spec.parts.items()
    }
    return replace(spec, parts=parts)


def test_paths_are_those_of_the_configuration():
    assert bus_paths(load_robot('openarm_bimanual'), 'real') == {'left': 'can1', 'right': 'can0'}
    sim = bus_paths(load_robot('openarm_bimanual'), 'sim')
    assert sim == {'left': '239.74.163.2:43114', 'right': '239.74.163.2:43113'}
    assert bus_paths(load_robot('openarm_bimanual'), 'mock') == {}
    assert bus_paths(load_robot('dk1'), 'real') == {}


def test_two_sides_on_one_bus_are_refused_whatever_it_is_called(tmp_path):
    device, link = tmp_path / 'ttyACM0', tmp_path / 'by-path'
    device.touch()
    link.symlink_to(device)
    for robot, left, right in (
        ('openarm_bimanual', 'can0', 'can0'),
        ('dk1_bimanual', 'auto', 'auto'),
        ('dk1_bimanual', str(device), str(link)),
    ):
        with pytest.raises(ConfigError, match=r'left and right have the same bus.*channel\.real'):
            make_driver(channels(robot, left=left, right=right), 'real')
    make_driver(channels('openarm_bimanual', left='can3', right='can2'), 'real')


def test_a_robot_without_a_can_bus_is_refused_by_name():
    with pytest.raises(ConfigError, match=r"driver 'g1' has no CAN bus.*dk1.*openarm"):
        make_bus(load_robot('g1'), 'real')


class Hand:
    """The clock of a pair's rig, and somebody who turns a joint of one arm as time passes."""

    def __init__(self, rig, side, by=0.5):
        self.rig, self.by, self.turned = rig, by, None
        self.joint = next(n for n in rig.spec.names if n.endswith(f'{side}_joint1'))
        self.start = rig.pose[rig.spec.names.index(self.joint)]

    def begin(self):
        self.turned = 0.0

    def now(self):
        return self.rig.now()

    def sleep_until(self, deadline):
        if self.turned is not None and self.turned < self.by - 1e-9:
            self.turned += 0.02
            self.rig.place(self.joint, self.start + self.turned)
        self.rig.sleep_until(deadline)


def watch(rig, hand, seconds=10.0, swapped=False):
    buses = [arm.bus for arm in rig.sides.values()]
    order = reversed(buses) if swapped else buses
    return watch_sides(
        rig.spec, dict(zip(rig.sides, order, strict=True)), hand, seconds, hand.begin
    )


@pairs
@pytest.mark.parametrize('side', ['left', 'right'])
def test_an_arm_moved_by_hand_is_found_and_nothing_is_told_to_a_motor(robot, side):
    rig = PairRig(robot)
    logs = watch(rig, Hand(rig, side))
    found = judge(side, logs, PATHS)
    assert found.matches, str(found)
    assert found.travel[side] == pytest.approx(0.5, abs=1e-3)
    assert rig.now() < 105.0, 'it does not wait on once it knows'
    for arm in rig.sides.values():
        assert not any(motor.enabled for motor in arm.motors.motors)
        assert arm.bus.state.value == 'closed'
        frames = arm.frames() if hasattr(arm, 'frames') else arm.bus.sent
        assert {(f.arbitration_id, f.data[2]) for f in frames} == {(0x7FF, REFRESH)}


@pairs
def test_swapped_buses_are_found_out(robot):
    rig = PairRig(robot)
    found = judge('left', watch(rig, Hand(rig, 'left'), swapped=True), PATHS)
    assert (found.moved, found.matches) == ('right', False)


def test_nobody_moves_anything_until_the_time_is_over():
    rig = PairRig('dk1_bimanual')
    found = judge('left', watch(rig, Hand(rig, 'left', by=0.0), seconds=3.0), PATHS)
    assert found.moved == ''
    assert 103.0 <= rig.now() < 104.0


def test_an_arm_with_torque_is_not_to_be_moved_by_hand():
    rig = PairRig('dk1_bimanual')
    rig.started()
    rig.sides['left'].bus.close()
    rig.sides['right'].bus.close()
    with pytest.raises(RobotError, match='left: the motors have torque'):
        watch(rig, Hand(rig, 'left'))


def test_a_silent_motor_and_a_missing_bus_name_their_side():
    rig = PairRig('dk1_bimanual')
    rig.silence('right_joint3')
    with pytest.raises(RobotError, match='right: no answer from right_joint3'):
        watch(rig, Hand(rig, 'left'))
    assert rig.sides['left'].bus.state.value == 'closed'
    rig.sides['left'].device.unplug()
    with pytest.raises(BusError, match='left: '):
        watch(rig, Hand(rig, 'left'))


def test_a_pair_says_how_to_tell_its_sides():
    for robot in ('dk1_bimanual', 'openarm_bimanual'):
        text = find_config('robots', robot).read_text()
        assert f'vla-control check --robot {robot} --identify' in text
