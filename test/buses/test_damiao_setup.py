# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The motor sections of a RobotSpec are checked before anything is sent."""

from dataclasses import replace

import pytest

from vla_control.buses.damiao import bus_ranges, MitRanges, motor_setups
from vla_control.core.errors import ConfigError
from vla_control.core.spec import load_robot

SPEC = load_robot('openarm')


def changed(index, **section):
    """The robot with one motor section changed; None removes a key."""
    motor = {k: v for k, v in (SPEC.joints[index].motor | section).items() if v is not None}
    joints = list(SPEC.joints)
    joints[index] = replace(joints[index], motor=motor)
    return replace(SPEC, joints=tuple(joints))


def test_openarm_has_eight_motors_with_their_own_ids():
    setups = motor_setups(SPEC)
    assert [s.tx for s in setups] == list(range(0x01, 0x09))
    assert [s.rx for s in setups] == list(range(0x11, 0x19))
    assert [s.model for s in setups] == ['DM8009'] * 2 + ['DM4340'] * 2 + ['DM4310'] * 4
    assert [s.mode for s in setups] == ['mit'] * 7 + ['pos_force']


def test_only_the_slow_model_has_a_velocity_range_of_ten():
    ranges = bus_ranges(SPEC.bus, 'openarm: bus')
    assert ranges['DM4340'] == MitRanges(12.5, 10.0, 28.0)
    assert [m for m, r in ranges.items() if r.velocity == 10.0] == ['DM4340']


@pytest.mark.parametrize(
    ('index', 'section', 'message'),
    [
        (0, {'model': 'DM9999'}, 'joint1.*DM9999.*DM4310'),
        (0, {'mode': 'torque'}, "'torque' is not one of"),
        (0, {'tx': 0x100}, 'tx: 0x100'),
        (0, {'rx': 0}, 'rx: 0x0'),
        (0, {'tx': 0x02}, 'used twice.*0x2'),
        (0, {'rad_per_metre': -23.8}, 'only for joints of kind gripper'),
        (0, {'gear': 9}, "unknown key 'gear'"),
        (7, {'rad_per_metre': None}, 'rad_per_metre is missing'),
        (7, {'force': None}, 'force > 0'),
        (7, {'mode': 'pos_vel', 'speed': None}, 'speed > 0'),
    ],
)
def test_a_wrong_section_names_its_joint_and_what_is_right(index, section, message):
    with pytest.raises(ConfigError, match=message):
        motor_setups(changed(index, **section))


def test_a_bus_without_ranges_is_refused():
    with pytest.raises(ConfigError, match='ranges is missing'):
        bus_ranges({}, 'robot: bus')
