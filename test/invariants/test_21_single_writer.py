# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Invariant 21: a bus has one writer, and whoever comes second is told who it is.

The lock is the operating system's: it holds across processes and ends with its holder. That the
topic of commands has one publisher is tested over ROS, in test/ros/test_enable.py.
"""

from driver_process import free_port, private, start
import pytest

from vla_control.core.clock import SteadyClock
from vla_control.core.errors import BusError, ConfigError
from vla_control.robots.factory import make_driver
from vla_control.runtime.control import RobotController
from vla_control.safety.supervisor import Mode
from vla_control.sim.devices import open_device


@pytest.fixture
def place(tmp_path):
    return tmp_path, free_port()


@pytest.fixture
def holder(robot, place):
    try:
        open_device(private(robot, *place)).close()
    except ConfigError as error:
        pytest.skip(f'no emulated electronics yet: {error}')
    process = start(robot.name, *place, 'hold')
    line = process.stdout.readline()
    assert line == 'held\n', line or process.stderr.read()
    yield process
    process.kill()
    process.wait()


def controller(spec):
    return RobotController(spec, make_driver(spec, 'sim', SteadyClock()))


def test_a_second_process_fails_to_configure_and_is_told_who_holds_the_bus(robot, place, holder):
    spec = private(robot, *place)
    second = controller(spec)
    with pytest.raises(BusError, match='one writer') as refused:
        second.configure(SteadyClock().now())
    assert f'process {holder.pid} (driver_process.py' in str(refused.value)
    assert second.mode is Mode.UNCONFIGURED
    with pytest.raises(BusError, match=f'process {holder.pid}'):
        second.configure(SteadyClock().now())


def test_the_first_goes_on_and_once_it_is_dead_the_bus_is_free(robot, place, holder):
    spec = private(robot, *place)
    with pytest.raises(BusError):
        controller(spec).configure(SteadyClock().now())
    assert holder.poll() is None
    holder.kill()
    holder.wait()
    with pytest.raises(Exception) as found:
        # The bus opens now, but its electronics died with the holder.
        controller(spec).configure(SteadyClock().now())
    assert 'one writer' not in str(found.value)
