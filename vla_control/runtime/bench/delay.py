# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
``bench delay``: what a slow policy costs in success, for every way of executing its chunks.

Closed loop in virtual time with the trained policy: driver, emulated motors, physics, cameras.
All methods play the same episodes; each asks again as soon as its answer is there and the
policy's own interval is over, one question at a time. Ours, and what differs from it by the join
alone, go through our executor; peers that count actions through a queue of their own.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
import multiprocessing
import os
from typing import Any

import numpy as np

from vla_control.actions.blend import BlendConfig, BlendMethod
from vla_control.core.errors import ConfigError
from vla_control.core.messages import Floats
from vla_control.core.protocols import Policy
from vla_control.core.rtc import RtcConfig, RtcVariant
from vla_control.policies.config import load_policy_config
from vla_control.policies.factory import make_policy
from vla_control.runtime.bench.delay_loops import (
    IndexSwitch,
    LinearFade,
    LipoLoop,
    OffsetFade,
    StopAndWait,
    WatchedLoop,
    WeightedAverage,
)
from vla_control.runtime.bench.lipo import lipo_available
from vla_control.runtime.bench.metrics import rms_jerk
from vla_control.runtime.evaluate import Evaluation, Evaluator
from vla_control.runtime.lockstep import LockstepLoop
from vla_control.runtime.statistics import percentile, wilson_interval

OURS = 'ours'
DELAYS_MS = (0, 100, 200, 300, 500)
LOST = 0.03  # of success, at most, from no delay to `LOST_AT`
LOST_AT = 300  # [ms]
SEAM_STEP = 1.0 / 30.0  # [s] of the second differences at seams, as in the chunk bench


@dataclass(frozen=True, slots=True)
class Method:
    """A way of executing chunks: how they are joined, and how the loop asks and delivers."""

    blend: Callable[[BlendConfig], BlendConfig]  # from the policy's own
    loop: type[LockstepLoop] = WatchedLoop


def _joined(method: BlendMethod, rtc: RtcConfig | None = None) -> Callable[..., BlendConfig]:
    """Return what changes the join alone, without slowing down for late chunks."""

    def change(blend: BlendConfig) -> BlendConfig:
        return replace(blend, method=method, rtc=rtc or blend.rtc, reach=None)

    return change


METHODS = {
    OURS: Method(lambda blend: blend),
    'splice': Method(_joined(BlendMethod.SPLICE)),
    'rtc_guided': Method(_joined(BlendMethod.RTC, RtcConfig(variant=RtcVariant.GUIDED))),
    'rtc_constant_velocity': Method(
        _joined(BlendMethod.RTC, RtcConfig(variant=RtcVariant.CONSTANT_VELOCITY))
    ),
    'ensemble': Method(_joined(BlendMethod.ENSEMBLE)),
    'replace': Method(_joined(BlendMethod.REPLACE)),
    'stop_and_wait': Method(_joined(BlendMethod.REPLACE), StopAndWait),
    'index_switch': Method(_joined(BlendMethod.REPLACE), IndexSwitch),
    'weighted_average': Method(_joined(BlendMethod.REPLACE), WeightedAverage),
    'linear_fade': Method(_joined(BlendMethod.REPLACE), LinearFade),
    'offset_fade': Method(_joined(BlendMethod.REPLACE), OffsetFade),
    'lipo': Method(_joined(BlendMethod.REPLACE), LipoLoop),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DelayBench:
    """What to compare. Episode i uses seed ``seed + i`` for everything random in it."""

    robot: str = 'openarm'
    task: str = 'touch'
    methods: tuple[str, ...] = tuple(METHODS)
    delays_ms: tuple[int, ...] = DELAYS_MS  # from capture to arrival
    episodes: int = 40  # of each cell
    seed: int = 0  # evaluation and training use others, from 1000 and 1000000 on
    time_limit: float = 10.0  # [s] of an episode
    processes: int = 1  # 0: one a core

    def __post_init__(self) -> None:
        """Check what no type can."""
        unknown = [m for m in self.methods if m not in METHODS]
        if unknown or OURS not in self.methods:
            raise ConfigError(
                f'methods {list(self.methods)}: {OURS!r} and any of {sorted(METHODS)} are compared'
            )
        if self.episodes < 1 or any(d < 0 for d in self.delays_ms):
            raise ConfigError(
                f'episodes {self.episodes} must be >= 1 and delays {self.delays_ms} ms >= 0'
            )

    @property
    def names(self) -> tuple[str, ...]:
        """The methods that can be run."""
        return tuple(m for m in self.methods if m != 'lipo' or lipo_available())


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """One episode of one cell."""

    method: str
    delay_ms: int
    verdict: str
    seconds: float  # [s] of virtual time until the verdict
    rms_jerk: float  # [rad/s3] of what was sent, over ticks and arm joints
    seam: float  # [rad] worst second difference at a seam, nan without one
    rejected: int  # chunks


Job = tuple[str, int, int]  # method, delay [ms], seed
Progress = Callable[[Played], None]


def bench_delay(config: DelayBench, progress: Progress | None = None) -> dict[str, Any]:
    """
    Compare the methods.

    :param progress: called after each episode.
    :returns: plain data: ``methods.<name>.delays.<ms>``, ``bars``, ``unavailable``.
    """
    seeds = range(config.seed, config.seed + config.episodes)
    jobs = [(m, d, s) for m in config.names for d in config.delays_ms for s in seeds]
    workers = config.processes or os.cpu_count() or 1
    played = []
    if workers == 1:
        player = Player(config)
        for job in jobs:
            played.append(player.play(job))
            if progress:
                progress(played[-1])
        player.close()
    else:
        context = multiprocessing.get_context('spawn')
        with ProcessPoolExecutor(workers, context, _start_worker, (config,)) as pool:
            for result in pool.map(_play_in_worker, jobs):
                played.append(result)
                if progress:
                    progress(result)
    return summarise(config, played)


def summarise(config: DelayBench, played: Sequence[Played]) -> dict[str, Any]:
    """Turn episodes into the report."""
    methods = {
        name: {
            'delays': {
                str(delay): _cell([p for p in played if (p.method, p.delay_ms) == (name, delay)])
                for delay in config.delays_ms
            }
        }
        for name in config.names
    }
    left_out = [m for m in config.methods if m not in config.names]
    return {
        **asdict(config),
        'methods': methods,
        'bars': judge(config, methods),
        'unavailable': dict.fromkeys(left_out, 'pip install action-lipo'),
    }


def judge(config: DelayBench, methods: dict[str, Any]) -> list[dict[str, Any]]:
    """Return whether ours keeps its success as the delay grows, and is the best of several."""
    if not {0, LOST_AT} <= set(config.delays_ms):
        return []
    rate = {
        name: {d: cell['success_rate'] for d, cell in numbers['delays'].items()}
        for name, numbers in methods.items()
    }
    ours, late = rate[OURS], str(LOST_AT)
    best = max(r[late] for r in rate.values())
    lost = ours['0'] - ours[late]
    bars = [{'metric': 'success_lost', 'value': lost, 'most': LOST, 'kept': lost <= LOST + 1e-9}]
    if len(rate) > 1:
        behind = best - ours[late]
        bars.append(
            {'metric': 'behind_the_best', 'value': behind, 'most': 0.0, 'kept': behind <= 0.0}
        )
    return bars


def _cell(played: Sequence[Played]) -> dict[str, Any]:
    wins = [p for p in played if p.verdict == 'success']
    low, high = wilson_interval(len(wins), len(played))
    seams = [p.seam for p in played if np.isfinite(p.seam)]
    return {
        'success_rate': len(wins) / len(played),
        'interval': [low, high],
        'fault_rate': sum(p.verdict == 'fault' for p in played) / len(played),
        'rms_jerk': percentile([p.rms_jerk for p in played], 50),
        'seam_velocity_jump_mrad': 1e3 * percentile(seams, 50) if seams else None,
        'seconds_p50': percentile([p.seconds for p in wins], 50) if wins else None,
        'chunks_rejected': sum(p.rejected for p in played),
    }


class Player:
    """Everything that is built once and used for many episodes."""

    def __init__(self, config: DelayBench) -> None:
        """Load the robot, its world, and the policy once for every blend."""
        self.config = config
        evaluation = Evaluation(
            robot=config.robot,
            task=config.task,
            episodes=1,
            time_limit=config.time_limit,
            processes=1,
        )
        self._evaluator = evaluator = Evaluator(evaluation)
        self._own = load_policy_config(evaluation.policy)
        self._policies: dict[BlendConfig, Policy] = {}
        for name in config.names:
            blend = METHODS[name].blend(self._own.blend)
            if blend not in self._policies:
                changed = replace(self._own, blend=blend)
                self._policies[blend] = make_policy(evaluation.policy, changed, evaluator.spec)

    def play(self, job: Job) -> Played:
        """Play one episode."""
        name, delay, seed = job
        evaluator, method = self._evaluator, METHODS[name]
        evaluator.config = replace(
            evaluator.config, delay=1e-3 * delay, replan=1.0 / self._own.rate
        )
        evaluator.blend = method.blend(self._own.blend)
        evaluator.policy = self._policies[evaluator.blend]
        evaluator.loop = method.loop
        result = evaluator.run(seed)
        loop = evaluator.played
        arms = ~evaluator.spec.gripper
        record = loop.log.record()  # type: ignore[union-attr]
        seams = getattr(loop, 'seams', [])
        moving = record.time >= (seams[0] if seams else np.inf)
        sent, dt = record.sent[:, arms], evaluator.spec.dt
        return Played(
            method=name,
            delay_ms=delay,
            verdict=result.verdict,
            seconds=result.seconds,
            rms_jerk=rms_jerk(sent[moving], dt) if moving.sum() > 3 else 0.0,
            seam=worst_seam(record.time, sent, seams[1:]),
            rejected=result.rejected,
        )

    def close(self) -> None:
        """Release the renderers."""
        self._evaluator.world.close()


def worst_seam(times: Floats, sent: Floats, seams: Sequence[float]) -> float:
    """
    Return the worst second difference within a step of a seam [rad], nan without one.

    :param times: (T,) [s] of what was sent, (T, n) [rad].
    :param seams: [s] when chunks took over; the first, which starts the robot, left out.
    """
    worst = []
    for seam in seams:
        grid = seam + SEAM_STEP * np.arange(-2.0, 3.0)
        if times[0] <= grid[0] and grid[-1] <= times[-1]:
            points = np.stack([np.interp(grid, times, column) for column in sent.T], axis=1)
            worst.append(np.abs(np.diff(points, n=2, axis=0)).max())
    return float(max(worst)) if worst else float('nan')


_worker: list[Player] = []


def _start_worker(config: DelayBench) -> None:
    _worker.append(Player(config))


def _play_in_worker(job: Job) -> Played:
    return _worker[0].play(job)
