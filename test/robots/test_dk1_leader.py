# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""A DK1's leader says where its follower is to be, or nothing."""

from dataclasses import replace
import math

from leader_rig import config, leader_at, PATIENT
import numpy as np
import pytest

from vla_control.buses.byte_ports import TtyPort
from vla_control.buses.dynamixel import BAUD, Item
from vla_control.core.errors import BusError, ConfigError
from vla_control.core.messages import frozen_floats
from vla_control.core.spec import load_robot
from vla_control.robots.dk1_leader import AGAIN, Leader, load_leader
from vla_control.sim.dynamixel_leader import LeaderFaults

SPEC = load_robot('dk1')
HOME = frozen_floats(SPEC.home)
SHIPPED = load_leader('dk1_leader')
COUNT = math.tau / 4096  # [rad]


@pytest.fixture
def device(tmp_path):
    with leader_at(tmp_path / 'leader') as device:
        device.move(SHIPPED.counts(HOME, SPEC))
        yield device


@pytest.fixture
def leader(tmp_path, device):
    leader = Leader(config(tmp_path / 'leader', PATIENT), SPEC, 'sim')
    leader.open()
    yield leader
    device.faults = LeaderFaults()
    leader.close()


def test_counts_are_the_vendors_angles_and_the_trigger_is_metres_of_travel():
    q = SHIPPED.positions((2342, 2048, 2048, 2048, 2048, 0, 2280), SPEC)
    assert abs(q[0] - 0.45099) < 1e-5, 'the value recorded from the vendor stack'
    assert (q[1], q[5]) == (0.0, -math.pi)
    assert q[6] == SPEC.upper[6], 'released is open'
    assert SHIPPED.positions((2048,) * 6 + (1670,), SPEC)[6] == 0.0


def test_a_pose_goes_to_counts_and_back():
    q = SHIPPED.positions(SHIPPED.counts(HOME, SPEC), SPEC)
    np.testing.assert_allclose(q[:6], HOME[:6], atol=COUNT / 2)
    assert abs(q[6] - HOME[6]) < 1e-4


def test_the_pose_is_read_with_its_time(leader):
    pose = leader.read(7.0)
    assert pose.stamp == 7.0
    np.testing.assert_allclose(pose.q[:6], HOME[:6], atol=COUNT / 2)


def test_opening_frees_the_joints_and_springs_the_trigger(leader, device):
    torque = [servo.get(Item.TORQUE_ENABLE) for servo in device.servos.values()]
    assert torque == [0, 0, 0, 0, 0, 0, 1]
    trigger = device.servos[7]
    assert trigger.get(Item.OPERATING_MODE) == 5
    assert trigger.get(Item.CURRENT_LIMIT) == SHIPPED.trigger.current
    assert trigger.get(Item.GOAL_POSITION) == SHIPPED.trigger.open
    leader.close()
    assert not trigger.get(Item.TORQUE_ENABLE)


def test_an_unplugged_leader_is_silent_and_found_again(leader, device):
    leader.read(0.0)
    device.unplug()
    assert leader.read(0.02) is None
    assert 'is gone' in leader.reason
    device.plug()
    assert leader.read(0.5) is None, 'not looked for yet'
    assert leader.read(0.03 + AGAIN).stamp == 0.03 + AGAIN
    assert leader.reason == ''
    assert device.servos[7].pulls, 'its trigger springs again'


def test_a_leader_with_a_motor_of_another_kind_is_refused(tmp_path, device):
    device.servos[2].table[0:2] = (1020).to_bytes(2, 'little')
    leader = Leader(config(tmp_path / 'leader'), SPEC, 'sim')
    with pytest.raises(BusError, match=r'motor 2 .* model 1020'):
        leader.open()


def test_what_is_no_leader_on_real_hardware_is_refused():
    given = replace(SHIPPED, port={'real': '/dev/null', 'sim': ''})
    with pytest.raises(BusError, match='/dev/null'):
        Leader(given, SPEC, 'real').open()


def test_a_port_may_be_given(tmp_path, device):
    port = TtyPort(str(tmp_path / 'leader'), BAUD)
    leader = Leader(config(tmp_path / 'elsewhere'), SPEC, 'sim', port)
    leader.open()
    assert leader.read(0.0) is not None
    leader.close()


def test_another_robot_is_not_its_follower():
    with pytest.raises(ConfigError, match='choose the robot dk1'):
        Leader(SHIPPED, load_robot('openarm'), 'sim')


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'joints': (SHIPPED.joints[0],) * 6}, r'motor ids \[1\]'),
        ({'port': {'real': 'auto'}}, 'give real and sim'),
        ({'timeout': 0.0}, 'timeout is 0.0 s'),
        ({'trigger': replace(SHIPPED.trigger, closed=2280)}, 'must differ'),
    ],
)
def test_a_configuration_that_cannot_be_is_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        replace(SHIPPED, **change)
