# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Our codec and transport against Unitree software we did not write, over DDS on loopback."""

from importlib.util import find_spec
from pathlib import Path
import platform
import time

import numpy as np
import pytest

pytest.importorskip('cyclonedds')

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
from unitree_random import each, random_messages

from vla_control.buses.unitree import (
    answer,
    ARM_COMMAND,
    checksum_ok,
    decode_hand_state,
    decode_low_cmd,
    decode_low_state,
    encode_hand_cmd,
    encode_low_cmd,
    encode_low_state,
    ends,
    hand_cmd,
    hand_command,
    hand_report,
    low_cmd,
    LOW_COMMAND,
    LOW_STATE,
    low_state,
    MOTION_SWITCHER,
    seal,
    wire_low_cmd,
    wire_low_state,
)
from vla_control.buses.unitree_layout import LOW_CMD
from vla_control.buses.unitree_layout import LOW_STATE as LOW_STATE_LAYOUT

pytestmark = pytest.mark.peer


def missing_crc_library():
    """Return where the vendor's C library should be and is not, '' where all is well."""
    package = find_spec('unitree_sdk2py')
    machine = {'x86_64': 'amd64'}.get(platform.machine(), platform.machine())
    if package is None:
        return 'unitree_sdk2py'
    path = Path(package.origin).parent / 'utils/lib' / f'crc_{machine}.so'
    return '' if path.is_file() else str(path)


@needs_python
@pytest.mark.skipif(
    bool(missing_crc_library()), reason=f'the vendor gives no {missing_crc_library()}'
)
@pytest.mark.slow
def test_20000_random_commands_and_states_have_the_vendors_checksums(tmp_path):
    rng = np.random.default_rng(20_000)
    kinds = {
        'LowCmd_': (LOW_CMD, wire_low_cmd, decode_low_cmd),
        'LowState_': (LOW_STATE_LAYOUT, wire_low_state, decode_low_state),
    }
    ours = {}
    for name, (layout, _, _) in kinds.items():
        ours[name] = random_messages(rng, layout, 20_000)
        np.save(tmp_path / f'{name}.npy', ours[name])
    peer = Peer('checksums', tmp_path)
    try:
        for name, (_, wire, decode) in kinds.items():
            for message in each(ours[name]):
                seal(message)
            peer.until(lambda name=name: peer.heard(lambda said: said['done'] == name), 60.0)
            vendor = np.load(tmp_path / f'{name}.crc.npy')
            assert len(vendor) == 20_000
            assert np.flatnonzero(ours[name]['crc'] != vendor).tolist() == []
            ours[name]['crc'] = vendor
            assert all(checksum_ok(decode(wire(message))) for message in each(ours[name]))
    finally:
        peer.close()


@needs_python
def test_the_vendors_python_sdk_moves_our_arms(tmp_path):
    topics = ends(ARM_COMMAND, ()).swapped
    state = low_state()
    state['mode_machine'] = 5
    state['motor_state']['q'][20] = 0.75
    state['motor_state']['temperature'][20] = [35, 41]
    with meeting(config(topics, 'device'), tmp_path, 'arms', DOMAIN) as (bus, peer):

        def serve():
            state['tick'] += 1
            bus.publish(LOW_STATE, encode_low_state(state))
            answer(bus, MOTION_SWITCHER, lambda *_: (0, '{"form":"0","name":"ai"}'))
            time.sleep(0.002)

        def seen():
            serve()
            return peer.heard()

        first = peer.until(seen)
        assert first['crc_ok']
        assert first['mode_machine'] == 5
        assert (first['q'], first['temperature']) == (0.75, [35, 41])
        assert peer.until(seen) == {'mode': [0, {'form': '0', 'name': 'ai'}]}

        def commanded():
            serve()
            return bus.take(ARM_COMMAND)

        for _ in range(10):
            command = decode_low_cmd(peer.until(commanded)[0].payload)
            assert checksum_ok(command)
        motors = command['motor_cmd']
        np.testing.assert_allclose(motors['q'][15:29], 0.01 * np.arange(15, 29), atol=1e-6)
        assert set(motors['dq'][15:29].tolist()) == {0.25}
        assert set(motors['tau'][15:29].tolist()) == {-1.5}
        assert set(motors['kp'][15:29].tolist()) == {60.0}
        assert motors['q'][29] == 1.0
        assert int(command['mode_machine']) == 5


@needs_python
def test_the_vendors_python_sdk_understands_what_our_driver_sends(tmp_path):
    command, fingers = low_cmd(), hand_cmd()
    command['mode_machine'] = 5
    command['motor_cmd']['q'][:30] = np.linspace(-1.0, 1.0, 30)
    command['motor_cmd']['kp'][:29] = np.arange(29)
    fingers['motor_cmd']['mode'] = np.arange(16, 23)
    fingers['motor_cmd']['q'] = np.linspace(0.0, 0.6, 7)
    with meeting(config(ends(ARM_COMMAND, ('left',))), tmp_path, 'robot', DOMAIN) as (bus, peer):

        def tell(wanted):
            bus.publish(ARM_COMMAND, encode_low_cmd(command))
            bus.publish(hand_command('left'), encode_hand_cmd(fingers))
            time.sleep(0.005)
            return peer.heard(lambda said: wanted in said)

        body = peer.until(lambda: tell('crc_ok'))
        assert body['crc_ok']
        assert body['weight'] == 1.0
        np.testing.assert_allclose(body['q'], np.linspace(-1.0, 1.0, 30)[:29], atol=1e-6)
        assert body['kp'] == [float(i) for i in range(29)]
        hand = peer.until(lambda: tell('hand'))
        assert hand['modes'] == list(range(16, 23))
        np.testing.assert_allclose(hand['hand'], np.linspace(0.0, 0.6, 7), atol=1e-6)
        state = decode_low_state(peer.until(lambda: bus.take(LOW_STATE))[0].payload)
        assert checksum_ok(state)
        np.testing.assert_allclose(state['motor_state']['q'][:29], 0.01 * np.arange(29), atol=1e-6)
        report = decode_hand_state(peer.until(lambda: bus.take(hand_report('left')))[0].payload)
        np.testing.assert_allclose(report['motor_state']['q'], 0.1 * np.arange(7), atol=1e-6)
        for topic in (ARM_COMMAND, LOW_STATE, hand_report('left')):
            found = bus.peers(topic)
            assert all(p.same_type for p in (*found.writers, *found.readers))


@needs_cpp
def test_the_vendors_cpp_sdk_reads_our_states_and_is_read(tmp_path):
    topics = ends(LOW_COMMAND, ()).swapped
    where = tagged(topics, 'device')
    state = low_state()
    state['mode_machine'] = 5
    state['motor_state']['q'][3] = 0.5
    state['motor_state']['temperature'][3] = [35, 41]
    with meeting(where, tmp_path, 'lowlevel', named_domain(where.xml)) as (bus, peer):

        def told(wanted, send):
            state['tick'] += 1
            bus.publish(LOW_STATE, send(state))
            time.sleep(0.002)
            return peer.heard(lambda said: said['q'] == wanted)

        said = peer.until(lambda: told(0.5, encode_low_state))
        assert said['mode_machine'] == 5

        def commanded():
            told(None, encode_low_state)
            found = [decode_low_cmd(p.payload) for p in bus.take(LOW_COMMAND)]
            # Its first commands leave before it has heard of the robot's variant.
            return [c for c in found if int(c['mode_machine']) == 5]

        command = peer.until(commanded)[0]
        assert checksum_ok(command)
        motors = command['motor_cmd'][:29]
        np.testing.assert_allclose(motors['q'], 0.01 * np.arange(29), atol=1e-6)
        assert set(motors['kp'].tolist()) == {40.0}
        assert set(motors['mode'].tolist()) == {1}

        state['motor_state']['q'][3] = 0.9
        encode_low_state(state)
        state['crc'] ^= 1
        end = time.monotonic() + 0.5
        while time.monotonic() < end:  # it must drop states with a wrong checksum
            assert told(0.9, wire_low_state) is None
        assert peer.until(lambda: told(0.9, encode_low_state))
