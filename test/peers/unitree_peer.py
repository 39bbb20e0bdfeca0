# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Unitree software we did not write, in a process of its own; it says what it saw as JSON lines.

    unitree_peer.py arms DOMAIN      the vendor's Python SDK moves the arms
    unitree_peer.py robot DOMAIN     the vendor's Python SDK is the robot
    unitree_peer.py lowlevel CONFIG  the vendor's C++ SDK commands every motor
"""

import json
import sys
import threading
import time
import types as python_types

LASTS = 20.0  # [s] the longest a peer lives


VOICE = threading.Lock()


def say(**what):
    with VOICE:  # readers have threads of their own
        print(json.dumps(what), flush=True)


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


if __name__ == '__main__':
    if sys.argv[1] == 'lowlevel':
        lowlevel(sys.argv[2])
    else:
        {'arms': arms, 'robot': robot}[sys.argv[1]](int(sys.argv[2]))
