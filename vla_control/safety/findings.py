# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""What a watchdog says it found, in words with names and numbers."""

from collections.abc import Callable

import numpy as np

from vla_control.safety.legality import Mask
from vla_control.safety.supervisor import Event

Finding = tuple[Event, str]


def named(names: tuple[str, ...], which: Mask, value: Callable[[int], str]) -> str:
    """
    Name some joints, each with a value in parentheses.

    :param which: (n,) the joints.
    :param value: in words, by joint index.
    """
    return ', '.join(f'{names[i]} ({value(int(i))})' for i in np.flatnonzero(which))


def ms(seconds: float) -> str:
    """Write a time [s] in ms; what is not finite never was."""
    return f'{seconds * 1e3:.0f} ms' if np.isfinite(seconds) else 'ever'
