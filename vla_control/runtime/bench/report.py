# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The chunk bench for people: tables and plots."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from vla_control.runtime.bench.chunks import ChunkBench, OURS, run_method
from vla_control.runtime.bench.faults import Fault, trouble
from vla_control.runtime.bench.setting import bench_spec, sines

COLUMNS = (  # key, heading, format
    ('idle_ratio', 'idle', '.2f'),
    ('seam_step_mrad', 'seam step\nmrad', '.1f'),
    ('seam_velocity_jump_mrad', 'seam vel jump\nmrad/step', '.1f'),
    ('rms_jerk', 'rms jerk\nrad/s3', '.1f'),
    ('rms_jerk_linear', 'if linear\nrad/s3', '.0f'),
    ('a_max', 'a max\nrad/s2', '.1f'),
    ('limit_ratio', 'of limits', '.2f'),
    ('rmse_mrad', 'rmse\nmrad', '.1f'),
    ('reaction_10_ms', '10 %\nms', '.0f'),
    ('reaction_90_ms', '90 %\nms', '.0f'),
    ('splice_p50_ms', 'p50\nms', '.3f'),
    ('splice_p99_ms', 'p99\nms', '.3f'),
)
BLEND = ('method', 'f_cut', 'average', 'fade', 'patience', 'reach')  # told of each of ours
CURVES = (  # key, title; against the delay
    ('seam_velocity_jump_mrad', 'seam velocity jump (mrad/step)'),
    ('rms_jerk', 'rms jerk at control rate (rad/s³)'),
    ('rmse_mrad', 'rms error (mrad)'),
    ('idle_ratio', 'idle ratio'),
)
COLOURS = {
    'stop_and_wait': '#868e96',
    'switch': '#e03131',
    'weighted_average': '#f08c00',
    'ensemble': '#2f9e44',
    'linear_fade': '#a61e4d',
    'offset_fade': '#7048e8',
    'lipo': '#0c8599',
    OURS: '#1f6feb',
}
CLOSE_UP = ('switch', 'ensemble', 'lipo', OURS)  # methods whose motion is drawn


def print_chunks(report: dict[str, Any], console: Console) -> None:
    """Print the headline table, ours under every fault, and the bars."""
    table = Table(title=f'{report["delay_ms"]:g} ms delay, medians over {report["seeds"]} seeds')
    table.add_column('method')
    for _, heading, _ in COLUMNS:
        table.add_column(heading, justify='right')
    for name, numbers in report['methods'].items():
        row = [_text(numbers.get(key), form) for key, _, form in COLUMNS]
        table.add_row(name, *row, style='bold' if name == OURS else '')
    truth = [_text(report['truth'].get(key), form) for key, _, form in COLUMNS]
    table.add_row('the true motion', *truth, style='dim')
    console.print(table)
    if report['cells']:
        console.print(_fault_table(report))
    for name, blend in report['blends'].items():
        told = ', '.join(f'{key} {blend[key]}' for key in BLEND if blend[key] is not None)
        console.print(f'{name} is our executor, its blend {blend["source"]}: {told}')
    for name, remedy in report['unavailable'].items():
        console.print(f'{name} was left out: {remedy}')
    for bar in report['bars']:
        verdict = 'kept' if bar['kept'] else '[red]MISSED[/red]'
        console.print(f'{bar["metric"]}: {bar["value"]:.3g}, at most {bar["most"]:g}: {verdict}')


def _fault_table(report: dict[str, Any]) -> Table:
    """Return what each method does under each fault, at the delay closest to the headline's."""
    cells = report['cells']
    delays = {c['delay_ms'] for c in cells}
    delay = min(delays, key=lambda d: abs(d - report['delay_ms']))
    table = Table(
        title=f'{delay:g} ms delay: rms error mrad / worst share of a limit '
        '(N: sent a NaN, H: share of runs that ended held)'
    )
    table.add_column('fault')
    for name in report['methods']:
        table.add_column(name.replace('_', '\n'), justify='right')
    for fault in dict.fromkeys(c['fault'] for c in cells):
        row = {
            c['method']: f'{_text(c["rmse_mrad"], ".0f")} / {_text(c["limit_ratio"], ".1f")}'
            + (' N' if c['not_finite'] else '')
            + (f' H{c["held"]:.0%}' if c['held'] else '')
            for c in cells
            if c['fault'] == fault and c['delay_ms'] == delay
        }
        table.add_row(fault, *(row.get(name, '') for name in report['methods']))
    return table


def _text(value: float | None, form: str) -> str:
    return '' if value is None else format(value, form)


def plot_chunks(report: dict[str, Any], config: ChunkBench, folder: Path) -> list[Path]:
    """
    Draw the numbers against the delay, if there is a grid, and a close-up of the motion.

    :param config: that gave the report.
    :returns: the image files.
    """
    import matplotlib as mpl

    mpl.use('Agg')
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / 'chunks_motion.png']
    _draw_motion(config, paths[0])
    if report['cells']:
        paths.append(folder / 'chunks_delay.png')
        _draw_delays(report, paths[1])
    return paths


def _draw_delays(report: dict[str, Any], path: Path) -> None:
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, 2, sharex=True, figsize=(11, 7))
    for axis, (key, title) in zip(axes.flat, CURVES, strict=True):
        for name in report['methods']:
            cells = [c for c in report['cells'] if (c['method'], c['fault']) == (name, 'none')]
            _line(axis, name, [c['delay_ms'] for c in cells], [c[key] for c in cells], marker='o')
        if key != 'idle_ratio':
            axis.set_yscale('log')
        axis.set_title(title, fontsize=10, loc='left')
        axis.grid(alpha=0.2)
    for axis in axes[-1]:
        axis.set_xlabel('delay from capture to arrival (ms)', fontsize=9)
    axes.flat[0].legend(fontsize=8, frameon=False, ncols=2)
    _save(figure, path)


def _draw_motion(config: ChunkBench, path: Path) -> None:
    """Draw a joint's position, velocity and acceleration over some seams."""
    from matplotlib import pyplot

    setting = replace(config.setting, seconds=6.0)
    spec = bench_spec(setting)
    motion = sines(setting, len(spec.joints), config.seed)
    truth = motion.at(setting.control_times)[:, 0]
    bad = trouble(Fault.NONE, setting.seconds, config.seed)
    figure, axes = pyplot.subplots(3, 1, sharex=True, figsize=(11, 8))
    time = setting.control_times
    shown = (time >= setting.warm_up) & (time <= setting.warm_up + 3.0)
    _draw_derivatives(axes, 'the true motion', time, truth, shown)
    for name in dict.fromkeys((*CLOSE_UP, *config.blends)):
        if name not in config.names:
            continue
        trace = run_method(config, spec, name, setting, motion, config.delay_ms, bad)
        _draw_derivatives(axes, name, time, trace.smooth[:, 0], shown)
        if name == OURS:
            for seam in trace.seams * setting.dt:
                if time[shown][0] <= seam <= time[shown][-1]:
                    for axis in axes:
                        axis.axvline(seam, color='#ced4da', linewidth=0.8, zorder=0)
    titles = ('position (rad)', 'velocity (rad/s)', 'acceleration (rad/s²)')
    for axis, title in zip(axes, titles, strict=True):
        axis.set_title(title, fontsize=10, loc='left')
        axis.margins(x=0.0)
    axes[2].set_yscale('symlog', linthresh=5.0)
    axes[0].legend(fontsize=8, frameon=False, ncols=5)
    axes[2].set_xlabel('s (grey lines: chunks change)', fontsize=9)
    _save(figure, path)


def _draw_derivatives(axes: Sequence[Any], name: str, time: Any, q: Any, shown: Any) -> None:
    step = time[1] - time[0]
    for order, axis in enumerate(axes):
        values = q
        for _ in range(order):
            values = np.gradient(values, step)
        _line(axis, name, time[shown], values[shown])


def _line(axis: Any, name: str, x: Any, y: Any, **style: Any) -> None:
    ours = name == OURS
    axis.plot(
        x,
        y,
        color=COLOURS.get(name, '#212529'),
        linewidth=2.0 if ours else 1.0,
        linestyle='-' if name in COLOURS else '--',
        markersize=3,
        zorder=3 if ours else 2,
        label=name.replace('_', ' '),
        **style,
    )


def _save(figure: Any, path: Path) -> None:
    from matplotlib import pyplot

    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
