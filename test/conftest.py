# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""What all suites share; its presence puts this folder on the import path, for their rigs."""

from functools import cache

import pytest

from vla_control.robots import description


@pytest.fixture(scope='session', autouse=True)
def expanded_once():
    """Expand each robot's description once in a run; a G1's takes half a second, a rig two."""
    expand = description.load_urdf
    known = cache(lambda path, args: expand(path, dict(args)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(description, 'load_urdf', lambda path, args: known(path, (*args.items(),)))
        yield
