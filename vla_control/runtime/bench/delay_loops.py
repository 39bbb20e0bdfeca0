# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The ways of executing chunks that the delay bench compares, as loops in virtual time."""

from dataclasses import replace
from functools import partial

from vla_control.core.messages import ActionChunk
from vla_control.runtime.bench import methods
from vla_control.runtime.bench.lipo import Lipo
from vla_control.runtime.bench.queues import QueueExecutor
from vla_control.runtime.bench.run import Peer
from vla_control.runtime.lockstep import LockstepLoop

LINEAR_FADE = 0.5  # [s] as in the chunk bench
OFFSET_FADE = 1.0  # [s] as axol has it


class WatchedLoop(LockstepLoop):
    """Remembers when chunks took over."""

    def deliver(self, chunk: ActionChunk, now: float) -> None:
        """Offer a chunk that has arrived."""
        before = len(self.rejected)
        super().deliver(chunk, now)
        if len(self.rejected) == before:
            self.seams.append(now)

    def _start(self) -> None:
        self.seams: list[float] = []
        super()._start()


class StopAndWait(WatchedLoop):
    """Asks only when the robot rests, and plays `played` seconds of each answer."""

    played = 0.4  # [s] the four steps the policy was evaluated with in training

    def wants(self, now: float) -> bool:
        """Tell whether it rests, with nothing left to play."""
        return super().wants(now) and self.executor.starved and self.executor.at_rest

    def deliver(self, chunk: ActionChunk, now: float) -> None:
        """Offer the beginning of a chunk, as of now: the robot has not moved since."""
        steps = max(1, round(self.played / chunk.dt))
        super().deliver(replace(chunk, stamp=now, positions=chunk.positions[:steps]), now)


class IndexSwitch(WatchedLoop):
    """Plays each chunk from its first step whenever it comes, as a queue of actions does."""

    def deliver(self, chunk: ActionChunk, now: float) -> None:
        """Offer a chunk as if it had been captured now."""
        super().deliver(replace(chunk, stamp=now), now)


class QueueLoop(LockstepLoop):
    """Executes a queue of counted actions, joined as a peer joins it."""

    def make(self, dt: float) -> Peer:
        """Return a peer that has seen nothing yet, for a policy step [s]."""
        raise NotImplementedError

    def _start(self) -> None:
        # It has what this loop asks of an executor, and no more.
        executor = QueueExecutor(self.spec, self.make)
        self.executor = executor  # type: ignore[assignment]
        self.seams = executor.seams
        super()._start()


class WeightedAverage(QueueLoop):
    """LeRobot's async client: 0.7 new and 0.3 old where both speak."""

    def make(self, dt: float) -> Peer:
        """Return it."""
        return Peer(methods.weighted_average)


class LinearFade(QueueLoop):
    """From old to new in equal steps."""

    def make(self, dt: float) -> Peer:
        """Return it, with as many steps as its time has."""
        return Peer(partial(methods.linear_fade, steps=max(round(LINEAR_FADE / dt), 1)))


class OffsetFade(QueueLoop):
    """The new chunk from where the old queue is, the offset fading out."""

    def make(self, dt: float) -> Peer:
        """Return it, with as many steps as its time has."""
        return Peer(partial(methods.offset_fade, steps=max(round(OFFSET_FADE / dt), 1)))


class LipoLoop(QueueLoop):
    """The quadratic programme of LiPo."""

    def make(self, dt: float) -> Peer:
        """Return it."""
        lipo = Lipo(dt)
        return Peer(lipo, prepare=lipo.prepare)
