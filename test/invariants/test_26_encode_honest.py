# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Invariant 26: what a motor decodes is what was meant, to half a code of its field.

Every code of every field of every motor's ranges is visited, and what lies between and beyond
them: 2^16 positions, 2^12 speeds, stiffnesses, dampings and torques.
"""

import math

import numpy as np
import pytest

from vla_control.buses.damiao import (
    bus_ranges,
    decode_feedback,
    decode_mit,
    decode_pos_force,
    encode_feedback,
    encode_mit,
    encode_pos_force,
    Feedback,
)
from vla_control.buses.damiao_frames import CURRENT_CODE, KD_MAX, KP_MAX, SPEED_CODE
from vla_control.core.config import available
from vla_control.core.spec import load_robot

HALF = 0.5 + 1e-6  # codes; double precision may fall to either side of a middle
FIELDS = {'q': 16, 'v': 12, 'kp': 12, 'kd': 12, 'tau': 12}  # bits


def models():
    """The motors of all our Damiao robots by their ranges."""
    found = {}
    for name in available('robots'):
        spec = load_robot(name)
        if 'ranges' in spec.bus:
            found |= {f'{m} {r.velocity}': r for m, r in bus_ranges(spec.bus, name).items()}
    return found


MODELS = models()


def limits(ranges, field):
    if field in ('kp', 'kd'):
        return 0.0, KP_MAX if field == 'kp' else KD_MAX
    full = {'q': ranges.position, 'v': ranges.velocity, 'tau': ranges.torque}[field]
    return -full, full


def sent(ranges, field, values):
    """Return what the motor decodes from one field, the others being zero."""
    index = list(FIELDS).index(field)
    row = [0.0] * 5
    out = []
    for value in values:
        row[index] = value
        out.append(decode_mit(ranges, encode_mit(ranges, *row))[index])
    return np.array(out)


@pytest.fixture(params=sorted(MODELS))
def ranges(request):
    return MODELS[request.param]


@pytest.mark.parametrize('field', FIELDS)
def test_every_code_comes_back_as_itself(ranges, field):
    low, high = limits(ranges, field)
    codes = np.linspace(low, high, 2 ** FIELDS[field])
    lsb = codes[1] - codes[0]
    values = sent(ranges, field, codes.tolist())
    assert np.abs(values - codes).max() <= 1e-9 * lsb + 1e-12
    assert len(np.unique(values)) == len(codes)


@pytest.mark.parametrize('field', FIELDS)
def test_what_lies_between_goes_to_the_nearest_code(ranges, field):
    low, high = limits(ranges, field)
    count = 2 ** FIELDS[field]
    lsb = (high - low) / (count - 1)
    rng = np.random.default_rng(26)
    codes = np.linspace(low, high, count)[:-1]
    between = codes + lsb * rng.uniform(0.0, 1.0, count - 1)
    error = np.abs(sent(ranges, field, between.tolist()) - between)
    assert error.max() <= HALF * lsb
    assert np.abs(np.mean(sent(ranges, field, between.tolist()) - between)) < 0.02 * lsb, (
        'a truncating encoder is half a code low on average'
    )


@pytest.mark.parametrize('field', FIELDS)
def test_what_lies_beyond_saturates_and_never_wraps(ranges, field):
    low, high = limits(ranges, field)
    beyond = [high, math.nextafter(high, math.inf), 1.5 * high, 1e9, 1e300]
    assert np.allclose(sent(ranges, field, beyond), high, atol=1e-9)
    below = [low, math.nextafter(low, -math.inf), low - 0.5 * high, -1e9, -1e300]
    assert np.allclose(sent(ranges, field, below), low, atol=1e-9)


def test_zero_is_sent_as_the_code_nearest_to_it(ranges):
    back = decode_mit(ranges, encode_mit(ranges, 0.0, 0.0, 0.0, 0.0, 0.0))
    for field, value in zip(FIELDS, back, strict=True):
        low, high = limits(ranges, field)
        lsb = (high - low) / (2 ** FIELDS[field] - 1)
        assert abs(value) <= HALF * lsb, field
    assert back.kp == 0.0 and back.kd == 0.0, 'no stiffness is no stiffness'
    # The nearest codes lie 0.19 mrad and, with 12 bits, half a code to either side of zero.
    assert abs(back.q) == pytest.approx(ranges.position / 65535)


def test_the_fields_of_a_frame_do_not_leak_into_each_other(ranges):
    rng = np.random.default_rng(0)
    rows = [limits(ranges, field) for field in FIELDS]
    lsb = np.array(
        [(b - a) / (2**bits - 1) for (a, b), bits in zip(rows, FIELDS.values(), strict=True)]
    )
    values = rng.uniform([a for a, _ in rows], [b for _, b in rows], (2000, 5))
    extreme = np.array(
        [[r[i] for r, i in zip(rows, k, strict=True)] for k in np.ndindex((2,) * 5)]
    )
    for row in np.vstack([values, extreme]):
        back = np.array(decode_mit(ranges, encode_mit(ranges, *row.tolist())))
        assert (np.abs(back - row) <= HALF * lsb).all()


def test_a_state_comes_back_to_half_a_code_too(ranges):
    for field, bits in (('q', 16), ('v', 12), ('tau', 12)):
        low, high = limits(ranges, field)
        lsb = (high - low) / (2**bits - 1)
        for value in np.linspace(low, high, 4097).tolist():
            state = {'q': 0.0, 'v': 0.0, 'tau': 0.0, field: value}
            frame = encode_feedback(
                ranges, Feedback(3, 1, state['q'], state['v'], state['tau'], 40, 41)
            )
            back = decode_feedback(ranges, frame)
            assert abs(getattr(back, field) - value) <= HALF * lsb
            assert (back.motor_id, back.status, back.t_mos, back.t_rotor) == (3, 1, 40, 41)


def test_a_gripper_command_is_exact_in_position_and_nearest_in_its_limits():
    for q in np.linspace(-2.0, 2.0, 401).tolist():
        assert decode_pos_force(encode_pos_force(q, 0.0, 0.0)).q == np.float32(q)
    for value in np.linspace(0.0, 1.0, 20_001).tolist():
        back = decode_pos_force(encode_pos_force(0.0, 100.0 * value, value))
        assert abs(back.speed - 100.0 * value) <= HALF / SPEED_CODE
        assert abs(back.current - value) <= HALF / CURRENT_CODE
