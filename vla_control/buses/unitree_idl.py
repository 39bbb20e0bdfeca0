# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
The IDL types of Unitree's DDS topics as cyclonedds announces them.

Every 8-bit field is ``types.byte``, never ``types.uint8``: cyclonedds 11 announces the latter as
a kind that Cyclone DDS 0.10, which runs on the robot, does not know, and whose discovery thread
then dies of a segmentation fault (eclipse-cyclonedds/cyclonedds issues 1554 and 2329). So a
subscriber with a wrong type would take the robot's own publisher down. check_types() refuses to
start in that case; the minimal type hashes are those of the vendor's own software.

The classes are there for discovery. Their own serializer takes 0.3 to 1.6 ms a message, so
samples carry wire bytes made by the fixed layouts instead: see Sample.
"""

from functools import partial
from typing import Any, Self

from cyclonedds.idl import make_idl_struct, types

from vla_control.core.errors import BusError

TK_INT8, TK_UINT8 = 12, 13  # kinds that Cyclone DDS 0.10 does not survive


def _struct(package: str, name: str, **fields: Any) -> type[Any]:
    """Declare a final struct of an IDL package; the order of fields is the order on the wire."""
    kind = make_idl_struct(name, f'{package}.msg.dds_.{name}', fields)
    kind.__idl_annotations__['extensibility'] = 'final'
    return kind


_hg = partial(_struct, 'unitree_hg')
_api = partial(_struct, 'unitree_api')
_array: Any = types.array
_sequence: Any = types.sequence
_byte, _f4, _i2, _i4, _i8 = types.byte, types.float32, types.int16, types.int32, types.int64
_u2, _u4 = types.uint16, types.uint32

MotorCmd_ = _hg('MotorCmd_', mode=_byte, q=_f4, dq=_f4, tau=_f4, kp=_f4, kd=_f4, reserve=_u4)
LowCmd_ = _hg(
    'LowCmd_',
    mode_pr=_byte,
    mode_machine=_byte,
    motor_cmd=_array[MotorCmd_, 35],
    reserve=_array[_u4, 4],
    crc=_u4,
)
IMUState_ = _hg(
    'IMUState_',
    quaternion=_array[_f4, 4],
    gyroscope=_array[_f4, 3],
    accelerometer=_array[_f4, 3],
    rpy=_array[_f4, 3],
    temperature=_i2,
)
MotorState_ = _hg(
    'MotorState_',
    mode=_byte,
    q=_f4,
    dq=_f4,
    ddq=_f4,
    tau_est=_f4,
    temperature=_array[_i2, 2],
    vol=_f4,
    sensor=_array[_u4, 2],
    motorstate=_u4,
    reserve=_array[_u4, 4],
)
LowState_ = _hg(
    'LowState_',
    version=_array[_u4, 2],
    mode_pr=_byte,
    mode_machine=_byte,
    tick=_u4,
    imu_state=IMUState_,
    motor_state=_array[MotorState_, 35],
    wireless_remote=_array[_byte, 40],
    reserve=_array[_u4, 4],
    crc=_u4,
)
HandCmd_ = _hg('HandCmd_', motor_cmd=_sequence[MotorCmd_], reserve=_array[_u4, 4])
PressSensorState_ = _hg(
    'PressSensorState_',
    pressure=_array[_f4, 12],
    temperature=_array[_f4, 12],
    lost=_u4,
    reserve=_u4,
)
HandState_ = _hg(
    'HandState_',
    motor_state=_sequence[MotorState_],
    press_sensor_state=_sequence[PressSensorState_],
    imu_state=IMUState_,
    power_v=_f4,
    power_a=_f4,
    system_v=_f4,
    device_v=_f4,
    error=_array[_u4, 2],
    reserve=_array[_u4, 2],
)
BmsState_ = _hg(
    'BmsState_',
    version_high=_byte,
    version_low=_byte,
    fn=_byte,
    cell_vol=_array[_u2, 40],
    bmsvoltage=_array[_u4, 3],
    current=_i4,
    soc=_byte,
    soh=_byte,
    temperature=_array[_i2, 12],
    cycle=_u2,
    manufacturer_date=_u2,
    bmsstate=_array[_u4, 5],
    reserve=_array[_u4, 3],
)
RequestIdentity_ = _api('RequestIdentity_', id=_i8, api_id=_i8)
RequestLease_ = _api('RequestLease_', id=_i8)
RequestPolicy_ = _api('RequestPolicy_', priority=_i4, noreply=bool)
RequestHeader_ = _api(
    'RequestHeader_', identity=RequestIdentity_, lease=RequestLease_, policy=RequestPolicy_
)
Request_ = _api('Request_', header=RequestHeader_, parameter=str, binary=_sequence[_byte])
ResponseStatus_ = _api('ResponseStatus_', code=_i4)
ResponseHeader_ = _api('ResponseHeader_', identity=RequestIdentity_, status=ResponseStatus_)
Response_ = _api('Response_', header=ResponseHeader_, data=str, binary=_sequence[_byte])

String_ = _struct('std_msgs', 'String_', data=str)


class Sample:
    """
    What turns an announced type into a carrier of wire bytes.

    cyclonedds looks ``serialize`` and ``deserialize`` up on the announced class itself; a
    subclass that overrode them would announce another type.
    """

    payload: bytes

    def serialize(self, *_: Any, **__: Any) -> bytes:
        """Return the wire bytes."""
        return self.payload

    @classmethod
    def deserialize(cls, data: bytes, *_: Any, **__: Any) -> Self:
        """Keep the wire bytes."""
        sample = cls.__new__(cls)
        sample.payload = bytes(data)
        return sample


# The types that endpoints are made of, and the minimal hashes they must be announced with.
MINIMAL_HASHES: dict[type[Any], str] = {
    LowCmd_: '6569fc15f0d47aa8600b9e91fbbc',
    LowState_: '2f38296b52aa0230b92d378b1e39',
    HandCmd_: 'a63e17e228e67d276dfe71d6f156',
    HandState_: '699eb3270c7d7788ed03bebe16b9',
    BmsState_: '4b98d809a63f63c7cb31a818506b',
    Request_: 'cba4dc965d393ada76b4de081925',
    Response_: '48c997d379c3e18c530b5f8fe946',
    String_: '59656d080ab926a333a69d269cb1',
}
for _kind in MINIMAL_HASHES:
    _kind.serialize = Sample.serialize
    _kind.deserialize = Sample.__dict__['deserialize']


def topic_type(topic: str) -> type[Any]:
    """
    Return the type of a topic.

    :raises BusError: naming the topics there are.
    """
    if topic.startswith('rt/api/') and topic.endswith('/request'):
        return Request_
    if topic.startswith('rt/api/') and topic.endswith('/response'):
        return Response_
    if topic not in _TOPICS:
        raise BusError(
            f'no topic {topic!r}; known: {sorted(_TOPICS)} and rt/api/<service>/request|response'
        )
    return _TOPICS[topic]


def minimal_hash(kind: type[Any]) -> str:
    """Return the minimal type hash a type is announced with, in hex."""
    identifier = kind.__idl__.get_type_info().minimal.typeid_with_size.type_id
    return bytes(identifier.value).hex()


def check_types(hashes: dict[type[Any], str] = MINIMAL_HASHES) -> None:
    """
    Check that every type is announced as the robot's own software announces it.

    :param hashes: expected minimal hash by type.
    :raises BusError: naming the type; nothing may be announced then.
    """
    for kind, expected in hashes.items():
        found = _kinds(kind.__idl__.get_type_mapping()) & {TK_INT8, TK_UINT8}
        if found:
            raise BusError(
                f'{kind.__name__} would be announced with the type kinds {sorted(found)}, which '
                "crash the robot's DDS stack; declare 8-bit fields as types.byte"
            )
        got = minimal_hash(kind)
        if got != expected:
            raise BusError(
                f'{kind.__name__} would be announced with the type hash {got}, the robot has '
                f'{expected}; use a cyclonedds release whose hashes agree (11.0.1 does)'
            )


_TOPICS = {
    'rt/lowstate': LowState_,
    'rt/lf/lowstate': LowState_,
    'rt/lowcmd': LowCmd_,
    'rt/arm_sdk': LowCmd_,
    'rt/lf/bmsstate': BmsState_,
    'rt/arm/action/state': String_,
    'rt/dex3/left/cmd': HandCmd_,
    'rt/dex3/right/cmd': HandCmd_,
    'rt/dex3/left/state': HandState_,
    'rt/dex3/right/state': HandState_,
}


def _kinds(value: Any) -> set[int]:
    """Collect the discriminators of every type identifier below a value."""
    if isinstance(value, (list, tuple)):
        return set().union(*map(_kinds, value)) if value else set()
    found = set()
    if type(value).__name__ == 'TypeIdentifier':
        found.add(int(value.discriminator))
    inner = getattr(value, '__dict__', {})
    return found.union(*(_kinds(v) for k, v in inner.items() if k != 'sample_info'))
