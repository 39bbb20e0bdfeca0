# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The bus in memory keeps order, loses what it is told to, and serves whoever waits."""

import pytest

from vla_control.buses.frames import BusState, Frame
from vla_control.buses.loopback import LoopbackBus
from vla_control.core.errors import BusError


@pytest.fixture
def ends():
    driver, device = LoopbackBus.pair()
    driver.open()
    device.open()
    return driver, device


def test_frames_arrive_once_in_order_at_the_other_end_only(ends):
    driver, device = ends
    for i in range(5):
        driver.send(i, bytes([i]) * 8)
    assert driver.receive() == []
    assert [f.arbitration_id for f in device.receive()] == [0, 1, 2, 3, 4]
    assert device.receive() == []


def test_the_sender_may_reuse_its_buffer(ends):
    driver, device = ends
    buffer = bytearray(b'12345678')
    driver.send(1, buffer)
    buffer[0] = 0
    assert device.receive()[0].data == b'12345678'


def test_a_waiting_receiver_gives_its_turn_to_the_hook_once(ends):
    driver, device = ends
    waited = []

    def serve(timeout):
        waited.append(timeout)
        device.send(0x11, bytes(8))

    driver.wait = serve
    assert driver.receive() == []
    assert [f.arbitration_id for f in driver.receive(0.01)] == [0x11]
    device.send(0x12, bytes(8))
    assert [f.arbitration_id for f in driver.receive(0.01)] == [0x12]
    assert waited == [0.01]


def test_lost_frames_are_sent_but_never_arrive(ends):
    driver, device = ends
    driver.lose = lambda frame: frame.arbitration_id == 2
    for i in range(4):
        driver.send(i, bytes(8))
    assert [f.arbitration_id for f in device.receive()] == [0, 1, 3]
    assert [f.arbitration_id for f in driver.sent] == [0, 1, 2, 3]
    assert driver.counters['sent'] == 4
    assert device.counters['received'] == 3


def test_a_closed_end_hears_nothing_and_refuses_to_work(ends):
    driver, device = ends
    device.close()
    device.close()
    assert (driver.state, device.state) == (BusState.UP, BusState.CLOSED)
    driver.send(1, bytes(8))
    for use in (device.receive, lambda: device.send(1, bytes(8))):
        with pytest.raises(BusError, match='closed'):
            use()
    device.open()
    assert device.receive() == []


def test_an_end_is_opened_by_one_writer(ends):
    with pytest.raises(BusError, match='one writer'):
        ends[0].open()


def test_frames_compare_by_value():
    assert Frame(1, b'a') == Frame(1, b'a', 0.0)
