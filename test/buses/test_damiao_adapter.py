# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The adapter's packets: golden bytes, and finding them in a stream that is not clean."""

from pathlib import Path
import random

import pytest
import yaml

from vla_control.buses import damiao
from vla_control.buses.damiao_adapter import (
    Answer,
    AnswerReader,
    BitRate,
    CommandReader,
    encode_answer,
    encode_bit_rate,
    encode_command,
    HostFrame,
    Kind,
)
from vla_control.core.errors import CodecError

VECTORS = yaml.safe_load((Path(__file__).parents[1] / 'data/dk1_vectors.yaml').read_text())
RANGES = {model: damiao.MitRanges(**r) for model, r in VECTORS['ranges'].items()}
MASTERS = range(0x11, 0x18)
STATE = bytes.fromhex('128a3d8008ff2328')
SPECIAL = {'enable': damiao.ENABLE, 'disable': damiao.DISABLE, 'set_zero': damiao.SET_ZERO}


def frame_of(vector):
    """Encode what a golden vector describes."""
    what, tx, mode = vector['what'], vector['motor'], damiao.Mode
    if what in SPECIAL:
        return tx, SPECIAL[what]
    if what == 'refresh':
        return damiao.refresh(tx)
    if what == 'read':
        return damiao.read_register(tx, vector['rid'])
    if what == 'write':
        return damiao.write_register(tx, vector['rid'], vector['value'])
    if what == 'save':
        return damiao.store(tx)
    if what == 'mit':
        fields = [vector[k] for k in ('q', 'v', 'kp', 'kd', 'tau')]
        return tx, damiao.encode_mit(RANGES[vector['model']], *fields)
    if what == 'pos_vel':
        data = damiao.encode_pos_vel(vector['q'], vector['speed'])
        return damiao.command_id(mode.POS_VEL, tx), data
    if what == 'vel':
        return damiao.command_id(mode.VEL, tx), damiao.encode_vel(vector['v'])
    data = damiao.encode_pos_force(vector['q'], vector['speed'], vector['current'])
    return damiao.command_id(mode.POS_FORCE, tx), data


def codes(packet):
    word = int.from_bytes(packet[21:29], 'big')
    return [word >> 48, word >> 36 & 0xFFF, word >> 24 & 0xFFF, word >> 12 & 0xFFF, word & 0xFFF]


COMMANDS = [vector for vector in VECTORS['commands'] if vector['what'] != 'save']
(SAVE,) = (vector for vector in VECTORS['commands'] if vector['what'] == 'save')


@pytest.mark.parametrize('vector', COMMANDS, ids=lambda v: f'{v["what"]}-{v["motor"]}')
def test_a_command_is_the_vendors_packet_byte_for_byte(vector):
    theirs = bytes.fromhex(vector['hex'])
    ours = encode_command(*frame_of(vector))
    if vector.get('on_code', True):
        assert ours == theirs
    else:
        assert (ours[:21], ours[29:]) == (theirs[:21], theirs[29:])
        assert all(0 <= a - b <= 1 for a, b in zip(codes(ours), codes(theirs), strict=True))


def test_a_store_differs_from_the_vendors_in_a_byte_that_names_nothing():
    theirs, ours = bytes.fromhex(SAVE['hex']), encode_command(*frame_of(SAVE))
    differing = [i for i, (a, b) in enumerate(zip(ours, theirs, strict=True)) if a != b]
    assert differing == [24], 'the fourth data byte, where a register would be named'
    assert (ours[24], theirs[24]) == (1, 0)


@pytest.mark.parametrize('vector', VECTORS['states'])
def test_a_state_reads_as_the_vendor_reads_it(vector):
    (answer,) = AnswerReader(MASTERS).feed(bytes.fromhex(vector['hex']))
    assert answer.arbitration_id == 0x10 + vector['motor']
    state = damiao.decode_feedback(RANGES[vector['model']], answer.data)
    assert (state.motor_id, state.status) == (vector['motor'], vector['status'])
    assert (state.t_mos, state.t_rotor) == (vector['t_mos'], vector['t_rotor'])
    for name in ('q', 'v', 'tau'):
        assert getattr(state, name) == pytest.approx(vector[name], abs=1e-6)


@pytest.mark.parametrize('vector', VECTORS['registers'])
def test_a_register_reads_as_the_vendor_reads_it(vector):
    (answer,) = AnswerReader(MASTERS).feed(bytes.fromhex(vector['hex']))
    reply = damiao.decode_register_reply(answer.data, vector['motor'], (vector['rid'],))
    assert (reply.rid, reply.value) == (vector['rid'], vector['value'])


def test_the_emulated_answer_is_the_packet_of_the_sheet():
    assert encode_answer(0x12, STATE) == bytes.fromhex(VECTORS['states'][0]['hex'])


@pytest.mark.parametrize(
    ('rate', 'packet'),
    [(1_000_000, '550500aa55'), (500_000, '550503aa55'), (250_000, '550505aa55')],
)
def test_bit_rates_are_set_by_five_bytes(rate, packet):
    assert encode_bit_rate(rate).hex() == packet
    assert CommandReader().feed(bytes.fromhex(packet)) == [BitRate(bytes.fromhex(packet)[2])]


def test_what_the_adapter_cannot_send_is_refused():
    for arbitration_id, data in ((0x800, bytes(8)), (-1, bytes(8)), (1, bytes(7)), (1, bytes(9))):
        with pytest.raises(CodecError, match='8 bytes'):
            encode_command(arbitration_id, data)
    with pytest.raises(CodecError, match='bit/s'):
        encode_bit_rate(123)
    with pytest.raises(CodecError, match='8 bytes'):
        encode_answer(1, bytes(9))


def stream(rng, count):
    """Random answers of the seven motors, full of bytes that look like heads and tails."""
    found = []
    for _ in range(count):
        data = bytes(rng.choice([0x55, 0xAA, 0x11, 0x00, rng.randrange(256)]) for _ in range(8))
        found.append(Answer(Kind.RECEIVED, rng.choice(MASTERS), data))
    return found


def test_answers_come_out_whole_however_they_are_cut_and_joined():
    rng = random.Random(1)
    sent = stream(rng, 2000)
    bytes_of = b''.join(encode_answer(a.arbitration_id, a.data) for a in sent)
    reader, found = AnswerReader(MASTERS), []
    while bytes_of:
        cut = rng.randrange(1, 40)
        found += reader.feed(bytes_of[:cut])
        bytes_of = bytes_of[cut:]
    assert found == sent
    assert reader.junk == 0


def test_junk_between_answers_is_skipped_and_counted():
    rng = random.Random(2)
    sent, reader, found, junk = stream(rng, 2000), AnswerReader(MASTERS), [], 0
    for answer in sent:
        rubbish = bytes(rng.choice([0x55, 0xAA, 0x00, 0x7E]) for _ in range(rng.randrange(12)))
        junk += len(rubbish)
        found += reader.feed(rubbish + encode_answer(answer.arbitration_id, answer.data))
    assert [a for a in found if a in sent] == sent
    assert len(found) == len(sent)
    assert reader.junk == junk


@pytest.mark.parametrize('lost', range(1, 16))
def test_a_packet_without_its_end_is_dropped_and_never_mixed_with_the_next(lost):
    # Every tail byte stands in the data too, the worst case.
    other = bytes.fromhex('1755aa5555555555')
    reader = AnswerReader(MASTERS)
    whole = encode_answer(0x17, other)
    for _ in range(3):
        found = reader.feed(encode_answer(0x12, STATE)[:-lost] + whole)
        assert found == [Answer(Kind.RECEIVED, 0x17, other)]
        assert reader.feed(whole) == [Answer(Kind.RECEIVED, 0x17, other)]


@pytest.mark.parametrize('lost', range(16))
def test_a_byte_lost_within_a_packet_costs_that_packet_only(lost):
    packet = encode_answer(0x12, STATE)
    reader = AnswerReader(MASTERS)
    after = encode_answer(0x13, STATE)
    found = reader.feed(packet[:lost] + packet[lost + 1 :] + after)
    assert found == [Answer(Kind.RECEIVED, 0x13, STATE)]


def test_a_stream_that_begins_anywhere_is_found_within_one_packet():
    packets = b''.join(encode_answer(0x11 + i, STATE) for i in range(7))
    for start in range(16):
        found = AnswerReader(MASTERS).feed(packets[start:])
        assert [a.arbitration_id for a in found] == list(range(0x12 if start else 0x11, 0x18))


def test_strange_ids_and_kinds_are_no_packets():
    reader = AnswerReader(MASTERS)
    assert reader.feed(encode_answer(0x29, STATE)) == []
    packet = bytearray(encode_answer(0x12, STATE))
    packet[1] = 0x44
    assert reader.feed(bytes(packet)) == []
    assert reader.junk == 32
    assert AnswerReader().feed(encode_answer(0x29, STATE))[0].arbitration_id == 0x29


def test_the_adapter_reports_without_a_frame_are_told_apart():
    reader = AnswerReader(MASTERS)
    for kind in Kind:
        (answer,) = reader.feed(encode_answer(0x12, STATE, kind))
        assert answer.kind is kind


def test_commands_are_found_as_the_adapter_finds_them():
    rng = random.Random(3)
    sent = [HostFrame(rng.randrange(0x400), rng.randbytes(8)) for _ in range(500)]
    packets = b''.join(encode_command(*f) for f in sent)
    reader, found = CommandReader(), []
    packets = b'\x00\x55\x55\xaa' + packets[:60] + b'\xaa\x01' + packets[60:]
    while packets:
        cut = rng.randrange(1, 70)
        found += reader.feed(packets[:cut])
        packets = packets[cut:]
    assert found == sent
    assert reader.junk == 6


def test_the_checksum_byte_of_a_command_is_not_looked_at():
    packet = bytearray(encode_command(1, STATE))
    packet[29] = 0x5A
    assert CommandReader().feed(bytes(packet)) == [HostFrame(1, STATE)]
