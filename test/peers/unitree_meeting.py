# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Where our side and a peer in a process of its own meet: a DDS domain on loopback."""

from contextlib import contextmanager
from importlib.util import find_spec
import json
import os
from pathlib import Path
import queue
import subprocess
import sys
import threading
import time

import pytest

from vla_control.buses.dds import DdsBus, DdsConfig

DOMAIN = 160 + os.getpid() % 40
PEER = Path(__file__).parent / 'unitree_peer.py'
needs_python = pytest.mark.skipif(
    find_spec('unitree_sdk2py') is None,
    reason='needs `pip install --no-deps unitree-sdk2py-dimos==1.0.3`',
)
needs_cpp = pytest.mark.skipif(
    find_spec('unitree_interface') is None,
    reason='needs `pip install far-unitree-sdk==0.1.8`',
)


class Peer:
    """A peer's process and what it said."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(
            [sys.executable, str(PEER), *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines = queue.Queue()
        self.noise = []
        self._follow(self.process.stdout, self._line)
        self._follow(self.process.stderr, self.noise.append)

    def _follow(self, stream, take):
        def lines():
            for line in stream:
                take(line)

        threading.Thread(target=lines, daemon=True).start()

    def _line(self, line):
        if line.startswith('{'):
            self.lines.put(json.loads(line))

    def heard(self, condition=lambda _: True):
        """Return the first thing it said that is wanted, or None so far."""
        while not self.lines.empty():
            said = self.lines.get()
            if condition(said):
                return said
        return None

    def until(self, step, seconds=15.0):
        """Do something over and over until it gives a result."""
        end = time.monotonic() + seconds
        while not (result := step()):
            assert self.process.poll() is None, f'the peer died: {"".join(self.noise[-10:])}'
            assert time.monotonic() < end, f'nothing came: {"".join(self.noise[-10:])}'
        return result

    def close(self):
        self.process.kill()
        self.process.wait()


@contextmanager
def meeting(config, lock_folder, *arguments):
    """Join a domain with a bus of our own, and start a peer."""
    bus = DdsBus(config, lock_folder)
    bus.open()
    peer = Peer(*arguments)
    try:
        yield bus, peer
    finally:
        peer.close()
        bus.close()


def config(topics, role='driver', domain=DOMAIN):
    # The vendor's Python configures no unicast peers, so both sides use the default discovery.
    return DdsConfig(interface='lo', domain=domain, ends=topics, role=role, multicast=True)


class Tagged(DdsConfig):
    """Domain 0, which the C++ SDK insists on, kept apart from other robots there."""

    @property
    def xml(self):
        tag = f'<Tag>vla-control-test-{os.getpid()}</Tag><ParticipantIndex>'
        return DdsConfig.xml.fget(self).replace('<ParticipantIndex>', tag)


def tagged(topics, role='driver'):
    return Tagged(interface='lo', domain=0, ends=topics, role=role)


def named_domain(xml):
    return xml.replace('<Domain>', '<Domain Id="any">')
