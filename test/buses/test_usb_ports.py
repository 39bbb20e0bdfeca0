# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""An adapter is told from a leader arm by its USB ids, and by its path from another adapter."""

from dataclasses import dataclass

import pytest

from vla_control.buses.usb_ports import ADAPTER, find_port, LEADER
from vla_control.core.errors import BusError


@dataclass
class Listed:
    device: str
    vid: int | None
    pid: int | None


FOLLOWER_PORT = Listed('/dev/ttyACM0', 0x2E88, 0x4603)
LEADER_PORT = Listed('/dev/ttyACM1', 0x1A86, 0x55D3)
OWN = pytest.mark.parametrize(
    ('kind', 'port', 'other'),
    [(ADAPTER, FOLLOWER_PORT, LEADER_PORT), (LEADER, LEADER_PORT, FOLLOWER_PORT)],
)


def find(path, kind, *ports):
    return find_port(path, kind, 'channel', lambda: ports)


@OWN
def test_the_only_one_of_a_kind_is_found_among_others(kind, port, other):
    assert find('auto', kind, other, port) == port.device
    assert find(port.device, kind, other, port) == port.device


@OWN
def test_of_two_one_must_be_chosen_by_its_path(kind, port, other):
    second = Listed('/dev/ttyACM7', port.vid, port.pid)
    with pytest.raises(BusError, match=rf'2 {kind.plural}.*{port.device}, /dev/ttyACM7.*by-path'):
        find('auto', kind, port, second, other)
    with pytest.raises(BusError, match=f'channel is auto and 0 {kind.plural}'):
        find('auto', kind, other)


@OWN
def test_the_other_kind_is_refused_by_name(kind, port, other):
    wrong = LEADER if kind is ADAPTER else ADAPTER
    with pytest.raises(BusError, match=wrong.title):
        find(other.device, kind, port, other)


@pytest.mark.parametrize(
    ('ids', 'words'), [((0x0403, 0x6001), '0403:6001'), ((None, None), 'not a USB')]
)
def test_a_stranger_is_refused_with_its_ids(ids, words):
    with pytest.raises(BusError, match=words):
        find('/dev/ttyS7', ADAPTER, Listed('/dev/ttyS7', *ids))


def test_a_path_is_checked_through_its_link(tmp_path):
    device, link = tmp_path / 'ttyACM0', tmp_path / 'by-path'
    device.touch()
    link.symlink_to(device)
    port = Listed(str(device), FOLLOWER_PORT.vid, FOLLOWER_PORT.pid)
    assert find(str(link), ADAPTER, port) == str(link)


def test_a_missing_path_says_where_to_look():
    with pytest.raises(BusError, match='by-path'):
        find('/dev/serial/by-path/nothing', LEADER)


def test_what_is_no_serial_port_is_refused(tmp_path):
    (tmp_path / 'file').touch()
    with pytest.raises(BusError, match='not listed'):
        find(str(tmp_path / 'file'), LEADER)
