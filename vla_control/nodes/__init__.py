# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Thin ROS 2 lifecycle shells around the core; the only place of rclpy."""
