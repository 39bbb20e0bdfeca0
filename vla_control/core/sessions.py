# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Emulated buses of their own for every graph on a machine; the buses of real robots stay."""

from dataclasses import replace
import os
from typing import Any
from zlib import crc32

from vla_control.core.spec import RobotSpec

PORTS = range(45_000, 61_000)  # UDP ports of emulated buses; above those of the config files
DOMAINS = range(48, 231)  # DDS domains of emulated robots


def session_name(namespace: str = '') -> str:
    """Return what tells simulations on one machine apart: the ROS domain and the namespace."""
    domain = os.environ.get('ROS_DOMAIN_ID', '0') or '0'
    return '-'.join([domain, *(part for part in namespace.split('/') if part)])


def path_in_session(path: str, session: str) -> str:
    """Return where an emulated serial port is in a session; as in_session()."""
    return path if session in ('', '0') else f'{path}-{session}'


def in_session(spec: RobotSpec, session: str) -> RobotSpec:
    """
    Return a robot whose emulated buses do not meet those of another session.

    :param session: what tells the graphs of a machine apart; ``0``, the first ROS domain without
        a namespace, keeps the buses the configuration names.
    """
    if session in ('', '0'):
        return spec
    parts = {side: in_session(part, session) for side, part in spec.parts.items()}
    return replace(spec, bus=_moved(spec, session), parts=parts)


def _moved(spec: RobotSpec, session: str) -> dict[str, Any]:
    # Drawn from the names, so that every process finds the same bus without asking another. Two
    # sessions that should meet are told so by the lock of the bus.
    draw = crc32(f'{session} {spec.name}'.encode())
    bus = dict(spec.bus)
    if bus.get('port'):
        bus['port'] = PORTS[draw % len(PORTS)]
    channel, domain = bus.get('channel', {}), bus.get('domain', {})
    if '/' in str(channel.get('sim', '')):
        bus['channel'] = {**channel, 'sim': path_in_session(channel['sim'], session)}
    if 'sim' in domain:
        bus['domain'] = {**domain, 'sim': DOMAINS[draw % len(DOMAINS)]}
    return bus
