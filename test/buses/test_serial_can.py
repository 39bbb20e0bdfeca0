# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The bus behind the USB adapter: one write a tick, one writer, and devices that go away."""

import os

import pytest

from vla_control.buses.byte_ports import MemoryPort, TtyPort
from vla_control.buses.damiao_adapter import CommandReader, encode_answer, HostFrame, Kind
from vla_control.buses.frames import BatchBus, BusState
from vla_control.buses.serial_can import SerialCan, SerialConfig
from vla_control.core.errors import BusError, ConfigError
from vla_control.core.spec import load_robot
from vla_control.sim.pty_port import PtyPort

STATE = bytes.fromhex('128a3d8008ff2328')
FRAMES = [(i, bytes([i] * 8)) for i in range(1, 8)]


class NarrowPort(MemoryPort):
    """Takes so many bytes a write and no more."""

    room = 10_000

    def write(self, data):
        return super().write(data[: self.room])


@pytest.fixture
def ends():
    """The driver's bus and the adapter's end of the cable."""
    host, end = NarrowPort.pair()
    end.open()
    bus = SerialCan(host, range(0x11, 0x18))
    bus.open()
    return bus, host, end


def test_all_frames_of_a_tick_leave_in_one_write(ends):
    bus, _, end = ends
    assert isinstance(bus, BatchBus)
    bus.send_all(FRAMES)
    packet = end.read()
    assert len(packet) == 210
    assert CommandReader().feed(packet) == [HostFrame(*f) for f in FRAMES]
    assert bus.counters['sent'] == 7


def test_answers_arrive_with_a_stamp_and_failures_are_counted(ends):
    bus, _, end = ends
    end.write(encode_answer(0x12, STATE) + b'\x00\xaa')
    end.write(encode_answer(0x12, STATE, Kind.SEND_FAILED) + encode_answer(0x12, STATE, Kind.SENT))
    (frame,) = bus.receive()
    assert (frame.arbitration_id, frame.data) == (0x12, STATE)
    assert frame.stamp > 0.0
    assert bus.receive() == []
    counters = bus.counters
    assert (counters['received'], counters['error_frames'], counters['junk_bytes']) == (1, 1, 2)


def test_a_full_queue_drops_whole_frames_and_never_cuts_one(ends):
    bus, host, end = ends
    host.room = 100  # three packets and a third
    bus.send_all(FRAMES)
    assert bus.counters['sent'] == 4
    assert bus.counters['enobufs'] == 3
    host.room = 5
    bus.send(9, bytes(8))  # not even the rest of the fourth
    host.room = 10_000
    bus.send(8, bytes(8))
    reader = CommandReader()
    assert [f.arbitration_id for f in reader.feed(end.read())] == [1, 2, 3, 4, 8]
    assert reader.junk == 0


def test_a_closed_bus_says_so_and_closing_twice_is_fine(ends):
    bus, _, _ = ends
    with pytest.raises(BusError, match='open already'):
        bus.open()
    bus.close()
    bus.close()
    assert bus.state is BusState.CLOSED
    with pytest.raises(BusError, match='closed'):
        bus.send(1, bytes(8))
    with pytest.raises(BusError, match='closed'):
        bus.receive()
    bus.open()
    assert bus.counters['sent'] == 0


def test_a_pulled_cable_raises_both_ways_and_can_be_put_back(ends):
    bus, _, end = ends
    end.unplug()
    assert bus.state is BusState.MISSING
    with pytest.raises(BusError, match='gone'):
        bus.receive()
    with pytest.raises(BusError, match='gone'):
        bus.send(1, bytes(8))
    assert bus.counters['errors'] == 2
    end.plug()
    bus.send(1, bytes(8))
    assert len(end.read()) == 30


# On a pseudo-terminal


@pytest.fixture
def terminal(tmp_path):
    port = PtyPort(str(tmp_path / 'adapter'), tmp_path)
    port.open()
    yield port
    port.close()


def test_bytes_pass_a_pseudo_terminal_unchanged(terminal, tmp_path):
    every = bytes(range(256))  # control characters too
    port = TtyPort(terminal.name)
    port.open()
    assert port.read() == b''
    port.write(every)
    assert terminal.read(5.0) == every
    terminal.write(every[::-1])
    assert port.read(5.0) == every[::-1]
    port.close()
    port.close()


def test_a_second_program_on_the_adapter_is_refused_by_name(terminal, tmp_path):
    first = SerialCan(TtyPort(terminal.name), lock_folder=tmp_path)
    # Another name of the same device is the same device.
    other = tmp_path / 'other'
    other.symlink_to(os.path.realpath(terminal.name))
    second = SerialCan(TtyPort(str(other)), lock_folder=tmp_path)
    first.open()
    with pytest.raises(BusError, match='held by process'):
        second.open()
    first.close()
    second.open()
    second.close()


def test_an_unplugged_adapter_is_noticed_at_the_next_read_and_write(terminal, tmp_path):
    bus = SerialCan(TtyPort(terminal.name), lock_folder=tmp_path)
    bus.open()
    terminal.unplug()
    assert bus.state is BusState.MISSING
    with pytest.raises(BusError, match='plug the adapter in'):
        bus.receive()
    with pytest.raises(BusError, match='plug the adapter in'):
        bus.send(1, bytes(8))
    bus.close()
    with pytest.raises(BusError, match='no serial device'):
        bus.open()
    terminal.plug()
    bus.open()
    bus.send(1, bytes(8))
    assert len(terminal.read(5.0)) == 30
    bus.close()


def test_what_arrived_before_opening_is_not_read(terminal, tmp_path):
    terminal.write(encode_answer(0x12, STATE))
    bus = SerialCan(TtyPort(terminal.name), lock_folder=tmp_path)
    bus.open()
    assert bus.receive() == []
    bus.close()


def test_an_emulation_takes_over_the_path_of_a_dead_one_but_not_of_a_living(tmp_path):
    path = tmp_path / 'adapter'
    path.symlink_to('/dev/pts/does-not-exist')
    port = PtyPort(str(path), tmp_path)
    port.open()
    with pytest.raises(BusError, match='held by process'):
        PtyPort(str(path), tmp_path).open()
    port.close()
    assert not path.is_symlink()
    path.write_text('precious')
    with pytest.raises(BusError, match='no link'):
        PtyPort(str(path), tmp_path).open()
    assert path.read_text() == 'precious'


# Configuration


def test_the_bus_section_picks_the_channel_by_hardware():
    spec = load_robot('dk1')
    real, sim = (SerialConfig.from_spec(spec, h) for h in ('real', 'sim'))
    assert real.usb
    assert not sim.usb
    assert (real.path, sim.path) == ('auto', spec.bus['channel']['sim'])


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        ({'interface': {'sim': 'socketcan'}}, 'damiao_usb'),
        ({'fd': True}, 'classic CAN'),
        ({'channel': {}}, 'no .sim.'),
        ({'chanel': {}}, 'unknown key'),
    ],
)
def test_a_wrong_bus_section_is_refused(change, words):
    spec = load_robot('dk1')
    object.__setattr__(spec, 'bus', spec.bus | change)
    with pytest.raises(ConfigError, match=words):
        SerialConfig.from_spec(spec, 'sim')
