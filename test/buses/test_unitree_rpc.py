# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Calls of services over a bus in memory, the remote control, and the bus itself."""

import pytest

from vla_control.buses.unitree import (
    answer,
    ARM_COMMAND,
    ArmAction,
    call,
    CHECK_MODE,
    decode_arm_action,
    decode_remote,
    decode_request,
    decode_response,
    encode_arm_action,
    encode_remote,
    encode_request,
    encode_response,
    ends,
    LOW_STATE,
    MOTION_SWITCHER,
    Peer,
    Peers,
    Question,
    Request,
    Response,
    SPORT,
    UnitreeLoopback,
)
from vla_control.core.clock import ManualClock
from vla_control.core.errors import BusError, CodecError


@pytest.fixture
def buses():
    driver, device = UnitreeLoopback.pair(ends(ARM_COMMAND, ('left',)))
    driver.open()
    device.open()
    return driver, device


def test_a_call_is_answered_with_what_the_service_says(buses):
    driver, device = buses
    heard = []

    def handle(api_id, parameter):
        heard.append((api_id, parameter))
        return 0, '{"name":"ai"}'

    clock = ManualClock(wait=lambda _: answer(device, MOTION_SWITCHER, handle))
    response = call(driver, clock, MOTION_SWITCHER, CHECK_MODE, '{"a":"ü"}')
    assert (response.code, response.data) == (0, '{"name":"ai"}')
    assert heard == [(CHECK_MODE, '{"a":"ü"}')]


def test_an_answer_to_somebody_else_is_not_taken_for_ours(buses):
    driver, device = buses
    others = Response(identity=1, api_id=CHECK_MODE, code=0, data='{}')

    def wait(_):
        device.publish('rt/api/motion_switcher/response', encode_response(others))

    clock = ManualClock(wait=wait)
    assert call(driver, clock, MOTION_SWITCHER, CHECK_MODE, timeout=0.1).code == 3104
    assert clock.now() == pytest.approx(0.1, abs=0.01)


def test_a_question_of_a_control_loop_waits_for_nothing(buses):
    driver, device = buses
    question = Question(SPORT, 7001)
    assert question.look(driver) is None
    question.ask(driver, 5.0)
    assert question.pending
    assert question.look(driver) is None
    first = decode_request(device.take('rt/api/sport/request')[0].payload)
    question.ask(driver, 6.0)
    late = Response(identity=first.identity, api_id=7001, code=0, data='{"data":1}')
    device.publish('rt/api/sport/response', encode_response(late))
    assert question.look(driver) is None  # an answer to what is asked no longer
    answer(device, SPORT, lambda *_: (0, '{"data":500}'))
    assert question.look(driver).data == '{"data":500}'
    assert not question.pending
    assert question.look(driver) is None


def test_a_service_nobody_offers_is_told_from_one_that_is_silent(buses):
    driver, device = buses
    assert call(driver, ManualClock(), SPORT, 7001, timeout=0.1).code == 3104
    device.close()
    assert call(driver, ManualClock(), SPORT, 7001, timeout=0.1).code == 3102


def test_requests_and_responses_equal_the_stock_serializer():
    pytest.importorskip('cyclonedds')
    from cyclonedds.idl import IdlStruct

    from vla_control.buses import unitree_idl as idl

    for text in ('', '{}', '{"name":"ai"}', 'ü', 'four'):
        request = Request(identity=2**40 + 1, api_id=1001, parameter=text)
        header = idl.RequestHeader_(
            idl.RequestIdentity_(request.identity, 1001),
            idl.RequestLease_(0),
            idl.RequestPolicy_(0, False),
        )
        stock = IdlStruct.serialize(idl.Request_(header, text, []), use_version_2=False)
        assert encode_request(request) == stock
        assert decode_request(stock) == request
        response = Response(identity=-7, api_id=7001, code=3203, data=text)
        head = idl.ResponseHeader_(idl.RequestIdentity_(-7, 7001), idl.ResponseStatus_(3203))
        stock = IdlStruct.serialize(idl.Response_(head, text, []), use_version_2=False)
        assert encode_response(response) == stock
        assert decode_response(stock) == response


def test_states_of_the_arm_action_service_equal_the_stock_serializer():
    pytest.importorskip('cyclonedds')
    from cyclonedds.idl import IdlStruct

    from vla_control.buses import unitree_idl as idl

    for action in (ArmAction(), ArmAction(holding=True, number=23, name='right hand up')):
        stock = IdlStruct.serialize(
            idl.String_(
                f'{{"holding": {str(action.holding).lower()}, "id": {action.number}, '
                f'"name": "{action.name}"}}'
            ),
            use_version_2=False,
        )
        assert encode_arm_action(action) == stock
        assert decode_arm_action(stock) == action
        assert action.busy == action.holding


@pytest.mark.parametrize('text', [b'', b'{"id": 3}', b'[]', b'waving', b'{"id": "x", "name": 1}'])
def test_a_text_that_is_no_state_of_the_arm_action_service_is_refused(text):
    whole = encode_arm_action(ArmAction())
    payload = whole[:4] + len(text).to_bytes(4, 'little') + text
    for wrong in (payload, whole[:6]):
        with pytest.raises(CodecError, match='holding, id, name'):
            decode_arm_action(wrong)


def test_a_cut_response_is_refused():
    payload = encode_response(Response(identity=1, api_id=2, code=0, data='{"name":"ai"}'))
    for length in (0, 10, 27, 34):
        with pytest.raises(CodecError, match='Response_'):
            decode_response(payload[:length])


def test_the_remote_control_names_its_buttons():
    assert decode_remote(encode_remote({'L2', 'B'})).buttons == {'L2', 'B'}
    assert encode_remote({'L2', 'B'})[2:4] == (1 << 5 | 1 << 9).to_bytes(2, 'little')
    assert decode_remote(bytes(40)).buttons == frozenset()
    with pytest.raises(CodecError, match='39 bytes'):
        decode_remote(bytes(39))


def test_a_bus_keeps_only_the_newest_state_as_the_vendor_does(buses):
    driver, device = buses
    for payload in (b'1', b'2', b'3'):
        device.publish(LOW_STATE, payload)
    assert [p.payload for p in driver.take(LOW_STATE)] == [b'3']
    assert driver.take(LOW_STATE) == []


def test_a_bus_refuses_what_it_does_not_carry_and_what_is_closed(buses):
    driver, _ = buses
    with pytest.raises(BusError, match='open already'):
        driver.open()
    with pytest.raises(BusError, match='rt/lowstate is not written'):
        driver.publish(LOW_STATE, b'')
    with pytest.raises(BusError, match='rt/arm_sdk is not read'):
        driver.take(ARM_COMMAND)
    driver.close()
    with pytest.raises(BusError, match='closed'):
        driver.take(LOW_STATE)


def test_peers_are_the_other_end_and_strangers(buses):
    driver, device = buses
    assert [p.who for p in driver.peers(LOW_STATE).writers] == ['the other end']
    assert driver.peers(ARM_COMMAND).writers == ()
    driver.strangers[ARM_COMMAND] = Peers(writers=(Peer(who='an example'),))
    assert [p.who for p in driver.peers(ARM_COMMAND).writers] == ['an example']
    device.close()
    assert driver.peers(LOW_STATE) == Peers()
