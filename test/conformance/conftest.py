# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""What the suites of the protocols share."""

from descriptions import expanded_once  # noqa: F401  in force for every test here
