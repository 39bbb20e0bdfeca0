# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Our emulated board under Unitree software we did not write, and our driver on a robot made of it.

Over DDS on loopback, in real time, each side in a process of its own.
"""

from dataclasses import replace
import time

import numpy as np
import pytest

pytest.importorskip('cyclonedds')

from g1_board import Body, quick, STEP
from unitree_meeting import (
    config,
    DOMAIN,
    meeting,
    named_domain,
    needs_cpp,
    needs_python,
    Peer,
    tagged,
)

from vla_control.buses.dds import DdsBus
from vla_control.buses.unitree import (
    ARM_COMMAND,
    encode_low_cmd,
    low_cmd,
    LOW_COMMAND,
    wire_low_cmd,
)
from vla_control.core.clock import SteadyClock
from vla_control.core.messages import JointCommand, MotorStatus
from vla_control.robots.dynamics import RobotDynamics
from vla_control.robots.factory import make_driver
from vla_control.robots.g1_config import g1_config, g1_ends, g1_motors
from vla_control.sim.unitree_board import board_ends, UnitreeBoard

pytestmark = pytest.mark.peer
RATE = 0.7  # [rad/s] of the sway
LATE = 0.1  # [s] of physics that are made up after the machine was busy


class LiveBoard:
    """The emulated board and its body in real time."""

    def __init__(self, spec, bus):
        self.spec = spec
        self.board = UnitreeBoard(bus, spec, RobotDynamics.from_spec(spec))
        self.body = Body(spec, self.board)
        motors = g1_motors(spec, g1_config(spec))
        self.joints, self.slots = motors.body, motors.slots
        self.origin = self.body.q.copy()
        self._now = time.monotonic()

    @property
    def q(self):
        """Where the motors of the body are [rad]."""
        return self.body.q[self.joints]

    def live(self):
        """Live up to now."""
        self._now = max(self._now, time.monotonic() - LATE)
        while self._now < time.monotonic():
            self.body.step(self._now)
            self._now += STEP
        time.sleep(max(0.0, self._now - time.monotonic()))

    def at_rest(self, weight, asked, kp):
        """Return where a stiffness [N·m/rad] and the robot's own hold the body [rad]."""
        own = self.spec.kp[self.joints]
        sum_kp = (1.0 - weight) * own + weight * kp
        blended = (1.0 - weight) * self.origin[self.joints] + weight * asked
        return blended - weight * self.body.weight[self.joints] / sum_kp


@needs_python
def test_the_vendors_python_sdk_moves_the_arms_of_our_board_by_its_weight(tmp_path):
    spec = quick('g1')
    where = config(board_ends(spec), 'device')
    with meeting(where, tmp_path, 'blend', DOMAIN) as (bus, peer):
        robot = LiveBoard(spec, bus)

        def heard():
            robot.live()
            return peer.heard()

        moved = []
        for weight in (0.0, 0.4, 1.0):
            said = peer.until(heard)
            assert said['weight'] == weight
            seen, asked = np.array(said['q'])[robot.slots], np.array(said['asked'])[robot.slots]
            np.testing.assert_allclose(seen, robot.q, atol=2e-3)
            np.testing.assert_allclose(seen, robot.at_rest(weight, asked, 60.0), atol=5e-3)
            moved.append(np.abs(seen - robot.origin[robot.joints]).min())
            assert said['checked'] > 5 * len(moved)
            assert said['bad'] == 0
        assert moved[0] < 0.005 < 0.05 < moved[1] < moved[2]
        door = robot.board.doors[ARM_COMMAND]
        assert door.taken > 50
        assert door.refused == 0


@needs_cpp
def test_the_vendors_cpp_sdk_moves_every_motor_of_our_board(tmp_path):
    spec = quick('g1_lowlevel')
    where = tagged(board_ends(spec), 'device')
    with meeting(where, tmp_path, 'whole', named_domain(where.xml)) as (bus, peer):
        robot = LiveBoard(spec, bus)
        robot.body.carried = True  # until somebody drives it

        def heard():
            robot.body.carried = robot.body.carried and not robot.board.holding
            robot.live()
            return peer.heard()

        said = peer.until(heard)
        seen, asked = np.array(said['q']), np.array(said['asked'])
        np.testing.assert_allclose(said['start'], robot.origin, atol=1e-6)
        np.testing.assert_allclose(seen, robot.q, atol=5e-3)
        np.testing.assert_allclose(seen, robot.at_rest(1.0, asked, 60.0), atol=5e-3)
        assert robot.board.doors[LOW_COMMAND].taken > 100


@pytest.fixture
def patient():
    """Return a robot for a machine that may be busy, so that both sides may be late."""

    def make(name):
        spec = quick(name)
        safety = replace(spec.safety, feedback_stop=0.5, feedback_fault=1.0)
        # The C++ SDK that is the robot has a writer of commands too.
        return replace(spec, bus={**spec.bus, 'wait': 15.0, 'lowcmd_writers': 1}, safety=safety)

    return make


class Drive:
    """A driver in real time, and every command it was given."""

    def __init__(self, spec, where, lock_folder):
        self.spec, self.clock = spec, SteadyClock()
        self.bus = DdsBus(where, lock_folder)
        self.driver = make_driver(spec, 'sim', self.clock, bus=self.bus)
        self.told, self.states = [], []

    def start(self):
        self.driver.connect(self.clock.now())
        self.pose = self.driver.enable(self.clock.now()).q
        return self.pose

    def sway(self, seconds, peer, gain=1.0):
        """Move every joint, each command unlike any other; return what the peer heard."""
        heard, start = [], self.clock.now()
        n = len(self.spec.joints)
        while (now := self.clock.now()) < start + seconds:
            angle = RATE * (now - start)  # under a quarter turn: no position comes twice
            size = 0.1 + 0.002 * np.arange(n)
            command = JointCommand(
                q=self.pose + size * np.sin(angle),
                v=RATE * size * np.cos(angle),
                a=-(RATE**2) * size * np.sin(angle),
                gain=gain,
            )
            self.states.append(self.driver.read(now))
            self.driver.write(command, now)
            self.told.append((command, getattr(self.driver, 'weight', 1.0)))
            heard += everything(peer)
            self.clock.sleep_until(now + self.spec.dt)
        return heard

    def send_stranger(self, peer, *, right):
        """Send a command of another kind, its checksum right or not; return whether it counts."""
        message = low_cmd()
        message['mode_machine'] = 5
        message['motor_cmd']['q'][:29] = 1.25
        payload = encode_low_cmd(message)
        if not right:
            message['crc'] ^= 1
            payload = wire_low_cmd(message)
        for _ in range(20):
            self.bus.publish(LOW_COMMAND, payload)
            time.sleep(0.01)
        return any(said['seen'][0][0] == 1.25 for said in everything(peer))

    def nearest(self, q, joint=0):
        """Return the command that a position of a joint belongs to, and its weight."""
        index = int(np.argmin([abs(np.float32(c.q[joint]) - q) for c, _ in self.told]))
        return self.told[index]


def everything(peer):
    found = []
    while said := peer.heard():
        found.append(said)
    return found


@needs_python
def test_our_driver_moves_the_arms_of_a_robot_made_of_the_vendors_python_sdk(tmp_path, patient):
    spec = patient('g1')
    motors = g1_motors(spec, g1_config(spec))
    dynamics = RobotDynamics.from_spec(spec)
    peer = Peer('body', DOMAIN)
    drive = Drive(spec, config(g1_ends(spec)), tmp_path)
    try:
        pose = drive.start()
        np.testing.assert_allclose(pose[motors.body], 0.01 * motors.slots, atol=1e-6)
        everything(peer)
        heard = drive.sway(2.0, peer)
        drive.driver.close(drive.clock.now())
        time.sleep(0.3)
        farewell = everything(peer)
    finally:
        peer.close()
    commands = [said for said in heard if 'crc_ok' in said]
    while not commands[0]['motors'][15][4]:  # enable() takes hold without stiffness or weight
        assert commands.pop(0)['weight'] == 0.0
    assert len(commands) > 50
    assert {said['weight'] for said in commands} >= {1.0}
    for said in commands:
        assert said['crc_ok']
        assert said['mode_machine'] == 5
        mode, q, v, tau, kp, kd = np.array(said['motors']).T
        command, weight = drive.nearest(q[motors.slots[0]])
        assert said['weight'] == np.float32(weight)
        on = [*motors.slots, 12, 13, 14]
        assert set(np.flatnonzero(mode)) == set(on)
        at, of = motors.slots, motors.body
        assert (q[at] == np.float32(command.q[of])).all()
        assert (v[at] == np.float32(command.v[of])).all()
        assert (kp[at] == np.float32(spec.kp[of])).all()
        assert (kd[at] == np.float32(spec.kd[of])).all()
        wanted = dynamics.inverse(command.q, command.v, command.a)[of]
        np.testing.assert_allclose(tau[at], np.clip(wanted, -spec.effort[of], spec.effort[of]))
        np.testing.assert_allclose(q[12:15], [0.12, 0.13, 0.14], atol=1e-6)  # where it was found
        assert not np.array(said['motors'])[:12].any(), 'legs'
    judge_hands(drive, [said for said in heard if 'hand' in said])
    last = [said for said in farewell if 'crc_ok' in said]
    assert all(said['crc_ok'] for said in last)
    assert last[-1]['weight'] == 0.0
    for state in drive.states:
        assert state.faults == ()
        assert set(state.status) == {MotorStatus.ENABLED}
        assert state.bus['bad_states'] == 0


def judge_hands(drive, heard):
    spec = drive.spec
    for side in ('left', 'right'):
        mine = [np.array(said['fingers']).T for said in heard if said['hand'] == side]
        while not mine[0][2].any():  # enable() takes hold without stiffness
            mine.pop(0)
        assert len(mine) > 20
        at = [i for i, j in enumerate(spec.joints) if j.motor.get('hand') == side]
        order = [spec.joints[i].motor['index'] for i in at]
        for modes, q, kp, kd in mine:
            command, _ = drive.nearest(q[order[0]], at[0])
            assert modes.tolist() == list(range(16, 23))
            assert (q[order] == np.float32(command.q[at])).all()
            assert (kp[order] == np.float32(spec.kp[at])).all()
            assert (kd[order] == np.float32(spec.kd[at])).all()


@needs_cpp
def test_our_driver_moves_every_motor_of_a_robot_made_of_the_vendors_cpp_sdk(tmp_path, patient):
    spec = patient('g1_lowlevel')
    where = tagged(g1_ends(spec))
    peer = Peer('hung', named_domain(where.xml))
    drive = Drive(spec, where, tmp_path)
    try:
        pose = drive.start()
        np.testing.assert_allclose(pose, 0.01 * np.arange(29), atol=1e-6)
        everything(peer)
        heard = drive.sway(1.5, peer, gain=0.6)
        time.sleep(0.1)
        heard += everything(peer)
        taken = {right: drive.send_stranger(peer, right=right) for right in (False, True)}
        drive.driver.close(drive.clock.now())
    finally:
        peer.close()
    assert taken == {False: False, True: True}
    assert len(heard) > 50
    kp = 0.6 * spec.kp
    kd = 0.6 * spec.kd + 0.4 * spec.bus['low_level']['damping']
    for said in heard:
        fields = np.array(said['seen'])
        command, _ = drive.nearest(fields[0, 0])
        wanted = (command.q, command.v, np.zeros(29), kp, kd)  # nothing is fed forward
        assert (fields == np.float32(wanted)).all()
    for state in drive.states:
        assert state.faults == ()
        assert set(state.status) == {MotorStatus.DISABLED}, 'its states name no mode of a motor'
        assert state.bus['bad_states'] == 0
