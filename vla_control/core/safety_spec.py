# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The safety section of a robot's configuration."""

from dataclasses import dataclass, fields
import math

from vla_control.core.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetySpec:
    """The numbers of the safety invariants."""

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

    def check(self, robot: str) -> None:
        """
        Check what no type can.

        :param robot: its name, for messages.
        :raises ConfigError: naming the key and what would be right.
        """
        for entry in fields(self):
            value = getattr(self, entry.name)
            if not 0.0 <= value < math.inf:
                raise ConfigError(
                    f'{robot}: safety.{entry.name} is {value}, must be a finite number >= 0'
                )
        # Below these a robot that does nothing but what it may would be stopped.
        for key, least in (('effort_peak', 1), ('overspeed', 1), ('overspeed_ticks', 1)):
            if getattr(self, key) < least:
                raise ConfigError(
                    f'{robot}: safety.{key} is {getattr(self, key)}, must be at least {least}'
                )
        if self.thermal_warning > 1.0:
            raise ConfigError(
                f'{robot}: safety.thermal_warning is {self.thermal_warning}; 1 is where the robot '
                'stops, so warn below it'
            )
