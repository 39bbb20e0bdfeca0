# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Physics, tasks, experts and the hardware emulated on top of them."""

from vla_control.core.graphics import select_renderer

select_renderer()
