# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
What one control cycle of a driver costs and how punctual it is, against its emulated bus.

The electronics run in another process on the bus a simulated robot uses, joints clamped at home;
here runs nothing but the driver, one read and one write a tick. The gate is measured by itself:
references it passes, and references it has to limit in every tick.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
import multiprocessing
from multiprocessing.connection import Connection
import time
from typing import Any

import numpy as np

from vla_control.core.clock import SteadyClock
from vla_control.core.errors import SimulationError, VlaControlError
from vla_control.core.messages import Floats, JointCommand, Reference
from vla_control.core.protocols import RobotDriver
from vla_control.core.realtime import quiet_process
from vla_control.core.spec import load_robot, RobotSpec
from vla_control.robots.factory import make_driver
from vla_control.runtime.loop import ControlLoop
from vla_control.safety.gate import Gate
from vla_control.sim.devices import open_device

STARTING = 30.0  # [s] for the other process to put the electronics on the bus
PATIENCE = 5.0  # [s] for it to end
STEP = 0.001  # [s] between two looks at the joints
GAIN = 0.2  # of the spec; the joints are clamped, so nothing is to be gained by more
GATE_TICKS = 2000
GATE_MOVE = 0.5  # [rad] to either side of home, of the references the gate has to limit
GATE_HOLD = 50  # ticks such a reference stays
LATE = 1.5  # periods between two ticks from which on a cycle counts as late


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopBench:
    """What to measure."""

    robot: str = 'openarm'
    seconds: float = 10.0


class _Cycle:
    """Reads and writes once a tick, and keeps when."""

    def __init__(self, driver: RobotDriver, spec: RobotSpec, ticks: int) -> None:
        self._driver = driver
        zero = np.zeros(len(spec.joints))
        self._command = JointCommand(q=np.array(spec.home), v=zero, a=zero, gain=GAIN)
        self._fresh = 2.0 * spec.dt
        self.times: Floats = np.zeros(ticks)  # (ticks,) [s]
        self.count = 0
        self.complete = 0  # ticks by which every motor had answered

    def tick(self, now: float) -> None:
        state = self._driver.read(now)
        self._driver.write(self._command, now)
        self.times[self.count] = now
        self.complete += bool((state.age <= self._fresh).all())
        self.count += 1


def bench_loop(config: LoopBench) -> dict[str, Any]:
    """
    Run a driver at its rate and report what it cost.

    :returns: own CPU in percent of a core, the deviation of tick intervals from the period, and
        how many cycles were late or skipped.
    :raises BusError: when the simulated robot's bus is taken, by a running simulation maybe.
    :raises SimulationError: when the electronics did not start.
    """
    spec = load_robot(config.robot)
    clock = SteadyClock()
    driver = make_driver(spec, 'sim', clock)
    ticks = max(round(config.seconds * spec.control_rate), 2)
    with _electronics(config.robot):
        driver.connect(clock.now())
        try:
            driver.enable(clock.now())
            cycle = _Cycle(driver, spec, ticks)
            loop = ControlLoop(cycle.tick, spec.dt, clock, name='bench', samples=ticks)
            with quiet_process():
                started, cpu = time.perf_counter(), time.thread_time()
                loop.run(ticks)
                cpu = time.thread_time() - cpu
                wall = time.perf_counter() - started
            missed = loop.statistics().missed
        finally:
            driver.close(clock.now())
    return _report(config, spec, cycle, missed, cpu, wall)


def _report(
    config: LoopBench, spec: RobotSpec, cycle: _Cycle, missed: int, cpu: float, wall: float
) -> dict[str, Any]:
    intervals = np.diff(cycle.times)
    p50, p99 = np.percentile(np.abs(intervals - spec.dt), (50, 99))
    report: dict[str, Any] = {
        'bench': 'loop',
        'robot': config.robot,
        'rate_hz': spec.control_rate,
        'cycles': cycle.count,
        'cpu_percent': 100.0 * cpu / wall,
        'cpu_per_cycle_us': 1e6 * cpu / cycle.count,
        'jitter_p50_us': 1e6 * float(p50),
        'jitter_p99_us': 1e6 * float(p99),
        'late_cycles': int((intervals > LATE * spec.dt).sum()),
        'missed_cycles': missed,
        'answered_cycles': cycle.complete,
    }
    report |= {f'gate_{k}_percent': v for k, v in gate_cost(spec).items()}
    if spec.driver == 'g1':
        # Imported here so that a robot's codec is only needed to measure it.
        from vla_control.runtime.bench.unitree_codec import stock_serializer_cpu

        report |= stock_serializer_cpu(spec.control_rate)
    return report


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
        cpu = 0.0
        for tick in range(GATE_TICKS):
            reference = Reference(stamp=tick * spec.dt, q=target(tick), v=still, a=still)
            began = time.thread_time()
            gate.step(reference)
            cpu += time.thread_time() - began
        cost[name] = 100.0 * cpu / (GATE_TICKS * spec.dt)
    return cost


def summary(report: dict[str, Any]) -> str:
    """Return the report for people."""
    return (
        f'{report["robot"]}: {report["cycles"]} cycles at {report["rate_hz"]:g} Hz took '
        f'{report["cpu_percent"]:.1f} % of a core ({report["cpu_per_cycle_us"]:.0f} us each); '
        f'jitter p50 {report["jitter_p50_us"]:.0f} us, p99 {report["jitter_p99_us"]:.0f} us; '
        f'{report["late_cycles"]} late, {report["missed_cycles"]} missed; all motors answered '
        f'in time for {report["answered_cycles"]}; the gate takes '
        f'{report["gate_passed_percent"]:.1f} %, where it limits every tick '
        f'{report["gate_limited_percent"]:.1f} %'
    )


@contextmanager
def _electronics(robot: str) -> Iterator[None]:
    """Keep the emulated electronics of a robot on its bus in another process."""
    context = multiprocessing.get_context('spawn')
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(robot, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        if not ours.poll(STARTING):
            raise SimulationError(f'the electronics of {robot} did not start in {STARTING:g} s')
        try:
            problem = ours.recv()
        except EOFError:
            problem = 'its process ended'
        if problem:
            raise SimulationError(f'the electronics of {robot} did not start: {problem}')
        yield
    finally:
        ours.close()
        process.join(PATIENCE)
        if process.is_alive():
            process.kill()


def _serve(robot: str, parent: Connection) -> None:
    """Answer the bus until the parent goes away."""
    try:
        spec = load_robot(robot)
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
