# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Our vision-language-action model, its training and its checkpoints; the only place of torch."""
