# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
The path of the grippers: what the policy says, at a speed the fingers can do.

A gripper opens and shuts by a jump in the chunk; smoothing it like an arm would blur the moment
of a grasp, and an offset would close it against the policy's word. So its targets are slewed
onto the control points of a uniform cubic B-spline. The curve stays inside the hull of its
points, so it never overshoots a target or a limit, and its peak speed, acceleration and jerk
are those of the points' differences. The grid of points outlives a splice: a new chunk only
replaces the points that do not act yet, so there is no seam.
"""

from dataclasses import dataclass, replace
from math import floor, inf

import numpy as np

from vla_control.core.messages import Floats
from vla_control.core.spec import RobotSpec

SHARE = 0.8  # of the joint limits used here; the rest is headroom for the gate
LONGEST_SPACING = 0.25  # [s] between control points, bounds the delay of a new target


@dataclass(frozen=True, slots=True)
class GripperPath:
    """A uniform cubic B-spline, constant before its first and after its last point."""

    origin: float  # [s] time of control point 0
    spacing: float  # [s] between control points
    first: int  # index of the first stored point
    points: Floats  # (m, g) [m] control points, m >= 1

    @property
    def rest_time(self) -> float:
        """From when on nothing moves [s]; -inf where nothing ever does."""
        if len(self.points) == 1:
            return -inf
        return self.origin + (self.first + len(self.points) + 1) * self.spacing

    def at(self, t: float) -> Floats:
        """Return q, v, a at one instant, (3, g)."""
        x = (t - self.origin) / self.spacing
        k = floor(x)
        rows = self._rows(k)
        if (rows == rows[0]).all():  # at rest exactly, not to rounding
            state = np.zeros((3, rows.shape[1]))
            state[0] = rows[0]
            return state
        return _basis(x - k, self.spacing) @ rows

    def halted(self, t: float) -> 'GripperPath':
        """Return the path that comes to rest as soon as it can after an instant [s]."""
        k = floor((t - self.origin) / self.spacing)
        return replace(self, first=k - 1, points=self._rows(k))

    def shifted(self, seconds: float) -> 'GripperPath':
        """Return the same path that many seconds later."""
        return replace(self, origin=self.origin + seconds)

    def _rows(self, k: int) -> Floats:
        """Return the four control points acting between times k and k + 1, (4, g)."""
        i = k - 1 - self.first
        if 0 <= i <= len(self.points) - 4:
            return self.points[i : i + 4]
        rows: Floats = self.points[np.clip(np.arange(i, i + 4), 0, len(self.points) - 1)]
        return rows


def resting_grippers(spec: RobotSpec, now: float, q: Floats) -> GripperPath:
    """
    Return a path at rest.

    :param now: [s] where the grid of control points is laid.
    :param q: (g,) [m] the pose.
    """
    return GripperPath(now, _spacing(spec), 0, np.array(q, dtype=np.float64)[None])


def slew(
    path: GripperPath, start: float, times: Floats, targets: Floats, spec: RobotSpec
) -> GripperPath:
    """
    Return the path that follows new targets from a splice on.

    :param path: the path in execution; the result equals it around ``start``.
    :param start: [s] the splice instant.
    :param times: (H,) [s] rising, when the targets are due; linear between, the last one held.
    :param targets: (H, g) [m].
    """
    spacing = path.spacing
    k = floor((start - path.origin) / spacing)
    kept = path._rows(k)
    gripper = spec.gripper
    most = SHARE * spec.acceleration[gripper] * spacing * spacing
    fast = np.minimum(SHARE * spec.velocity[gripper] * spacing, most)
    # A grasp begun is finished, even when the chunk ends before the fingers can have closed.
    way = np.abs(targets - kept[-1]).max(axis=0) + np.abs(targets[-1] - kept[-1])
    last = max(int(np.ceil((times[-1] - path.origin) / spacing)), k + 3)
    last += int(np.ceil(way / fast).max()) + 1
    grid = path.origin + np.arange(k + 3, last + 1) * spacing
    columns = [
        _slew_column(np.interp(grid, times, targets[:, g]).tolist(), kept[:, g], fast[g], most[g])
        for g in range(targets.shape[1])
    ]
    points = np.concatenate((kept, np.array(columns).T))
    return GripperPath(path.origin, spacing, k - 1, points)


def _slew_column(wanted: list[float], kept: Floats, fast: float, most: float) -> list[float]:
    """Walk to each target, no step longer than `fast` nor changing by more than `most`."""
    point = float(kept[-1])
    step = point - float(kept[-2])
    out = []
    for target in wanted:
        low, high = max(step - most, -fast), min(step + most, fast)
        step = min(max(target - point, low), high)
        point += step
        out.append(point)
    return out


def _spacing(spec: RobotSpec) -> float:
    """
    Return the spacing of the control points [s].

    Full speed must be reached, and left, from one point to the next (else a target would be
    overshot), and swinging from full acceleration to its opposite must stay within the jerk.
    """
    v, a, j = spec.velocity, spec.acceleration, spec.jerk
    wanted = np.maximum(v / a, 2.0 * a / j)[spec.gripper]
    return float(min(wanted.max(), LONGEST_SPACING))


def _basis(u: float, spacing: float) -> Floats:
    """Return the weights (3, 4) of four control points on q, v, a at a share of a segment."""
    u2, u3 = u * u, u * u * u
    r = 1.0 - u
    k1, k2 = 0.5 / spacing, 1.0 / (spacing * spacing)
    s = 1.0 / 6.0
    return np.array(
        (
            (
                s * r * r * r,
                s * (3 * u3 - 6 * u2 + 4),
                s * (3 * (u + u2 - u3) + 1),
                s * u3,
            ),
            (-k1 * r * r, k1 * (3 * u2 - 4 * u), k1 * (1 + 2 * u - 3 * u2), k1 * u2),
            (k2 * r, k2 * (3 * u - 2), k2 * (1 - 3 * u), k2 * u),
        )
    )
