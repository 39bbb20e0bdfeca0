# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Its presence puts this folder on the import path, so that suites share rigs."""
