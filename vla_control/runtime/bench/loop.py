# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
What one control cycle of a driver costs and how punctual it is, against its emulated bus.

The electronics run in another process on the bus a simulated robot uses, joints clamped at home;
here runs nothing but the driver, one read and one write a tick, in a thread scheduled as in the
driver's node. What counts is the whole process: a bus may have threads of its own. The gate is
measured by itself: references it passes, and references it has to limit in every tick.
"""

from collections.abc import Callable
from dataclasses import dataclass
import threading
import time
from typing import Any

import numpy as np

from vla_control.core.clock import SteadyClock
from vla_control.core.errors import SimulationError
from vla_control.core.messages import Floats, JointCommand, Reference
from vla_control.core.protocols import RobotDriver
from vla_control.core.realtime import quiet_process
from vla_control.core.spec import RobotSpec
from vla_control.robots.factory import make_driver
from vla_control.runtime.bench.bench_robot import bench_robot
from vla_control.runtime.bench.electronics import electronics
from vla_control.runtime.bench.loop_report import judge
from vla_control.runtime.loop import ControlLoop
from vla_control.runtime.punctuality import punctuality
from vla_control.safety.gate import Gate

PATIENCE = 10.0  # [s] beyond its time for a loop to end
GAIN = 0.2  # of the spec; the joints are clamped, so nothing is to be gained by more
GATE_TICKS = 2000
GATE_MOVE = 0.5  # [rad] to either side of home, of the references the gate has to limit
GATE_HOLD = 50  # ticks such a reference stays
PRIORITY = 80  # of SCHED_FIFO, what driver_node asks for


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopBench:
    """What to measure."""

    robot: str = 'openarm'
    seconds: float = 10.0
    rate: float = 0.0  # [Hz] the robot's own if 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What some cycles in a row were like."""

    times: Floats  # (T,) [s] when they began
    complete: int  # cycles by which every motor had answered
    process: float  # share of a core the process took
    thread: float  # share of a core the thread of the loop took
    scheduling: str  # what the machine permitted


class _Cycle:
    """Reads and writes once a tick, and keeps when."""

    def __init__(
        self, driver: RobotDriver, spec: RobotSpec, ticks: int, ended: Callable[[], object]
    ) -> None:
        self._driver = driver
        zero = np.zeros(len(spec.joints))
        self._command = JointCommand(q=np.array(spec.home), v=zero, a=zero, gain=GAIN)
        self._fresh = 2.0 * spec.dt
        self._ended = ended
        self.times: Floats = np.zeros(ticks)  # (ticks,) [s]
        self.count = 0
        self.complete = 0  # ticks by which every motor had answered
        self.cpu = 0.0  # [s] of this thread from the first tick to the last
        self._began = 0.0

    def tick(self, now: float) -> None:
        if self.count == 0:
            self._began = time.thread_time()
        state = self._driver.read(now)
        self._driver.write(self._command, now)
        self.times[self.count] = now
        self.complete += bool((state.age <= self._fresh).all())
        self.count += 1
        if self.count == len(self.times):
            self.cpu = time.thread_time() - self._began
            self._ended()


def bench_loop(config: LoopBench) -> dict[str, Any]:
    """
    Run a driver at its rate and report what it cost.

    :returns: CPU in percent of a core, of the process and of the loop's thread, how late ticks
        were, what the gate costs, and ``bars``; for a G1 also the same loop through the stock
        serializer of its bus.
    :raises BusError: when the simulated robot's bus is taken, by a running simulation maybe.
    :raises SimulationError: when the electronics did not start, or the driver failed.
    """
    spec = bench_robot(config.robot, config.rate)
    ticks = max(round(config.seconds * spec.control_rate), 2)
    with electronics(spec):
        run = _drive(spec, ticks)
        stock = _drive(spec, ticks, _stock_bus(spec)) if spec.driver == 'g1' else None
    report = _report(config, spec, run)
    if stock is not None:
        # Imported here so that a robot's codec is only needed to measure it.
        from vla_control.runtime.bench.unitree_codec import stock_serializer_cpu

        report |= {
            'stock_cpu_percent': 100.0 * stock.process,
            'stock_loop_cpu_percent': 100.0 * stock.thread,
            'stock_within_1ms': punctuality(stock.times, spec.dt)['within_1ms'],
            **stock_serializer_cpu(spec.control_rate),
        }
    parts = [*spec.parts.values(), spec]
    return report | {'bars': judge(parts[0].driver, report)}


def _stock_bus(spec: RobotSpec) -> Any:
    from vla_control.runtime.bench.unitree_codec import stock_bus

    return stock_bus(spec)


def _drive(spec: RobotSpec, ticks: int, bus: Any = None) -> Run:
    """Drive a robot for some ticks, on its own bus unless another is given."""
    clock, done = SteadyClock(), threading.Event()
    driver = make_driver(spec, 'sim', clock, bus=bus)
    driver.connect(clock.now())
    try:
        driver.enable(clock.now())

        def ended() -> None:
            loop.stop()
            done.set()

        cycle = _Cycle(driver, spec, ticks, ended)
        loop = ControlLoop(
            cycle.tick,
            spec.dt,
            clock,
            name='bench',
            phase=0.0,
            priority=PRIORITY,
            on_failure=lambda _: done.set(),
        )
        with quiet_process():
            started, cpu = time.perf_counter(), time.process_time()
            loop.start()
            done.wait(ticks * spec.dt + PATIENCE)
            cpu = time.process_time() - cpu
            wall = time.perf_counter() - started
            loop.stop()
        if cycle.count < ticks:
            raise SimulationError(
                f'{spec.name}: {cycle.count} of {ticks} cycles done: {loop.failure!r}'
            )
        scheduling = loop.statistics().scheduling
    finally:
        driver.close(clock.now())
    return Run(
        times=cycle.times,
        complete=cycle.complete,
        process=cpu / wall,
        thread=cycle.cpu / wall,
        scheduling=scheduling,
    )


def _report(config: LoopBench, spec: RobotSpec, run: Run) -> dict[str, Any]:
    intervals = np.diff(run.times)
    p50, p99 = np.percentile(np.abs(intervals - spec.dt), (50, 99))
    late = punctuality(run.times, spec.dt)
    arms = max(len(spec.parts), 1)
    report: dict[str, Any] = {
        'bench': 'loop',
        'robot': config.robot,
        'rate_hz': spec.control_rate,
        'scheduling': run.scheduling,
        'cycles': len(run.times),
        'arms': arms,
        'cpu_percent': 100.0 * run.process,
        'cpu_per_arm_percent': 100.0 * run.process / arms,
        'loop_cpu_percent': 100.0 * run.thread,
        'loop_cpu_per_arm_percent': 100.0 * run.thread / arms,
        'cpu_per_cycle_us': 1e6 * run.process / spec.control_rate,
        'within_1ms': late['within_1ms'],
        'late_cycles': int(late['late']),
        'missed_cycles': int(late['missed']),
        'late_p50_us': 1e6 * late['late_p50'],
        'late_p99_us': 1e6 * late['late_p99'],
        'jitter_p50_us': 1e6 * float(p50),
        'jitter_p99_us': 1e6 * float(p99),
        'answered_cycles': run.complete,
    }
    return report | {f'gate_{k}_percent': v for k, v in gate_cost(spec).items()}


def gate_cost(spec: RobotSpec) -> dict[str, float]:
    """Return what the gate costs in percent of a core: ``passed`` and ``limited`` references."""
    home, still = np.array(spec.home), np.zeros(len(spec.joints))
    rng = np.random.default_rng(0)
    wild = [
        np.clip(home + rng.uniform(-GATE_MOVE, GATE_MOVE, len(home)), spec.lower, spec.upper)
        for _ in range(GATE_TICKS // GATE_HOLD)
    ]
    targets: dict[str, Callable[[int], Floats]] = {
        'passed': lambda tick: home,
        'limited': lambda tick: wild[tick // GATE_HOLD],
    }
    cost = {}
    for name, target in targets.items():
        gate = Gate(spec)
        gate.reset(home)
        references = [
            Reference(stamp=tick * spec.dt, q=target(tick), v=still, a=still)
            for tick in range(GATE_TICKS)
        ]
        began = time.thread_time()
        for reference in references:
            gate.step(reference)
        cost[name] = 100.0 * (time.thread_time() - began) / (GATE_TICKS * spec.dt)
    return cost
