# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Robot descriptions, expanded once in a run: a G1's takes half a second, and a rig needs two."""

from functools import cache

import pytest

from vla_control.robots import dynamics


@pytest.fixture(scope='session', autouse=True)
def expanded_once():
    """Remember the text of every description; a conftest that imports this has it in force."""
    expand = dynamics.load_urdf
    known = cache(lambda path, args: expand(path, dict(args)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dynamics, 'load_urdf', lambda path, args: known(path, tuple(args.items())))
        yield
