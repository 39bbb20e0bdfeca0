# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The emulated electronics of a robot on its bus in a process of their own, joints clamped."""

from collections.abc import Iterator
from contextlib import contextmanager
import multiprocessing
from multiprocessing.connection import Connection

import numpy as np

from vla_control.core.clock import SteadyClock
from vla_control.core.errors import SimulationError, VlaControlError
from vla_control.core.spec import RobotSpec
from vla_control.sim.devices import open_device

STARTING = 30.0  # [s] for the other process to put the electronics on the bus
PATIENCE = 5.0  # [s] for it to end
STEP = 0.001  # [s] between two looks at the joints


@contextmanager
def electronics(spec: RobotSpec) -> Iterator[None]:
    """
    Keep the electronics of a robot on its bus meanwhile, every joint at home.

    :raises SimulationError: when they did not start.
    """
    context = multiprocessing.get_context('spawn')
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(spec, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        if not ours.poll(STARTING):
            raise SimulationError(
                f'the electronics of {spec.name} did not start in {STARTING:g} s'
            )
        try:
            problem = ours.recv()
        except EOFError:
            problem = 'its process ended'
        if problem:
            raise SimulationError(f'the electronics of {spec.name} did not start: {problem}')
        yield
    finally:
        ours.close()
        process.join(PATIENCE)
        if process.is_alive():
            process.kill()


def _serve(spec: RobotSpec, parent: Connection) -> None:
    """Answer the bus until the parent goes away."""
    try:
        device = open_device(spec)
    except VlaControlError as error:
        parent.send(str(error))
        return
    parent.send('')
    q, still = np.array(spec.home), np.zeros(len(spec.joints))
    clock = SteadyClock()
    looked = clock.now()
    device.measure(looked, q, still)
    while not parent.poll():
        now = clock.now()
        device.serve(now, STEP)
        if now - looked >= STEP:
            looked = now
            device.torques(now)
            device.measure(now, q, still)
    device.close()
