# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The bus of a robot: its configuration, its one writer, and frames between its two ends."""

from dataclasses import replace
import socket
import struct

import can
import msgpack
import pytest

from vla_control.buses.can import BusState, CanBus, CanConfig
from vla_control.core.errors import BusError, ConfigError
from vla_control.core.spec import load_robot

SPEC = load_robot('openarm')
GROUP = '239.74.163.2'


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


@pytest.fixture
def config():
    return CanConfig(interface='udp_multicast', channel=GROUP, port=free_port())


@pytest.fixture
def ends(config, tmp_path):
    driver = CanBus(config, lock_folder=tmp_path)
    device = CanBus(replace(config, role='device'), lock_folder=tmp_path)
    with driver, device:
        yield driver, device


def test_the_emulated_and_the_real_bus_come_from_the_same_section():
    sim = CanConfig.from_spec(SPEC, 'sim')
    assert (sim.interface, sim.channel, sim.port) == ('udp_multicast', GROUP, 43113)
    real = CanConfig.from_spec(SPEC, 'real', role='driver')
    assert (real.interface, real.channel, real.fd) == ('socketcan', 'can0', True)
    assert (real.bitrate, real.data_bitrate) == (1_000_000, 5_000_000)


@pytest.mark.parametrize(
    ('bus', 'message'),
    [
        ({'interface': {'sim': 'virtual'}}, "no 'real', only"),
        ({'interface': {'real': 'serial'}}, "'serial' is not one of"),
        ({'baud': 1}, "unknown key 'baud'"),
        ({'port': 0, 'interface': {'real': 'udp_multicast'}}, 'port 0'),
    ],
)
def test_a_wrong_bus_section_says_what_is_right(bus, message):
    with pytest.raises(ConfigError, match=message):
        CanConfig.from_spec(replace(SPEC, bus=SPEC.bus | bus), 'real')


def test_the_second_writer_is_refused_before_it_touches_the_bus(config, tmp_path):
    second = CanBus(config, lock_folder=tmp_path)
    refused = pytest.raises(BusError, match=r'held by process \d+ \(.*one writer')
    with CanBus(config, lock_folder=tmp_path), refused:
        second.open()
    assert second.state is BusState.CLOSED
    with CanBus(config, lock_folder=tmp_path):
        pass


def test_frames_pass_both_ways_and_nobody_hears_himself(ends):
    driver, device = ends
    driver.send(0x01, b'12345678')
    driver.send(0x7FF, b'abcd')
    heard = device.receive(1.0) + device.receive()
    assert [(f.arbitration_id, f.data) for f in heard] == [(0x01, b'12345678'), (0x7FF, b'abcd')]
    assert driver.receive() == []
    device.send(0x11, b'87654321')
    assert [f.arbitration_id for f in driver.receive(1.0)] == [0x11]
    assert device.receive() == []
    assert driver.counters == {
        'sent': 2,
        'received': 1,
        'errors': 0,
        'enobufs': 0,
        'error_frames': 0,
    }


def test_ignored_ids_are_not_handed_over(config, tmp_path):
    device = CanBus(replace(config, role='device'), lock_folder=tmp_path)
    with CanBus(config, ignore={0x12}, lock_folder=tmp_path) as driver, device:
        for i in (0x11, 0x12, 0x13):
            device.send(i, bytes(8))
        heard = driver.receive(1.0) + driver.receive()
        assert [f.arbitration_id for f in heard] == [0x11, 0x13]


def test_nothing_to_receive_returns_at_once_even_for_a_negative_timeout(ends):
    assert ends[0].receive() == []
    assert ends[0].receive(-1.0) == []


def test_another_port_is_another_bus(ends, tmp_path):
    other = CanConfig(interface='udp_multicast', channel=GROUP, port=free_port())
    with CanBus(other, lock_folder=tmp_path) as stranger:
        ends[0].send(0x01, bytes(8))
        assert len(ends[1].receive(1.0)) == 1
        assert stranger.receive() == []


def test_rubbish_on_the_port_is_counted_and_dropped(ends, config):
    rubbish = [
        b'',
        b'hello',
        msgpack.packb([1, 2]),
        msgpack.packb({'arbitration_id': 1}),
        msgpack.packb(frame(arbitration_id=0x800)),
        msgpack.packb(frame(data=bytes(65))),
        msgpack.packb(frame(data=3)),
        msgpack.packb(frame(arbitration_id='x')),
    ]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        loopback = socket.inet_aton('127.0.0.1')
        stranger.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, loopback)
        stranger.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, struct.pack('@I', 0))
        for datagram in rubbish:
            stranger.sendto(datagram, (GROUP, config.port))
    ends[1].send(0x11, bytes(8))
    assert [f.arbitration_id for f in ends[0].receive(1.0)] == [0x11]
    assert ends[0].counters['errors'] == len(rubbish)


def frame(**changes):
    return {
        'arbitration_id': 1,
        'data': bytes(8),
        'is_extended_id': False,
        'is_remote_frame': False,
        'is_error_frame': False,
    } | changes


@pytest.mark.peer
def test_python_can_and_our_bus_hear_each_other(ends, config):
    try:
        peer = can.Bus(
            interface='udp_multicast', channel=GROUP, port=config.port, hop_limit=0, fd=True
        )
    except can.CanError:
        pytest.skip('python-can joins on the default route, and this machine has none')
    with peer:
        ends[0].send(0x123, b'12345678')
        heard = peer.recv(1.0)
        assert (heard.arbitration_id, bytes(heard.data)) == (0x123, b'12345678')
        assert heard.is_fd
        assert heard.bitrate_switch
        assert not heard.is_extended_id
        peer.send(can.Message(arbitration_id=0x11, data=b'abcdefgh', is_extended_id=False))
        assert [(f.arbitration_id, f.data) for f in ends[0].receive(1.0)] == [(0x11, b'abcdefgh')]


def test_a_group_that_is_none_is_refused_with_the_fix(tmp_path):
    for channel in ('10.0.0.1', 'not-an-address'):
        config = CanConfig(interface='udp_multicast', channel=channel, port=free_port())
        with pytest.raises(BusError, match='multicast address'):
            CanBus(config, lock_folder=tmp_path).open()


def test_a_closed_bus_says_so(config, tmp_path):
    bus = CanBus(config, lock_folder=tmp_path)
    assert bus.state is BusState.CLOSED
    for use in (bus.receive, lambda: bus.send(1, bytes(8))):
        with pytest.raises(BusError, match='call open'):
            use()
    with bus:
        assert bus.state is BusState.UP
        with pytest.raises(BusError, match='open already'):
            bus.open()
    bus.close()
    assert bus.state is BusState.CLOSED


def test_the_virtual_bus_connects_ends_of_one_process(tmp_path):
    config = CanConfig(interface='virtual', channel='test_can')
    with CanBus(config, lock_folder=tmp_path) as one, CanBus(config, lock_folder=tmp_path) as two:
        one.send(0x01, b'12345678')
        assert [(f.arbitration_id, f.data) for f in two.receive(1.0)] == [(0x01, b'12345678')]
        assert one.receive() == []
