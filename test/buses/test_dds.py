# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Unitree topics over real DDS; traffic stays on the loopback interface."""

import os
import time

import pytest

pytest.importorskip('cyclonedds')

from vla_control.buses import dds
from vla_control.buses.dds import DdsBus, DdsConfig, interfaces
from vla_control.buses.unitree import (
    answer,
    ARM_COMMAND,
    call,
    checksum_ok,
    decode_low_state,
    encode_low_cmd,
    encode_low_state,
    ends,
    low_cmd,
    LOW_STATE,
    low_state,
    MOTION_SWITCHER,
)
from vla_control.core.clock import ManualClock
from vla_control.core.errors import BusError, ConfigError

ENDS = ends(ARM_COMMAND, ('left', 'right'))
DOMAIN = 120 + os.getpid() % 40  # other runs on this machine have another
OTHER = 'enp3s0'  # a network interface


def until(condition, seconds=10.0):
    """Look until something is true; discovery takes as long as it takes."""
    end = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < end, 'did not come true in time'
    return result


def bus(tmp_path, role='driver', **change):
    topics = ENDS.swapped if role == 'device' else ENDS
    fields = {'interface': 'lo', 'domain': DOMAIN, 'ends': topics, 'role': role} | change
    return DdsBus(DdsConfig(**fields), tmp_path)


@pytest.fixture
def buses(tmp_path):
    driver, device = bus(tmp_path), bus(tmp_path, 'device')
    driver.open()
    device.open()
    until(lambda: driver.peers(ARM_COMMAND).readers and device.peers(LOW_STATE).readers)
    yield driver, device
    driver.close()
    device.close()


def test_messages_arrive_byte_for_byte_both_ways(buses):
    driver, device = buses
    state = low_state()
    state['tick'] = 42
    payload = encode_low_state(state)

    def heard():
        device.publish(LOW_STATE, payload)
        return driver.take(LOW_STATE)

    (packet,) = until(heard)
    assert packet.payload == payload
    assert checksum_ok(decode_low_state(packet.payload))
    command = encode_low_cmd(low_cmd())

    def obeyed():
        driver.publish(ARM_COMMAND, command)
        return device.take(ARM_COMMAND)

    assert until(obeyed)[0].payload == command
    assert driver.counters['sent'] >= 1
    assert driver.counters['received'] >= 1


def test_services_answer_over_dds(buses):
    driver, device = buses

    def handle(api_id, parameter):
        return 0, f'{{"name":"ai","asked":{api_id}}}'

    clock = ManualClock(wait=lambda _: answer(device, MOTION_SWITCHER, handle))
    response = call(driver, clock, MOTION_SWITCHER, 1001, timeout=1e6)
    assert response.data == '{"name":"ai","asked":1001}'


def test_peers_are_named_by_process_and_never_ourselves(buses):
    driver, device = buses
    (reader,) = driver.peers(ARM_COMMAND).readers
    assert f'pid {os.getpid()}' in reader.who
    assert reader.type_name == 'unitree_hg::msg::dds_::LowCmd_'
    assert reader.same_type
    (writer,) = driver.peers(LOW_STATE).writers
    assert reader.participant == writer.participant != ''
    assert driver.peers(ARM_COMMAND).writers == ()
    (writer,) = device.peers(ARM_COMMAND).writers
    assert writer.same_type


def test_a_peer_that_leaves_is_forgotten(buses):
    driver, device = buses
    device.close()
    until(lambda: not driver.peers(ARM_COMMAND).readers)


def test_another_message_under_the_same_name_is_noticed(buses):
    from cyclonedds.domain import DomainParticipant
    from cyclonedds.idl import make_idl_struct, types
    from cyclonedds.pub import DataWriter
    from cyclonedds.topic import Topic

    driver, _ = buses
    other = make_idl_struct('LowCmd_', 'unitree_hg.msg.dds_.LowCmd_', {'mode_pr': types.byte})
    participant = DomainParticipant(DOMAIN)
    writer = DataWriter(participant, Topic(participant, ARM_COMMAND, other))
    (peer,) = until(lambda: driver.peers(ARM_COMMAND).writers)
    assert not peer.same_type
    del writer


def test_a_second_writer_of_this_machine_is_refused_before_it_announces_anything(tmp_path):
    first, second = bus(tmp_path), bus(tmp_path)
    first.open()
    with pytest.raises(BusError, match=f'held by process {os.getpid()}'):
        second.open()
    assert first.peers(ARM_COMMAND).writers == ()
    first.close()
    second.open()
    second.close()


@pytest.mark.parametrize(
    ('other', 'words'),
    [
        ({'multicast': True}, "interface 'lo', discovery by multicast"),
        ({'interface': OTHER}, f"interface '{OTHER}', discovery by multicast"),
    ],
)
def test_a_second_bus_of_the_process_is_not_put_on_the_network_of_the_first(
    tmp_path, monkeypatch, other, words
):
    monkeypatch.setattr(dds, '_check_interface', lambda name: None)  # it need not exist
    first, second = bus(tmp_path), bus(tmp_path, 'device', **other)
    first.open()
    with pytest.raises(
        BusError, match="open in this process on interface 'lo', discovery by addr"
    ) as error:
        second.open()
    assert words in str(error.value)
    first.close()
    same = bus(tmp_path, 'device')  # the refused one has kept neither lock nor domain
    same.open()
    same.close()


def test_a_domain_that_all_have_left_may_be_opened_on_another_network(tmp_path):
    for multicast in (False, True):
        one = bus(tmp_path, multicast=multicast)
        one.open()
        one.close()


def test_a_closed_bus_says_so(tmp_path):
    closed = bus(tmp_path)
    closed.close()
    for use in (
        lambda: closed.take(LOW_STATE),
        lambda: closed.publish(ARM_COMMAND, b''),
        lambda: closed.peers(LOW_STATE),
    ):
        with pytest.raises(BusError, match='closed'):
            use()


def test_topics_are_refused_in_the_wrong_direction(buses):
    driver, _ = buses
    with pytest.raises(BusError, match='rt/lowstate is not written here'):
        driver.publish(LOW_STATE, b'')


def test_a_missing_network_interface_is_refused_with_those_there_are(tmp_path):
    with pytest.raises(BusError, match=r"'nosuch0' does not exist.*'lo': '127.0.0.1'"):
        bus(tmp_path, interface='nosuch0').open()
    assert interfaces()['lo'] == '127.0.0.1'


@pytest.mark.parametrize(('field', 'value'), [('domain', 231), ('domain', -1), ('role', 'spy')])
def test_wrong_settings_are_refused(tmp_path, field, value):
    with pytest.raises(ConfigError, match=str(value)):
        bus(tmp_path, **{field: value})


def test_discovery_goes_by_address_on_the_loopback_interface_only():
    assert 'AllowMulticast' in DdsConfig(interface='lo', domain=1, ends=ENDS).xml
    assert 'AllowMulticast' not in DdsConfig(interface='eth0', domain=0, ends=ENDS).xml
    assert (
        'AllowMulticast' not in DdsConfig(interface='lo', domain=1, ends=ENDS, multicast=True).xml
    )
