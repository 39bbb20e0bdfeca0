# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The announced types: the wrong ones would crash the robot's own software."""

from pathlib import Path

import pytest
import yaml

pytest.importorskip('cyclonedds')

from cyclonedds.idl import make_idl_struct, types

from vla_control.buses import unitree_idl
from vla_control.core.errors import BusError

VECTORS = yaml.safe_load((Path(__file__).parents[1] / 'data/unitree_vectors.yaml').read_text())


def test_the_minimal_hashes_are_those_of_the_vendor():
    for name, expected in VECTORS['minimal_hashes'].items():
        assert unitree_idl.minimal_hash(getattr(unitree_idl, name)) == expected


def test_every_announced_type_passes_the_start_up_check():
    unitree_idl.check_types()


@pytest.mark.parametrize('kind', [types.uint8, types.int8])
def test_an_8_bit_integer_anywhere_in_a_type_is_refused(kind):
    inner = make_idl_struct('Inner_', 'test.Inner_', {'mode': kind})
    outer = make_idl_struct('Outer_', 'test.Outer_', {'motors': types.array[inner, 3]})
    with pytest.raises(BusError, match=r'Outer_ .* crash'):
        unitree_idl.check_types({outer: unitree_idl.minimal_hash(outer)})


def test_a_changed_type_is_refused_by_its_hash():
    other = make_idl_struct('LowCmd_', 'unitree_hg.msg.dds_.LowCmd_', {'mode_pr': types.byte})
    with pytest.raises(BusError, match='type hash'):
        unitree_idl.check_types({other: VECTORS['minimal_hashes']['LowCmd_']})


def test_samples_carry_bytes_untouched():
    sample = unitree_idl.LowCmd_.deserialize(b'\x00\x01\x00\x00abcd')
    assert isinstance(sample, unitree_idl.LowCmd_)
    assert sample.serialize(use_version_2=False) == b'\x00\x01\x00\x00abcd'


def test_an_unknown_topic_is_refused_by_name():
    assert unitree_idl.topic_type('rt/api/sport/request') is unitree_idl.Request_
    with pytest.raises(BusError, match='rt/lowcmnd'):
        unitree_idl.topic_type('rt/lowcmnd')
