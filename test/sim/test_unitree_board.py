# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The emulated board of a G1, message by message."""

from dataclasses import replace

from g1_board import quick
import numpy as np
import pytest

from vla_control.buses.unitree import (
    ARM_COMMAND,
    ARM_WEIGHT_SLOT,
    BATTERY,
    call,
    CHECK_MODE,
    checksum_ok,
    decode_bms,
    decode_hand_state,
    decode_low_state,
    encode_hand_cmd,
    encode_low_cmd,
    GET_FSM_ID,
    hand_cmd,
    hand_command,
    hand_report,
    low_cmd,
    LOW_COMMAND,
    LOW_STATE,
    MOTION_SWITCHER,
    NOT_IMPLEMENTED,
    RELEASE_MODE,
    SPORT,
    UnitreeLoopback,
    wire_low_cmd,
)
from vla_control.core.clock import ManualClock
from vla_control.core.errors import SimulationError
from vla_control.core.spec import load_robot
from vla_control.robots.dynamics import RobotDynamics
from vla_control.sim.unitree_board import board_ends, UnitreeBoard
from vla_control.sim.unitree_body import DAMPING, STALE
from vla_control.sim.unitree_services import SELECT_MODE
from vla_control.sim.unitree_state import standing_pose

STEP = 0.002  # [s]
LEFT_ELBOW, SLOT = 3, 18  # in the spec, and on the bus
LEFT_THUMB, RIGHT_THUMB, RIGHT_INDEX = 14, 21, 24


class Bench:
    """The board alone, its joints where the test puts them."""

    def __init__(self, name='g1'):
        self.spec = quick(name)
        device_ends = board_ends(self.spec)
        self.host, end = UnitreeLoopback.pair(device_ends.swapped)
        self.host.open()
        end.open()
        self.dynamics = RobotDynamics.from_spec(self.spec)
        self.board = UnitreeBoard(end, self.spec, self.dynamics)
        self.now = 0.0
        self.q = np.array(self.spec.home)
        self.v = np.zeros(len(self.q))
        self.board.measure(0.0, self.q, self.v)

    def live(self, seconds=STEP):
        """Live on, and return the states of the body that left."""
        states = []
        for _ in range(round(seconds / STEP)):
            self.board.serve(self.now)
            states += [decode_low_state(p.payload) for p in self.host.take(LOW_STATE)]
            self.now += STEP
            self.board.measure(self.now, self.q, self.v)
        return states

    def tell(self, weight=0.0, topic=ARM_COMMAND, encode=encode_low_cmd, **fields):
        """Send a command for the left elbow."""
        message = low_cmd()
        message['mode_machine'] = fields.pop('mode_machine', 5)
        motor = message['motor_cmd']
        for name, value in fields.items():
            motor[name][SLOT] = value
        motor['q'][ARM_WEIGHT_SLOT] = weight
        self.host.publish(topic, encode(message))
        self.live()

    def tell_hand(self, side, mode, index, **fields):
        message = hand_cmd()
        message['motor_cmd']['mode'] = mode
        for name, value in fields.items():
            message['motor_cmd'][name][index] = value
        self.host.publish(hand_command(side), encode_hand_cmd(message))
        self.live()

    @property
    def elbow(self):
        """What the left elbow exerts [N·m]."""
        return self.board.torques(self.now)[LEFT_ELBOW]

    @property
    def weight_of_elbow(self):
        return self.dynamics.gravity(self.q)[LEFT_ELBOW]

    def ask(self, service, api_id, parameter=''):
        clock = ManualClock(self.now, wait=lambda seconds: self.live(max(seconds, STEP)))
        return call(self.host, clock, service, api_id, parameter)


@pytest.fixture
def bench():
    return Bench()


def test_states_leave_five_hundred_times_a_second_with_a_checksum_and_a_count(bench):
    states = bench.live(1.0)
    assert len(states) == 500
    assert all(checksum_ok(s) for s in states)
    assert (np.diff([int(s['tick']) for s in states]) == 1).all()


def test_states_show_what_the_encoders_read(bench):
    bench.q[LEFT_ELBOW], bench.v[LEFT_ELBOW] = 0.7, -0.3
    bench.live()
    (state,) = bench.live()
    motor = state['motor_state'][SLOT]
    assert motor['q'] == pytest.approx(0.7)
    assert motor['dq'] == pytest.approx(-0.3)
    assert motor['mode'] == 1
    assert int(state['mode_machine']) == 5
    assert state['imu_state']['quaternion'].tolist() == [1, 0, 0, 0]


def test_legs_and_waist_stand_where_the_robot_model_holds_them(bench):
    q = bench.live()[0]['motor_state']['q']
    assert q[:6] == pytest.approx([-0.1, 0, 0, 0.3, -0.2, 0])
    assert q[6:12] == pytest.approx([-0.1, 0, 0, 0.3, -0.2, 0])
    assert q[12:15] == pytest.approx([0, 0, 0])


def test_the_right_leg_mirrors_the_left_one():
    spec = replace(load_robot('g1'), urdf_args={'legs': '1 2 3 4 5 6', 'waist': '7 8 9'})
    pose = standing_pose(spec)
    assert pose[:15].tolist() == [1, 2, 3, 4, 5, 6, 1, -2, -3, 4, 5, -6, 7, 8, 9]


def test_both_hands_and_the_battery_report(bench):
    bench.q[RIGHT_INDEX] = 0.9
    bench.live(0.1)
    (packet,) = bench.host.take(hand_report('right'))
    assert decode_hand_state(packet.payload)['motor_state']['q'][3] == pytest.approx(0.9)
    assert len(bench.host.take(hand_report('left'))) == 1
    (packet,) = bench.host.take(BATTERY)
    assert int(decode_bms(packet.payload)['soc']) == 80


def test_the_robot_holds_its_arms_before_anybody_commands_them(bench):
    assert bench.board.holding
    assert bench.elbow == pytest.approx(bench.weight_of_elbow)
    bench.q[LEFT_ELBOW] -= 0.05
    bench.live()
    back = bench.spec.kp[LEFT_ELBOW] * 0.05
    assert bench.elbow == pytest.approx(bench.weight_of_elbow + back)


def test_at_full_weight_the_command_is_the_law(bench):
    bench.v[LEFT_ELBOW] = 0.4
    bench.tell(1.0, q=bench.q[LEFT_ELBOW] + 0.1, dq=0.5, kp=60.0, kd=2.0, tau=1.5)
    assert bench.elbow == pytest.approx(60.0 * 0.1 + 2.0 * 0.1 + 1.5, abs=1e-4)


def test_at_half_weight_it_is_half_of_everything(bench):
    q = bench.q[LEFT_ELBOW]
    bench.tell(0.5, q=q + 0.2, kp=40.0, kd=2.0, tau=3.0)
    stiff = 0.5 * (40.0 + bench.spec.kp[LEFT_ELBOW])
    wanted = stiff * 0.1 + 0.5 * (3.0 + bench.weight_of_elbow)
    assert bench.elbow == pytest.approx(wanted, abs=1e-4)


def test_without_weight_a_command_does_nothing(bench):
    before = bench.elbow
    bench.tell(0.0, q=2.0, kp=100.0, tau=20.0)
    assert bench.elbow == before


def test_no_motor_exerts_more_than_its_effort(bench):
    bench.tell(1.0, q=10.0, kp=500.0)
    assert bench.elbow == bench.spec.effort[LEFT_ELBOW]


def test_the_last_command_stays_when_the_stream_ends(bench):
    bench.tell(1.0, tau=4.0)
    bench.live(5.0)
    assert bench.elbow == pytest.approx(4.0)


@pytest.mark.parametrize('encode', [encode_low_cmd, wire_low_cmd])
def test_a_command_for_other_hardware_or_with_a_wrong_checksum_is_ignored(bench, encode):
    before = bench.elbow
    bench.tell(1.0, encode=encode, tau=4.0, mode_machine=6 if encode is encode_low_cmd else 5)
    assert bench.elbow == before
    assert bench.board.doors[ARM_COMMAND].refused == 1


def test_a_finger_runs_only_with_the_right_mode(bench):
    def thumb(mode):
        bench.tell_hand('left', mode, 0, tau=0.5)
        return bench.board.torques(bench.now)[LEFT_THUMB]

    assert thumb(0x10) == pytest.approx(0.5)
    assert thumb(0x90) == 0.0  # the timeout bit
    assert thumb(0x00) == 0.0


def test_each_hand_has_its_own_command(bench):
    bench.tell_hand('right', 0x10, 3, kp=1.0, q=bench.q[RIGHT_INDEX] + 0.2)
    torque = bench.board.torques(bench.now)
    assert torque[RIGHT_INDEX] == pytest.approx(0.2, abs=1e-6)
    assert torque[LEFT_THUMB] == torque[RIGHT_THUMB] == 0.0


def test_the_services_tell_who_controls_the_robot(bench):
    assert 'ai' in bench.ask(MOTION_SWITCHER, CHECK_MODE).data
    assert '500' in bench.ask(SPORT, GET_FSM_ID).data
    assert bench.ask(SPORT, 4711).code == NOT_IMPLEMENTED


def test_a_released_robot_damps_until_every_motor_is_commanded(bench):
    bench.tell(1.0, tau=4.0)
    bench.ask(MOTION_SWITCHER, RELEASE_MODE)
    bench.v[LEFT_ELBOW] = 0.5
    bench.live()
    assert bench.elbow == pytest.approx(-DAMPING * 0.5)
    bench.tell(topic=LOW_COMMAND, mode=1, tau=3.0)
    assert bench.elbow == pytest.approx(3.0)
    bench.tell(topic=LOW_COMMAND, mode=0, tau=3.0)
    assert bench.elbow == 0.0
    bench.tell(topic=LOW_COMMAND, mode=1, tau=3.0)
    bench.live(STALE + 0.01)
    assert bench.elbow == pytest.approx(-DAMPING * 0.5)


def test_while_its_controller_runs_nobody_drives_the_whole_body(bench):
    before = bench.elbow
    bench.tell(topic=LOW_COMMAND, mode=1, tau=3.0)
    assert bench.elbow == before


def test_a_controller_can_be_selected_again(bench):
    bench.ask(MOTION_SWITCHER, RELEASE_MODE)
    assert not bench.board.holding
    bench.ask(MOTION_SWITCHER, SELECT_MODE, '{"name": "ai"}')
    assert bench.board.holding


def test_a_robot_for_low_level_control_hangs_released():
    bench = Bench('g1_lowlevel')
    assert not bench.board.holding
    assert '""' in bench.ask(MOTION_SWITCHER, CHECK_MODE).data
    message = low_cmd()
    message['mode_machine'] = 5
    message['motor_cmd']['mode'] = 1
    message['motor_cmd']['tau'][:29] = np.arange(29) * 0.1
    bench.host.publish(LOW_COMMAND, encode_low_cmd(message))
    bench.live()
    assert bench.board.holding
    assert bench.board.torques(bench.now) == pytest.approx(np.arange(29) * 0.1)


def test_physics_that_has_become_non_finite_is_an_error(bench):
    bench.q[0] = np.nan
    with pytest.raises(SimulationError, match='not finite'):
        bench.board.measure(bench.now, bench.q, bench.v)
