# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
What can be measured of invariants 21 to 23 in one process and in virtual time.

Whether it holds between processes and in real time is proven by the tests of these invariants.
"""

from collections.abc import Iterator
from contextlib import contextmanager
import logging
from pathlib import Path
import tempfile
from typing import Any

import numpy as np

from vla_control.buses.lock import BusLock
from vla_control.core.clock import ManualClock
from vla_control.core.errors import BusError
from vla_control.runtime.bench.safety_bench import Bench
from vla_control.runtime.loop import ControlLoop
from vla_control.safety.supervisor import Event
from vla_control.sim.damiao_firmware import LOST_COMMUNICATION

LOOK = 0.001  # [s] between two looks at motors nobody talks to
FLOOD_TICKS = 250
FLOOD = 200  # references between two ticks
REQUESTS = (Event.HOLD, Event.RESUME, Event.RESET, Event.RESUME)  # between two ticks, in turn
LINE = 5.0  # [s] a line of the log takes
NO_WATCHDOG = (
    'no motor watchdog is documented: killed, a G1 keeps its last command for its arms, and is '
    'said to damp where rt/lowcmd pauses'
)


def process_probes(bench: Bench, trials: int) -> None:
    """Measure every one of them."""
    for _ in range(trials):
        _second_writer(bench)
    _abandoned(bench, trials)
    _flooded(bench)


def _second_writer(bench: Bench) -> None:
    """Open what is open, and lock what is locked."""
    bus: Any = bench.rig.wire.bus
    parts = list(bench.spec.parts.values()) or [bench.spec]
    buses = bus if isinstance(bus, tuple) else (bus,)
    with tempfile.TemporaryDirectory(prefix='vla_control-') as folder:
        for part, one in zip(parts, buses, strict=True):
            bench.ledger.count('second_writer', _admitted(one.open))
            first, second = (BusLock(part.name, Path(folder)) for _ in range(2))
            first.acquire()
            try:
                bench.ledger.count('second_writer', _admitted(second.acquire))
            finally:
                first.release()
                second.release()


def _admitted(take: Any) -> bool:
    try:
        take()
    except BusError:
        return False
    return True


def _abandoned(bench: Bench, trials: int) -> None:
    """Send nothing any more from a random tick of motion on, until the motors notice."""
    motors = emulated_motors(bench.rig.device)
    if not motors:
        bench.ledger.leave_out(22, NO_WATCHDOG)
        return
    rig, spec = bench.rig, bench.spec
    watchdog = spec.safety.motor_watchdog
    still = np.zeros(len(spec.joints))
    for _ in range(trials):
        bench.settle()
        bench.wander()
        bench.settle()  # where the motion ended by itself meanwhile
        clock, last = rig.clock, rig.now - spec.dt
        while any(m.enabled for m in motors) and rig.now < last + 10.0 * watchdog:
            clock.advance(LOOK)
            rig.device.serve(rig.now)
            rig.device.measure(rig.now, rig.q, still)
            rig.device.torques(rig.now)
        noticed = all(m.status == LOST_COMMUNICATION for m in motors)
        late = (rig.now - last - watchdog) / spec.dt
        bench.ledger.note('watchdog', late if noticed else np.inf)
        bench.tick()  # so that the driver knows as well


def emulated_motors(device: Any) -> list[Any]:
    """Return the motors behind a device that are emulated one by one; none of a G1."""
    parts = getattr(device, 'devices', [device])
    return [m for part in parts if hasattr(part, 'motors') for m in part.motors.motors]


def _flooded(bench: Bench) -> None:
    """Run the real loop under a flood; time passes only while something waits."""
    bench.settle()
    rig, spec = bench.rig, bench.spec
    untold = 0

    def tick(now: float) -> None:
        nonlocal untold
        for k in range(FLOOD):
            rig.controller.put(bench.swing.at(now + 1e-7 * k, bench.offset))
            rig.request(REQUESTS[k % len(REQUESTS)])
        untold += not rig.step(bench.swing.at(now, bench.offset))

    loop = ControlLoop(tick, spec.dt, rig.clock)
    with _slow_log(rig.clock):
        loop.run(FLOOD_TICKS)
    bench.ledger.note('lost_ticks', untold + loop.statistics().missed, FLOOD_TICKS)


class _SlowLog(logging.Handler):
    """A log on a disk that hangs: each line takes its time."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__()
        self._clock = clock

    def emit(self, record: logging.LogRecord) -> None:
        self._clock.advance(LINE)


@contextmanager
def _slow_log(clock: ManualClock) -> Iterator[None]:
    root, handler = logging.getLogger(), _SlowLog(clock)
    level, handlers = root.level, root.handlers
    root.handlers = [handler]
    root.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        root.handlers = handlers
        root.setLevel(level)
