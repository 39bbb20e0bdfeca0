# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""What turns an observation into an action chunk; one wire protocol a file."""
