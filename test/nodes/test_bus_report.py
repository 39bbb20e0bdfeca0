# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""What a bus loses is told while it loses it, and a dead wire with what to do about it."""

import pytest

pytest.importorskip('diagnostic_msgs')

import can

from vla_control.buses.can import CanBus, CanConfig
from vla_control.buses.frames import BusState
from vla_control.buses.kernel_can import SocketCan
from vla_control.core.spec import load_robot
from vla_control.nodes.bus_report import BusWatch, LOSSES
from vla_control.nodes.diagnostics import Level
from vla_control.robots.factory import make_driver

HEALTHY = {'sent': 1000, 'received': 990, 'errors': 0, 'enobufs': 0, 'error_frames': 0}


class Bus:
    """A wire that says what it is told to say."""

    def __init__(self, state=BusState.UP, advice='Bring it up with `ip link`'):
        self.state, self.advice = state, advice


class Driver:
    def __init__(self, **wires):
        self.wires = wires


def watch(**wires):
    return BusWatch(Driver(**wires))


def test_a_bus_that_loses_nothing_is_fine():
    report = watch(arm=Bus()).report(HEALTHY, 1.0)
    assert (report.level, report.message) == (Level.OK, 'no errors')
    assert report.values == {'wire of arm': 'up', **HEALTHY}


@pytest.mark.parametrize('name', [n for n in LOSSES if n != 'write_errors'])
def test_a_loss_is_a_warning_once_and_then_history(name):
    bus = watch()
    bus.report(HEALTHY, 1.0)
    lost = HEALTHY | {name: 3}
    report = bus.report(lost, 2.0)
    assert report.level is Level.WARN
    assert report.message.startswith(f'3 {name} within 1.0 s: {LOSSES[name]}')
    report = bus.report(lost, 3.0)
    assert (report.level, report.message[:15]) == (Level.OK, 'nothing new los')


def test_a_full_queue_and_a_disturbed_wire_are_an_error():
    bus = watch()
    bus.report(HEALTHY, 1.0)
    report = bus.report(HEALTHY | {'enobufs': 5000, 'error_frames': 400}, 2.0)
    assert report.level is Level.ERROR
    assert '5000 enobufs, 400 error_frames' in report.message
    assert 'txqueuelen' in report.message and 'termination' in report.message


def test_a_command_that_did_not_leave_is_an_error():
    assert watch().report({'write_errors': 1}, 1.0).level is Level.ERROR


def test_what_was_lost_before_the_first_report_is_told():
    report = watch().report({'error_frames': 2}, 1.0)
    assert report.level is Level.WARN
    assert 'since the bus was opened' in report.message


def test_a_bus_that_was_opened_again_counts_from_nothing():
    bus = watch()
    bus.report({'enobufs': 9}, 1.0)
    assert bus.report({'enobufs': 0}, 2.0).level is Level.OK
    assert '1 enobufs' in bus.report({'enobufs': 1}, 3.0).message


@pytest.mark.parametrize('state', [BusState.BUS_OFF, BusState.DOWN, BusState.MISSING])
def test_a_dead_wire_is_an_error_with_its_remedy(state):
    report = watch(left=Bus(), right=Bus(state)).report(HEALTHY, 1.0)
    assert report.level is Level.ERROR
    assert report.message.startswith(f'right: {state.value}: ')
    assert 'Bring it up with `ip link`' in report.message
    assert report.values['wire of left'] == 'up'
    assert report.values['wire of right'] == state.value


def test_a_wire_that_is_not_open_is_no_trouble():
    assert watch(arm=Bus(BusState.CLOSED)).report({}, 1.0).level is Level.OK


class Socket:
    """Stands for python-can's bus."""

    def __init__(self):
        self.incoming = []

    def recv(self, timeout):
        return self.incoming.pop(0) if self.incoming else None

    def shutdown(self):
        pass


def test_bus_off_of_a_real_controller_reaches_the_report_of_its_driver(tmp_path, monkeypatch):
    folder = tmp_path / 'net' / 'can0'
    folder.mkdir(parents=True)
    (folder / 'operstate').write_text('up\n')
    (folder / 'mtu').write_text('72\n')
    socket = Socket()

    def transport(config, sysfs):
        return SocketCan('can0', True, 1, 1, sysfs, lambda channel, fd: socket)

    monkeypatch.setattr('vla_control.buses.can._make_transport', transport)
    config = CanConfig(interface='socketcan', channel='can0')
    bus = CanBus(config, lock_folder=tmp_path, sysfs=tmp_path / 'net')
    watch = BusWatch(make_driver(load_robot('openarm'), 'sim', bus=bus))
    assert watch.report({}, 0.0).values == {'wire of openarm': 'closed'}
    with bus:
        assert watch.report(bus.counters, 1.0).level is Level.OK
        socket.incoming.append(can.Message(arbitration_id=0x40, is_error_frame=True))
        bus.receive()
        report = watch.report(bus.counters, 2.0)
        assert report.level is Level.ERROR
        assert report.message.startswith('openarm: bus-off: the CAN controller has given up')
        assert 'sudo ip link set can0 down' in report.message
        (folder / 'operstate').unlink()
        assert 'interface missing' in watch.report(bus.counters, 3.0).message


def test_a_pair_shows_the_wire_of_each_side():
    driver = make_driver(load_robot('openarm_bimanual'), 'sim')
    values = BusWatch(driver).report({}, 0.0).values
    assert values == {'wire of openarm_left': 'closed', 'wire of openarm': 'closed'}
