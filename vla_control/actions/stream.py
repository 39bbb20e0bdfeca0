# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The receiving end of a reference: samples at one phase in, motion at another phase out."""

import math

import numpy as np

from vla_control.core.messages import Floats, Reference

KEPT = 16  # samples held; more than a consumer ever needs behind it
EXTRAPOLATION = 3.0  # periods past the newest sample before there is no reference
AHEAD = 25.0  # periods from now beyond which a sample is no part of the motion
GAP = 10.0  # periods between samples that are still joined; beyond, the stream starts anew


class ReferenceStream:
    """
    Joins samples of q, v, a by quintics, so publisher and consumer need not share a phase.

    ``put`` and ``sample`` may be called from two threads; neither waits for the other.
    """

    def __init__(self, dt: float) -> None:
        """
        Begin empty.

        :param dt: [s] period of the samples.
        """
        self._dt = dt
        self._samples: tuple[Reference, ...] = ()
        self.rejected = 0  # stale or malformed samples so far

    @property
    def first_stamp(self) -> float:
        """Stamp of the oldest sample held [s]; nan while empty."""
        samples = self._samples
        return samples[0].stamp if samples else math.nan

    @property
    def last_stamp(self) -> float:
        """Stamp of the newest sample [s]; nan while empty."""
        samples = self._samples
        return samples[-1].stamp if samples else math.nan

    def clear(self) -> None:
        """Forget all samples; also the way out after the clock of the stamps was set back."""
        self._samples = ()

    def put(self, reference: Reference) -> bool:
        """
        Take in one sample and say whether it was taken.

        Refused are samples not newer than the newest, not finite, or of another shape.
        """
        samples = self._samples
        size = samples[-1].q.shape if samples else reference.q.shape
        newest = samples[-1].stamp if samples else -math.inf
        if not (_is_sound(reference, size) and reference.stamp > newest):
            self.rejected += 1
            return False
        if reference.stamp - newest > GAP * self._dt:
            samples = ()
        self._samples = (*samples[1 - KEPT :], reference)
        return True

    def sample(self, now: float) -> Reference | None:
        """
        Return the motion at an instant; the stored sample itself if it is for that instant.

        Past the newest sample its acceleration is held for up to three periods.

        :returns: None before the first sample and once the samples have stopped coming.
        """
        self.drop_future(now)
        samples = self._samples
        i = len(samples) - 1
        while i >= 0 and samples[i].stamp > now:
            i -= 1
        if i < 0:
            return None
        left = samples[i]
        if left.stamp == now:
            return left
        if i + 1 < len(samples):
            return _between(left, samples[i + 1], now)
        if now - left.stamp > EXTRAPOLATION * self._dt * (1.0 + 1e-9):
            return None
        return _beyond(left, now - left.stamp)

    def drop_future(self, now: float) -> None:
        """Forget samples so far ahead [s] that they would be newer than all that still comes."""
        samples = self._samples
        if samples and samples[-1].stamp - now > AHEAD * self._dt:
            kept = tuple(s for s in samples if s.stamp - now <= AHEAD * self._dt)
            self._samples = kept
            self.rejected += len(samples) - len(kept)


def _is_sound(reference: Reference, shape: tuple[int, ...]) -> bool:
    rows = (reference.q, reference.v, reference.a)
    return math.isfinite(reference.stamp) and all(
        row.shape == shape and row.dtype.kind == 'f' and np.isfinite(row).all() for row in rows
    )


def _between(left: Reference, right: Reference, now: float) -> Reference:
    """Evaluate the quintic that meets both samples in q, v and a."""
    span = right.stamp - left.stamp
    u = (now - left.stamp) / span
    rise = right.q - left.q - span * (left.v + 0.5 * span * left.a)
    speed = span * (right.v - left.v - span * left.a)
    push = 0.5 * span * span * (right.a - left.a)
    c3 = 10.0 * rise - 4.0 * speed + push
    c4 = -15.0 * rise + 7.0 * speed - 2.0 * push
    c5 = 6.0 * rise - 3.0 * speed + push
    since = now - left.stamp
    q = left.q + since * (left.v + 0.5 * since * left.a) + u**3 * (c3 + u * (c4 + u * c5))
    v = left.v + since * left.a + u * u * (3 * c3 + u * (4 * c4 + u * 5 * c5)) / span
    a = left.a + u * (6 * c3 + u * (12 * c4 + u * 20 * c5)) / (span * span)
    return _reference(now, q, v, a, right.source)


def _beyond(last: Reference, since: float) -> Reference:
    """Continue at constant acceleration."""
    q = last.q + since * (last.v + 0.5 * since * last.a)
    return _reference(last.stamp + since, q, last.v + since * last.a, last.a, last.source)


def _reference(stamp: float, q: Floats, v: Floats, a: Floats, source: float) -> Reference:
    for row in (q, v):
        row.setflags(write=False)
    return Reference(stamp=stamp, q=q, v=v, a=a, source=source)
