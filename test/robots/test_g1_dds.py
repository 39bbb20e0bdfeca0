# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The driver of a G1 over real DDS, with the board in a thread of its own."""

from dataclasses import replace
import os
import re
import threading

from g1_rig import Board, NoDynamics
import numpy as np
import pytest

pytest.importorskip('cyclonedds')

from vla_control.buses.dds import DdsBus
from vla_control.buses.unitree import ARM_WEIGHT_SLOT
from vla_control.core.clock import SteadyClock
from vla_control.core.errors import BusError, RobotError
from vla_control.core.messages import JointCommand, MotorStatus
from vla_control.core.spec import load_robot
from vla_control.robots.g1 import G1
from vla_control.robots.g1_config import dds_config
from vla_control.runtime.control import RobotController
from vla_control.safety.supervisor import Event, Mode
from vla_control.sim.devices import open_device


def robot(domain):
    """Return a G1 with short times in a domain of this run."""
    spec = load_robot('g1')
    arm = {**spec.bus['arm_sdk'], 'weight_ramp': 0.2, 'release_hold': 0.1}
    domains = {**spec.bus['domain'], 'sim': domain}
    # A busy machine is late; what counts here is that everything passes through DDS.
    safety = replace(spec.safety, feedback_stop=0.5, feedback_fault=1.0)
    return replace(spec, bus={**spec.bus, 'arm_sdk': arm, 'domain': domains}, safety=safety)


@pytest.fixture
def setting(tmp_path):
    spec = robot(80 + os.getpid() % 40)
    board_bus = DdsBus(dds_config(spec, 'sim', 'device'), tmp_path)
    board_bus.open()
    board = Board(board_bus, ('left', 'right'))
    done = threading.Event()

    def live():
        while not done.wait(0.002):
            board.serve()

    thread = threading.Thread(target=live)
    thread.start()
    yield spec, board, tmp_path
    done.set()
    thread.join()
    board_bus.close()


class Live:
    """The emulated board in a thread, standing still, and the driver under control."""

    def __init__(self, spec, lock_folder):
        self.spec, self.clock = spec, SteadyClock()
        self.board = open_device(spec)
        self.done = threading.Event()
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()
        bus = DdsBus(dds_config(spec, 'sim'), lock_folder)
        self.controller = RobotController(spec, G1(spec, bus, NoDynamics(), self.clock))

    def _serve(self):
        home, still = np.array(self.spec.home), np.zeros(len(self.spec.home))
        while not self.done.is_set():
            self.board.measure(self.clock.now(), home, still)
            self.board.serve(self.clock.now(), 0.002)

    def until(self, condition, patience=5.0):
        """Tick until something is true, and return how long that took [s]."""
        start = self.clock.now()
        while not condition():
            assert self.clock.now() - start < patience, self.controller.snapshot.reason
            self.clock.sleep_until(self.clock.now() + self.spec.dt)
            self.controller.tick(self.clock.now())
        return self.clock.now() - start

    def close(self):
        self.controller.shutdown(self.clock.now())
        self.done.set()
        self.thread.join()
        self.board.close()


@pytest.fixture
def live(tmp_path):
    live = Live(robot(81 + os.getpid() % 40), tmp_path)
    yield live
    live.close()


def test_a_second_writer_on_the_network_is_a_fault_at_once(live):
    controller = live.controller
    controller.configure(live.clock.now())
    controller.activate(live.clock.now())
    took = []
    for _ in range(3):
        live.until(lambda: controller.driver.weight == 1.0)
        assert controller.mode is Mode.HOLD
        live.board.faults.second_writer = True
        took.append(live.until(lambda: controller.mode is Mode.FAULT))
        words = f'rt/arm_sdk is also commanded by .*pid {os.getpid()}'
        assert re.search(words, controller.snapshot.reason)
        live.until(lambda: controller.driver.weight == 0.0)
        live.board.faults.second_writer = False
        live.until(lambda: not controller.snapshot.measured.faults)
        controller.request(Event.RESET)
        live.until(lambda: controller.mode is Mode.HOLD)
    assert min(took) < 0.5  # a look every 0.25 s, and discovery; a busy machine takes longer


def test_the_driver_finds_moves_and_leaves_the_robot(setting):
    spec, board, lock = setting
    clock = SteadyClock()
    driver = G1(spec, DdsBus(dds_config(spec, 'sim'), lock), NoDynamics(), clock)
    driver.connect(clock.now())
    state = driver.enable(clock.now())
    assert state.status == (MotorStatus.ENABLED,) * 28
    zero = np.zeros(28)
    target = np.array(state.q)
    target[3] = 0.3
    for _ in range(150):
        clock.sleep_until(clock.now() + spec.dt)
        state = driver.read(clock.now())
        driver.write(JointCommand(q=target, v=zero, a=zero), clock.now())
    assert state.q[3] == pytest.approx(0.3, abs=0.02)
    assert state.faults == ()
    assert state.bus['bad_states'] == 0
    driver.close(clock.now())
    weights = [float(c['motor_cmd']['q'][ARM_WEIGHT_SLOT]) for c in board.commands]
    assert max(weights) == 1.0
    assert weights[-1] == 0.0
    assert board.bad_commands == 0


def test_a_second_driver_of_this_machine_is_refused(setting):
    spec, _, lock = setting
    clock = SteadyClock()
    first = G1(spec, DdsBus(dds_config(spec, 'sim'), lock), NoDynamics(), clock)
    second = G1(spec, DdsBus(dds_config(spec, 'sim'), lock), NoDynamics(), clock)
    first.connect(clock.now())
    with pytest.raises(BusError, match='held by process'):
        second.connect(clock.now())
    first.close(clock.now())


def test_a_commander_on_another_machine_is_refused_by_name(setting):
    spec, board, lock = setting
    clock = SteadyClock()
    # Another lock folder stands for another machine.
    (lock / 'elsewhere').mkdir()
    elsewhere = DdsBus(dds_config(spec, 'sim'), lock / 'elsewhere')
    elsewhere.open()
    driver = G1(spec, DdsBus(dds_config(spec, 'sim'), lock), NoDynamics(), clock)
    with pytest.raises(RobotError, match=f'rt/arm_sdk writers: commanded by .*pid {os.getpid()}'):
        driver.connect(clock.now())
    elsewhere.close()
    assert board.commands == []
