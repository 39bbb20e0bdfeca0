# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
The DK1's adapter and motors against software we did not write.

pydamiao, and the robot maker's own package: `pip install --no-deps --ignore-requires-python
tnkr-robot-dk1==0.3.8`, without dependencies, as it declares a whole learning framework.
"""

from pathlib import Path
import random
import time

from live_dk1 import live_dk1
import numpy as np
import pytest

from vla_control.buses.byte_ports import TtyPort
from vla_control.buses.damiao import (
    bus_ranges,
    CLEAR_ERROR,
    command_id,
    decode_feedback,
    decode_register_reply,
    DISABLE,
    ENABLE,
    encode_mit,
    encode_pos_force,
    encode_pos_vel,
    encode_vel,
    Mode,
    motor_setups,
    read_register,
    refresh,
    Reg,
    REGISTERS,
    SET_ZERO,
    write_register,
)
from vla_control.buses.damiao_adapter import AnswerReader, encode_answer, encode_command
from vla_control.core.clock import SteadyClock
from vla_control.core.spec import load_robot
from vla_control.robots.dynamics import RobotDynamics

pytestmark = pytest.mark.peer

SPEC = load_robot('dk1')
SETUPS = motor_setups(SPEC)
RANGES = bus_ranges(SPEC.bus, 'dk1: bus')
TRIALS = 20_000
PATIENCE = 20.0  # [s] before a peer on a busy machine counts as stuck
DISABLING = 5.0  # [s] for a motor to say that it stands still
READ, WRITE = 0x33, 0x55  # what marks an answer about a register
SPECIAL = {'enable': ENABLE, 'disable': DISABLE, 'zero': SET_ZERO, 'clear': CLEAR_ERROR}
WRITABLE = [Reg.ACC, Reg.MAX_SPD, Reg.MST_ID, Reg.TIMEOUT, Reg.CTRL_MODE, Reg.KP_APR, Reg.PMAX]


def float32(rng, low, high):
    return float(np.float32(rng.uniform(low, high)))


def random_command(rng):
    """A command for a random motor: its kind, motor and fields, every field on a code."""
    setup = rng.choice(SETUPS)
    kind = rng.choice(['mit'] * 4 + ['pos_vel', 'vel', 'pos_force', 'read', 'write', *SPECIAL])
    if kind == 'mit':
        r = RANGES[setup.model]
        spans = (
            (-r.position, r.position, 65535),
            (-r.velocity, r.velocity, 4095),
            (0.0, 500.0, 4095),
            (0.0, 5.0, 4095),
            (-r.torque, r.torque, 4095),
        )
        # A quarter of a code up, where truncating and rounding agree whatever the last bit is.
        return (
            kind,
            setup,
            [(rng.randrange(top) + 0.25) / top * (high - low) + low for low, high, top in spans],
        )
    if kind == 'pos_vel':
        return kind, setup, [float32(rng, -12.5, 12.5), float32(rng, 0.0, 30.0)]
    if kind == 'vel':
        return kind, setup, [float32(rng, -30.0, 30.0)]
    if kind == 'pos_force':
        fields = [float32(rng, -12.5, 12.5), rng.randrange(10_001), rng.randrange(10_001)]
        return kind, setup, fields
    if kind == 'read':
        return kind, setup, [rng.choice(sorted(REGISTERS))]
    if kind == 'write':
        rid = rng.choice(WRITABLE)
        whole = rid in (Reg.MST_ID, Reg.TIMEOUT, Reg.CTRL_MODE)
        return kind, setup, [rid, rng.randrange(1, 5) if whole else float32(rng, 1.0, 100.0)]
    return kind, setup, []


def our_packet(kind, setup, fields):
    tx = setup.tx
    if kind == 'mit':
        return encode_command(tx, encode_mit(RANGES[setup.model], *fields))
    if kind == 'pos_vel':
        return encode_command(command_id(Mode.POS_VEL, tx), encode_pos_vel(*fields))
    if kind == 'vel':
        return encode_command(command_id(Mode.VEL, tx), encode_vel(*fields))
    if kind == 'pos_force':
        q, speed, current = fields
        data = encode_pos_force(q, speed / 100.0, current / 10_000.0)
        return encode_command(command_id(Mode.POS_FORCE, tx), data)
    if kind == 'read':
        return encode_command(*read_register(tx, *fields))
    if kind == 'write':
        return encode_command(*write_register(tx, *fields))
    return encode_command(tx, SPECIAL[kind])


class Pydamiao:
    """pydamiao's encoder."""

    def __init__(self):
        self._protocol = pytest.importorskip('pydamiao.protocol').DamiaoProtocol
        limits = pytest.importorskip('pydamiao.structs').MotorLimits
        self._limits = {m: limits(r.position, r.velocity, r.torque) for m, r in RANGES.items()}

    def packet(self, kind, setup, fields):
        p, tx = self._protocol, setup.tx
        if kind == 'mit':
            q, v, kp, kd, tau = fields
            return p.encode_mit_control(tx, self._limits[setup.model], kp, kd, q, v, tau)
        if kind == 'read':
            return p.encode_read_param(tx, fields[0])
        if kind == 'write':
            return p.encode_write_param(tx, *fields)
        encoders = {
            'pos_vel': p.encode_pos_vel_control,
            'vel': p.encode_velocity_control,
            'pos_force': p.encode_pos_force_control,
        }
        if kind in encoders:
            return encoders[kind](tx, *fields)
        return p.encode_basic_command(tx, SPECIAL[kind][7])


class MemorySerial:
    """A serial port as the maker's package uses it."""

    is_open = False

    def __init__(self):
        self.written = b''
        self.arrived = b''

    def open(self):
        pass

    def write(self, data):
        self.written = bytes(data)

    def read_all(self):
        data, self.arrived = self.arrived, b''
        return data


def maker(module):
    return pytest.importorskip(
        module,
        reason='needs `pip install --no-deps --ignore-requires-python tnkr-robot-dk1==0.3.8`',
    )


class Maker:
    """The robot maker's encoder and decoder."""

    def __init__(self):
        chain = maker('trlc_dk1_control.motor_chain')
        self.port = MemorySerial()
        self.control = chain.MotorControl(self.port)
        kinds = chain.DM_Motor_Type
        self.motors = {s.tx: chain.Motor(kinds[s.model], s.tx, s.rx) for s in SETUPS}
        for motor in self.motors.values():
            self.control.addMotor(motor)

    def packet(self, kind, setup, fields):
        c, motor = self.control, self.motors[setup.tx]
        if kind == 'mit':
            q, v, kp, kd, tau = fields
            c.controlMIT(motor, kp, kd, q, v, tau)
        elif kind == 'read':
            c._MotorControl__read_RID_param(motor, fields[0])
        elif kind == 'write':
            c._MotorControl__write_motor_param(motor, *fields)
        elif kind in SPECIAL:
            c._MotorControl__control_cmd(motor, np.uint8(SPECIAL[kind][7]))
        else:
            send = {
                'pos_vel': c.control_Pos_Vel,
                'vel': c.control_Vel,
                'pos_force': c.control_pos_force,
            }
            send[kind](motor, *fields)
        return self.port.written


@pytest.mark.parametrize('peer', [Pydamiao, Maker])
def test_our_packets_are_theirs_byte_for_byte(peer):
    peer, rng = peer(), random.Random(1)
    mismatches = []
    for _ in range(TRIALS):
        command = random_command(rng)
        if our_packet(*command) != peer.packet(*command):
            mismatches.append(command)
    assert not mismatches, f'{len(mismatches)} of {TRIALS}, such as {mismatches[0]}'


def test_a_request_for_a_state_is_theirs():
    protocol = pytest.importorskip('pydamiao.protocol').DamiaoProtocol
    for setup in SETUPS:
        assert encode_command(*refresh(setup.tx)) == protocol.encode_refresh_state(setup.tx)


def test_states_are_read_as_the_maker_reads_them():
    peer, rng, reader = Maker(), random.Random(2), AnswerReader([s.rx for s in SETUPS])
    for _ in range(TRIALS):
        setup = rng.choice(SETUPS)
        packet = encode_answer(setup.rx, rng.randbytes(8))
        (answer,) = reader.feed(packet)
        ours = decode_feedback(RANGES[setup.model], answer.data)
        peer.port.arrived = packet
        peer.control.recv()
        motor = peer.motors[setup.tx]
        theirs = (motor.getPosition(), motor.getVelocity(), motor.getTorque())
        assert np.abs(np.subtract((ours.q, ours.v, ours.tau), theirs)).max() < 5e-6


def test_registers_are_read_as_the_maker_reads_them():
    peer, rng = Maker(), random.Random(3)
    for _ in range(2000):
        setup, rid = rng.choice(SETUPS), rng.choice(sorted(REGISTERS))
        data = bytes([setup.tx, 0, rng.choice([READ, WRITE]), rid]) + rng.randbytes(4)
        ours = decode_register_reply(data, setup.tx, (rid,))
        peer.port.arrived = encode_answer(setup.rx, data)
        peer.control.recv_set_param_data()
        theirs = peer.motors[setup.tx].getParam(rid)
        assert ours.value == theirs or (ours.value != ours.value and theirs != theirs)


def test_our_gravity_is_the_makers_within_the_stops():
    config = maker('trlc_dk1_control').DK1_DEFAULT_CONFIG('')
    theirs = maker('trlc_dk1_control.gravity_comp').GravityCompensator(config.mjcf_path)
    ours, rng = RobotDynamics.from_spec(SPEC), np.random.default_rng(4)
    for _ in range(300):
        q = rng.uniform(SPEC.lower, SPEC.upper)
        # Its fingers stay at their zero, which is open; ours weigh along where they are.
        q[6] = SPEC.upper[6]
        np.testing.assert_allclose(ours.gravity(q)[:6], theirs.compute(q[:6]), atol=2e-4)


# In real time, through a pseudo-terminal


def until(condition, again=lambda: None):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        again()
        assert time.monotonic() < deadline, 'the peer never saw it'
        time.sleep(0.004)


def test_pydamiao_drives_our_motors(tmp_path):
    package = pytest.importorskip('pydamiao.motor')
    structs = pytest.importorskip('pydamiao.structs')
    bus_of = pytest.importorskip('pydamiao.bus').SerialBus
    with live_dk1(tmp_path) as (path, heard):
        bus = bus_of(path, timeout=0.02)
        motors = [
            package.Motor(bus, structs.MotorType[s.model], s.tx, s.rx, auto_disable=False)
            for s in SETUPS
        ]
        for motor, setup in zip(motors, SETUPS, strict=True):
            ranges = RANGES[setup.model]
            for register, value in (
                (structs.MotorReg.PMAX, ranges.position),
                (structs.MotorReg.VMAX, ranges.velocity),
                (structs.MotorReg.TMAX, ranges.torque),
                (structs.MotorReg.ESC_ID, setup.tx),
                (structs.MotorReg.MST_ID, setup.rx),
            ):
                found = []

                def ask(motor=motor, register=register, found=found):
                    result = motor.read_param(register, timeout=1.0)
                    found.extend([result.value] if result.is_ok else [])

                until(lambda found=found: found, ask)
                assert found[0] == value
            until(lambda motor=motor: motor.set_mode(structs.ControlMode.MIT).is_ok)
        for motor in motors:
            motor.enable()

        def command():
            for motor in motors[:5]:
                motor.set_mit(motor.get_position(), 0.0, 1.0, 1.0, 0.0)
            motors[5].set_mit(0.4, 0.0, 10.0, 1.0, 0.0)

        until(lambda: abs(motors[5].get_position() - 0.4) < 0.02, command)
        stopped = [motor.disable(timeout_sec=DISABLING).is_ok for motor in motors]
        bus.close()
    assert heard['junk'] == 0
    assert heard['status'] == [0] * 7
    # It takes a state for a register's answer where the low byte of the position reads as one.
    for told, state in zip(stopped, heard['states'], strict=True):
        assert told or state[2] in (READ, WRITE)


def test_the_makers_robot_drives_our_arm(tmp_path):
    package = maker('trlc_dk1_control')
    with live_dk1(tmp_path) as (path, heard):
        robot = package.DK1Robot(package.DK1_DEFAULT_CONFIG(path))
        robot.connect()
        try:
            start = robot.get_joint_state()['pos']
            np.testing.assert_allclose(start, SPEC.home[:6], atol=0.05)
            assert robot.get_gripper_state()['pos'] == pytest.approx(0.0, abs=0.02)
            target = start + [0.2, -0.2, 0.2, 0.1, -0.2, 0.3]
            robot.command_joint_pos(target)
            robot.command_gripper(1.0)

            def arrived():
                q = robot.get_joint_state()['pos']
                shut = robot.get_gripper_state()['pos'] > 0.97
                return shut and np.abs(q - target).max() < 0.01

            until(arrived)
        finally:
            robot.disconnect()
    assert heard['junk'] == 0
    assert heard['ignored'] == 0
    assert heard['status'] == [0] * 7
    np.testing.assert_allclose(heard['q'][:6], target, atol=0.02)


def test_our_driver_takes_over_what_the_makers_software_left(tmp_path):
    """Its homing leaves the same zero as ours, and a motor of ours is found by its ids."""
    from vla_control.buses.serial_can import SerialCan
    from vla_control.robots.dk1 import Dk1

    chain = maker('trlc_dk1_control.motor_chain')
    with live_dk1(tmp_path) as (path, heard):
        theirs = chain.DK1MotorChain(maker('trlc_dk1_control').DK1_DEFAULT_CONFIG(path))
        theirs.start()
        theirs.stop()
        clock = SteadyClock()
        bus = SerialCan(TtyPort(path), [s.rx for s in SETUPS], lock_folder=Path(tmp_path))
        driver = Dk1(SPEC, bus, RobotDynamics.from_spec(SPEC), clock)
        driver.connect(clock.now())
        state = driver.read(clock.now())
        driver.close(clock.now())
    assert state.q[6] == pytest.approx(0.041125, abs=0.002)
    assert driver.homing.needed  # its mark is ours alone
    assert heard['zero'] == pytest.approx(0.0, abs=0.05)
