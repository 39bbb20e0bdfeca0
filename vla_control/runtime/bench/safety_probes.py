# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Reactions, measured one at a time: something happens at a random tick of a legal motion."""

import numpy as np

from vla_control.actions.executor import ChunkExecutor
from vla_control.core.messages import ActionChunk, Image, Reference
from vla_control.core.spec import RobotSpec
from vla_control.policies.freshness import FreshnessGuard
from vla_control.runtime.bench.safety_bench import Bench, NEVER, PATIENCE, Swing
from vla_control.runtime.bench.safety_ledger import Ledger, RATIO
from vla_control.runtime.bench.safety_process import process_probes
from vla_control.runtime.bench.safety_rig import Rig
from vla_control.runtime.bench.safety_troubles import Trouble, Troubles
from vla_control.safety.supervisor import Event, Mode

DRIFT = 0.3  # [rad/s] of the slow motion a frozen encoder is found in


def probe(spec: RobotSpec, trials: int, seed: int) -> Ledger:
    """
    Measure every reaction.

    :param trials: e-stops; of slower things a tenth.
    """
    ledger = Ledger()
    rng = np.random.default_rng((seed, 1_000_003))
    bench = Bench(spec, rng, ledger)
    _transparency(bench)
    _rejoin(bench)
    few = max(trials // 10, 3)
    for _ in range(few):
        _feedback(bench)
        _timed(bench, Trouble.ASTRAY, 'tracking', spec.safety.tracking_time)
        _at_once(bench, Trouble.STATUS, 'status')
        _at_once(bench, Trouble.HOT, 'heat')
    e_stops(bench, trials)
    process_probes(bench, few)
    _frozen(spec, rng, ledger, few)
    _released(spec, rng, ledger, few)
    _permuted(spec, rng, ledger, few)
    _cameras(spec, rng, ledger, few)
    return ledger


def _run(bench: Bench, seconds: float) -> None:
    for _ in range(int(seconds * bench.spec.control_rate)):
        bench.tick()


def _transparency(bench: Bench) -> None:
    bench.settle()
    _run(bench, bench.spec.safety.authority_ramp + 1.0)
    for _ in range(1000):
        bench.tick()
        asked = bench.swing.at(bench.rig.now - bench.spec.dt, bench.offset)
        command = bench.rig.tap.command
        error = np.inf if command is None else np.abs(command.q - asked.q).max()
        bench.ledger.note('transparency', error)


def _rejoin(bench: Bench) -> None:
    """Move the whole motion by 0.1 rad at once, to and fro."""
    spec, rng = bench.spec, bench.rng
    room = 0.9 * ((spec.upper - spec.lower) / 2.0 - bench.swing.size)
    for side in (1.0, 0.0, -1.0, 0.0):
        for _ in range(int(rng.integers(1, 100))):
            bench.tick()
        bench.offset = side * np.minimum(np.where(spec.gripper, 0.01, 0.1), room)

        def joined() -> bool:
            asked = bench.swing.at(bench.rig.now - spec.dt, bench.offset)
            command = bench.rig.tap.command
            return command is not None and bool(np.abs(command.q - asked.q).max() <= 1e-12)

        bench.ledger.note('rejoin', bench.until(joined) * spec.dt)


def _feedback(bench: Bench) -> None:
    """Let one motor fall silent, for long enough to stop and then to fault."""
    safety = bench.spec.safety
    bench.settle()
    bench.wander()
    bench.troubles.begin(Trouble.SILENT, 10.0)
    stopped = (Mode.STOPPING, Mode.HOLD, Mode.FAULT)
    bench.ledger.note('late_stop', _lag(bench, safety.feedback_stop, stopped))
    bench.ledger.note('lost_fault', _lag(bench, safety.feedback_fault, (Mode.FAULT,)))


def _lag(bench: Bench, age: float, modes: tuple[Mode, ...]) -> int:
    """Return how many ticks a mode comes after feedback has been read that is so old [s]."""
    rig = bench.rig

    def old() -> bool:
        return rig.tap.state is not None and bool(rig.tap.state.age.max() > age)

    if not old():
        bench.until(old)
    return 0 if rig.mode in modes else bench.until(lambda: rig.mode in modes)


def _timed(bench: Bench, trouble: Trouble, key: str, allowed: float) -> None:
    """Measure by how many ticks a fault that is allowed for a time outlasts it."""
    bench.settle()
    bench.wander()
    bench.troubles.begin(trouble, 10.0)
    ticks = bench.until(lambda: bench.rig.mode is Mode.FAULT)
    bench.ledger.note(key, ticks - allowed * bench.spec.control_rate)


def _at_once(bench: Bench, trouble: Trouble, key: str) -> None:
    bench.settle()
    bench.wander()
    bench.last_frames()
    bench.troubles.begin(trouble, 10.0)
    bench.ledger.note(key, _ticks_to_stillness(bench))


def e_stops(bench: Bench, trials: int) -> None:
    """Call the emergency stop at any tick of motion, of its beginning, and of all between."""
    for _ in range(trials):
        if bench.rng.random() < 0.8:
            bench.settle()
        bench.wander()
        bench.last_frames()
        bench.rig.request(Event.E_STOP)
        bench.ledger.note('e_stop', _ticks_to_stillness(bench))


def _ticks_to_stillness(bench: Bench) -> int:
    """Return after how many ticks the frames ask for no motion any more."""
    half, last, before = bench.rig.wire.half_code, bench.rig.tap.command, bench.told_last

    def still() -> bool:
        sent = bench.last_frames()
        if bench.rig.mode is not Mode.FAULT:
            return False
        if not len(sent):
            return True
        q, v, kp, state = sent.q[-1], sent.v[-1], sent.kp[-1], bench.rig.tap.state
        measured = q if state is None else state.q
        # Without stiffness, or held where it was sent or commanded last, or where it is; nan was
        # not sent, as hands are told less often than they are commanded.
        still = (kp <= half.kp[0]) | np.isnan(q)
        for place in (before, measured, measured if last is None else last.q):
            still |= np.abs(q - place) <= 2.0 * half.q[0]
        return bool((still & ~(np.abs(v) > RATIO * half.v[0])).all())

    return bench.until(still)


def _frozen(spec: RobotSpec, rng: np.random.Generator, ledger: Ledger, trials: int) -> None:
    """Freeze an encoder while its joint is sent along slowly."""
    speed = np.where(spec.gripper, 0.0, np.minimum(DRIFT, 0.15 * spec.velocity))
    for _ in range(trials):
        side = 1.0 if rng.random() < 0.5 else -1.0
        start = (spec.lower + spec.upper) / 2.0 - side * 0.3 * speed
        rig = Rig(spec, q=start)
        troubles = Troubles(rig, rng)
        rig.request(Event.RESUME)
        since = rig.now + 0.1  # connecting took its time
        begin, ticks = int(0.6 * spec.control_rate) + int(rng.integers(0, 50)), 0
        for k in range(int(1.5 * spec.control_rate)):
            if k == begin:
                troubles.begin(Trouble.FROZEN, 10.0)
            away = side * speed * max(rig.now - since, 0.0)
            rig.tick(Reference(stamp=rig.now, q=start + away, v=side * speed, a=0.0 * speed))
            if troubles.active is not None:
                ticks += 1
            if rig.mode is Mode.FAULT:
                break
        late = ticks - spec.safety.frozen_feedback * spec.control_rate
        ledger.note('frozen', late if rig.mode is Mode.FAULT else NEVER)


def _released(spec: RobotSpec, rng: np.random.Generator, ledger: Ledger, trials: int) -> None:
    """Let the enabling device fall silent in motion."""
    swing = Swing(spec, 0.5)
    for _ in range(trials):
        rig = Rig(spec, q=swing.centre, require_enable=True)
        silent = 100 + int(rng.integers(0, 60))
        stopped = -1
        for k in range(silent + PATIENCE):
            if k < silent:
                rig.controller.enable(True, rig.now)
            if k == 2:
                rig.request(Event.RESUME)
            rig.tick(swing.at(rig.now))
            if k >= silent and rig.mode is not Mode.RUN:
                stopped = k
                break
        late = stopped - (silent - 1) - spec.safety.enable_timeout * spec.control_rate
        ledger.note('released', late if stopped >= 0 else NEVER)


def _permuted(spec: RobotSpec, rng: np.random.Generator, ledger: Ledger, trials: int) -> None:
    """Give two executors the same chunk, the names in another order."""
    home = np.clip(np.array(spec.home), spec.lower, spec.upper)
    size = np.minimum(0.1 * (spec.upper - spec.lower), 0.5 * spec.safety.chunk_jump)
    for _ in range(trials):
        q = home + size * rng.uniform(-1.0, 1.0, (10, len(home)))
        order = rng.permutation(len(home))
        names = tuple(spec.names[i] for i in order)
        motions = []
        for joints, positions in ((spec.names, q), (names, q[:, order])):
            executor = ChunkExecutor(spec)
            executor.align(0.0, home)
            chunk = ActionChunk(stamp=0.0, dt=0.05, joints=joints, positions=positions)
            accepted = executor.offer(chunk, 0.0).accepted
            motions.append([executor.tick(k * spec.dt).q for k in range(100)])
            ledger.note('permuted', 0.0 if accepted else np.inf, 0)
        ledger.note('permuted', np.abs(np.array(motions[0]) - np.array(motions[1])).max())


def _cameras(spec: RobotSpec, rng: np.random.Generator, ledger: Ledger, trials: int) -> None:
    """Show a guard cameras that are dead, late, frozen or black."""
    limit = spec.safety.image_timeout
    for kind in ('dead', 'late', 'frozen', 'black') * trials:
        guard = FreshnessGuard(('front',), limit)
        picture = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        for k in range(10 if kind != 'dead' else 0):
            fresh = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            pixels = {'frozen': picture, 'black': 0 * picture}.get(kind, fresh)
            guard.put('front', Image(stamp=k * 0.03, pixels=pixels), k * 0.03, moving=True)
        now = 0.27 + (limit + 1e-3 if kind == 'late' else 0.0)
        ledger.count('camera', guard.reason(now) is None)
