# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Unitree software we did not write, in a process of its own; it says what it saw as JSON lines.

    unitree_peer.py arms DOMAIN      the vendor's Python SDK sends arm commands
    unitree_peer.py robot DOMAIN     the vendor's Python SDK sends states
    unitree_peer.py blend DOMAIN     the vendor's Python SDK brings the arms in by their weight
    unitree_peer.py body DOMAIN      the vendor's Python SDK is a robot with its services
    unitree_peer.py checksums FOLDER the vendor's Python SDK computes those of messages in files
    unitree_peer.py lowlevel CONFIG  the vendor's C++ SDK commands every motor
    unitree_peer.py whole CONFIG     the vendor's C++ SDK moves every motor and sees it move
    unitree_peer.py hung CONFIG      the vendor's C++ SDK is a released robot
"""

import json
import os
import sys
import threading
import time
import types as python_types

LASTS = 20.0  # [s] the longest a peer lives


VOICE = threading.Lock()
# What the vendors' libraries print, in the middle of a line or not, goes where errors go.
STDOUT = os.fdopen(os.dup(1), 'w')
os.dup2(2, 1)


def say(**what):
    with VOICE:  # readers have threads of their own
        print(json.dumps(what), file=STDOUT, flush=True)


def vendor_python(domain):
    """Load unitree_sdk2py with bytes for its 8-bit fields, as the robot has them."""
    import cyclonedds.idl
    import cyclonedds.idl._builder
    import cyclonedds.idl._xt_builder

    real = cyclonedds.idl.types
    changed = python_types.ModuleType(real.__name__)
    changed.__dict__.update(real.__dict__)
    changed.uint8 = real.byte
    sys.modules[real.__name__] = cyclonedds.idl.types = changed

    from unitree_sdk2py.core import channel

    channel.ChannelConfigHasInterface = (
        '<CycloneDDS><Domain Id="any"><General><Interfaces>'
        '<NetworkInterface name="$__IF_NAME__$"/></Interfaces></General></Domain></CycloneDDS>'
    )
    channel.ChannelFactoryInitialize(domain, 'lo')
    return channel


def arms(domain):
    channel = vendor_python(domain)
    from unitree_sdk2py.comm.motion_switcher.motion_switcher_client import MotionSwitcherClient
    from unitree_sdk2py.idl.default import unitree_hg_msg_dds__LowCmd_
    from unitree_sdk2py.idl.unitree_hg.msg.dds_ import LowCmd_, LowState_
    from unitree_sdk2py.utils.crc import CRC

    states = []
    subscriber = channel.ChannelSubscriber('rt/lowstate', LowState_)
    subscriber.Init(states.append, 10)
    publisher = channel.ChannelPublisher('rt/arm_sdk', LowCmd_)
    publisher.Init()
    end = time.monotonic() + LASTS
    while not states and time.monotonic() < end:
        time.sleep(0.01)
    state = states[-1]
    say(
        mode_machine=state.mode_machine,
        q=state.motor_state[20].q,
        temperature=list(state.motor_state[20].temperature),
        crc_ok=CRC().Crc(state) == state.crc,
    )
    client = MotionSwitcherClient()
    client.SetTimeout(5.0)
    client.Init()
    say(mode=client.CheckMode())
    command = unitree_hg_msg_dds__LowCmd_()
    command.mode_machine = state.mode_machine
    command.motor_cmd[29].q = 1.0
    while time.monotonic() < end:
        for slot in range(15, 29):
            motor = command.motor_cmd[slot]
            motor.q, motor.dq, motor.tau, motor.kp, motor.kd = 0.01 * slot, 0.25, -1.5, 60.0, 1.5
        command.crc = CRC().Crc(command)
        publisher.Write(command)
        time.sleep(0.02)


def robot(domain):
    channel = vendor_python(domain)
    from unitree_sdk2py.idl.default import (
        unitree_hg_msg_dds__HandState_,
        unitree_hg_msg_dds__LowState_,
    )
    from unitree_sdk2py.idl.unitree_hg.msg.dds_ import HandCmd_, HandState_, LowCmd_, LowState_
    from unitree_sdk2py.utils.crc import CRC

    def on_command(command):
        say(
            crc_ok=CRC().Crc(command) == command.crc,
            mode_machine=command.mode_machine,
            weight=command.motor_cmd[29].q,
            q=[m.q for m in command.motor_cmd[:29]],
            kp=[m.kp for m in command.motor_cmd[:29]],
        )

    def on_hand(command):
        say(hand=[m.q for m in command.motor_cmd], modes=[m.mode for m in command.motor_cmd])

    commands = channel.ChannelSubscriber('rt/arm_sdk', LowCmd_)
    commands.Init(on_command, 10)
    hands = channel.ChannelSubscriber('rt/dex3/left/cmd', HandCmd_)
    hands.Init(on_hand, 10)
    states = channel.ChannelPublisher('rt/lowstate', LowState_)
    states.Init()
    reports = channel.ChannelPublisher('rt/dex3/left/state', HandState_)
    reports.Init()
    state, report = unitree_hg_msg_dds__LowState_(), unitree_hg_msg_dds__HandState_()
    state.mode_machine = 5
    for i in range(29):
        state.motor_state[i].q = 0.01 * i
    for i in range(7):
        report.motor_state[i].q = 0.1 * i
    end = time.monotonic() + LASTS
    while time.monotonic() < end:
        state.tick += 1
        state.crc = CRC().Crc(state)
        states.Write(state)
        reports.Write(report)
        time.sleep(0.01)


def blend(domain):
    channel = vendor_python(domain)
    from unitree_sdk2py.idl.default import unitree_hg_msg_dds__LowCmd_
    from unitree_sdk2py.idl.unitree_hg.msg.dds_ import LowCmd_, LowState_
    from unitree_sdk2py.utils.crc import CRC

    crc, seen = CRC(), {'states': 0, 'checked': 0, 'bad': 0}

    def on_state(state):
        seen['states'] += 1
        if seen['states'] % 10 == 0:  # each takes the vendor's code a good part of a millisecond
            seen['checked'] += 1
            seen['bad'] += crc.Crc(state) != state.crc
        seen['newest'] = state

    subscriber = channel.ChannelSubscriber('rt/lowstate', LowState_)
    subscriber.Init(on_state, 10)
    publisher = channel.ChannelPublisher('rt/arm_sdk', LowCmd_)
    publisher.Init()
    end = time.monotonic() + LASTS
    while 'newest' not in seen and time.monotonic() < end:
        time.sleep(0.01)
    command = unitree_hg_msg_dds__LowCmd_()
    command.mode_machine = seen['newest'].mode_machine
    for slot in range(15, 29):
        motor = command.motor_cmd[slot]
        motor.mode, motor.kp, motor.kd = 1, 60.0, 3.0
        motor.q = seen['newest'].motor_state[slot].q + (0.2 if slot % 2 else -0.2)
    asked = [m.q for m in command.motor_cmd[:29]]
    for weight in (0.0, 0.4, 1.0):
        command.motor_cmd[29].q = weight
        end = time.monotonic() + 1.2
        while time.monotonic() < end:
            command.crc = crc.Crc(command)
            publisher.Write(command)
            time.sleep(0.02)
        q = [m.q for m in seen['newest'].motor_state[:29]]
        say(weight=weight, asked=asked, q=q, checked=seen['checked'], bad=seen['bad'])
        time.sleep(0.05)
    time.sleep(LASTS)


def body(domain):
    channel = vendor_python(domain)
    from unitree_sdk2py.idl.default import (
        unitree_hg_msg_dds__HandState_,
        unitree_hg_msg_dds__LowState_,
    )
    from unitree_sdk2py.idl.unitree_hg.msg.dds_ import HandCmd_, HandState_, LowCmd_, LowState_
    from unitree_sdk2py.rpc.server import Server
    from unitree_sdk2py.utils.crc import CRC

    crc = CRC()
    for name, api_id, answer in (
        ('motion_switcher', 1001, {'form': '0', 'name': 'ai'}),
        ('sport', 7001, {'data': 500}),
    ):
        service = Server(name)
        service._RegistHandler(api_id, lambda _, answer=answer: (0, json.dumps(answer)), False)
        service.Start()

    def on_command(command):
        say(
            crc_ok=crc.Crc(command) == command.crc,
            mode_machine=command.mode_machine,
            weight=command.motor_cmd[29].q,
            motors=[[m.mode, m.q, m.dq, m.tau, m.kp, m.kd] for m in command.motor_cmd],
        )

    def on_hand(side):
        return lambda c: say(hand=side, fingers=[[m.mode, m.q, m.kp, m.kd] for m in c.motor_cmd])

    kept = [channel.ChannelSubscriber('rt/arm_sdk', LowCmd_)]
    kept[0].Init(on_command, 10)
    reports = []
    for side in ('left', 'right'):
        kept.append(channel.ChannelSubscriber(f'rt/dex3/{side}/cmd', HandCmd_))
        kept[-1].Init(on_hand(side), 10)
        reports.append(channel.ChannelPublisher(f'rt/dex3/{side}/state', HandState_))
        reports[-1].Init()
    states = channel.ChannelPublisher('rt/lowstate', LowState_)
    states.Init()
    state, report = unitree_hg_msg_dds__LowState_(), unitree_hg_msg_dds__HandState_()
    state.mode_machine = 5
    state.imu_state.quaternion = [1.0, 0.0, 0.0, 0.0]
    for i in range(29):
        state.motor_state[i].mode, state.motor_state[i].q = 1, 0.01 * i
    end = time.monotonic() + LASTS
    while time.monotonic() < end:
        state.tick += 1
        state.crc = crc.Crc(state)
        states.Write(state)
        for each in reports:
            each.Write(report)
        time.sleep(0.01)


def checksums(folder):
    import numpy as np
    from unitree_sdk2py.idl.default import (
        unitree_hg_msg_dds__LowCmd_,
        unitree_hg_msg_dds__LowState_,
    )
    from unitree_sdk2py.utils.crc import CRC

    crc = CRC()
    for name, message in (
        ('LowCmd_', unitree_hg_msg_dds__LowCmd_()),
        ('LowState_', unitree_hg_msg_dds__LowState_()),
    ):
        found = []
        for record in np.load(f'{folder}/{name}.npy'):
            fill(message, record)
            found.append(crc.Crc(message))
        np.save(f'{folder}/{name}.crc.npy', np.array(found, dtype=np.uint32))
        say(done=name)
    time.sleep(LASTS)


def fill(message, record):
    """Set every field of a message of the vendor's from a record of the same field names."""
    for name in record.dtype.names:
        value = record[name]
        if name in ('motor_cmd', 'motor_state'):
            columns = [(field, value[field].tolist()) for field in value.dtype.names]
            for field, column in columns:
                for motor, number in zip(getattr(message, name), column, strict=True):
                    setattr(motor, field, number)
        elif name == 'imu_state':
            fill(message.imu_state, value)
        else:
            setattr(message, name, value.tolist())


def whole(config):
    import unitree_interface as vendor

    robot = vendor.UnitreeInterface.create_g1('lo', dds_config=config)
    end = time.monotonic() + LASTS
    while robot.read_low_state().mode_machine == 0 and time.monotonic() < end:
        time.sleep(0.01)
    start = list(robot.read_low_state().motor.q)
    command = robot.create_zero_command()
    command.q_target = [q + (0.1 if i % 2 else -0.1) for i, q in enumerate(start)]
    command.kp, command.kd = [60.0] * 29, [3.0] * 29
    end = time.monotonic() + 2.0
    while time.monotonic() < end:
        robot.write_low_command(command)
        time.sleep(0.005)
    asked = list(command.q_target)
    say(start=start, asked=asked, q=list(robot.read_low_state().motor.q))
    while True:  # a stream that ends is damped
        robot.write_low_command(command)
        time.sleep(0.005)


def hung(config):
    import unitree_interface as vendor

    robot = vendor.UnitreeInterface.create_g1('lo', dds_config=config)
    robot.enable_motion_switcher_responder()
    state = vendor.LowState(29)
    state.mode_machine, state.imu.quat = 5, [1.0, 0.0, 0.0, 0.0]
    motors = state.motor
    motors.q = [0.01 * i for i in range(29)]
    state.motor = motors
    end, told = time.monotonic() + LASTS, None
    while time.monotonic() < end:
        state.tick += 1
        robot.publish_low_state(state)
        c = robot.read_incoming_command()
        fields = (c.q_target, c.dq_target, c.tau_ff, c.kp, c.kd)
        seen = [list(field) for field in fields]
        if seen != told:
            told = seen
            say(seen=seen)
        time.sleep(0.002)


def lowlevel(config):
    import unitree_interface as vendor

    robot = vendor.UnitreeInterface.create_g1('lo', dds_config=config)
    command = robot.create_zero_command()
    command.q_target = [0.01 * i for i in range(29)]
    command.kp, command.kd = [40.0] * 29, [1.0] * 29
    end, told = time.monotonic() + LASTS, None
    while time.monotonic() < end:
        state = robot.read_low_state()
        seen = (state.mode_machine, round(state.motor.q[3], 4), state.motor.temperature[3])
        if seen != told:
            told = seen
            say(mode_machine=seen[0], q=seen[1], temperature=seen[2])
        robot.write_low_command(command)
        time.sleep(0.01)


PYTHON = {'arms': arms, 'robot': robot, 'blend': blend, 'body': body}
CPP = {'lowlevel': lowlevel, 'whole': whole, 'hung': hung}

if __name__ == '__main__':
    what, where = sys.argv[1:]
    if what == 'checksums':
        checksums(where)
    elif what in PYTHON:
        PYTHON[what](int(where))
    else:
        CPP[what](where)
