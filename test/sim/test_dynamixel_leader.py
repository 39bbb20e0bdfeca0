# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The emulated leader speaks protocol 2.0, as the SDK of its motors' maker understands it."""

from contextlib import contextmanager
import termios

from leader_rig import leader_at
import pytest

from vla_control.sim.dynamixel_leader import Servo
from vla_control.sim.dynamixel_packets import crc16, decode, encode, Packet

sdk = pytest.importorskip('dynamixel_sdk')
POSITION, GOAL, TORQUE, MODE = 132, 116, 64, 11
COUNTS = (2048, 2342, 10, 4095, 1000, 3000, 2280)


class PatientPort(sdk.PortHandler):
    """The SDK's own port, but for the time it gives an answer."""

    def setPacketTimeout(self, length):
        self.setPacketTimeoutMillis(1000.0)


@contextmanager
def patient_port(path):
    port = PatientPort(str(path))
    assert port.openPort()
    yield port
    port.closePort()


@pytest.fixture
def leader(tmp_path):
    with leader_at(tmp_path / 'leader') as leader:
        leader.move(COUNTS)
        yield leader


@pytest.fixture
def port(tmp_path, leader):
    with patient_port(tmp_path / 'leader') as port:
        yield port


packets = sdk.PacketHandler(2.0)


@pytest.mark.parametrize(
    ('packet', 'wire'),
    [
        (Packet(1, 0x01, b''), 'ff ff fd 00 01 03 00 01 19 4e'),
        (Packet(1, 0x55, b'\x00\xa6\x04\x34'), 'ff ff fd 00 01 07 00 55 00 a6 04 34 89 55'),
        (Packet(7, 0x03, b'\x0b\x00\x05'), 'ff ff fd 00 07 06 00 03 0b 00 05 3c e5'),
        (
            Packet(0xFE, 0x82, b'\x84\x00\x04\x00\x01\x02\x03\x04\x05\x06\x07'),
            'ff ff fd 00 fe 0e 00 82 84 00 04 00 01 02 03 04 05 06 07 4b b2',
        ),
        (
            Packet(1, 0x55, b'\x00\x26\x09\x00\x00'),
            'ff ff fd 00 01 08 00 55 00 26 09 00 00 07 40',
        ),
    ],
)
def test_packets_are_those_recorded_from_the_makers_sdk(packet, wire):
    assert encode(packet) == bytes.fromhex(wire)
    assert decode(bytearray.fromhex(wire)) == packet


def test_the_checksum_is_the_sdks():
    data = list(range(200))
    assert crc16(bytes(data)) == packets.updateCRC(0, data, len(data))


def test_a_header_inside_a_packet_is_stuffed_and_noise_is_skipped():
    packet = Packet(3, 0x03, b'\x74\x00\xff\xff\xfd\x00')
    wire = encode(packet)
    assert b'\xff\xff\xfd\xfd' in wire
    buffer = bytearray(b'\xff\xff\xfd\x00\x01\x02junk' + wire + wire[:5])
    assert decode(buffer) == packet
    assert decode(buffer) is None
    buffer += wire[5:]
    assert decode(buffer) == packet


def test_a_packet_with_a_wrong_checksum_is_no_packet():
    wire = bytearray(encode(Packet(1, 1, b'')))
    wire[-1] ^= 1
    assert decode(wire) is None


@pytest.mark.peer
def test_the_sdk_finds_every_motor(leader, port):
    assert packets.ping(port, 1) == (1190, 0, 0)
    assert packets.ping(port, 7) == (1190, 0, 0)


@pytest.mark.peer
def test_the_sdk_writes_and_reads_back(leader, port):
    assert packets.write4ByteTxRx(port, 2, GOAL, 0x00FDFFFF) == (0, 0)
    assert packets.read4ByteTxRx(port, 2, GOAL) == (0x00FDFFFF, 0, 0)


@pytest.mark.peer
def test_the_sdk_reads_all_positions_at_once(leader, port):
    group = sdk.GroupSyncRead(port, packets, POSITION, 4)
    for number in range(1, 8):
        group.addParam(number)
    assert group.txRxPacket() == sdk.COMM_SUCCESS
    assert tuple(group.getData(n, POSITION, 4) for n in range(1, 8)) == COUNTS


@pytest.mark.peer
def test_one_late_packet_is_the_end_of_a_reading_by_the_sdk_alone(tmp_path, leader):
    port = sdk.PortHandler(str(tmp_path / 'leader'))  # its timeout is 34 ms, whatever is wanted
    assert port.openPort()
    group = sdk.GroupSyncRead(port, packets, POSITION, 4)
    for number in range(1, 8):
        group.addParam(number)
    leader.faults.delay = 0.3
    assert group.txRxPacket() == sdk.COMM_RX_TIMEOUT
    port.closePort()


@pytest.mark.peer
def test_the_sdk_sets_several_at_once(leader, port):
    group = sdk.GroupSyncWrite(port, packets, TORQUE, 1)
    for number in (2, 7):
        group.addParam(number, [1])
    assert group.txPacket() == sdk.COMM_SUCCESS
    assert packets.read1ByteTxRx(port, 7, TORQUE) == (1, 0, 0)
    assert packets.read1ByteTxRx(port, 2, TORQUE) == (1, 0, 0)
    assert packets.read1ByteTxRx(port, 1, TORQUE) == (0, 0, 0)


@pytest.mark.peer
def test_the_mode_is_locked_while_the_torque_is_on(leader, port):
    packets.write1ByteTxRx(port, 7, TORQUE, 1)
    assert packets.write1ByteTxRx(port, 7, MODE, 5) == (0, 0x07)
    packets.write1ByteTxRx(port, 7, TORQUE, 0)
    assert packets.write1ByteTxRx(port, 7, MODE, 5) == (0, 0)


def test_a_released_trigger_goes_to_its_goal_and_a_pressed_one_stays(leader, port):
    packets.write1ByteTxRx(port, 7, MODE, 5)
    packets.write4ByteTxRx(port, 7, GOAL, 2280)
    packets.write1ByteTxRx(port, 7, TORQUE, 1)
    leader.move((*COUNTS[:-1], 1700))
    assert packets.read4ByteTxRx(port, 7, POSITION)[0] == 1700
    leader.move((*COUNTS[:-1], 1700), pressed=False)
    assert packets.read4ByteTxRx(port, 7, POSITION)[0] == 2280


def test_a_script_moves_it_by_the_time(leader, port):
    leader.script = lambda now: (1234,) * 7
    assert packets.read4ByteTxRx(port, 1, POSITION)[0] == 1234


def test_a_pulled_cable_is_seen_and_comes_back(tmp_path, leader, port):
    leader.unplug()
    with pytest.raises((termios.error, OSError)):
        packets.ping(port, 1)
    leader.plug()
    with patient_port(tmp_path / 'leader') as again:
        assert packets.ping(again, 1) == (1190, 0, 0)


@pytest.mark.parametrize(
    ('packet', 'error'),
    [(Packet(1, 0x02, b'\x84'), 0x05), (Packet(1, 0x77, b''), 0x02)],
)
def test_nonsense_is_answered_with_an_error(packet, error):
    assert Servo(1, 1190).answer(packet) == (error, b'')
