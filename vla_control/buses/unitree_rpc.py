# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Calls of Unitree's services: JSON in a request and a response message, told apart by an id."""

from collections.abc import Callable
from dataclasses import dataclass
import itertools
import struct

from vla_control.buses.unitree_bus import UnitreeBus
from vla_control.buses.unitree_layout import HEADER
from vla_control.core.errors import CodecError
from vla_control.core.protocols import Clock

# Answers of any service; each has its own above 7000.
OK, NO_SERVER, TIMEOUT, NOT_IMPLEMENTED, BAD_PARAMETER = 0, 3102, 3104, 3203, 3204
MOTION_SWITCHER, SPORT = 'motion_switcher', 'sport'
CHECK_MODE, RELEASE_MODE, GET_FSM_ID = 1001, 1003, 7001
_REQUEST = struct.Struct('<3qi?3x')
_RESPONSE = struct.Struct('<2qi')
_LENGTH = struct.Struct('<I')
_POLL = 0.002  # [s] between looks for an answer
_COUNT = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call."""

    identity: int  # unique; the answer carries the same
    api_id: int
    parameter: str = ''  # JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One answer."""

    identity: int
    api_id: int
    code: int  # OK or what went wrong
    data: str = ''  # JSON


def request_topic(service: str) -> str:
    """Return where a service is asked."""
    return f'rt/api/{service}/request'


def response_topic(service: str) -> str:
    """Return where a service answers."""
    return f'rt/api/{service}/response'


def encode_request(request: Request) -> bytes:
    """Return the wire bytes of a call."""
    head = _REQUEST.pack(request.identity, request.api_id, 0, 0, False)
    return HEADER + _with_text(head, request.parameter)


def decode_request(payload: bytes) -> Request:
    """
    Read a call.

    :raises CodecError: when it is none.
    """
    identity, api_id, *_ = _unpack(_REQUEST, payload, 'Request_')
    return Request(
        identity=identity, api_id=api_id, parameter=_text(payload, _REQUEST.size, 'Request_')
    )


def encode_response(response: Response) -> bytes:
    """Return the wire bytes of an answer."""
    head = _RESPONSE.pack(response.identity, response.api_id, response.code)
    return HEADER + _with_text(head, response.data)


def decode_response(payload: bytes) -> Response:
    """
    Read an answer.

    :raises CodecError: when it is none.
    """
    identity, api_id, code = _unpack(_RESPONSE, payload, 'Response_')
    text = _text(payload, _RESPONSE.size, 'Response_')
    return Response(identity=identity, api_id=api_id, code=code, data=text)


def call(
    bus: UnitreeBus,
    clock: Clock,
    service: str,
    api_id: int,
    parameter: str = '',
    timeout: float = 1.0,
) -> Response:
    """
    Ask a service and wait for its answer; not for use in a control loop.

    :param parameter: JSON.
    :param timeout: [s] longest wait.
    :returns: the answer; its code is NO_SERVER or TIMEOUT where none came.
    :raises BusError: when the bus does not carry the service.
    """
    end = clock.now() + timeout
    while not bus.peers(request_topic(service)).readers:
        if clock.now() >= end:
            return Response(identity=0, api_id=api_id, code=NO_SERVER)
        clock.sleep_until(clock.now() + _POLL)
    # The clock makes ids of two processes differ, the counter those of one instant.
    identity = int(clock.now() * 1e9) + next(_COUNT)
    request = Request(identity=identity, api_id=api_id, parameter=parameter)
    bus.publish(request_topic(service), encode_request(request))
    while True:
        for packet in bus.take(response_topic(service)):
            response = decode_response(packet.payload)
            if response.identity == identity:
                return response
        if clock.now() >= end:
            return Response(identity=identity, api_id=api_id, code=TIMEOUT)
        clock.sleep_until(clock.now() + _POLL)


class Question:
    """A call asked over and over by a control loop, which waits for no answer."""

    def __init__(self, service: str, api_id: int) -> None:
        """Begin with nothing asked."""
        self.service, self._api_id = service, api_id
        self._asked = 0  # times
        self._identity: int | None = None  # of the call that waits for an answer

    @property
    def pending(self) -> bool:
        """Whether the newest call has no answer yet."""
        return self._identity is not None

    def ask(self, bus: UnitreeBus, now: float) -> None:
        """
        Call; an answer to an earlier call is forgotten.

        :param now: [s] of a monotonic clock; makes the ids of two processes differ.
        :raises BusError: when the bus does not carry the service, or is lost.
        """
        self._asked += 1
        self._identity = int(now * 1e9) + self._asked
        request = Request(identity=self._identity, api_id=self._api_id)
        bus.publish(request_topic(self.service), encode_request(request))

    def look(self, bus: UnitreeBus) -> Response | None:
        """
        Return the answer where it has arrived; never blocks.

        :raises BusError: when the bus does not carry the service, or is lost.
        :raises CodecError: when something else arrived.
        """
        if self._identity is None:
            return None
        for packet in bus.take(response_topic(self.service)):
            response = decode_response(packet.payload)
            if (response.identity, response.api_id) == (self._identity, self._api_id):
                self._identity = None
                return response
        return None


def answer(bus: UnitreeBus, service: str, handle: Callable[[int, str], tuple[int, str]]) -> int:
    """
    Be a service: answer every call that has arrived.

    :param handle: from (api id, JSON) to (code, JSON).
    :returns: how many there were.
    """
    packets = bus.take(request_topic(service))
    for packet in packets:
        request = decode_request(packet.payload)
        code, data = handle(request.api_id, request.parameter)
        response = Response(identity=request.identity, api_id=request.api_id, code=code, data=data)
        bus.publish(response_topic(service), encode_response(response))
    return len(packets)


def _with_text(head: bytes, text: str) -> bytes:
    raw = text.encode() + b'\x00'
    body = head + _LENGTH.pack(len(raw)) + raw
    body += b'\x00' * (-len(body) % 4)
    return body + _LENGTH.pack(0)  # no binary part


def _unpack(layout: struct.Struct, payload: bytes, name: str) -> tuple[int, ...]:
    if payload[:4] != HEADER or len(payload) < 4 + layout.size + 4:
        raise CodecError(
            f'{name}: got {len(payload)} bytes that begin {payload[:4].hex()}, expected at least '
            f'{8 + layout.size} that begin {HEADER.hex()}'
        )
    return layout.unpack_from(payload, 4)


def _text(payload: bytes, offset: int, name: str) -> str:
    start = 4 + offset + _LENGTH.size
    (length,) = _LENGTH.unpack_from(payload, 4 + offset)
    raw = payload[start : start + length]
    if length < 1 or len(raw) != length or raw[-1:] != b'\x00':
        raise CodecError(f'{name}: a text of {length} bytes is cut short or not terminated')
    return raw[:-1].decode(errors='replace')
