# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Pure codecs, and transports that carry their bytes."""
