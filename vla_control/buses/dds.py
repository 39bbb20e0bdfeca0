# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Unitree topics over Cyclone DDS, one writer per robot and machine.

Nothing of it needs an environment variable. The network interface is always named: left alone,
Cyclone takes any, and commands for a robot go out to the office.
"""

from collections.abc import Mapping
from dataclasses import dataclass
import fcntl
from pathlib import Path
import socket
import struct
from typing import Any
from weakref import WeakValueDictionary

from cyclonedds.core import DDSException, Policy, Qos
from cyclonedds.domain import Domain, DomainParticipant
from cyclonedds.internal import InvalidSample
from cyclonedds.pub import DataWriter
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic

from vla_control.buses.dds_peers import PeerTable
from vla_control.buses.lock import BusLock
from vla_control.buses.unitree_bus import COUNTERS, Ends, kept, Packet, Peers
from vla_control.buses.unitree_idl import check_types, topic_type
from vla_control.core.errors import BusError, ConfigError

LOOPBACK = 'lo'
# The emulated robot shares the domain with its driver, and with another program in tests of that.
ROLES = ('driver', 'device', 'stranger')
_BLOCKING = 100_000_000  # [ns] a reliable writer waits for a slow reader at most, as the vendor's
_SIOCGIFADDR = 0x8915
_domains: WeakValueDictionary[int, Domain] = WeakValueDictionary()
_networks: dict[int, tuple[str, str]] = {}  # of _domains: what it was opened on, its configuration


@dataclass(frozen=True, slots=True, kw_only=True)
class DdsConfig:
    """Where a robot is, and as which of its two sides."""

    interface: str  # network interface
    domain: int  # 0 on robots, 1 in the vendor's simulators
    ends: Ends
    role: str = 'driver'  # one of ROLES
    multicast: bool | None = None  # discovery by multicast; None: everywhere but on lo

    def __post_init__(self) -> None:
        """Check what no type can."""
        if not 0 <= self.domain <= 230:
            raise ConfigError(f'DDS domain {self.domain} is not within 0..230')
        if self.role not in ROLES:
            raise ConfigError(f'DDS role {self.role!r} is not one of {list(ROLES)}')

    @property
    def name(self) -> str:
        """What this bus is called in messages and by its lock."""
        return f'dds {self.interface} domain {self.domain}'

    @property
    def xml(self) -> str:
        """Cyclone's configuration."""
        general = f'<Interfaces><NetworkInterface name="{self.interface}"/></Interfaces>'
        discovery = ''
        if not self._by_multicast:
            # The loopback interface has no multicast flag, so peers are looked for by address.
            general += '<AllowMulticast>false</AllowMulticast>'
            discovery = (
                '<Discovery><ParticipantIndex>auto</ParticipantIndex>'
                '<MaxAutoParticipantIndex>30</MaxAutoParticipantIndex>'
                '<Peers><Peer Address="127.0.0.1"/></Peers></Discovery>'
            )
        return f'<CycloneDDS><Domain><General>{general}</General>{discovery}</Domain></CycloneDDS>'

    @property
    def network(self) -> str:
        """What decides whom this bus can meet, in words."""
        how = 'by multicast' if self._by_multicast else 'by address'
        return f'interface {self.interface!r}, discovery {how}'

    @property
    def _by_multicast(self) -> bool:
        return self.interface != LOOPBACK if self.multicast is None else self.multicast


class DdsBus:
    """The topics of one robot, announced between open() and close()."""

    def __init__(self, config: DdsConfig, lock_folder: Path | None = None) -> None:
        """
        Prepare a bus; nothing is opened yet.

        :param lock_folder: where the lock file lives; the machine's own by default.
        """
        self._config = config
        self._lock = BusLock(f'{config.name} {config.role}', lock_folder)
        self._readers: dict[str, DataReader[Any]] = {}
        self._writers: dict[str, tuple[DataWriter[Any], Any]] = {}
        self._peers: PeerTable | None = None
        self._counters = dict.fromkeys(COUNTERS, 0)

    @property
    def name(self) -> str:
        """The network interface and domain."""
        return self._config.name

    @property
    def ends(self) -> Ends:
        """The topics it reads and writes."""
        return self._config.ends

    @property
    def counters(self) -> Mapping[str, int]:
        """
        Count what happened since open().

        :returns: samples ``sent`` and ``received``; ``errors``, calls that failed;
            ``peers_lost``, writers that went away.
        """
        return dict(self._counters)

    def open(self) -> None:
        """
        Take the domain; the lock first, so a refused second writer never announces anything.

        :raises BusError: naming the holder, or the network interfaces there are.
        """
        if self._peers is not None:
            raise BusError(f'{self.name} is open already')
        check_types()
        _check_interface(self._config.interface)
        self._lock.acquire()
        try:
            self._announce()
        except DDSException as error:
            self.close()
            raise BusError(f'{self.name}: cannot join: {error}') from error
        except BusError:
            self.close()
            raise
        self._counters = dict.fromkeys(COUNTERS, 0)

    def publish(self, topic: str, payload: bytes) -> None:
        """
        Send one sample without waiting for a reader.

        :raises BusError: when the bus is closed or lost, or the topic is not written.
        """
        writer, sample = self._end(self._writers, topic, 'written')
        sample.payload = payload
        try:
            writer.write(sample)
        except DDSException as error:
            self._counters['errors'] += 1
            raise BusError(f'{self.name}: sending on {topic} failed: {error}') from error
        self._counters['sent'] += 1

    def take(self, topic: str) -> list[Packet]:
        """
        Return what arrived since the last call, oldest first; never blocks.

        :raises BusError: when the bus is closed or lost, or the topic is not read.
        """
        reader = self._end(self._readers, topic, 'read')
        try:
            samples = reader.take(N=kept(topic))
        except DDSException as error:
            self._counters['errors'] += 1
            raise BusError(f'{self.name}: receiving {topic} failed: {error}') from error
        packets = []
        for sample in samples:
            if isinstance(sample, InvalidSample):  # the writer went away
                self._counters['peers_lost'] += 1
            else:
                packets.append(Packet(sample.payload, sample.sample_info.source_timestamp * 1e-9))
        self._counters['received'] += len(packets)
        return packets

    def peers(self, topic: str) -> Peers:
        """
        Return who else writes and reads a topic, as far as discovery has got.

        :raises BusError: when the bus is closed.
        """
        if self._peers is None:
            raise BusError(f'{self.name} is closed; call open() first')
        return self._peers.of(topic)

    def close(self) -> None:
        """Leave; safe to call twice."""
        self._readers.clear()
        self._writers.clear()
        self._peers = None
        self._lock.release()

    def _announce(self) -> None:
        config = self._config
        domain = _domain(config)
        participant = DomainParticipant(config.domain)
        self._peers = PeerTable(domain, participant)
        for topic in config.ends.reads:
            kind = topic_type(topic)
            self._readers[topic] = DataReader(
                participant, Topic(participant, topic, kind), qos=_qos(topic, reliable=False)
            )
        for topic in config.ends.writes:
            kind = topic_type(topic)
            writer = DataWriter(
                participant, Topic(participant, topic, kind), qos=_qos(topic, reliable=True)
            )
            sample = kind.deserialize(b'')
            # Without it Cyclone makes an instance for every sample, and its garbage collector
            # wakes to take it down again: in a loop of 500 Hz 45 us a sample instead of 26.
            writer.register_instance(sample)
            self._writers[topic] = (writer, sample)

    def _end(self, ends: dict[str, Any], topic: str, verb: str) -> Any:
        if topic in ends:
            return ends[topic]
        if self._peers is None:
            raise BusError(f'{self.name} is closed; call open() first')
        raise BusError(f'{self.name}: {topic} is not {verb} here, only {sorted(ends)}')


def interfaces() -> dict[str, str]:
    """Return the network interfaces of this machine and their IPv4 addresses, '' without one."""
    found = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            request = struct.pack('256s', name.encode()[:15])
            try:
                reply = fcntl.ioctl(probe.fileno(), _SIOCGIFADDR, request)
            except OSError:
                found[name] = ''
            else:
                found[name] = socket.inet_ntoa(reply[20:24])
    return found


def _check_interface(name: str) -> None:
    found = interfaces()
    if not found.get(name):
        usable = {k: v for k, v in found.items() if v}
        what = f'has no address; `ip addr show {name}`' if name in found else 'does not exist'
        raise BusError(
            f'network interface {name!r} {what}. Interfaces with an address: {usable}. Name the '
            'one on the robot in bus.interface, usually that with an address in 192.168.123.0/24'
        )


def _domain(config: DdsConfig) -> Domain:
    """
    Return a domain, which Cyclone configures once per process; buses of one domain share it.

    :raises BusError: when it is open on another network, which a second bus would silently join.
    """
    number, network = config.domain, (config.network, config.xml)
    # The error below must not keep the domain alive, so it is looked up after it.
    if number in _domains and _networks[number] != network:
        raise BusError(
            f'DDS domain {number} is open in this process on {_networks[number][0]}; it cannot be '
            f'opened on {config.network} as well. Give both robots one network, or this one '
            'another bus.domain or a process of its own'
        )
    domain = _domains.get(number)
    if domain is None:
        domain = Domain(number, config.xml)
        _domains[number], _networks[number] = domain, network
    return domain


def _qos(topic: str, *, reliable: bool) -> Qos:
    """Return the quality of service the vendor's software has; calls must not be lost."""
    call = topic.startswith('rt/api/')
    reliability = (
        Policy.Reliability.Reliable(_BLOCKING)
        if reliable or call
        else Policy.Reliability.BestEffort
    )
    return Qos(
        reliability,
        Policy.Durability.Volatile,
        Policy.History.KeepLast(kept(topic)),
        # XCDR2 would put a length before an array of structs; the fixed layouts are XCDR1.
        Policy.DataRepresentation(use_cdrv0_representation=True, use_xcdrv2_representation=False),
    )
