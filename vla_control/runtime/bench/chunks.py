# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
``bench chunks``: every way of joining chunks, at every delay, under every fault, in one run.

All methods that ask at the same times are given the same chunks. It is open loop and its chunk
errors have one mode, so it ranks joints by motion and error, not policies by success. The peers
count actions at policy rate; their targets are then joined by one C2 curve that knows them all,
which is the best any of them could do at control rate.

Ours joins as BlendConfig does by default. The policies that are shipped have blends of their own;
that of one of them may be run beside it, and is shown without being judged.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from enum import Enum
from functools import lru_cache
import gc
from importlib.metadata import PackageNotFoundError, version
import math
from typing import Any

import numpy as np

from vla_control.actions.blend import BlendConfig
from vla_control.core.errors import ConfigError
from vla_control.core.realtime import quiet_process
from vla_control.core.spec import RobotSpec
from vla_control.policies.config import load_policy_config, PolicyConfig
from vla_control.runtime.bench import methods
from vla_control.runtime.bench.bars import judge
from vla_control.runtime.bench.faults import Fault, Trouble, trouble
from vla_control.runtime.bench.lipo import Lipo, lipo_available
from vla_control.runtime.bench.metrics import measure, measure_truth
from vla_control.runtime.bench.reaction import reaction
from vla_control.runtime.bench.run import Peer, run_executor, run_peer, Trace
from vla_control.runtime.bench.setting import bench_spec, Motion, Setting, sines

OURS = 'splice'
METHODS = (
    'stop_and_wait',
    'switch',
    'weighted_average',
    'ensemble',
    'linear_fade',
    'offset_fade',
    'lipo',
    OURS,
)
DELAYS_MS = (0.0, 33.0, 100.0, 200.0, 300.0, 500.0)
FAULTS = tuple(f.value for f in Fault)
WORST = ('limit_ratio', 'not_finite')  # numbers whose largest over seeds counts


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkBench:
    """What to compare. Seed i draws the motion, the chunks and the faults of its run."""

    methods: tuple[str, ...] = METHODS
    delays_ms: tuple[float, ...] = DELAYS_MS  # from capture to arrival
    faults: tuple[str, ...] = FAULTS
    delay_ms: float = 100.0  # of the headline table, without a fault
    seeds: int = 12  # of the headline table
    grid_seeds: int = 4  # of each cell of the grid; 0 leaves the grid out
    seed: int = 0  # first
    setting: Setting = field(default_factory=Setting)
    blend: BlendConfig = field(default_factory=BlendConfig)  # of ours
    policy: str = ''  # name or YAML file of one whose own blend is run beside ours

    def __post_init__(self) -> None:
        """Check what no type can."""
        for what, given, known in (
            ('methods', self.methods, METHODS),
            ('faults', self.faults, FAULTS),
        ):
            unknown = [g for g in given if g not in known]
            if unknown:
                raise ConfigError(f'{what}: unknown {unknown}; there are {list(known)}')
        if self.seeds < 1 or self.grid_seeds < 0:
            raise ConfigError(
                f'seeds {self.seeds} must be >= 1 and grid_seeds {self.grid_seeds} >= 0'
            )
        if any(not 0.0 <= d <= 1e4 for d in (*self.delays_ms, self.delay_ms)):
            raise ConfigError(
                f'delays {(*self.delays_ms, self.delay_ms)} ms must be from 0 to 10000'
            )

    @property
    def blends(self) -> dict[str, BlendConfig]:
        """How the methods that are our executor join chunks, by method."""
        if not self.policy:
            return {OURS: self.blend}
        policy = _policy(self.policy)
        return {OURS: self.blend, f'{OURS}_{policy.name}': policy.blend}

    @property
    def names(self) -> list[str]:
        """The methods that can be run."""
        peers = [m for m in self.methods if m != 'lipo' or lipo_available()]
        return [*peers, *(name for name in self.blends if name != OURS)]


@lru_cache
def _policy(name: str) -> PolicyConfig:
    return load_policy_config(name)


Progress = Callable[[str, float, str], None]


def bench_chunks(config: ChunkBench, progress: Progress | None = None) -> dict[str, Any]:
    """
    Compare the methods.

    :param progress: called with method, delay [ms] and fault of each finished cell.
    :returns: plain data: ``methods`` (the headline table), ``truth`` (the same numbers of the
        true motion itself, the floor), ``blends`` (what our methods are), ``cells`` (the grid),
        ``bars``, ``unavailable``.
    """
    spec = bench_spec(config.setting)
    with quiet_process():  # as in the node that splices
        headline, cells = _run(config, spec, progress or (lambda *_: None))
    report = {
        'setting': asdict(config.setting),
        'blends': _blends(config),
        'delay_ms': config.delay_ms,
        'seeds': config.seeds,
        'grid_seeds': config.grid_seeds,
        'methods': headline,
        'truth': _truth(config, spec),
        'cells': cells,
        'bars': judge(OURS, {m: headline[m] for m in headline if m in METHODS}, cells),
        'unavailable': _unavailable(config.methods),
        'versions': _versions(),
    }
    plain: dict[str, Any] = _plain(report)
    return plain


def _run(
    config: ChunkBench, spec: RobotSpec, progress: Progress
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the headline table and the cells of the grid."""
    headline = {}
    for name in config.names:
        numbers = _cell(config, spec, name, config.delay_ms, Fault.NONE, config.seeds)
        headline[name] = {**numbers, **_reaction(config, spec, name)}
        progress(name, config.delay_ms, Fault.NONE.value)
    cells = []
    for fault in config.faults if config.grid_seeds else ():
        for delay in config.delays_ms:
            for name in config.names:
                numbers = _cell(config, spec, name, delay, Fault(fault), config.grid_seeds)
                cells.append({'method': name, 'delay_ms': delay, 'fault': fault, **numbers})
                progress(name, delay, fault)
    return headline, cells


def run_method(
    config: ChunkBench,
    spec: RobotSpec,
    name: str,
    setting: Setting,
    motion: Motion,
    delay_ms: float,
    bad: Trouble,
) -> Trace:
    """Run one method once; the configuration gives only the blends of ours."""
    if name in config.blends:
        return run_executor(spec, config.blends[name], setting, motion, 1e-3 * delay_ms, bad)
    return run_peer(_peer(name, setting), setting, motion, 1e-3 * delay_ms, bad)


def _peer(name: str, setting: Setting) -> Peer:
    """Return a method that has seen nothing yet."""
    if name == 'ensemble':
        return Peer(methods.Ensemble())
    if name == 'lipo':
        lipo = Lipo(setting.dt)
        return Peer(lipo, prepare=lipo.prepare)
    return Peer(getattr(methods, name), waits=name == 'stop_and_wait')


def _cell(
    config: ChunkBench, spec: RobotSpec, name: str, delay_ms: float, fault: Fault, seeds: int
) -> dict[str, Any]:
    """Return the median over seeds of every number; of yes and no the share of yes."""
    setting = config.setting
    runs, traces = [], []
    for seed in range(config.seed, config.seed + seeds):
        motion = sines(setting, len(spec.joints), seed)
        bad = trouble(fault, setting.warm_up + setting.seconds, seed)
        trace = run_method(config, spec, name, setting, motion, delay_ms, bad)
        gc.collect(1)
        truth = motion.at(setting.control_times)
        runs.append(measure(trace, truth, setting, spec, bad.followable_until))
        traces.append(trace)
    out: dict[str, Any] = {}
    for key in runs[0]:
        values = np.array([run[key] for run in runs], dtype=np.float64)
        if isinstance(runs[0][key], bool):
            out[key] = float(values.mean())
        else:
            known = values[np.isfinite(values)]
            middle = np.median(known) if len(known) else math.nan
            out[key] = float(values.max() if key in WORST else middle)
    return {**out, **_costs(traces)}


def _costs(traces: Sequence[Trace]) -> dict[str, Any]:
    """Return percentiles over all joins of all seeds."""
    cpu = np.concatenate([t.cpu for t in traces])
    wall = np.concatenate([t.wall for t in traces])
    out: dict[str, Any] = {'splices': len(cpu)}
    if len(cpu):
        for share in (50, 95, 99):
            out[f'splice_p{share}_ms'] = 1e3 * float(np.percentile(cpu, share))
        out['splice_wall_p99_ms'] = 1e3 * float(np.percentile(wall, 99))
    return out


def _reaction(config: ChunkBench, spec: RobotSpec, name: str) -> dict[str, float]:
    def run(setting: Setting, motion: Motion) -> Trace:
        bad = trouble(Fault.NONE, setting.seconds, config.seed)
        return run_method(config, spec, name, setting, motion, config.delay_ms, bad)

    return reaction(run, config.setting, len(spec.joints))


def _truth(config: ChunkBench, spec: RobotSpec) -> dict[str, float]:
    """Return what the true motion itself asks for, medians over seeds."""
    setting = config.setting
    rows = [
        measure_truth(sines(setting, len(spec.joints), seed).at(setting.control_times), setting)
        for seed in range(config.seed, config.seed + config.seeds)
    ]
    return {key: float(np.median([row[key] for row in rows])) for key in rows[0]}


def _blends(config: ChunkBench) -> dict[str, Any]:
    """Return what each of our methods is."""
    default = 'the default' if config.blend == BlendConfig() else 'as given'
    sources = dict.fromkeys(config.blends, f'of policy {config.policy}') | {OURS: default}
    return {n: {'source': sources[n], **asdict(blend)} for n, blend in config.blends.items()}


def _unavailable(wanted: Sequence[str]) -> dict[str, str]:
    if 'lipo' in wanted and not lipo_available():
        return {'lipo': 'pip install action-lipo'}
    return {}


def _versions() -> dict[str, str]:
    out = {'numpy': np.__version__}
    try:
        out['action-lipo'] = version('action-lipo')
    except PackageNotFoundError:
        out['action-lipo'] = ''
    return out


def _plain(value: Any) -> Any:
    """Return JSON data: null for what is not a finite number, of a name its text."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
