# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Run vision-language-action policies on real robots: chunks to smooth, safe motion."""

__version__ = '0.1.0'
