# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The delay bench for people: progress, a table, a plot."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from vla_control.runtime.bench.delay import DelayBench, OURS, Played

COLOURS = {
    OURS: '#1f6feb',
    'splice': '#0c8599',
    'rtc_guided': '#7048e8',
    'rtc_constant_velocity': '#a61e4d',
    'ensemble': '#2f9e44',
    'replace': '#f08c00',
    'stop_and_wait': '#868e96',
    'index_switch': '#e03131',
    'weighted_average': '#e8590c',
    'linear_fade': '#66a80f',
    'offset_fade': '#5f3dc4',
    'lipo': '#1098ad',
}
CURVES = (  # key, title; against the delay
    ('success_rate', 'success'),
    ('seconds_p50', 'median time of a success (s)'),
    ('rms_jerk', 'rms jerk at control rate (rad/s³)'),
    ('seam_velocity_jump_mrad', 'seam velocity jump (mrad/step)'),
)


class Teller:
    """Tells of each finished cell."""

    def __init__(self, config: DelayBench, say: Callable[[str], None]) -> None:
        """Begin with no episode played."""
        self._episodes, self._say = config.episodes, say
        self._cell: list[Played] = []

    def __call__(self, played: Played) -> None:
        """Take note of an episode."""
        self._cell.append(played)
        if len(self._cell) == self._episodes:
            wins = sum(p.verdict == 'success' for p in self._cell)
            self._say(f'{played.method} {played.delay_ms} ms: {wins}/{self._episodes}')
            self._cell = []


def print_delay(report: dict[str, Any], console: Console) -> None:
    """Print success, time and smoothness of every method at every delay, and the bars."""
    delays = [str(d) for d in report['delays_ms']]
    table = Table(
        title=f'{report["task"]}, {report["episodes"]} episodes a cell: success % / median s / '
        'rms jerk rad/s3 / seam velocity jump mrad'
    )
    table.add_column('method')
    for delay in delays:
        table.add_column(f'{delay} ms', justify='right')
    for name, numbers in report['methods'].items():
        row = [_text(numbers['delays'][delay]) for delay in delays]
        table.add_row(name.replace('_', ' '), *row, style='bold' if name == OURS else '')
    console.print(table)
    for name, remedy in report['unavailable'].items():
        console.print(f'{name} was left out: {remedy}')
    for bar in report['bars']:
        verdict = 'kept' if bar['kept'] else '[red]MISSED[/red]'
        console.print(f'{bar["metric"]}: {bar["value"]:.3g}, at most {bar["most"]:g}: {verdict}')


def _text(cell: dict[str, Any]) -> str:
    seconds, jump = cell['seconds_p50'], cell['seam_velocity_jump_mrad']
    parts = (
        f'{100 * cell["success_rate"]:.0f}',
        '-' if seconds is None else f'{seconds:.1f}',
        f'{cell["rms_jerk"]:.0f}',
        '-' if jump is None else f'{jump:.0f}',
    )
    return ' / '.join(parts)


def plot_delay(report: dict[str, Any], path: Path) -> None:
    """Draw every number against the delay."""
    import matplotlib as mpl

    mpl.use('Agg')
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, 2, sharex=True, figsize=(11, 7))
    delays = report['delays_ms']
    for axis, (key, title) in zip(axes.flat, CURVES, strict=True):
        for name, numbers in report['methods'].items():
            values = [numbers['delays'][str(d)][key] for d in delays]
            known = [(d, v) for d, v in zip(delays, values, strict=True) if v is not None]
            ours = name == OURS
            axis.plot(
                [d for d, _ in known],
                [v for _, v in known],
                color=COLOURS[name],
                linewidth=2.2 if ours else 1.0,
                zorder=3 if ours else 2,
                marker='o',
                markersize=3,
                label=name.replace('_', ' '),
            )
        axis.set_title(title, fontsize=10, loc='left')
        axis.grid(alpha=0.2)
    for axis in axes[-1]:
        axis.set_xlabel('delay from capture to arrival (ms)', fontsize=9)
    axes.flat[0].set_ylim(-0.03, 1.03)
    axes.flat[0].legend(fontsize=8, frameon=False, ncols=2)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
