# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""A Unitree bus around another one; what listens or measures overrides what it is about."""

from collections.abc import Mapping

from vla_control.buses.unitree_bus import Ends, Packet, Peers, UnitreeBus


class WrappedBus:
    """Passes everything on."""

    def __init__(self, bus: UnitreeBus) -> None:
        """Wrap a bus."""
        self._bus = bus

    @property
    def name(self) -> str:
        """Pass on."""
        return self._bus.name

    @property
    def ends(self) -> Ends:
        """Pass on."""
        return self._bus.ends

    @property
    def counters(self) -> Mapping[str, int]:
        """Pass on."""
        return self._bus.counters

    def open(self) -> None:
        """Pass on."""
        self._bus.open()

    def publish(self, topic: str, payload: bytes) -> None:
        """Pass on."""
        self._bus.publish(topic, payload)

    def take(self, topic: str) -> list[Packet]:
        """Pass on."""
        return self._bus.take(topic)

    def peers(self, topic: str) -> Peers:
        """Pass on."""
        return self._bus.peers(topic)

    def close(self) -> None:
        """Pass on."""
        self._bus.close()
