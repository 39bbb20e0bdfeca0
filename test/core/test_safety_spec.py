# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""No safety section is accepted with which an invariant would hold in name only."""

from dataclasses import fields, replace
import math

import pytest

from vla_control.core.config import available
from vla_control.core.errors import ConfigError
from vla_control.core.safety_spec import BOUNDS, LEAST_PERIODS, ORDERS, SafetySpec
from vla_control.core.spec import load_robot

SPEC = load_robot('openarm')
KEYS = [entry.name for entry in fields(SafetySpec)]


def with_safety(**changes):
    return replace(SPEC, safety=replace(SPEC.safety, **changes))


def test_every_key_has_bounds_with_reasons_and_every_rule_is_about_a_key():
    assert set(BOUNDS) == set(KEYS)
    for bounds in BOUNDS.values():
        assert 0.0 < bounds.lower < bounds.upper < math.inf
        assert bounds.below and bounds.above
    assert {key for low, high, _ in ORDERS for key in (low, high)} <= set(KEYS)
    assert set(LEAST_PERIODS) <= set(KEYS)


@pytest.mark.parametrize(
    ('key', 'value'),
    [
        ('motor_watchdog', 0.0),
        ('motor_watchdog', 30.0),
        ('position_margin', 1.0),
        ('enable_timeout', 3600.0),
        ('tracking_stop', 1e6),
        ('command_timeout', 0.0),
        *((key, value) for key in KEYS for value in (-1.0, 0.0, 1e6, math.nan, math.inf)),
    ],
)
def test_a_dangerous_value_is_refused_with_the_range_and_the_place_to_change_it(key, value):
    with pytest.raises(ConfigError) as refused:
        with_safety(**{key: value})
    bounds, text = BOUNDS[key], str(refused.value)
    assert f'openarm: safety.{key} is {value:g} {bounds.unit}' in text
    assert f'within [{bounds.lower:g}, {bounds.upper:g}] {bounds.unit}' in text
    assert '`safety:`' in text


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'feedback_stop': 0.1, 'feedback_fault': 0.1}, 'feedback_stop is 0.1 s, must be below'),
        ({'feedback_fault': 0.015}, 'must be below safety.feedback_fault, which is 0.015'),
        ({'temperature_stop': 60.0}, 'temperature_warning is 70 deg C, must be below'),
        ({'tracking_warning': 0.4}, 'tracking_warning is 0.4 rad, must be below'),
    ],
)
def test_what_comes_first_must_be_smaller(changes, message):
    with pytest.raises(ConfigError, match=message):
        with_safety(**changes)


def test_a_slow_loop_needs_longer_times():
    with pytest.raises(
        ConfigError, match=r'feedback_stop is 0\.02 s.*2 periods of the 50 Hz.*0\.04'
    ):
        replace(SPEC, control_rate=50.0)
    with pytest.raises(ConfigError, match=r'motor_watchdog is 0\.02 s.*at least 4 periods'):
        replace(with_safety(motor_watchdog=0.02), control_rate=150.0)


@pytest.mark.parametrize('name', available('robots'))
def test_every_shipped_robot_is_within_the_bounds(name):
    assert load_robot(name).safety
