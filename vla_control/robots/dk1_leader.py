# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The leader of a DK1: an arm moved by hand that says where its follower is to be."""

from dataclasses import dataclass, replace
import logging
import math

from vla_control.actions.teleop import CouplingConfig, LeaderPose
from vla_control.buses.byte_ports import BytePort, TtyPort
from vla_control.buses.dynamixel import BAUD, COUNTS, DynamixelBus
from vla_control.buses.usb_ports import find_port, LEADER
from vla_control.core.config import find_config, load_yaml, parse
from vla_control.core.errors import BusError, ConfigError
from vla_control.core.messages import Floats, frozen_floats
from vla_control.core.sessions import path_in_session
from vla_control.core.spec import RobotSpec

AGAIN = 1.0  # [s] between attempts to find a leader that was lost

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaderJoint:
    """A joint without torque; its angle is the follower's."""

    joint: str  # of the follower
    id: int
    models: tuple[int, ...]  # numbers of motors that may be there
    zero: int  # [counts] where the follower's joint is 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """The gripper's lever, which a weak current pulls open."""

    joint: str  # of the follower
    id: int
    models: tuple[int, ...]  # numbers of motors that may be there
    open: int  # [counts]
    closed: int  # [counts]
    current: int  # [mA] of the spring


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaderConfig:
    """A leader arm and how its follower is coupled to it."""

    name: str
    title: str  # for people
    port: dict[str, str]  # real and sim: a path, real also auto
    timeout: float  # [s] longest wait for an answer
    joints: tuple[LeaderJoint, ...]
    trigger: Trigger
    coupling: CouplingConfig

    def __post_init__(self) -> None:
        """Check what no type can."""
        ids = self.ids
        wrong = sorted({i for i in ids if not 0 <= i <= 252 or ids.count(i) > 1})
        if wrong:
            raise ConfigError(f'{self.name}: motor ids {wrong}; each is 0 to 252 and of one motor')
        if set(self.port) != {'real', 'sim'}:
            raise ConfigError(f'{self.name}: port has {sorted(self.port)}; give real and sim')
        if not self.timeout > 0.0:
            raise ConfigError(f'{self.name}: timeout is {self.timeout} s, must be > 0 (0.008)')
        if self.trigger.open == self.trigger.closed:
            raise ConfigError(f'{self.name}: trigger.open and trigger.closed must differ')

    @property
    def ids(self) -> tuple[int, ...]:
        """Of all motors, the trigger last."""
        return (*(joint.id for joint in self.joints), self.trigger.id)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the follower's joints in the order of the ids."""
        return (*(joint.joint for joint in self.joints), self.trigger.joint)

    def in_session(self, session: str) -> 'LeaderConfig':
        """Return a leader whose emulation does not meet that of another session."""
        port = {**self.port, 'sim': path_in_session(self.port['sim'], session)}
        return replace(self, port=port)

    def check(self, spec: RobotSpec) -> None:
        """
        Refuse a robot that is not its follower.

        :raises ConfigError: naming the joints that differ.
        """
        jaws = {j.name for j, jaw in zip(spec.joints, spec.jaw, strict=True) if jaw}
        if sorted(self.names) != sorted(spec.names) or jaws != {self.trigger.joint}:
            raise ConfigError(
                f'{self.name} leads joints {list(self.names)}, and {spec.name} has '
                f'{list(spec.names)}; choose the robot dk1, or describe its leader in a YAML file'
            )

    def positions(self, counts: tuple[int, ...], spec: RobotSpec) -> Floats:
        """Return the follower's pose (n,) [rad, m] in RobotSpec order."""
        found = {
            joint.joint: (count - joint.zero) / COUNTS * math.tau
            for joint, count in zip(self.joints, counts[:-1], strict=True)
        }
        trigger = self.trigger
        share = (counts[-1] - trigger.closed) / (trigger.open - trigger.closed)
        found[trigger.joint] = share * float(spec.upper[spec.names.index(trigger.joint)])
        return frozen_floats([found[name] for name in spec.names])

    def counts(self, q: Floats, spec: RobotSpec) -> tuple[int, ...]:
        """Return what the motors read at a pose (n,) [rad, m] of the follower."""
        pose = dict(zip(spec.names, q.tolist(), strict=True))
        trigger = self.trigger
        share = pose[trigger.joint] / float(spec.upper[spec.names.index(trigger.joint)])
        lever = trigger.closed + share * (trigger.open - trigger.closed)
        angles = (j.zero + pose[j.joint] / math.tau * COUNTS for j in self.joints)
        return tuple(round(value) for value in (*angles, lever))


def load_leader(name: str) -> LeaderConfig:
    """
    Load a leader's configuration by name, or from a user's own YAML file.

    :raises ConfigError: naming the key path, or the leaders there are.
    """
    path = find_config('teleop', name)
    return parse(LeaderConfig, load_yaml(path), path.name)


class Leader:
    """
    One leader arm; a lost packet or a pulled cable is no end, only silence while it lasts.

    Opening switches the joints' torque off and pulls the trigger open, and moves nothing else.
    """

    def __init__(
        self, config: LeaderConfig, spec: RobotSpec, hardware: str, port: BytePort | None = None
    ) -> None:
        """
        Prepare a leader; nothing is opened yet.

        :param hardware: ``real`` or ``sim``; picks the port.
        :param port: instead of that of the configuration.
        :raises ConfigError: when the robot is not its follower.
        """
        config.check(spec)
        self.config = config
        self._spec = spec
        self._hardware = hardware
        self._port = port
        self._bus: DynamixelBus | None = None
        self._again = -math.inf  # [s] when to look for a lost one
        self.reason = ''  # why it is not heard; empty while it is

    @property
    def lost(self) -> int:
        """Answers that did not come since it was opened."""
        return self._bus.lost if self._bus is not None else 0

    def open(self) -> None:
        """
        Find the leader and make it free to be moved.

        :raises BusError: when it is not there, is something else, or a motor is silent.
        """
        config, trigger = self.config, self.config.trigger
        bus = DynamixelBus(self._port or self._find(), config.ids, timeout=config.timeout)
        bus.open()
        try:
            for joint in config.joints:
                bus.check(joint.id, joint.models)
            bus.check(trigger.id, trigger.models)
            for number in config.ids:
                bus.release(number)
            bus.spring(trigger.id, trigger.open, trigger.current)
        except BusError:
            bus.close()
            raise
        self._bus = bus
        self.reason = ''

    def read(self, now: float) -> LeaderPose | None:
        """
        Return where it is; None where it has been silent for 0.1 s.

        A leader that was unplugged is looked for once a second.

        :param now: [s]
        """
        try:
            if self._bus is None:
                if now < self._again:
                    return None
                self.open()
                _log.info('%s is back', self.config.name)
            reading = self._bus.positions(now) if self._bus is not None else None
        except BusError as error:
            if not self.reason:
                _log.warning('%s is lost: %s', self.config.name, error)
            self.close()
            self.reason = str(error)
            self._again = now + AGAIN
            return None
        self.reason = '' if reading is not None else 'its motors do not answer'
        if reading is None:
            return None
        pose = self.config.positions(reading.counts, self._spec)
        return LeaderPose(stamp=reading.stamp, q=pose)

    def close(self) -> None:
        """Switch its motors off and give up the port; safe to call twice."""
        if self._bus is not None:
            self._bus.close()
            self._bus = None

    def _find(self) -> BytePort:
        path = self.config.port[self._hardware]
        if self._hardware == 'real':
            path = find_port(path, LEADER, 'port.real')
        return TtyPort(path, BAUD)
