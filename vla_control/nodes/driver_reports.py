# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""What a driver says of itself on /diagnostics."""

import numpy as np

from vla_control.core.messages import RobotState
from vla_control.core.protocols import RobotDriver
from vla_control.core.spec import RobotSpec
from vla_control.nodes.bus_report import BusWatch
from vla_control.nodes.diagnostics import Level, loop_report, Report
from vla_control.robots.sides import bus_paths
from vla_control.runtime.control import ControlSnapshot
from vla_control.runtime.loop import ControlLoop
from vla_control.safety.supervisor import Mode


class DriverReports:
    """All reports of one driver; the bus is compared with the last report."""

    def __init__(self, spec: RobotSpec, driver: RobotDriver, hardware: str) -> None:
        """
        Begin with nothing reported.

        :param hardware: whose buses it is on.
        """
        self._spec = spec
        self._bus = BusWatch(driver)
        self._paths = {f'{s} arm at': path for s, path in bus_paths(spec, hardware).items()}

    def of(
        self, snapshot: ControlSnapshot, loop: ControlLoop | None, now: float, refused: int
    ) -> list[Report]:
        """
        Return the mode, the loop, the bus and every motor.

        :param now: [s] on the clock of the snapshot.
        :param refused: joint commands that were no commands for this robot.
        """
        spec, state = self._spec, snapshot.measured
        found = [_mode(snapshot, refused)]
        if loop is not None:
            found.append(loop_report(loop.statistics(), spec.dt, loop.failure is not None))
        found.append(self._bus.report({} if state is None else state.bus, now, self._paths))
        if state is not None:
            stale = now - snapshot.time
            found += [_motor(spec, state, index, stale) for index in range(len(spec.joints))]
        return found


def where(spec: RobotSpec, hardware: str) -> str:
    """Say which arm is behind which bus, empty where there is one; swapped ones connect too."""
    paths = bus_paths(spec, hardware)
    return ', '.join(f'{side} arm at {path}' for side, path in paths.items())


def _mode(snapshot: ControlSnapshot, refused: int) -> Report:
    level = Level.OK
    if snapshot.warnings or snapshot.mode is Mode.STOPPING:
        level = Level.WARN
    if snapshot.mode is Mode.FAULT:
        level = Level.ERROR
    total = snapshot.passed + snapshot.limited
    return Report(
        name='state',
        level=level,
        message='; '.join((f'{snapshot.mode.name}: {snapshot.reason}', *snapshot.warnings)),
        values={
            'references passed': snapshot.passed,
            'references limited': snapshot.limited,
            'limited share': snapshot.limited / total if total else 0.0,
            'joint commands refused': refused,
        },
    )


def _motor(spec: RobotSpec, state: RobotState, index: int, stale: float) -> Report:
    joint, safety = spec.joints[index], spec.safety
    status = state.status[index]
    temperature = float(state.temperature[index])
    age = float(state.age[index]) + stale
    level, message = Level.OK, status.value
    if temperature > safety.temperature_warning:
        level, message = Level.WARN, f'{status.value}, warm'
    if not status.healthy or temperature > safety.temperature_stop:
        level = Level.ERROR
    if age > safety.feedback_fault:
        level, message = Level.STALE, f'{message}, silent for {age:.2f} s'
    unit = 'm' if spec.gripper[index] else 'rad'
    force = 'N' if spec.gripper[index] else 'N m'
    return Report(
        name=f'motor {joint.name}',
        level=level,
        message=message,
        values={
            f'position [{unit}]': float(state.q[index]),
            f'velocity [{unit}/s]': float(state.v[index]),
            f'effort [{force}]': float(state.effort[index]),
            'temperature [deg C]': temperature,
            'age [ms]': age * 1e3 if np.isfinite(age) else 'never answered',
            'status': status.value,
        },
    )
