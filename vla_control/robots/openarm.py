# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The driver of one OpenArm: eight Damiao motors on a CAN-FD bus."""

from vla_control.robots.damiao_arm import DamiaoArm


class OpenArm(DamiaoArm):
    """
    One OpenArm v1.0 arm with its gripper.

    All it does is common to arms of Damiao motors; what makes it an OpenArm is its RobotSpec,
    which connect() compares with the registers of every motor. Left and right arm are two specs,
    two buses and two drivers.
    """
