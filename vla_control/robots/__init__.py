# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""One driver a robot, its ideal mirror, and its rigid-body dynamics."""
