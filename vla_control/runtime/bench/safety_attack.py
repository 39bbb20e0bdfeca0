# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""One robot under attack until it has been offered a number of chunks."""

from collections import Counter
import copy
from dataclasses import dataclass, field
import math

import numpy as np

from vla_control.core.messages import Reference
from vla_control.core.motion import stop
from vla_control.core.spec import RobotSpec
from vla_control.runtime.bench.safety_chunks import Adversary, Scene
from vla_control.runtime.bench.safety_judge import Judge
from vla_control.runtime.bench.safety_ledger import Ledger
from vla_control.runtime.bench.safety_rig import Rig
from vla_control.runtime.bench.safety_troubles import Rogue, Trouble, Troubles
from vla_control.safety.checker import worst_ratios
from vla_control.safety.supervisor import Event, Mode

TROUBLE = 1.0 / 1000.0  # per tick of motion
ROGUE = 1.0 / 400.0  # per tick of motion
STOP = 1.0 / 150.0  # per tick of motion: a copy of the gate is made to fail
HELD = 0.02  # share of the chunks that are offered to an executor which holds
WHIM = 1.0 / 500.0  # per tick: the operator asks for something that may be refused
_WEIGHTS = {Trouble.SILENCE: 0.3, Trouble.BLOCKED: 0.5}


@dataclass(slots=True)
class Outcome:
    """What an attack showed."""

    ledger: Ledger = field(default_factory=Ledger)
    ticks: int = 0
    virtual: float = 0.0  # [s]
    families: Counter[str] = field(default_factory=Counter)  # chunks offered
    accepted: Counter[str] = field(default_factory=Counter)
    troubles: Counter[str] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)  # ticks
    passed: int = 0  # ticks whose reference went through the gate unchanged
    limited: int = 0  # ticks whose reference was limited
    digest: str = ''  # of every byte sent


class Siege:
    """Chunks, rogue references, troubles and operators, all drawn from one seed."""

    def __init__(self, spec: RobotSpec, seed: int, part: int) -> None:
        """Build the robot, standing somewhere."""
        self.rng = rng = np.random.default_rng((seed, part))
        self.spec = spec
        start = rng.uniform(spec.lower, spec.upper)
        self.rig = Rig(spec, q=start, lead=float(part % 2))
        self.outcome = Outcome()
        self.judge = Judge(self.rig, self.outcome.ledger)
        self.adversary = Adversary(spec, rng)
        self.troubles, self.rogue = Troubles(self.rig, rng), Rogue(self.rig, rng)
        self._jitter = 0.3 * spec.dt if part % 3 == 2 else 0.0  # [s] the loop may wake up late
        self._pause = 5  # ticks before the operator does something about a stop
        self._next = 0  # ticks before the next chunk
        self._newest = -np.inf
        self._turn = -np.inf
        self._still = np.zeros(len(spec.joints))
        self._past: list[np.ndarray] = []
        self._kinds = list(Trouble)
        weights = np.array([_WEIGHTS.get(k, 1.0) for k in self._kinds])
        self._weights = weights / weights.sum()

    def run(self, chunks: int) -> Outcome:
        """Attack until so many chunks were offered."""
        out = self.outcome
        while sum(out.families.values()) < chunks:
            self._tick()
        self.judge.close()
        gate = self.rig.controller.gate
        out.ticks, out.virtual = self.judge.ticks, self.rig.now
        out.passed, out.limited = gate.passed, gate.limited
        out.digest = self.rig.wire.digest
        return out

    def _tick(self) -> None:
        rig, rng = self.rig, self.rng
        moving = rig.mode is Mode.RUN
        self.troubles.update()
        if moving and self.troubles.active is None and rng.random() < TROUBLE:
            trouble = self._kinds[rng.choice(len(self._kinds), p=self._weights)]
            self.outcome.troubles[trouble.words] += 1
            self.troubles.begin(trouble)
        asked = self._operate()
        seam = self._attack()
        rogue = self.rogue.next(ROGUE) if moving else None
        stream = rig.controller.stream
        rejected = stream.rejected
        late = float(rng.uniform(0.0, self._jitter)) if self._jitter else 0.0
        told = rig.tick(rogue, late)
        if rogue is not None and self.rogue.wrong:
            kept = stream.rejected == rejected
            if self.rogue.wrong == 'future_references':
                kept &= stream.last_stamp == rogue.stamp  # a reset in this tick forgets all
            self.outcome.ledger.count(self.rogue.wrong, kept)
        self.judge.note(told, late, asked, seam=seam)
        self.outcome.modes[rig.mode.value] += 1
        self._remember()
        if moving and rng.random() < STOP:
            self._fail()

    def _operate(self) -> bool:
        """Ask for what brings the robot back, and now and then for what does not."""
        rig, rng = self.rig, self.rng
        asked = False
        if rng.random() < WHIM:
            event = (Event.RESET, Event.RESUME)[rng.integers(2)]
            rig.request(event)
            asked = True
        if rig.mode in (Mode.RUN, Mode.READY, Mode.STOPPING):
            self._pause = int(rng.integers(0, 60))
            return asked
        self._pause -= 1
        if self._pause < 0:
            rig.request(Event.RESET if rig.mode is Mode.FAULT else Event.RESUME)
            self._pause = int(rng.integers(1, 60))
            return True
        return asked

    def _attack(self) -> bool:
        """Offer a chunk when it is time; return whether it was accepted."""
        rig, out, rng = self.rig, self.outcome, self.rng
        follower = rig.follower
        self._next -= 1
        if follower.executor.held and rng.random() > HELD:
            return False  # it refuses everything anyway
        if not follower.open or self._next > 0 or self.troubles.active is Trouble.SILENCE:
            return False
        self._next = self.adversary.gap()
        executor = follower.executor
        if follower.since != self._turn:
            self._turn, self._newest = follower.since, -np.inf
        now = rig.now + follower.offset
        last = follower.last
        scene = Scene(
            now=now,
            pose=rig.pose if last is None else last.q,
            speed=self._still if last is None else last.v,
            newest=self._newest,
            since=follower.since,
            settled=last is not None and executor.starved and executor.at_rest,
        )
        attack = self.adversary.chunk(scene)
        verdict = follower.offer(attack.chunk, rig.now)
        out.families[attack.family] += 1
        if attack.wrong:
            out.ledger.count(attack.wrong, verdict.accepted)
        if not verdict.accepted:
            return False
        out.accepted[attack.family] += 1
        if not attack.wrong:
            self._newest = attack.chunk.stamp
        if not math.isnan(attack.jump):
            out.ledger.note('jump', attack.jump / self.spec.safety.chunk_jump)
        return True

    def _remember(self) -> None:
        """Keep the last positions written, to judge a stop by differences."""
        command = self.rig.tap.command
        if command is None or self.rig.aligned:
            self._past.clear()
        if command is not None:
            self._past = [*self._past[-3:], command.q]

    def _fail(self) -> None:
        """Make a copy of the gate fail from this tick on, and judge how it comes to rest."""
        if len(self._past) < 4:
            return
        spec, ledger = self.spec, self.outcome.ledger
        gate = copy.deepcopy(self.rig.controller.gate)
        last = gate.state
        way = stop(last.q, last.v, last.a, spec.acceleration, spec.jerk)
        fastest = int(np.ceil(float(way.duration.max()) / spec.dt))
        nothing = np.full(len(last.q), np.nan)
        failures = (
            None,
            Reference(stamp=0.0, q=nothing, v=last.v, a=last.a),
            Reference(stamp=0.0, q=last.q[:-1], v=last.v, a=last.a),
        )
        failure = failures[self.rng.integers(len(failures))]
        log, ticks = list(self._past), 0
        while not gate.at_rest and ticks < fastest + 10:
            log.append(gate.step(failure).q)
            ticks += 1
        start, q = log[0], np.array(log)
        worst = worst_ratios(np.arange(len(q), dtype=np.float64) * spec.dt, q, spec)
        ledger.note('stop_ticks', ticks - fastest)
        ledger.note('stop_limits', max(worst.velocity, worst.acceleration, worst.jerk))
        if np.maximum(spec.lower - start, start - spec.upper).max() <= 0.0:
            ledger.note('stop_position', worst.position)
