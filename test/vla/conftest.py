# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""One thread, and the helpers of this folder importable."""

from pathlib import Path
import sys

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)
