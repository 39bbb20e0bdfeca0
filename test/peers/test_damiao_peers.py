# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Our codec and our emulated motors against Damiao software we did not write."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
import json
import os
import pty
import random
import select
import socket
import time
import tty

import can
import numpy as np
import pytest

from vla_control.buses.can import CanBus, CanConfig
from vla_control.buses.damiao import (
    bus_ranges,
    decode_feedback,
    DISABLE,
    ENABLE,
    encode_mit,
    encode_pos_force,
    encode_pos_vel,
    encode_vel,
    motor_setups,
    Reg,
)
from vla_control.core.spec import load_robot
from vla_control.sim.damiao_motors import DamiaoBus, MotorServer

pytestmark = pytest.mark.peer

SPEC = load_robot('openarm')
SETUPS = motor_setups(SPEC)
RANGES = bus_ranges(SPEC.bus, 'openarm: bus')
TYPES = {'DM8009': '8009', 'DM4340': '4340', 'DM4310': '4310'}
TRIALS = 20_000
GROUP = '239.74.163.2'
PATIENCE = 10.0  # [s] before a peer on a busy machine counts as stuck


@pytest.fixture
def damiao_motor():
    return pytest.importorskip('damiao_motor.core.motor')


def scales(model):
    r = RANGES[model]
    return (
        (-r.position, r.position, 65535),
        (-r.velocity, r.velocity, 4095),
        (0.0, 500.0, 4095),
        (0.0, 5.0, 4095),
        (-r.torque, r.torque, 4095),
    )


def on_codes(model, rng):
    """
    A random command a quarter of a code above exact codes, where rounding equals truncation.

    A truncating encoder loses the code it is given exactly in about 17 % of cases: the float that
    stands for it may lie a hair below.
    """
    return [
        (rng.randrange(top) + 0.25) / top * (high - low) + low for low, high, top in scales(model)
    ]


def anywhere(model, rng):
    """A random command within and somewhat beyond the ranges."""
    return [
        rng.uniform(low - 0.1 * (high - low), high + 0.1 * (high - low))
        for low, high, _ in scales(model)
    ]


def codes(data):
    word = int.from_bytes(data, 'big')
    return [word >> 48, word >> 36 & 0xFFF, word >> 24 & 0xFFF, word >> 12 & 0xFFF, word & 0xFFF]


def damiao_motor_encoders(module):
    motors = {m: module.DaMiaoMotor(1, 0x11, None, motor_type=t) for m, t in TYPES.items()}
    return lambda model, q, v, kp, kd, tau: motors[model].encode_cmd_msg(q, v, tau, kp, kd)


def pydamiao_encoders():
    protocol = pytest.importorskip('pydamiao.protocol').DamiaoProtocol
    limits_of = pytest.importorskip('pydamiao.structs').MotorLimits
    # Its own table says 8 rad/s for a DM4340, whose register 22 says 10.
    limits = {m: limits_of(r.position, r.velocity, r.torque) for m, r in RANGES.items()}

    def encode(model, q, v, kp, kd, tau):
        packet = protocol.encode_mit_control(1, limits[model], kp, kd, q, v, tau)
        return packet[21:29]

    return encode


@pytest.fixture(params=['damiao-motor', 'pydamiao'])
def their_encoder(request):
    if request.param == 'pydamiao':
        return pydamiao_encoders()
    return damiao_motor_encoders(pytest.importorskip('damiao_motor.core.motor'))


def test_commands_on_codes_are_byte_for_byte_theirs(their_encoder):
    rng = random.Random(1)
    for _ in range(TRIALS):
        model = rng.choice(sorted(TYPES))
        command = on_codes(model, rng)
        assert encode_mit(RANGES[model], *command) == their_encoder(model, *command), command


def test_any_command_is_theirs_or_one_code_nearer(their_encoder):
    rng = random.Random(2)
    for _ in range(TRIALS):
        model = rng.choice(sorted(TYPES))
        command = anywhere(model, rng)
        ours = codes(encode_mit(RANGES[model], *command))
        theirs = codes(their_encoder(model, *command))
        assert all(0 <= a - b <= 1 for a, b in zip(ours, theirs, strict=True)), command


def test_states_are_read_as_damiao_motor_reads_them(damiao_motor):
    motors = {m: damiao_motor.DaMiaoMotor(1, 0x11, None, motor_type=t) for m, t in TYPES.items()}
    rng = random.Random(3)
    for _ in range(TRIALS):
        model, data = rng.choice(sorted(TYPES)), rng.randbytes(8)
        theirs = motors[model].decode_sensor_feedback(data)
        ours = decode_feedback(RANGES[model], data)
        assert (ours.motor_id, ours.status) == (theirs['can_id'], theirs['status_code'])
        assert (ours.t_mos, ours.t_rotor) == (theirs['t_mos'], theirs['t_rotor'])
        for name, key in (('q', 'pos'), ('v', 'vel'), ('tau', 'torq')):
            assert abs(getattr(ours, name) - theirs[key]) < 1e-12


def test_states_are_read_as_pydamiao_reads_them():
    protocol = pytest.importorskip('pydamiao.protocol').DamiaoProtocol
    limits_of = pytest.importorskip('pydamiao.structs').MotorLimits
    limits = {m: limits_of(r.position, r.velocity, r.torque) for m, r in RANGES.items()}
    rng = random.Random(4)
    for _ in range(TRIALS):
        model, data = rng.choice(sorted(TYPES)), rng.randbytes(8)
        ours = decode_feedback(RANGES[model], data)
        theirs = protocol.decode_status(data, limits[model])
        # It computes in float32, which holds 54 N·m to 4e-6.
        assert np.abs(np.subtract((ours.q, ours.v, ours.tau), theirs)).max() < 5e-6
        assert protocol.decode_temperatures(data) == (ours.t_mos, ours.t_rotor)


class Bench:
    """The emulated motors turning simple inertias, in real time, as others see them."""

    def __init__(self, answer):
        """Answer frames with `answer(now, timeout)` before every step of 1 ms."""
        self.motors = DamiaoBus(SPEC)
        self.q = np.zeros(len(SETUPS))
        self.v = np.zeros(len(SETUPS))
        self._answer = answer
        self._time = time.monotonic()
        # As heavy as the joints: kg·m2, and kg for the gripper.
        self._inertia = np.array([0.5] * 4 + [0.05] * 3 + [2.0])

    def step(self):
        self._answer(self.motors, time.monotonic(), 0.001)
        while self._time < time.monotonic():
            self._time += 0.001
            self.motors.measure(self._time, self.q, self.v)
            self.v += self.motors.torques(self._time) / self._inertia * 0.001
            self.q += self.v * 0.001

    def while_running(self, call, *arguments):
        """Return what a blocking call of the peer returns, the motors living on meanwhile."""
        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(call, *arguments)
            deadline = time.monotonic() + PATIENCE
            while not future.done():
                self.step()
                assert time.monotonic() < deadline, 'the peer got no answer'
            return future.result()

    def until(self, condition, again=lambda: None):
        """
        Live on until the peer sees something, doing `again` every 50 ms.

        Not faster: python-can stops draining at each frame its filter refuses, so a peer that
        hears its own echo falls behind.
        """
        start = due = time.monotonic()
        deadline = start + PATIENCE
        while not condition():
            if time.monotonic() >= due:
                due += 0.05
                again()
            self.step()
            assert time.monotonic() < deadline, 'the peer never saw it'


@pytest.fixture
def controller(monkeypatch, tmp_path):
    """damiao-motor's controller and our motors on one emulated bus."""
    package = pytest.importorskip('damiao_motor')
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    # python-can reads the rest of its configuration here. The filter keeps the controller from
    # hearing itself, as on a real bus: it would take its own requests for answers.
    answers = [{'can_id': 0x010, 'can_mask': 0x7F0}]
    monkeypatch.setenv(
        'CAN_CONFIG', json.dumps({'port': port, 'hop_limit': 0, 'can_filters': answers})
    )
    config = CanConfig(interface='udp_multicast', channel=GROUP, port=port, fd=False)
    with CanBus(replace(config, role='device'), lock_folder=tmp_path) as device:
        try:
            peer = package.DaMiaoController(channel=GROUP, bustype='udp_multicast')
        except can.CanError:
            pytest.skip('python-can joins on the default route, and this machine has none')
        bench = Bench(lambda motors, now, timeout: MotorServer(device, motors).serve(now, timeout))
        motors = [
            peer.add_motor(motor_id=s.tx, feedback_id=s.rx, motor_type=TYPES[s.model])
            for s in SETUPS
        ]
        yield peer, motors, bench
        peer.shutdown()


@pytest.mark.filterwarnings('ignore::DeprecationWarning')
def test_damiao_motor_drives_our_motors(controller):
    peer, motors, bench = controller
    for motor, setup in zip(motors, SETUPS, strict=True):
        ranges = RANGES[setup.model]
        for rid, value in (
            (Reg.PMAX, ranges.position),
            (Reg.VMAX, ranges.velocity),
            (Reg.TMAX, ranges.torque),
            (Reg.ESC_ID, setup.tx),
            (Reg.MST_ID, setup.rx),
            (Reg.CTRL_MODE, 1),
        ):
            assert bench.while_running(motor.get_register, int(rid)) == value

    peer.enable_all()
    bench.until(lambda: all(m.get_states().get('status_code') == 1 for m in motors))
    targets = [0.3, -0.2, 0.4, 0.5, -0.6, 0.2, 0.1, -0.5]

    def command():
        for motor, target in zip(motors, targets, strict=True):
            motor.send_cmd_mit(target_position=target, stiffness=20.0, damping=4.0)

    def arrived():
        return all(
            abs(m.get_states()['pos'] - t) < 0.02 and abs(m.get_states()['vel']) < 0.05
            for m, t in zip(motors, targets, strict=True)
        )

    bench.until(arrived, command)
    scale = np.array([s.rad_per_metre or 1.0 for s in SETUPS])
    assert np.abs(bench.q * scale - targets).max() < 0.03
    peer.disable_all()
    bench.until(lambda: all(m.get_states()['status_code'] == 0 for m in motors))


@pytest.mark.filterwarnings('ignore::DeprecationWarning')
def test_damiao_motor_sees_our_watchdog_trip(controller):
    _, motors, bench = controller
    motor = motors[0]
    motor.set_can_timeout(100)
    bench.until(lambda: bench.motors.motors[0].memory[Reg.TIMEOUT] == 2000)
    motor.enable()
    bench.until(lambda: bench.motors.motors[0].enabled)
    bench.until(
        lambda: motor.get_states().get('status') == 'LOST_COMM', motor.request_motor_feedback
    )


class Adapter:
    """The manufacturer's USB adapter on a pty: CAN frames in 30 bytes one way, 16 the other."""

    def __init__(self):
        self._master, slave = pty.openpty()
        tty.setraw(slave)
        self._slave = slave
        self.path = os.ttyname(slave)
        self.frames = []  # (arbitration id, data) the host has sent
        self._buffer = b''

    def answer(self, motors, now, timeout):
        if not select.select([self._master], [], [], timeout)[0]:
            return
        self._buffer += os.read(self._master, 4096)
        while len(self._buffer) >= 30:
            packet, self._buffer = self._buffer[:30], self._buffer[30:]
            assert packet[:4] == bytes.fromhex('55aa1e03')
            frame = int.from_bytes(packet[13:17], 'little'), packet[21:29]
            self.frames.append(frame)
            for sender, data in motors.handle(*frame, now):
                head = b'\xaa\x11\x08' + sender.to_bytes(4, 'little')
                os.write(self._master, head + data.ljust(8, b'\x00') + b'\x55')

    def close(self):
        os.close(self._master)
        os.close(self._slave)


@pytest.fixture
def bridge():
    """motorbridge (Rust) and our motors behind an emulated adapter."""
    package = pytest.importorskip('motorbridge')
    adapter = Adapter()
    bench = Bench(adapter.answer)
    controller = bench.while_running(package.Controller.from_dm_serial, adapter.path, 921600)
    yield package, controller, adapter, bench
    bench.while_running(controller.close)
    adapter.close()


def test_motorbridge_drives_our_motors(bridge):
    package, controller, adapter, bench = bridge
    motors = [controller.add_damiao_motor(s.tx, s.rx, TYPES[s.model]) for s in SETUPS]
    for motor, setup in zip(motors, SETUPS, strict=True):
        value = bench.while_running(motor.get_register_f32, int(Reg.VMAX))
        assert value == RANGES[setup.model].velocity
        bench.while_running(motor.ensure_mode, package.Mode.MIT)
        bench.while_running(motor.enable)
    bench.until(lambda: all(m.enabled for m in bench.motors.motors))

    def command():
        motors[3].send_mit(0.4, 0.0, 20.0, 4.0, 0.0)
        motors[3].request_feedback()
        controller.poll_feedback_once()

    def arrived():
        state = motors[3].get_state()
        return state is not None and abs(state.pos - 0.4) < 0.02 and state.status_code == 1

    bench.until(arrived, command)
    assert bench.q[3] == pytest.approx(0.4, abs=0.03)
    assert (SETUPS[0].tx, ENABLE) in adapter.frames
    bench.while_running(motors[3].disable)
    bench.until(lambda: not bench.motors.motors[3].enabled)
    assert (SETUPS[3].tx, DISABLE) in adapter.frames


def test_motorbridge_sends_the_frames_we_encode(bridge):
    package, controller, adapter, bench = bridge
    motor = controller.add_damiao_motor(0x08, 0x18, '4310')
    cases = [
        (package.Mode.POS_VEL, motor.send_pos_vel, (-0.5, 2.0), 0x108, encode_pos_vel),
        (package.Mode.VEL, motor.send_vel, (1.5,), 0x208, encode_vel),
        (
            package.Mode.FORCE_POS,
            motor.send_force_pos,
            (-0.5, 5.0, 0.15),
            0x308,
            encode_pos_force,
        ),
    ]
    for mode, send, arguments, arbitration_id, encode in cases:
        bench.while_running(motor.ensure_mode, mode)
        bench.while_running(send, *arguments)
        wanted = (arbitration_id, encode(*arguments))
        bench.until(lambda wanted=wanted: wanted in adapter.frames)
