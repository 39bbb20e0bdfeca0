# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
What reading and writing one Unitree cycle costs with the fixed layouts, and with cyclonedds' own.

Both sides do the same work: a state in and its numbers at hand, a command sealed and out. The
checksum is ours on both sides; the vendor's would add 0.4 ms to the stock side.
"""

from collections.abc import Callable
import time

from vla_control.buses.unitree import (
    checksum_ok,
    decode_low_state,
    encode_low_cmd,
    encode_low_state,
    low_cmd,
    low_state,
    seal,
)
from vla_control.core.errors import ConfigError


def stock_serializer_cpu(rate: float, cycles: int = 500) -> dict[str, float]:
    """
    Compare the codec's share of a control loop with that of cyclonedds' own serializer.

    :param rate: of the loop [Hz].
    :param cycles: measured of each, > 0.
    :returns: percent of a core for both, and how many times more the stock one takes.
    :raises ConfigError: when cyclonedds is not installed.
    """
    try:
        from vla_control.buses.unitree_stock import (
            stock_decode_low_state,
            stock_encode,
            stock_low_cmd,
        )
    except ImportError as error:
        raise ConfigError('this bench needs cyclonedds: `pip install cyclonedds`') from error
    payload = encode_low_state(low_state())
    command = low_cmd()
    command['motor_cmd']['kp'] = 60.0
    built = stock_low_cmd(command)

    def fixed() -> None:
        checksum_ok(decode_low_state(payload))
        encode_low_cmd(command)

    def stock() -> None:
        stock_decode_low_state(payload)
        checksum_ok(decode_low_state(payload))
        seal(command)
        stock_encode(built)

    ours, theirs = _cpu(fixed, cycles), _cpu(stock, cycles)
    return {
        'codec_cpu_percent': 100.0 * rate * ours,
        'stock_serializer_cpu_percent': 100.0 * rate * theirs,
        'stock_serializer_ratio': theirs / ours,
    }


def _cpu(work: Callable[[], None], cycles: int) -> float:
    """Return the processor time [s] of one call."""
    work()  # the first call builds tables
    started = time.thread_time()
    for _ in range(cycles):
        work()
    return (time.thread_time() - started) / cycles
