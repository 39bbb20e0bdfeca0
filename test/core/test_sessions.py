# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Graphs on one machine have emulated buses of their own, and share none by accident."""

from itertools import combinations

import pytest

from vla_control.core.config import available
from vla_control.core.sessions import in_session, session_name
from vla_control.core.spec import load_robot
from vla_control.robots.dk1_leader import load_leader


def wires(spec):
    """Return what makes up the emulated buses of a robot."""
    if spec.parts:
        return tuple(wire for part in spec.parts.values() for wire in wires(part))
    bus = spec.bus
    return ((bus.get('port'), bus.get('channel', {}).get('sim'), str(bus.get('domain'))),)


@pytest.mark.parametrize('name', available('robots'))
def test_every_simulated_robot_has_buses_of_its_own_in_each_namespace(name):
    spec = load_robot(name)
    found = [wires(in_session(spec, session_name(n))) for n in ('', 'left_cell', 'right_cell')]
    every = [wire for robot in found for wire in robot]
    assert len(set(every)) == len(every)
    assert found[0] == wires(spec)


@pytest.mark.parametrize('name', available('robots'))
def test_two_processes_of_one_namespace_find_the_same_bus(name):
    first, second = (in_session(load_robot(name), session_name('/cell')) for _ in range(2))
    assert wires(first) == wires(second)


@pytest.mark.parametrize('name', available('robots'))
def test_nothing_of_a_real_robot_depends_on_the_session(name):
    spec = load_robot(name)
    moved = in_session(spec, session_name('cell'))
    for before, after in zip(
        [spec, *spec.parts.values()], [moved, *moved.parts.values()], strict=True
    ):
        for key in ('interface', 'channel', 'domain'):
            real = before.bus.get(key, {}).get('real') if key in before.bus else None
            assert real == (after.bus[key]['real'] if real is not None else None)
    assert moved.names == spec.names


def test_a_leader_has_a_port_of_its_own_in_each_namespace_and_one_on_hardware():
    shipped = load_leader('dk1_leader')
    found = [shipped.in_session(session_name(n)) for n in ('', 'left_cell', 'right_cell')]
    assert len({leader.port['sim'] for leader in found}) == 3
    assert found[0] == shipped
    assert {leader.port['real'] for leader in found} == {shipped.port['real']}


def test_ros_domains_are_sessions_too(monkeypatch):
    monkeypatch.setenv('ROS_DOMAIN_ID', '7')
    assert wires(in_session(load_robot('openarm'), session_name())) != wires(load_robot('openarm'))


def test_the_cells_of_a_hall_do_not_meet():
    spec = load_robot('openarm_bimanual')
    cells = [wires(in_session(spec, session_name(f'cell_{i}'))) for i in range(12)]
    assert not any(set(a) & set(b) for a, b in combinations(cells, 2))
