# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""A leader arm on a pseudo-terminal, served by a thread, and the bus or driver that reads it."""

from contextlib import contextmanager
from dataclasses import replace

from vla_control.buses.byte_ports import TtyPort
from vla_control.buses.dynamixel import BAUD, DynamixelBus
from vla_control.robots.dk1_leader import load_leader
from vla_control.sim.dynamixel_leader import EmulatedLeader, serving
from vla_control.sim.pty_port import PtyPort

PATIENT = 1.0  # [s] for an answer: a loaded machine is no lost packet
HASTY = 0.1  # [s] where answers are meant to be missed


def config(path, timeout=PATIENT):
    shipped = load_leader('dk1_leader')
    return replace(shipped, port={'real': 'auto', 'sim': str(path)}, timeout=timeout)


@contextmanager
def leader_at(path):
    """Serve an emulated leader at a path."""
    with serving(EmulatedLeader(PtyPort(str(path), path.parent), config(path))) as leader:
        yield leader


def bus_at(path, timeout=PATIENT):
    port = TtyPort(str(path), BAUD)
    return DynamixelBus(port, config(path).ids, timeout=timeout, lock_folder=path.parent)
