# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The gate, the watchdogs and the supervisor that stand before the motors."""
