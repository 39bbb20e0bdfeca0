# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""From a name to a driver."""

from dataclasses import replace

import numpy as np
import pytest

from vla_control.buses.loopback import LoopbackBus
from vla_control.core.clock import ManualClock
from vla_control.core.errors import ConfigError
from vla_control.core.spec import load_robot
from vla_control.robots.factory import make_driver
from vla_control.robots.mock import Mock
from vla_control.robots.openarm import OpenArm
from vla_control.sim.damiao_motors import DamiaoBus, MotorServer

SPEC = load_robot('openarm')


@pytest.mark.parametrize('hardware', ['real', 'sim'])
def test_real_and_simulated_hardware_use_the_same_driver(hardware):
    assert type(make_driver(SPEC, hardware)) is OpenArm


def test_the_mirror_needs_no_bus():
    assert type(make_driver(SPEC, 'mock')) is Mock


def test_an_unknown_driver_is_refused_with_what_there_is():
    with pytest.raises(ConfigError, match=r"'toaster'.*'openarm'"):
        make_driver(replace(SPEC, driver='toaster'), 'sim')


def test_unknown_hardware_is_refused_with_what_there_is():
    with pytest.raises(ConfigError, match=r"'reel'.*'real', 'sim', 'mock'"):
        make_driver(SPEC, 'reel')


def test_a_driver_on_a_bus_in_memory_lives_in_virtual_time():
    host, device = LoopbackBus.pair()
    motors = DamiaoBus(SPEC)
    server = MotorServer(device, motors)
    device.open()

    def live(_seconds):
        motors.measure(clock.now(), np.array(SPEC.home), np.zeros(8))
        server.serve(clock.now())

    clock = ManualClock(5.0, wait=live)
    driver = make_driver(SPEC, 'sim', clock, host)
    driver.connect(clock.now())
    state = driver.enable(clock.now())
    np.testing.assert_allclose(state.q, SPEC.home, atol=2e-4)
    assert 5.0 < state.stamp < 5.2
    driver.close(clock.now())
    assert not any(m.enabled for m in motors.motors)
