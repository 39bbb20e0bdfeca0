# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""A G1 for the driver tests: a small board at the far end of a bus in memory."""

from dataclasses import replace

import numpy as np
from rigs import Rig

from vla_control.buses.unitree import (
    answer,
    ARM_COMMAND,
    ARM_WEIGHT_SLOT,
    BATTERY,
    BMS_STATE,
    checksum_ok,
    decode_hand_cmd,
    decode_low_cmd,
    encode_bms,
    encode_hand_state,
    encode_low_state,
    encode_remote,
    hand_command,
    hand_report,
    hand_state,
    LOW_COMMAND,
    LOW_STATE,
    low_state,
    MOTION_SWITCHER,
    MOTORS,
    SIDES,
    SPORT,
    UnitreeLoopback,
    wire_low_state,
)
from vla_control.core.errors import BusError
from vla_control.core.messages import MotorStatus
from vla_control.core.spec import load_robot
from vla_control.robots.g1 import G1
from vla_control.robots.g1_config import g1_config, g1_ends, g1_motors
from vla_control.robots.g1_lowlevel import G1LowLevel

STEP = 0.002  # [s] between two states of the board
FOLLOW = 0.02  # [s] time constant of a joint under command


class Board:
    """States at 500 Hz; the arms go where the blend of command and own posture says."""

    def __init__(self, bus, hands):
        self.bus = bus
        self.hands = hands
        self.state = low_state()
        self.state['mode_machine'] = 5
        self.state['imu_state']['quaternion'] = [1, 0, 0, 0]
        motors = self.state['motor_state'][:MOTORS]
        motors['mode'] = 1
        motors['temperature'] = [35, 40]
        self.posture = np.zeros(MOTORS)  # what the robot's own controller wants
        self.q = np.zeros(MOTORS)
        self.fingers = {side: np.zeros(7) for side in hands}
        self.asked = {side: np.zeros(7) for side in hands}
        self.weight = 0.0
        self.target = np.zeros(MOTORS)
        self.commands = []  # decoded, with a right checksum
        self.bad_commands = 0
        self.name = 'ai'  # of the running controller, '' when released
        self.fsm = 500
        self.battery = 80
        self.buttons = ()
        self.bad_checksum = False
        self.silent = set()  # of 'body', 'left', 'right'
        self.broken = set()  # slots that report an error
        self.services = True

    def serve(self):
        self._obey()
        self.q += (self._wanted() - self.q) * min(1.0, STEP / FOLLOW)
        for side in self.hands:
            self.fingers[side] += (self.asked[side] - self.fingers[side]) * STEP / FOLLOW
        self._report()
        if self.services:
            answer(self.bus, MOTION_SWITCHER, lambda *_: (0, f'{{"name":"{self.name}"}}'))
            answer(self.bus, SPORT, lambda *_: (0, f'{{"data":{self.fsm}}}'))

    def _obey(self):
        for topic in (ARM_COMMAND, LOW_COMMAND):
            if topic not in self.bus.ends.reads:
                continue
            for packet in self.bus.take(topic):
                command = decode_low_cmd(packet.payload)
                if not checksum_ok(command) or int(command['mode_machine']) != 5:
                    self.bad_commands += 1
                    continue
                self.commands.append(command)
                self.target = np.array(command['motor_cmd']['q'][:MOTORS], dtype=float)
                self.weight = float(command['motor_cmd']['q'][ARM_WEIGHT_SLOT])
                self.stiff = command['motor_cmd']['kp'][:MOTORS] > 0
        for side in self.hands:
            for packet in self.bus.take(hand_command(side)):
                motors = decode_hand_cmd(packet.payload)['motor_cmd']
                held = motors['kp'] > 0
                self.asked[side] = np.where(held, motors['q'], self.fingers[side])

    def _wanted(self):
        if not self.commands:
            return self.q
        if not self.name:  # released: only what we say counts
            return np.where(self.stiff, self.target, self.q)
        blended = self.weight * self.target + (1.0 - self.weight) * self.posture
        return np.where(self.stiff, blended, self.posture)

    def _report(self):
        state, motors = self.state, self.state['motor_state'][:MOTORS]
        state['tick'] += 1
        motors['q'] = self.q
        motors['motorstate'] = [0x40 if slot in self.broken else 0 for slot in range(MOTORS)]
        state['wireless_remote'] = list(encode_remote(self.buttons))
        if 'body' not in self.silent:
            payload = encode_low_state(state)
            if self.bad_checksum:
                state['crc'] ^= 1
                payload = wire_low_state(state)
            self.bus.publish(LOW_STATE, payload)
        for side in self.hands:
            if side not in self.silent:
                report = hand_state()
                report['motor_state']['q'] = self.fingers[side]
                report['motor_state']['temperature'] = [30, 30]
                self.bus.publish(hand_report(side), encode_hand_state(report))
        battery = np.zeros((), BMS_STATE)
        battery['soc'] = self.battery
        self.bus.publish(BATTERY, encode_bms(battery))


class NoDynamics:
    """Weightless arms."""

    def inverse(self, q, v, a):
        return np.array(a, dtype=float)

    def gravity(self, q):
        return np.zeros(len(q))


class G1Rig(Rig):
    """The real driver on a bus in memory; times are short so that tests are."""

    wire = False
    fault_status = MotorStatus.UNKNOWN
    per_tick = 1  # of the body; the hands have a slower pace

    def __init__(self, name='g1', **bus):
        spec = load_robot(name)
        section = {**spec.bus, **bus}
        if 'arm_sdk' in section:
            section['arm_sdk'] = {**section['arm_sdk'], 'weight_ramp': 0.5, 'release_hold': 0.1}
        section['wait'] = 0.2
        safety = replace(spec.safety, feedback_fault=0.06)
        self.spec = replace(spec, bus=section, safety=safety)
        self.bus, device = UnitreeLoopback.pair(g1_ends(self.spec))
        device.open()
        motors = g1_motors(self.spec, g1_config(self.spec))
        self._body, self._slots = motors.body, motors.slots
        self._fingers = motors.hands
        self.board = Board(device, tuple(motors.hands))
        self.stand = False
        self._now = 100.0
        home = np.array(self.spec.home)
        self.board.q[self._slots] = self.board.posture[self._slots] = home[self._body]
        if 'low_level' in section:
            self.board.name = ''
            self.driver = G1LowLevel(self.spec, self.bus, self)
        else:
            self.driver = G1(self.spec, self.bus, NoDynamics(), self)

    @property
    def pose(self):
        q = np.zeros(len(self.spec.joints))
        q[self._body] = self.board.q[self._slots]
        for side, (joints, motors) in self._fingers.items():
            q[joints] = self.board.fingers[side][motors]
        return q

    def now(self):
        return self._now

    def sleep_until(self, deadline):
        while self._now < deadline - 1e-9:
            self._now = min(self._now + STEP, deadline)
            self.board.serve()

    def sent_count(self):
        return self.bus.counters['sent']

    def mates(self, joint):
        side = self._side(joint)
        return list(self._body if side == 'body' else self._fingers[side][0])

    def silence(self, joint):
        self.board.silent.add(self._side(joint))

    def break_motor(self, joint):
        slot = self._slots[list(self._body).index(self.spec.names.index(joint))]
        self.board.broken.add(int(slot))

    def mend(self, joint):
        self.board.broken.clear()

    def cut_bus(self):
        self.bus.close()

    def place(self, joint, value):
        index = self.spec.names.index(joint)
        slot = self._slots[list(self._body).index(index)]
        self.board.q[slot] = self.board.posture[slot] = value

    def run(self, seconds, command=None):
        """Live for a time; without a command the safe action runs."""
        for _ in range(round(seconds / self.spec.dt)):
            state = self.tick(command)
        return state

    def sent(self, topic):
        """Return the messages sent on a topic so far, decoded."""
        decode = decode_low_cmd if topic in (ARM_COMMAND, LOW_COMMAND) else decode_hand_cmd
        return [decode(payload) for name, payload in self.bus.sent if name == topic]

    def _side(self, joint):
        index = self.spec.names.index(joint)
        for side in SIDES:
            if side in self._fingers and index in self._fingers[side][0]:
                return side
        return 'body'


__all__ = ['Board', 'BusError', 'G1Rig', 'NoDynamics']
