# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""What the demo shows: a table of figures, a video and a plot, from what was recorded."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from vla_control.core.messages import Floats
from vla_control.core.spec import RobotSpec
from vla_control.policies.config import policy_of
from vla_control.runtime.plots import plot_tracking
from vla_control.runtime.punctuality import punctuality as judge_deadlines
from vla_control.runtime.statistics import percentile
from vla_control.runtime.tick_log import TickRecord
from vla_control.runtime.video import Caption, load_trace, write_video
from vla_control.safety.checker import worst_ratios
from vla_control.safety.supervisor import Mode
from vla_control.sim.tasks import Verdict

SAME = 1e-4  # [s] between two readings of one stamp
LIMIT_SLACK = 1e-6  # share above a limit that is rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoConfig:
    """What to show."""

    robot: str = 'openarm'
    policy: str = ''  # the robot's own if empty
    episodes: int = 5
    seed: int = 7
    time_limit: float = 20.0  # [s] of an episode
    output: Path = Path('output')

    def __post_init__(self) -> None:
        """Name the policy."""
        object.__setattr__(self, 'policy', self.policy or policy_of(self.robot))


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeRow:
    """One episode as its user saw it; times on the steady clock."""

    instruction: str
    verdict: str
    seconds: float  # [s] from resume to the verdict
    began: float  # [s]
    ended: float  # [s]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkSeen:
    """A chunk as it came by; times on the steady clock."""

    captured: float  # [s] its newest image
    arrived: float  # [s]
    inference: float  # [s] the policy computed; nan where it does not say


def limits_report(record: TickRecord, spec: RobotSpec) -> dict[str, Any]:
    """
    Judge everything that was sent while positions were sent, by the independent checker.

    It is judged tick by tick: a missed tick, counted elsewhere, leaves the last command standing
    for one more period. In FAULT the motors only damp, so no position is sent, and what follows
    begins anew where the robot was found.
    """
    driven = record.mode != Mode.FAULT.value
    parts = np.split(record.sent, np.flatnonzero(np.diff(driven)) + 1)[0 if driven[0] else 1 :: 2]
    found = [worst_ratios(record.dt * np.arange(float(len(part))), part, spec) for part in parts]
    ratios = {
        name: max((getattr(worst, name) for worst in found), default=0.0)
        for name in ('velocity', 'acceleration', 'jerk')
    }
    outward = max((worst.outward for worst in found), default=0.0)
    exceeded = sum(value > 1.0 + LIMIT_SLACK for value in ratios.values())
    exceeded += int(outward > 1e-9)
    return {
        'limits_exceeded': exceeded,
        'worst_position_excess': outward,
        'worst_ratio': ratios,
        'samples': sum(worst.samples for worst in found),
    }


def punctuality(record: TickRecord) -> dict[str, float]:
    """
    Return how late ticks were, missed ones among them.

    The driver's loop has its deadlines at whole periods of the clock the record is of.
    """
    found = judge_deadlines(record.time, record.dt)
    return {
        'command_rate_hz': (len(record.time) - 1) / float(record.time[-1] - record.time[0]),
        'jitter_p99_ms': found['late_p99'] * 1e3,
        'within_1ms': found['within_1ms'],
    }


def reaction(
    record: TickRecord, chunks: Sequence[ChunkSeen], pictures: Floats, work: float
) -> dict[str, float]:
    """
    Return how long images took to reach the motors, without the policy's own time [ms].

    From the capture of the newest image of a chunk until the first motor frames computed from
    that chunk are out, less the time the policy computed; the whole, and its three parts as seen
    by the demo, which hears pictures and chunks as any node does.

    :param pictures: (p, 2) [s] capture and arrival of each picture.
    :param work: [s] a tick takes; a tick is recorded by its start, and its frames follow then.
    """
    found = []
    for chunk in chunks:
        rows = np.flatnonzero(np.abs(record.source - chunk.captured) < SAME)
        shown = np.flatnonzero(np.abs(pictures[:, 0] - chunk.captured) < SAME)
        if len(rows) and np.isfinite(chunk.inference):
            picture = pictures[shown[0], 1] if len(shown) else np.nan
            moved = record.time[rows[0]] + work
            found.append(
                (
                    moved - chunk.captured - chunk.inference,
                    picture - chunk.captured,
                    chunk.arrived - picture - chunk.inference,
                    moved - chunk.arrived,
                )
            )
    figures = {'chunks_traced': float(len(found))}
    names = ('shutter_to_motor', 'shutter_to_picture', 'picture_to_chunk', 'chunk_to_motor')
    for name, times in zip(names, 1e3 * np.array(found).reshape(-1, 4).T, strict=True):
        known = times[np.isfinite(times)].tolist()
        figures |= {f'{name}_p{share}_ms': percentile(known, share) for share in (50, 99)}
    return figures


def stop_latency_ms(record: TickRecord, called: float, work: float) -> float:
    """
    Return how long after a call the first frame was out that no longer commands motion [ms].

    :param called: [s] steady clock, just before the service was called.
    :param work: [s] a tick takes; a tick is recorded by its start, and its frames follow then.
    """
    rows = (record.mode == Mode.FAULT.value) & (record.time >= called)
    return float((record.time[rows][0] + work - called) * 1e3) if rows.any() else float('nan')


def show(report: Mapping[str, Any], console: Console) -> None:
    """Print the report as two tables."""
    episodes = Table('instruction', 'result', 'seconds', title='episodes')
    for row in report['episodes']:
        episodes.add_row(row['instruction'], row['verdict'], f'{row["seconds"]:.1f}')
    console.print(episodes)
    figures = Table('figure', 'value', title='measured')
    for name, value in report['figures'].items():
        text = f'{value:.3g}' if isinstance(value, float) else str(value)
        figures.add_row(name.replace('_', ' '), text)
    console.print(figures)


def write_pictures(
    folder: Path,
    spec: RobotSpec,
    record: TickRecord,
    rows: Sequence[EpisodeRow],
    seams: Sequence[float],
) -> dict[str, str]:
    """
    Write the video of the whole demo and the plot of its longest episode.

    :param seams: [s] steady clock, arrivals of chunks.
    :returns: path of each.
    """
    captions = []
    for row in rows:
        captions.append(Caption(start=row.began, title=row.instruction, detail='running'))
        detail = row.verdict + (f' in {row.seconds:.1f} s' if row.verdict == 'success' else '')
        captions.append(Caption(start=row.ended, title=row.instruction, detail=detail))
    video, plot = folder / 'demo.mp4', folder / 'demo.png'
    write_video(video, spec, load_trace(folder / 'trace.npz'), captions)
    longest = max(rows, key=lambda r: r.seconds)
    span = (longest.began, longest.ended + 0.5)
    plot_tracking(plot, record, seams, span, f'"{longest.instruction}"')
    return {'video': str(video), 'plot': str(plot)}


def summary(
    rows: Sequence[EpisodeRow], figures: Mapping[str, Any], files: Mapping[str, str]
) -> dict[str, Any]:
    """Return the report as plain data."""
    return {
        'episodes': [asdict(r) for r in rows],
        'succeeded': sum(r.verdict == Verdict.SUCCESS.value for r in rows),
        'limits_exceeded': figures['limits_exceeded'],
        'figures': {k: None if v != v else v for k, v in figures.items()},  # nan is no JSON
        'files': dict(files),
    }
