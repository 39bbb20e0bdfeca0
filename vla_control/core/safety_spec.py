# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The safety section of a RobotSpec: its numbers, what each may be, and why no more or less."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType

from vla_control.core.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetySpec:
    """The numbers of the safety invariants; each has its bounds in BOUNDS."""

    position_margin: float  # [rad] soft limit inside the mechanical stop, arm joints
    chunk_jump: float  # [rad] largest distance of a chunk's first due point from the plan
    chunk_timeout: float  # [s] without a chunk before HOLD latches
    command_timeout: float  # [s] without a joint command before the driver stops
    enable_timeout: float  # [s] without the enabling device before the driver stops
    feedback_stop: float  # [s] oldest motor answer before the driver ramps to rest
    feedback_fault: float  # [s] oldest motor answer before FAULT
    frozen_feedback: float  # [s] of identical raw feedback in motion before FAULT
    image_timeout: float  # [s] oldest image a policy may be asked about
    tracking_warning: float  # [rad] reported
    tracking_stop: float  # [rad] FAULT when exceeded for tracking_time
    tracking_time: float  # [s]
    effort_peak: float  # [1] of a joint's effort; FAULT when exceeded for effort_time
    effort_time: float  # [s]
    overspeed: float  # [1] of a joint's velocity; FAULT when exceeded for overspeed_ticks
    overspeed_ticks: int  # control periods in a row
    thermal_time: float  # [s] in which a motor takes on 63 % of the heat of its load
    thermal_warning: float  # [1] of the heat of the rated effort; reported, and FAULT from 1 on
    temperature_warning: float  # [deg C]
    temperature_stop: float  # [deg C]
    gain_ramp: float  # [s] from zero to full gains after enabling
    authority_ramp: float  # [s] from 20 % to 100 % of the velocity limit after resume
    motor_watchdog: float  # [s] of silence before the motors stop by themselves
    future_stamp: float  # [s] a chunk may be stamped ahead of now


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a number may be, both ends included, and what goes wrong beyond them."""

    lower: float
    upper: float
    unit: str
    below: str  # what a smaller number would do
    above: str  # what a larger number would do


BOUNDS: Mapping[str, Bounds] = MappingProxyType(
    {
        'position_margin': Bounds(
            0.005, 0.2, 'rad', 'the arm would hit its stops', 'joints would lose their range'
        ),
        'chunk_jump': Bounds(
            0.01, 1.0, 'rad', 'noise would refuse every chunk', 'degrees would pass for radians'
        ),
        'chunk_timeout': Bounds(
            0.1, 5.0, 's', 'slow policies would never move', 'old plans would go on unnoticed'
        ),
        'command_timeout': Bounds(
            0.02, 0.5, 's', 'one late command would stop it', 'it would wait for a dead node'
        ),
        'enable_timeout': Bounds(
            0.06,
            0.5,
            's',
            'a device heard 20 times a second would seem released',
            'it would move on after the device is let go',
        ),
        'feedback_stop': Bounds(
            0.005, 0.5, 's', 'one late answer would stop it', 'it would move on unseen'
        ),
        'feedback_fault': Bounds(
            0.01, 1.0, 's', 'one late answer would fault it', 'lost motors would go unnoticed'
        ),
        'frozen_feedback': Bounds(
            0.05, 1.0, 's', 'a coarse encoder would seem dead', 'a dead encoder would be trusted'
        ),
        'image_timeout': Bounds(
            0.05, 1.0, 's', 'no camera would be in time', 'the policy would act on the past'
        ),
        'tracking_warning': Bounds(
            0.005, 0.5, 'rad', 'every motion would be warned of', 'collisions would not be'
        ),
        'tracking_stop': Bounds(
            0.02, 0.6, 'rad', 'every motion would fault', 'it would push on through a collision'
        ),
        'tracking_time': Bounds(
            0.02, 1.0, 's', 'a single sample would fault', 'it would push on through a collision'
        ),
        'effort_peak': Bounds(
            1.0, 2.0, 'of effort', 'allowed torque would fault', 'it would push on unnoticed'
        ),
        'effort_time': Bounds(
            0.02, 1.0, 's', 'a single sample would fault', 'it would push on unnoticed'
        ),
        'overspeed': Bounds(
            1.0, 5.0, 'of velocity', 'allowed speed would fault', 'a runaway would go unnoticed'
        ),
        'overspeed_ticks': Bounds(
            1, 50, 'ticks', 'it would fault at rest', 'a runaway would go unnoticed'
        ),
        'thermal_time': Bounds(
            10.0, 2000.0, 's', 'every lift would seem too hot', 'no load would ever count'
        ),
        'thermal_warning': Bounds(
            0.1, 0.99, 'of the heat', 'rest would be warned of', 'the stop would come first'
        ),
        'temperature_warning': Bounds(
            30.0, 95.0, 'deg C', 'a summer day would be warned of', 'the stop would come first'
        ),
        'temperature_stop': Bounds(
            40.0, 100.0, 'deg C', 'normal work would fault', 'windings and magnets would suffer'
        ),
        'gain_ramp': Bounds(
            0.1, 10.0, 's', 'full stiffness at once would jerk the arm', 'it would stay limp'
        ),
        'authority_ramp': Bounds(
            0.1, 10.0, 's', 'it would start at full speed', 'it would never get up to speed'
        ),
        'motor_watchdog': Bounds(
            0.02,
            0.5,
            's',
            'motors would be off, or let go after one late frame; 0 turns the watchdog off',
            'motors would go on without their driver',
        ),
        'future_stamp': Bounds(
            0.001, 0.2, 's', 'every clock would seem ahead', 'plans would be put off unnoticed'
        ),
    }
)
# The first must be below the second.
ORDERS = (
    ('feedback_stop', 'feedback_fault', 'the ramp to rest comes before the fault'),
    ('tracking_warning', 'tracking_stop', 'a warning comes before the stop'),
    ('temperature_warning', 'temperature_stop', 'a warning comes before the stop'),
)
# Control periods a time must last: a loop that is one tick late is no reason to stop.
LEAST_PERIODS = MappingProxyType({'command_timeout': 2, 'feedback_stop': 2, 'motor_watchdog': 4})
_CHANGE = "change it under `safety:` in the robot's YAML file"


def check_safety(safety: SafetySpec, control_rate: float, where: str) -> None:
    """
    Refuse numbers with which the invariants would hold in name only.

    :param control_rate: of the robot [Hz].
    :param where: the robot, for messages.
    :raises ConfigError: naming the key, its value and what would be legal.
    """
    for entry in fields(safety):
        name, value = entry.name, getattr(safety, entry.name)
        bounds = BOUNDS[name]
        # Turned round so that NaN is refused as well.
        if not bounds.lower <= value <= bounds.upper:
            why = bounds.above if value > bounds.upper else bounds.below
            raise ConfigError(
                f'{where}: safety.{name} is {value:g} {bounds.unit}, must be within '
                f'[{bounds.lower:g}, {bounds.upper:g}] {bounds.unit}: {why}; {_CHANGE}'
            )
    for low, high, why in ORDERS:
        first, second = getattr(safety, low), getattr(safety, high)
        if not first < second:
            raise ConfigError(
                f'{where}: safety.{low} is {first:g} {BOUNDS[low].unit}, must be below '
                f'safety.{high}, which is {second:g}: {why}; {_CHANGE}'
            )
    for name, periods in LEAST_PERIODS.items():
        value, least = getattr(safety, name), periods / control_rate
        if value < least:
            raise ConfigError(
                f'{where}: safety.{name} is {value:g} s, must be at least {periods} periods of '
                f'the {control_rate:g} Hz control loop, {least:g} s; {_CHANGE}'
            )
