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
    ARM_COMMAND,
    checksum_ok,
    decode_low_cmd,
    decode_low_state,
    encode_low_cmd,
    encode_low_state,
    low_cmd,
    LOW_COMMAND,
    LOW_STATE,
    low_state,
    Packet,
    seal,
    UnitreeBus,
)
from vla_control.core.errors import ConfigError
from vla_control.core.spec import RobotSpec
from vla_control.robots.g1_config import dds_config
from vla_control.runtime.bench.unitree_wrapped import WrappedBus


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


def stock_bus(spec: RobotSpec) -> 'StockSerializer':
    """
    Return the bus of an emulated G1 whose body messages pass cyclonedds' own serializer.

    :raises ConfigError: when cyclonedds is not installed.
    """
    config = dds_config(spec, 'sim')
    from vla_control.buses.dds import DdsBus

    return StockSerializer(DdsBus(config))


class StockSerializer(WrappedBus):
    """
    A bus that makes cyclonedds' own objects of every state of the body and of every command.

    The bytes sent are those of the stock serializer. The driver's own fixed layouts still run
    before and after it; what they take is reported as ``codec_cpu_percent``.
    """

    def __init__(self, bus: UnitreeBus) -> None:
        """Wrap a bus."""
        from vla_control.buses import unitree_stock

        super().__init__(bus)
        self._stock = unitree_stock

    def publish(self, topic: str, payload: bytes) -> None:
        """Build the stock object, serialize it and pass its bytes on."""
        if topic in (LOW_COMMAND, ARM_COMMAND):
            built = self._stock.stock_low_cmd(decode_low_cmd(payload))
            payload = self._stock.stock_encode(built)
        super().publish(topic, payload)

    def take(self, topic: str) -> list[Packet]:
        """Pass on, having built the stock objects."""
        packets = super().take(topic)
        if topic == LOW_STATE:
            for packet in packets:
                self._stock.stock_decode_low_state(packet.payload)
        return packets
