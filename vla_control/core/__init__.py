# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Values and contracts shared by every other package; numpy only."""
