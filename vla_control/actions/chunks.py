# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The door of the motion path: a chunk comes in whole and plausible, or not at all."""

from collections.abc import Callable
from dataclasses import dataclass
import math
from numbers import Real
from typing import Any

import numpy as np

from vla_control.core.errors import ChunkRejected
from vla_control.core.messages import ActionChunk, Floats, frozen_floats
from vla_control.core.spec import RobotSpec

LONGEST_CHUNK = 1000  # steps
SHORTEST_STEP = 1e-3  # [s]
LONGEST_STEP = 10.0  # [s]
GROSS_EXCESS = 0.5  # [rad] outside the soft limits before an arm position is refused, not clipped


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedChunk:
    """A chunk in RobotSpec order, inside the soft limits, that may be spliced."""

    stamp: float  # [s] capture time
    dt: float  # [s]
    times: Floats  # (H,) [s] when each step is due, by the plan's clock
    positions: Floats  # (H, n) [rad], grippers [m]
    due: int  # index of the first step not yet due at the splice instant
    clipped: int  # cells that had to be moved inside the soft limits


def check_chunk(
    chunk: ActionChunk,
    spec: RobotSpec,
    now: float,
    start: float,
    pose_at: Callable[[float], Floats],
    newest: float = -math.inf,
    since: float = -math.inf,
    clock: Callable[[float], float] = float,
) -> CheckedChunk:
    """
    Return the chunk in the robot's joint order, or refuse it.

    :param now: [s] when it came in, on the clock of the stamps.
    :param start: [s] the splice instant by the plan's clock; steps due before it are skipped.
    :param pose_at: the plan in execution: the pose (n,) [rad, m] it has at a time of its clock.
    :param newest: [s] stamp of the newest chunk in the plan.
    :param since: [s] when the robot was aligned or resumed; what was seen before is void.
    :param clock: the plan's clock [s] at a time of the stamps [s]; the same if not given.
    :raises ChunkRejected: with what is wrong, where, and what would be right.
    """
    order = _joint_order(chunk.joints, spec.names)
    positions = _positions(chunk.positions, chunk.joints)[:, order]
    stamp, dt = _time(chunk.stamp, 'stamp'), _time(chunk.dt, 'dt')
    if not SHORTEST_STEP <= dt <= LONGEST_STEP:
        raise ChunkRejected(
            f'dt is {dt:g} s, must be {SHORTEST_STEP:g} to {LONGEST_STEP:g} s between steps'
        )
    _check_order(stamp, newest, since)
    times: Floats = clock(stamp) + dt * np.arange(1.0, len(positions) + 1.0)
    due = _first_due(stamp, dt, times, now, start, spec)
    _check_jump(positions[due], pose_at(float(times[due])), spec)
    inside = np.minimum(np.maximum(positions, spec.lower), spec.upper)
    clipped = int(np.count_nonzero(inside != positions))
    if clipped:
        _check_range(positions, spec)
    return CheckedChunk(
        stamp=stamp,
        dt=dt,
        times=times,
        positions=inside,
        due=due,
        clipped=clipped,
    )


def _joint_order(given: Any, wanted: tuple[str, ...]) -> list[int]:
    """Return where each joint of the robot is among the given names."""
    if not isinstance(given, (tuple, list)) or not all(isinstance(j, str) for j in given):
        raise ChunkRejected(f'joints must be a list of names, got {given!r}')
    if tuple(given) == wanted:
        return list(range(len(wanted)))
    repeated = sorted({j for j in given if given.count(j) > 1})
    missing = [j for j in wanted if j not in given]
    unknown = [j for j in given if j not in wanted]
    problems = [
        f'{what} {names}'
        for what, names in (('missing', missing), ('unknown', unknown), ('repeated', repeated))
        if names
    ]
    if problems:
        raise ChunkRejected(
            f'joint names: {", ".join(problems)}; each of {list(wanted)} must be named once'
        )
    return [given.index(j) for j in wanted]


def _positions(values: Any, joints: tuple[str, ...]) -> Floats:
    """Return finite floats (H, n) in the chunk's own order."""
    n = len(joints)
    try:
        array = frozen_floats(values)
    except (TypeError, ValueError) as error:
        raise ChunkRejected(f'positions are not real numbers: {error}') from error
    if array.ndim != 2 or array.shape[1] != n:
        hint = ''
        if array.ndim == 2 and array.shape[0] == n:
            hint = f'; rows and columns look swapped, one row per step is ({array.shape[1]}, {n})'
        raise ChunkRejected(f'positions have shape {array.shape}, expected (steps, {n}){hint}')
    if not 1 <= len(array) <= LONGEST_CHUNK:
        raise ChunkRejected(f'a chunk of {len(array)} steps; expected 1 to {LONGEST_CHUNK}')
    if not np.isfinite(array).all():
        bad = np.argwhere(~np.isfinite(array))
        step, column = (int(i) for i in bad[0])
        raise ChunkRejected(
            f'{len(bad)} of {array.size} positions are not finite, first {array[step, column]} '
            f'at step {step} of {joints[column]}; the chunk is refused whole'
        )
    return array


def _time(value: Any, name: str) -> float:
    """Return a finite number of seconds."""
    if not isinstance(value, Real) or isinstance(value, bool) or not math.isfinite(value):
        raise ChunkRejected(f'{name} is {value!r}, must be a finite number of seconds')
    return float(value)


def _check_order(stamp: float, newest: float, since: float) -> None:
    """Refuse what was seen before the plan's own chunk, or before the robot was aligned."""
    if stamp < since:
        raise ChunkRejected(
            f'captured {since - stamp:.3f} s before the robot was aligned or resumed; only what '
            'was seen since may move it'
        )
    if stamp == newest:
        raise ChunkRejected(f'duplicate: a chunk captured at {stamp:.6f} s is in the plan already')
    if stamp < newest:
        raise ChunkRejected(
            f'out of order: captured {newest - stamp:.3f} s before the chunk in the plan'
        )


def _first_due(
    stamp: float, dt: float, times: Floats, now: float, start: float, spec: RobotSpec
) -> int:
    """Return the index of the first step that is not due before the splice."""
    ahead = stamp - now
    if ahead > spec.safety.future_stamp:
        raise ChunkRejected(
            f'stamped {ahead:.3f} s in the future, at most {spec.safety.future_stamp} s is '
            'accepted (safety.future_stamp); are the clocks of policy and robot the same?'
        )
    due = int(np.searchsorted(times, start))
    length = dt * len(times)
    late = max(start - float(times[-1]), now - stamp - length)
    if due == len(times) or now - stamp > length:  # the latter also where the plan stood still
        raise ChunkRejected(
            f'entirely past: captured {now - stamp:.3f} s ago, its last step was due {late:.3f} s '
            f'before it could start; the policy is too slow for its {len(times)} steps of '
            f'{length:.3f} s'
        )
    return due


def _check_jump(first: Floats, pose: Floats, spec: RobotSpec) -> None:
    """Refuse a chunk that does not begin near the plan; grippers may open and shut at once."""
    jump = np.where(spec.gripper, 0.0, np.abs(first - pose))
    worst = int(np.argmax(jump))
    if jump[worst] > spec.safety.chunk_jump:
        hint = ''
        # One joint may be in degrees among others in radians: only those that jump are asked.
        jumps = jump > spec.safety.chunk_jump
        in_radians = np.abs(np.radians(first) - pose)
        if bool((in_radians[jumps] <= spec.safety.chunk_jump).all()):
            hint = '; these look like degrees, the chunk must be in radians'
        raise ChunkRejected(
            f'{spec.names[worst]} would jump {jump[worst]:.3f} rad, from {pose[worst]:.3f} to '
            f'{first[worst]:.3f}; at most {spec.safety.chunk_jump} rad (safety.chunk_jump){hint}'
        )


def _check_range(positions: Floats, spec: RobotSpec) -> None:
    """Refuse positions so far outside that clipping them would hide a wrong unit or joint."""
    excess = np.maximum(spec.lower - positions, positions - spec.upper)
    allowed = np.where(spec.gripper, spec.upper - spec.lower, GROSS_EXCESS)
    if not np.any(excess > allowed):
        return
    step, joint = (int(i) for i in np.argwhere(excess > allowed)[0])
    value = positions[step, joint]
    unit, hint = 'rad', ''
    if spec.gripper[joint]:
        unit, hint = 'm', '; grippers are metres of finger travel, not a share or an angle'
    elif spec.lower[joint] <= math.radians(value) <= spec.upper[joint]:
        hint = '; this looks like degrees, the chunk must be in radians'
    raise ChunkRejected(
        f'step {step} sends {spec.names[joint]} to {value:.3f} {unit}, outside '
        f'[{spec.lower[joint]:.3f}, {spec.upper[joint]:.3f}] by more than '
        f'{allowed[joint]:.3f}{hint}'
    )
