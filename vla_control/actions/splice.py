# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Join a chunk to the plan in execution with continuous position, velocity and acceleration.

The chunk is smoothed once by a constant matrix; what is then missing to the plan at the splice
instant, in q, v and a, is added as a quintic that fades to zero. On 30 Hz chunks with biases of
30 mrad that leaves 3 rad/s3 of rms jerk, where switching leaves 13000 and a linear fade 4500.
Differences of raw points would amplify their noise, so v and a come from the smoothed curve.
"""

from dataclasses import dataclass, replace

import numpy as np

from vla_control.actions.blend import (
    average_with_plan,
    BlendConfig,
    BlendMethod,
    ensemble,
    Memory,
    smooth,
)
from vla_control.actions.chunks import CheckedChunk
from vla_control.actions.grippers import slew
from vla_control.actions.pace import Pace
from vla_control.actions.plan import Joined, Plan
from vla_control.actions.spline import Brake, brake_from, CubicSpline, Fade, fade_out, interpolate
from vla_control.core.messages import Floats
from vla_control.core.motion import stop
from vla_control.core.spec import RobotSpec

SHARE = 0.8  # of the joint limits chunk and offset may use together
LEAST_SHARE = 0.3  # of the joint limits left to the offset however fast the chunk is
BRAKE_SHARE = 0.5  # of the limits for the stop at a chunk's end, where LEAST_SHARE may remain
SWING_SHARE = 0.5  # of what is left to an offset for its speed and acceleration to fade
LIGHT_CUT = 5.0  # [Hz] what no method lets through: 2 mrad of noise at 30 Hz is 11 rad/s2
INSET = 1e-3  # [rad] smoothed points stay this far inside the soft limits, for spline ripple
EXCURSION = 0.05  # [rad] an offset may wander while its speed and acceleration fade
# [s] in which those fade at most, however slowly the position does. An offset still moving
# towards the chunk before last is an error: 15 mrad rms instead of 18 with a fade of 1 s.
SWING = 0.5
_FACTORIALS = np.array([[1.0], [2.0], [6.0]])  # of powers of time to v, a, j at their start


@dataclass(frozen=True, slots=True, kw_only=True)
class Seam:
    """What a splice had to bridge."""

    time: float  # [s] the splice instant
    delay: float  # [s] from capture to splice
    skipped: int  # steps that were due before the splice
    clipped: int  # positions moved inside the soft limits
    position_gap: float  # [rad] largest, arm joints
    velocity_gap: float  # [rad/s] largest, arm joints
    fade: float  # [s] over which the gap is closed


def splice(
    plan: Plan,
    chunk: CheckedChunk,
    pace: Pace,
    moment: float,
    now: float,
    seen: float,
    spec: RobotSpec,
    blend: BlendConfig,
    memory: Memory,
) -> tuple[Plan, Seam, Memory]:
    """
    Return the plan that leaves ``plan`` at the splice instant and follows the chunk.

    :param plan: in execution until the splice.
    :param chunk: checked against ``plan`` and the splice instant.
    :param pace: the clock of the result, equal to that of ``plan`` before the splice.
    :param moment: [s] the splice instant, anywhere between the chunk's points or before them.
    :param now: [s] when the chunk came in.
    :param seen: [s] no instant before it is asked of the result.
    :param memory: of earlier chunks; only an ensemble uses it.
    """
    start, times = pace.clock(moment), chunk.times
    points = np.where(spec.gripper, 0.0, chunk.positions)
    points, memory = _blend(plan, points, times, chunk.dt, spec, blend, memory)
    curve = interpolate(float(times[0]), chunk.dt, points)
    end = float(times[-1])
    gap = np.where(spec.gripper, 0.0, plan.at(start)) - curve.at(start)
    wanted = max(min(blend.fade, end - start), blend.fade_min)
    room = _room(curve, chunk.due, spec)
    fades = _fades(start, gap, room, wanted, blend.patience * wanted)
    brake = brake_from(
        end, curve.at(end), BRAKE_SHARE * spec.acceleration, BRAKE_SHARE * spec.jerk
    )
    if brake.end > end and max(f.end for f in fades) > end:
        room = np.minimum(room, LEAST_SHARE * spec.motion_limits)
        fades = _fades(start, gap, room, wanted, blend.patience * wanted)
    grippers = plan.grippers
    if grippers is not None:
        targets = chunk.positions[:, spec.gripper]
        grippers = slew(grippers, start, times, targets, spec)
    joined = replace(
        plan,
        previous=plan.trimmed(pace.clock(seen)),
        start=start,
        end=end,
        stamp=chunk.stamp,
        accepted=now,
        arms=Joined(curve, fades, brake),
        grippers=grippers,
        pace=pace,
    )
    worst = np.abs(gap).max(axis=1)
    seam = Seam(
        time=moment,
        delay=moment - chunk.stamp,
        skipped=chunk.due,
        clipped=chunk.clipped,
        position_gap=float(worst[0]),
        velocity_gap=float(worst[1]),
        fade=max(f.end for f in fades) - start,
    )
    return joined, seam, memory


def _blend(
    plan: Plan,
    points: Floats,
    times: Floats,
    dt: float,
    spec: RobotSpec,
    blend: BlendConfig,
    memory: Memory,
) -> tuple[Floats, Memory]:
    """Return the points (H, n) to follow, and what an ensemble has to remember."""
    f_cut = LIGHT_CUT
    if blend.method is BlendMethod.ENSEMBLE:
        memory = memory.with_curve(interpolate(float(times[0]), dt, points))
        points = ensemble(memory, times, blend.temporal_ensemble_coeff)
    elif blend.method is BlendMethod.SPLICE:
        f_cut = blend.f_cut
        points = average_with_plan(points, times, plan, blend.average)
    elif blend.method is BlendMethod.RTC:
        f_cut = blend.f_cut
    points = smooth(points, dt, f_cut)
    # Smoothing rounds corners outwards too, which matters where a policy rests on a limit.
    inside = np.clip(points, spec.lower + INSET, spec.upper - INSET)
    return np.where(spec.gripper, 0.0, inside), memory


def _room(curve: CubicSpline, due: int, spec: RobotSpec) -> Floats:
    """Return what the chunk leaves of the limits of v, a, j to an offset, (3, n)."""
    limits = spec.motion_limits
    powers = curve.powers[min(due, len(curve.powers) - 1) :]
    own = np.abs(powers[:, 1:]).max(axis=0) * _FACTORIALS
    return np.asarray(np.maximum(SHARE * limits - own, LEAST_SHARE * limits))


def _fades(
    start: float, gap: Floats, room: Floats, wanted: float, longest: float
) -> tuple[Fade | Brake, ...]:
    """
    Return the offset: a gap fades as slowly as wanted, or slower where it would be too violent.

    Speed and acceleration left to fade slowly carry the offset away from the chunk, so they
    fade within `SWING`, sooner where that would still be far, and brake outright where that is
    more than the limits allow; the way of that brake is then part of what the position fades.
    The numbers are the largest values of the quintics ``1 - 10u^3 + 15u^4 - 6u^5``,
    ``u - 6u^3 + 8u^4 - 3u^5`` and ``(u^2 - 3u^3 + 3u^4 - u^5) / 2``, and of their derivatives.

    :param gap: (3, n) q, v, a of the offset at the start.
    :param room: (3, n) its limits of v, a, j.
    :param wanted: [s] duration.
    :param longest: [s] duration; where that is still too violent, the gate will limit it.
    """
    _, ve, ae = np.abs(gap)
    _, ra, rj = SWING_SHARE * room
    tiny = 1e-12
    near = np.minimum(EXCURSION / (0.198 * ve + tiny), np.sqrt(EXCURSION / (0.0173 * ae + tiny)))
    by_jerk = (9.0 * ae + np.sqrt(81.0 * ae * ae + 144.0 * ve * rj)) / (2.0 * rj)
    gentle = np.maximum(3.94 * ve / ra, by_jerk)
    swing = min(wanted, SWING, float(near.min()))
    still, moving = gap.copy(), gap.copy()
    still[1:] = 0.0
    moving[0] = 0.0
    fast: Fade | Brake
    if swing >= gentle.max():
        fast = fade_out(start, swing, moving)
    elif _braking(gap, ra, rj) > longest:
        fast = fade_out(start, min(wanted, SWING), moving)
    else:
        moving[0] = -stop(moving[0], gap[1], gap[2], np.maximum(ra, ae), rj).end
        fast = brake_from(start, moving, ra, rj)
        still[0] -= moving[0]
    e = np.abs(still[0])
    rv, ra, rj = (1.0 - SWING_SHARE) * room
    gentle = np.maximum(np.maximum(1.875 * e / rv, np.sqrt(5.78 * e / ra)), np.cbrt(60 * e / rj))
    slow = min(max(wanted, float(gentle.max())), longest)
    if isinstance(fast, Fade) and swing == slow:
        return (fade_out(start, slow, gap),)
    return fade_out(start, slow, still), fast


def _braking(gap: Floats, acceleration: Floats, jerk: Floats) -> float:
    """Return how long the offset's speed takes to brake [s]."""
    way = stop(gap[0], gap[1], gap[2], np.maximum(acceleration, np.abs(gap[2])), jerk)
    return float(way.duration.max())
