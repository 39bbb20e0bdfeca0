# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Loops, wiring and measurements around the core."""
