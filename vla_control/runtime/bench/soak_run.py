# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""One robot that moves for hours of virtual time while something breaks about once a minute."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
import re
import resource

import numpy as np

from vla_control.core.messages import ActionChunk, Image
from vla_control.core.spec import RobotSpec
from vla_control.policies.freshness import FreshnessGuard
from vla_control.runtime.bench.safety_chunks import Adversary, Scene
from vla_control.runtime.bench.safety_judge import Judge
from vla_control.runtime.bench.safety_ledger import Ledger
from vla_control.runtime.bench.safety_rig import Rig
from vla_control.runtime.bench.safety_troubles import Trouble, Troubles
from vla_control.safety.supervisor import Event, Mode

REPLAN = 0.25  # [s] between two questions to the policy
DELAY = 0.06  # [s] from picture to chunk
STEPS, STEP = 16, 0.05  # points of a chunk, [s] between them
SIZE, SPEED = 0.4, 0.4  # share of every range and of every speed limit the motion uses
FASTEST = 2.0  # [rad/s] of phase; a policy is no drum
PICTURE = 1.0 / 30.0  # [s] between two pictures
PATIENCE = 20.0  # [s] after which a robot that does not move again is stuck
REPAIR = (2.0, 5.0)  # [s] until the operator resets or resumes
ANSWER = 3.5  # [s] a fault that must stop the robot has to do so

CAMERA, GARBAGE = 'the camera dies', 'the policy sends garbage'
# What breaks, for how long [s], and whether it must stop the robot.
FAULTS: dict[str, tuple[Trouble | None, float, bool]] = {
    'e-stop': (Trouble.E_STOP, 0.0, True),
    'hold': (Trouble.HOLD, 0.0, True),
    'no answer of any motor': (Trouble.DEAF, 0.4, True),
    'no answer of one motor': (Trouble.SILENT, 0.5, True),
    'frozen feedback': (Trouble.FROZEN, 1.0, False),
    'motor fault': (Trouble.STATUS, 0.1, True),
    'too hot': (Trouble.HOT, 0.1, True),
    'measurement not a number': (Trouble.NAN, 0.3, False),
    'joint astray': (Trouble.ASTRAY, 0.6, True),
    'joint blocked': (Trouble.BLOCKED, 0.8, False),
    'clock jump': (Trouble.CLOCK, 0.0, True),
    'loop stands still': (Trouble.STALL, 0.15, False),
    'policy dead': (Trouble.SILENCE, 2.5, True),
    CAMERA: (None, 3.0, True),
    GARBAGE: (None, 1.0, False),
}


@dataclass(slots=True)
class SoakOutcome:
    """What the hours showed."""

    ledger: Ledger = field(default_factory=Ledger)
    ticks: int = 0
    virtual: float = 0.0  # [s]
    moving: int = 0  # ticks in which references were followed
    faults: Counter[str] = field(default_factory=Counter)
    latches: Counter[str] = field(default_factory=Counter)  # by reason, numbers left out
    unreasoned: int = 0  # latches that say nothing
    unanswered: Counter[str] = field(default_factory=Counter)  # faults that had to stop it
    stuck: int = 0  # times it did not come back
    chunks: int = 0  # offered
    memory: list[tuple[float, float]] = field(default_factory=list)  # [s] virtual, [MB] resident


class Soak:
    """Policy, camera, operator and bad luck around one rig, all from one seed."""

    def __init__(self, spec: RobotSpec, seed: int, part: int, per_minute: float) -> None:
        """
        Build a robot at rest.

        :param per_minute: faults.
        """
        self.rng = rng = np.random.default_rng((seed, part))
        self.spec = spec
        self._centre = (spec.lower + spec.upper) / 2.0
        self._size = SIZE * (spec.upper - spec.lower) / 2.0
        self._pace = np.minimum(SPEED * spec.velocity / self._size, FASTEST)  # [rad/s]
        self.rig = Rig(spec, q=self._centre)
        self.outcome = SoakOutcome()
        self.judge = Judge(self.rig, self.outcome.ledger)
        self._troubles = Troubles(self.rig, rng)
        self._adversary = Adversary(spec, rng)
        self._camera = FreshnessGuard(('front',), spec.safety.image_timeout)
        self._pixels = np.full((4, 4, 3), 128, dtype=np.uint8)
        self._chance = per_minute / 60.0 * spec.dt
        self._names = tuple(FAULTS)
        self._active = ''
        self._until = 0.0  # [s] of the active fault
        self._answer_by = np.inf  # [s] the robot has to have stopped
        self._ask = self._show = 0.0  # [s] of the next question and picture
        self._act = 0.0  # [s] the operator does something about a stop
        self._moved = 0.0  # [s] it moved last
        self._mode = self.rig.mode

    def run(self, seconds: float, every: float, say: Callable[[float], None]) -> SoakOutcome:
        """
        Live through some virtual time.

        :param every: [s] between looks at the memory, each told to ``say``.
        """
        out, rig = self.outcome, self.rig
        look = 0.0
        while rig.now < seconds:
            if rig.now >= look:
                out.memory.append((rig.now, resident()))
                say(rig.now)
                look += every
            self._tick()
        self.judge.close()
        out.memory.append((rig.now, resident()))
        out.ticks, out.virtual = self.judge.ticks, rig.now
        return out

    def _tick(self) -> None:
        rig = self.rig
        self._troubles.update()
        if self._active and rig.now >= self._until:
            self._active = ''
        running = rig.mode is Mode.RUN
        if running and not self._active and self.rng.random() < self._chance:
            self._break()
        asked = self._operate()
        self._look()
        seam = self._think()
        told = rig.tick()
        self.judge.note(told, 0.0, asked, seam=seam)
        self.outcome.moving += running
        self._watch()

    def _break(self) -> None:
        name = self._names[self.rng.integers(len(self._names))]
        trouble, seconds, stops = FAULTS[name]
        self.outcome.faults[name] += 1
        self._active, self._until = name, self.rig.now + seconds
        self._answer_by = self.rig.now + ANSWER if stops else np.inf
        if trouble is not None:
            self._troubles.begin(trouble, seconds)

    def _operate(self) -> bool:
        """Reset or resume a few seconds after a stop."""
        rig = self.rig
        if rig.mode in (Mode.RUN, Mode.READY, Mode.STOPPING):
            self._act = rig.now + float(self.rng.uniform(*REPAIR))
        elif rig.now >= self._act and not self._active:
            rig.request(Event.RESET if rig.mode is Mode.FAULT else Event.RESUME)
            self._act = rig.now + 0.5
            return True
        return False

    def _look(self) -> None:
        """Let the camera show a picture, unless it is dead."""
        now = self.rig.now
        if now >= self._show and self._active != CAMERA:
            self._show = now + PICTURE
            self._pixels = np.roll(self._pixels, 1, axis=0) + np.uint8(1)
            image = Image(stamp=now, pixels=self._pixels)
            self._camera.put('front', image, now, moving=True)

    def _think(self) -> bool:
        """Ask the policy when it is time; return whether its chunk was accepted."""
        rig, follower = self.rig, self.rig.follower
        now = rig.now
        if now < self._ask or not follower.open or self._active == 'policy dead':
            return False
        if self._camera.reason(now) is not None:
            return False
        garbage = self._active == GARBAGE
        self._ask = now + (0.02 if garbage else REPLAN)
        stamp = now + follower.offset - DELAY
        if stamp < follower.since:
            return False
        pose = rig.pose if follower.last is None else follower.last.q
        if garbage:
            speed = np.zeros_like(pose) if follower.last is None else follower.last.v
            scene = Scene(
                now=now + follower.offset,
                pose=pose,
                speed=speed,
                newest=-np.inf,
                since=follower.since,
                settled=False,
            )
            chunk = self._adversary.chunk(scene).chunk
        else:
            share = np.arange(1, STEPS + 1)[:, None] / STEPS
            phase = self._pace * (now + STEP * np.arange(STEPS)[:, None])
            goals = self._centre + self._size * np.sin(phase)
            chunk = ActionChunk(
                stamp=stamp,
                dt=STEP,
                joints=self.spec.names,
                positions=pose + share * (goals - pose),
            )
        self.outcome.chunks += 1
        return follower.offer(chunk, now).accepted

    def _watch(self) -> None:
        """Note latches, and what should have happened and did not."""
        rig, out, now = self.rig, self.outcome, self.rig.now
        mode, before = rig.mode, self._mode
        self._mode = mode
        if mode is not before and mode in (Mode.FAULT, Mode.HOLD) and before is not Mode.FAULT:
            reason = rig.controller.snapshot.reason
            out.unreasoned += not reason
            out.latches[re.sub(r'[-+]?\d+(\.\d+)?', '#', reason)[:100]] += 1
        if mode not in (Mode.RUN, Mode.READY):
            self._answer_by = np.inf
        if now >= self._answer_by:
            out.unanswered[self._active or 'a fault that is over'] += 1
            self._answer_by = np.inf
        if mode is Mode.RUN:
            self._moved = now
        elif now - self._moved > PATIENCE:
            out.stuck += 1
            self._moved = now


def resident() -> float:
    """Return the resident memory of this process [MB]."""
    pages = int(Path('/proc/self/statm').read_text().split()[1])
    return pages * resource.getpagesize() / 1e6
