# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""What carries Unitree messages: topics with wire bytes; and a carrier in memory."""

from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol, Self

from vla_control.core.errors import BusError

KEPT = 1  # newest samples of a state or command topic a reader keeps, as the vendor's do
KEPT_CALLS = 16  # the same for services, where each one counts
COUNTERS = ('sent', 'received', 'errors', 'peers_lost')


class Packet(NamedTuple):
    """One sample; a named tuple because a thousand a second pass."""

    payload: bytes  # wire bytes, header included
    stamp: float = 0.0  # [s] when the sender wrote it, on its own clock; for logs only


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Somebody else's reader or writer of a topic."""

    who: str  # for people: process, machine and address
    type_name: str = ''
    same_type: bool = True  # whether its type hash is ours; True where it gives none
    participant: str = ''  # tells apart what one process runs; '' where unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Peers:
    """Everybody else on one topic."""

    writers: tuple[Peer, ...] = ()
    readers: tuple[Peer, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """The topics one side reads and writes; the other side has them the other way round."""

    reads: tuple[str, ...]
    writes: tuple[str, ...]

    @property
    def swapped(self) -> 'Ends':
        """The same topics seen from the other side."""
        return Ends(reads=self.writes, writes=self.reads)


class UnitreeBus(Protocol):
    """A DDS domain, or something that behaves like one."""

    @property
    def name(self) -> str:
        """What it is called in messages: network interface and domain."""

    @property
    def ends(self) -> Ends:
        """The topics it reads and writes."""

    @property
    def counters(self) -> Mapping[str, int]:
        """Samples sent, received and lost since open()."""

    def open(self) -> None:
        """
        Announce every topic of the configuration; nothing is published.

        :raises BusError: saying what is missing or who holds it.
        """

    def publish(self, topic: str, payload: bytes) -> None:
        """
        Send one sample without waiting for a reader.

        :raises BusError: when the bus is closed or lost, or the topic is not written.
        """

    def take(self, topic: str) -> list[Packet]:
        """
        Return what arrived since the last call, oldest first; never blocks.

        :raises BusError: when the bus is closed, or the topic is not read.
        """

    def peers(self, topic: str) -> Peers:
        """Return who else writes and reads a topic, as far as discovery has got."""

    def close(self) -> None:
        """Leave; safe to call twice."""


def kept(topic: str) -> int:
    """Return how many samples a reader of a topic keeps."""
    return KEPT_CALLS if topic.startswith('rt/api/') else KEPT


@dataclass(slots=True)
class UnitreeLoopback:
    """
    One end of a bus in memory; make two with pair().

    ``lose`` decides which published samples vanish. ``sent`` keeps the newest ones, and
    ``strangers`` are peers nobody here made, for tests to look at and to play with.
    """

    ends: Ends
    name: str = 'loopback'
    lose: Callable[[str, bytes], bool] | None = None
    strangers: dict[str, Peers] = field(default_factory=dict)
    sent: deque[tuple[str, bytes]] = field(default_factory=lambda: deque(maxlen=20_000))
    _other: 'UnitreeLoopback | None' = None
    _guests: list['UnitreeLoopback'] = field(default_factory=list)
    _inbox: dict[str, deque[Packet]] = field(default_factory=dict)
    _opened: bool = False
    _counters: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTERS, 0))

    @classmethod
    def pair(cls, ends: Ends, device_ends: Ends | None = None) -> tuple[Self, Self]:
        """
        Return the two ends (driver, device) of a new bus, both closed.

        :param ends: the topics of the driver.
        :param device_ends: those of the device, where it has more than the driver's.
        """
        driver, device = cls(ends), cls(device_ends or ends.swapped)
        driver._other, device._other = device, driver
        return driver, device

    def third(self, writes: tuple[str, ...]) -> Self:
        """
        Return another driver's end of this driver's bus, closed.

        :param writes: the topics it writes.
        """
        guest = type(self)(Ends(reads=(), writes=writes), name=f'{self.name}, third end')
        guest._other = self._other
        self._guests.append(guest)
        return guest

    @property
    def counters(self) -> Mapping[str, int]:
        """Samples sent and received since open()."""
        return dict(self._counters)

    def open(self) -> None:
        """
        Take this end.

        :raises BusError: when it is taken already.
        """
        if self._opened:
            raise BusError('this end of the loopback bus is open already; a bus has one writer')
        self._opened = True
        self._inbox = {topic: deque(maxlen=kept(topic)) for topic in self.ends.reads}
        self._counters = dict.fromkeys(COUNTERS, 0)

    def publish(self, topic: str, payload: bytes) -> None:
        """
        Put one sample in the other end's queue; a closed other end loses it, as a wire would.

        :raises BusError: when this end is closed or does not write the topic.
        """
        self._check(topic, self.ends.writes, 'written')
        self.sent.append((topic, payload))
        self._counters['sent'] += 1
        other = self._other
        lost = self.lose is not None and self.lose(topic, payload)
        if other is not None and other._opened and topic in other._inbox and not lost:
            other._inbox[topic].append(Packet(payload))

    def take(self, topic: str) -> list[Packet]:
        """
        Return what is in the queue, oldest first.

        :raises BusError: when this end is closed or does not read the topic.
        """
        self._check(topic, self.ends.reads, 'read')
        inbox = self._inbox[topic]
        packets = list(inbox)
        inbox.clear()
        self._counters['received'] += len(packets)
        return packets

    def peers(self, topic: str) -> Peers:
        """Return the other end and third ends, where they are open, and the strangers."""
        extra = self.strangers.get(topic, Peers())
        guests = [g for g in self._guests if g._opened and topic in g.ends.writes]
        extra = replace(extra, writers=extra.writers + tuple(Peer(who=g.name) for g in guests))
        other = self._other
        if other is None or not other._opened:
            return extra
        me = (Peer(who='the other end'),)
        return Peers(
            writers=extra.writers + (me if topic in other.ends.writes else ()),
            readers=extra.readers + (me if topic in other.ends.reads else ()),
        )

    def close(self) -> None:
        """Give this end back; safe to call twice."""
        self._opened = False

    def _check(self, topic: str, known: Collection[str], verb: str) -> None:
        if not self._opened:
            raise BusError('this end of the loopback bus is closed; call open() first')
        if topic not in known:
            raise BusError(f'{topic} is not {verb} by this end, only {sorted(known)}')
