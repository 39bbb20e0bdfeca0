# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Hardware buses: what the kernel shows decides, and every refusal says what to do."""

import errno

import can
import pytest

from vla_control.buses.can import CanBus, CanConfig
from vla_control.buses.frames import BusState
from vla_control.buses.kernel_can import SocketCan
from vla_control.core.errors import BusError


@pytest.fixture
def interface(tmp_path):
    """A folder as the kernel shows an interface of CAN-FD that is up."""
    folder = tmp_path / 'net' / 'can0'
    folder.mkdir(parents=True)
    (folder / 'operstate').write_text('up\n')
    (folder / 'mtu').write_text('72\n')
    return folder


class Wire:
    """Stands for python-can's bus: plays back messages and errors."""

    def __init__(self):
        self.incoming = []
        self.sent = []
        self.error = None

    def send(self, message):
        if self.error is not None:
            raise self.error
        self.sent.append(message)

    def recv(self, timeout):
        if self.error is not None:
            raise self.error
        return self.incoming.pop(0) if self.incoming else None

    def shutdown(self):
        self.sent.append('shutdown')


def opened(interface, wire):
    return SocketCan(
        'can0', True, 1_000_000, 5_000_000, interface.parent, lambda channel, fd: wire
    )


def bus(interface, tmp_path, **changes):
    config = CanConfig(interface='socketcan', channel='can0', **changes)
    return CanBus(config, lock_folder=tmp_path, sysfs=interface.parent)


def test_a_missing_interface_is_named_with_the_commands_that_make_it(interface, tmp_path):
    config = CanConfig(interface='socketcan', channel='can7')
    with pytest.raises(BusError, match='no interface can7') as refused:
        CanBus(config, lock_folder=tmp_path, sysfs=interface.parent).open()
    advice = str(refused.value)
    assert 'ip link set can7 type can bitrate 1000000' in advice
    assert 'dbitrate 5000000 fd on' in advice
    assert 'txqueuelen 128' in advice


def test_an_interface_that_is_down_is_not_opened(interface, tmp_path):
    (interface / 'operstate').write_text('down\n')
    with pytest.raises(BusError, match=r'can0 is down.*ip link set can0 up'):
        bus(interface, tmp_path).open()


def test_a_classic_interface_is_not_used_for_fd(interface, tmp_path):
    (interface / 'mtu').write_text('16\n')
    with pytest.raises(BusError, match=r'mtu 16.*bus\.fd'):
        bus(interface, tmp_path).open()


def test_classic_advice_has_no_data_rate(interface, tmp_path):
    (interface / 'operstate').write_text('down\n')
    with pytest.raises(BusError) as refused:
        bus(interface, tmp_path, fd=False).open()
    assert 'dbitrate' not in str(refused.value)


def test_a_refused_open_leaves_the_lock_free(interface, tmp_path):
    (interface / 'operstate').write_text('down\n')
    for _ in range(2):
        with pytest.raises(BusError, match='is down'):
            bus(interface, tmp_path).open()


def test_frames_go_out_as_fd_with_bit_rate_switch(interface):
    wire = Wire()
    opened(interface, wire).send(0x01, b'12345678')
    message = wire.sent[0]
    assert (message.arbitration_id, bytes(message.data)) == (0x01, b'12345678')
    assert message.is_fd
    assert message.bitrate_switch
    assert not message.is_extended_id


def test_receiving_takes_all_there_is_and_leaves_error_frames_out(interface):
    wire = Wire()
    wire.incoming = [
        can.Message(arbitration_id=0x11, data=b'a' * 8, is_extended_id=False, timestamp=5.0),
        can.Message(arbitration_id=0x04, is_error_frame=True, is_extended_id=False),
        can.Message(arbitration_id=0x12345, data=b'b' * 8, is_extended_id=True),
        can.Message(arbitration_id=0x12, data=b'c' * 8, is_extended_id=False),
    ]
    transport = opened(interface, wire)
    frames = transport.receive(0.0)
    assert [(f.arbitration_id, f.data) for f in frames] == [(0x11, b'a' * 8), (0x12, b'c' * 8)]
    assert frames[0].stamp == 5.0
    assert transport.error_frames == 1


def test_bus_off_shows_although_the_interface_stays_up(interface):
    wire = Wire()
    transport = opened(interface, wire)
    assert transport.state is BusState.UP
    wire.incoming = [can.Message(arbitration_id=0x40, is_error_frame=True)]
    transport.receive(0.0)
    assert transport.state is BusState.BUS_OFF
    wire.incoming = [can.Message(arbitration_id=0x100, is_error_frame=True)]
    transport.receive(0.0)
    assert transport.state is BusState.UP


def test_an_unplugged_adapter_shows(interface):
    transport = opened(interface, Wire())
    (interface / 'operstate').write_text('down\n')
    assert transport.state is BusState.DOWN
    (interface / 'operstate').unlink()
    assert transport.state is BusState.MISSING


@pytest.mark.parametrize(
    'error',
    [
        can.CanOperationError('Failed to transmit', errno.ENOBUFS),
        can.CanOperationError('Transmit buffer full'),
        OSError(errno.ENOBUFS, 'No buffer space available'),
    ],
)
def test_a_full_queue_is_counted_and_does_not_stop_the_tick(interface, error):
    wire = Wire()
    transport = opened(interface, wire)
    wire.error = error
    transport.send(0x01, bytes(8))
    assert transport.enobufs == 1


@pytest.mark.parametrize(
    'error', [can.CanOperationError('Network is down', errno.ENETDOWN), OSError(19, 'gone')]
)
def test_every_other_error_says_what_to_do(interface, error):
    wire = Wire()
    transport = opened(interface, wire)
    wire.error = error
    with pytest.raises(BusError, match='ip link set can0 up'):
        transport.send(0x01, bytes(8))
    with pytest.raises(BusError, match='ip link set can0 up'):
        transport.receive(0.0)
