# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Unitree messages of random bits, whose floats are any numbers there are."""

import numpy as np

INFINITE = np.uint32(0x7F800000)  # the exponent of what is no number


def random_messages(rng, dtype, count):
    """Return messages (count,) of a layout of unitree_layout."""
    messages = np.zeros(count, dtype)
    messages.view(np.uint8)[:] = rng.integers(0, 256, count * dtype.itemsize, dtype=np.uint8)
    make_finite(messages)
    return messages


def make_finite(messages):
    """Halve the exponent of every float that is no number, denormal ones and zeros left alone."""
    for name in messages.dtype.names or ():
        field = messages[name]
        if field.dtype.names:
            make_finite(field)
        elif field.dtype == np.float32:
            bits = field.view(np.uint32)
            bits[(bits & INFINITE) == INFINITE] ^= np.uint32(0x40000000)


def each(messages):
    """Go through messages one by one, as the codec has them: arrays of no dimension, in place."""
    for i in range(len(messages)):
        yield messages[i : i + 1].reshape(())
