# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The leader's motors are read through lost and late packets, and never the wrong device."""

from pathlib import Path

from leader_rig import bus_at, config, HASTY, leader_at, PATIENT
import pytest
import yaml

from vla_control.buses.byte_ports import TtyPort
from vla_control.buses.dynamixel import BAUD, DynamixelBus, HELD, Item
from vla_control.core.errors import BusError
from vla_control.sim.dynamixel_leader import LeaderFaults

COUNTS = (2048, 2342, 0, 4095, 1000, 3000, 2280)
MODELS = (1190, 1200)
VECTORS = yaml.safe_load((Path(__file__).parents[1] / 'data/dk1_vectors.yaml').read_text())


@pytest.fixture
def leader(tmp_path):
    with leader_at(tmp_path / 'leader') as leader:
        leader.move(COUNTS)
        yield leader


@pytest.fixture
def bus(tmp_path, leader):
    bus = bus_at(tmp_path / 'leader')
    bus.open()
    yield bus
    bus.close()


@pytest.fixture
def hasty(tmp_path, leader):
    bus = bus_at(tmp_path / 'leader', timeout=HASTY)
    bus.open()
    yield bus
    leader.faults = LeaderFaults()
    bus.close()


class Tap(TtyPort):
    """Keeps every packet that is written, as the SDK writes them whole."""

    def __init__(self, path):
        super().__init__(str(path), BAUD)
        self.written = []

    def write(self, data):
        self.written.append(data)
        return super().write(data)


def test_the_leader_is_told_the_vendors_bytes(tmp_path, leader):
    port = Tap(tmp_path / 'leader')
    leader_config = config(tmp_path / 'leader')
    bus = DynamixelBus(port, leader_config.ids, timeout=PATIENT, lock_folder=tmp_path)
    bus.open()
    bus.check(1, MODELS)
    for number in leader_config.ids:
        bus.release(number)
    trigger = leader_config.trigger
    bus.spring(trigger.id, trigger.open, trigger.current)
    bus.positions(0.0)
    written = list(port.written)
    bus.close()
    golden = {vector['what']: bytes.fromhex(vector['hex']) for vector in VECTORS['leader']}
    for what, packet in golden.items():
        assert written.count(packet) == 1, f'{what} was not written as {packet.hex(" ")}'
    # The vendor gives the trigger torque first and then a goal; ours knows where to go by then.
    assert written.index(golden['goal_position']) < written.index(golden['torque_enable'])


def test_all_positions_come_with_one_request(bus, leader):
    reading = bus.positions(5.0)
    assert (reading.stamp, reading.counts) == (5.0, COUNTS)
    assert len(leader.heard) == 1


def test_a_position_may_be_negative(bus, leader):
    leader.move((-100, *COUNTS[1:]))
    assert bus.positions(0.0).counts[0] == -100


def test_a_motor_of_the_right_model_passes_and_another_is_named(bus):
    bus.check(1, MODELS)
    with pytest.raises(BusError, match=r'motor 1 .* is of model 1190, not one of \[1060\]'):
        bus.check(1, (1060,))


def test_a_motor_that_does_not_answer_is_named(hasty, leader):
    leader.faults.silent = frozenset({3})
    with pytest.raises(BusError, match=r'motor 3 .*powered and wired'):
        hasty.check(3, MODELS)


def test_a_released_motor_has_no_torque_and_a_spring_pulls_weakly(bus, leader):
    leader.servos[1].set(Item.TORQUE_ENABLE, 1)
    bus.release(1)
    assert not leader.servos[1].get(Item.TORQUE_ENABLE)
    leader.move((*COUNTS[:-1], 1700), pressed=False)
    bus.spring(7, 2280, 100)
    trigger = leader.servos[7]
    assert (trigger.get(Item.OPERATING_MODE), trigger.get(Item.CURRENT_LIMIT)) == (5, 100)
    assert bus.positions(0.0).counts[-1] == 2280


def test_a_refused_setting_says_so(bus, leader):
    leader.servos[7].set(Item.TORQUE_ENABLE, 1)
    with pytest.raises(BusError, match='operating_mode of motor 7 to 5'):
        bus.write(7, Item.OPERATING_MODE, 5)


def test_one_lost_packet_is_asked_for_again(hasty, leader):
    leader.faults.lost = 1
    reading = hasty.positions(1.0)
    assert (reading.stamp, reading.counts) == (1.0, COUNTS)
    assert hasty.lost == 1


def test_one_broken_packet_is_asked_for_again(bus, leader):
    leader.faults.broken = 1
    assert bus.positions(1.0).counts == COUNTS
    assert bus.lost == 1


def test_one_late_packet_ends_nothing(hasty, leader):
    """The vendor's teleoperation raises here, and ends."""
    hasty.positions(0.0)
    leader.faults.delay, leader.faults.late = 2.0 * HASTY, 7
    for k in range(1, 6):
        assert hasty.positions(0.02 * k).counts == COUNTS
    assert hasty.lost >= 1


def test_the_last_reading_stands_in_for_lost_ones_and_then_there_is_none(hasty, leader):
    first = hasty.positions(1.0)
    leader.faults.silent = frozenset(leader.servos)
    assert hasty.positions(0.999 + HELD) is first
    assert hasty.positions(1.001 + HELD) is None
    assert hasty.positions(1.05) is None, 'what was given up does not come back'
    leader.faults.silent = frozenset()
    assert hasty.positions(2.0).stamp == 2.0


def test_one_silent_motor_is_no_half_a_reading(hasty, leader):
    leader.faults.silent = frozenset({4})
    assert hasty.positions(0.0) is None


def test_a_pulled_cable_is_an_error(bus, leader):
    leader.unplug()
    with pytest.raises(BusError, match='is gone'):
        bus.positions(0.0)


def test_a_second_user_is_refused_without_touching_the_line(tmp_path, bus, leader):
    with pytest.raises(BusError, match='is held by process'):
        bus_at(tmp_path / 'leader').open()
    assert not leader.heard


def test_closing_takes_the_torque_off(tmp_path, leader):
    bus = bus_at(tmp_path / 'leader')
    bus.open()
    bus.spring(7, 2280, 100)
    bus.close()
    assert not leader.servos[7].get(Item.TORQUE_ENABLE)
    with pytest.raises(BusError, match='is closed'):
        bus.positions(0.0)
