# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Benches in virtual time: what joining chunks costs in motion, error and time."""
