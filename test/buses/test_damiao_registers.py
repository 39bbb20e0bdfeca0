# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Register requests and the safe reading of their replies."""

from pathlib import Path
import struct

import pytest
import yaml

from vla_control.buses.damiao import (
    decode_register_reply,
    encode_feedback,
    Feedback,
    Kind,
    MitRanges,
    pack_register,
    READ,
    read_register,
    refresh,
    Reg,
    REGISTERS,
    STORE,
    store,
    unpack_register,
    watchdog_counts,
    WRITE,
    write_register,
)
from vla_control.core.errors import CodecError

VECTORS = yaml.safe_load((Path(__file__).parents[1] / 'data' / 'damiao_vectors.yaml').read_text())
TX = 8
REQUESTS = {
    'refresh': lambda case: refresh(TX),
    'read': lambda case: read_register(TX, case['rid']),
    'write': lambda case: write_register(TX, case['rid'], case['value']),
    'store': lambda case: store(TX),
}


@pytest.mark.parametrize('case', VECTORS['register_frames'], ids=lambda c: c['hex'])
def test_requests_are_the_recorded_frames(case):
    arbitration_id, data = REQUESTS[case['what']](case)
    assert (arbitration_id, data.hex()) == (case['arbitration_id'], case['hex'])


@pytest.mark.parametrize(
    'case', [c for c in VECTORS['register_frames'] if 'reply' in c], ids=lambda c: c['reply']
)
def test_recorded_replies_are_read(case):
    reply = decode_register_reply(bytes.fromhex(case['reply']), TX, {case['rid']})
    operation = READ if case['what'] == 'read' else WRITE
    assert reply == (operation, case['rid'], case['value'])


def test_whole_number_registers_give_ints_and_the_others_floats():
    u32 = {rid for rid, r in REGISTERS.items() if r.kind is Kind.U32}
    assert u32 == {7, 8, 9, 10, 13, 14, 15, 16, 35, 36}
    for rid in REGISTERS:
        value = unpack_register(rid, pack_register(rid, 3))
        assert value == 3
        assert type(value) is (int if rid in u32 else float)


def test_a_reply_is_no_reply_unless_its_register_is_awaited():
    data = bytes.fromhex('080033160000f041')
    assert decode_register_reply(data, TX, ()) is None
    assert decode_register_reply(data, TX, {Reg.PMAX}) is None
    assert decode_register_reply(data, 7, {Reg.VMAX}) is None
    assert decode_register_reply(data, TX, {Reg.VMAX}) is not None


def test_a_state_frame_is_never_taken_for_a_reply_where_a_joint_can_be():
    ranges = MitRanges(12.5, 30.0, 10.0)
    misread = set()
    for code in range(1 << 16):
        q = (2 * code - 65535) * 12.5 / 65535
        for status in (0x0, 0x1, 0xD):
            frame = encode_feedback(ranges, Feedback(TX, status, q, -29.0, 5.0, 40, 41))
            if decode_register_reply(frame, TX, REGISTERS) is not None:
                misread.add((status, round(q, 3)))
    # Only of a disabled motor at the far end of its range; the third byte alone would misread
    # one position in 128, anywhere.
    assert misread <= {(0x0, -12.481), (0x0, -12.468)}


def test_a_store_is_confirmed_by_four_bytes():
    data = bytes([8, 0, 0xAA, 1])
    assert decode_register_reply(data, TX, {STORE}) == (STORE, 1, 0)
    assert decode_register_reply(data, TX, {Reg.VMAX}) is None


def test_short_frames_are_no_replies():
    for length in range(8):
        assert decode_register_reply(bytes([8, 0, READ, 9][:length]), TX, {9}) is None


@pytest.mark.parametrize('rid', sorted(r for r in REGISTERS if not REGISTERS[r].writable))
def test_read_only_registers_are_not_written(rid):
    with pytest.raises(CodecError, match='read-only'):
        write_register(TX, rid, 1)


@pytest.mark.parametrize(
    ('rid', 'value'),
    [
        (Reg.UV_VALUE, 10.0),
        (Reg.OT_VALUE, 79.9),
        (Reg.OT_VALUE, 200.0),
        (3, 0.0),
        (3, 1.0),
        (Reg.DEC, 0.0),
        (Reg.MST_ID, 0x800),
        (Reg.TIMEOUT, 2**32),
        (Reg.TIMEOUT, -1),
        (Reg.CTRL_MODE, 0),
        (Reg.CTRL_MODE, 5),
        (Reg.VMAX, 0.0),
        (Reg.VMAX, float('nan')),
        (Reg.VMAX, float('inf')),
        (Reg.VMAX, 1e39),
        (Reg.CTRL_MODE, 1.5),
    ],
)
def test_values_the_manual_does_not_allow_are_refused(rid, value):
    with pytest.raises(CodecError, match=f'register {int(rid)} '):
        write_register(TX, rid, value)


@pytest.mark.parametrize(
    ('rid', 'value'), [(Reg.OT_VALUE, 80.0), (Reg.DEC, -1.0), (Reg.CTRL_MODE, 4), (30, 1.0)]
)
def test_values_at_the_edge_are_taken(rid, value):
    _, data = write_register(TX, rid, value)
    assert unpack_register(rid, data[4:]) == value


def test_unknown_registers_are_named():
    with pytest.raises(CodecError, match='no register 40'):
        read_register(TX, 40)


def test_the_watchdog_counts_in_fifty_microseconds():
    assert watchdog_counts(0.1) == 2000
    assert watchdog_counts(0.0) == 0
    for bad in (-0.1, float('nan'), float('inf'), 3e5):
        with pytest.raises(CodecError, match='watchdog'):
            watchdog_counts(bad)


def test_ids_beyond_a_byte_are_little_endian():
    assert struct.unpack('<H', read_register(0x123, 7)[1][:2]) == (0x123,)
