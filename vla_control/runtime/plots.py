# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Plots of a run: what was commanded against what was measured."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vla_control.runtime.tick_log import TickRecord

COMMANDED, MEASURED, SEAM = '#1f6feb', '#d9480f', '#adb5bd'


def plot_tracking(
    path: Path, record: TickRecord, seams: Sequence[float], span: tuple[float, float], title: str
) -> None:
    """
    Draw commanded and measured joints over time, with the seams between chunks.

    :param path: an image file.
    :param seams: [s] times on the record's clock at which a new chunk was spliced in.
    :param span: [s] first and last time shown, on the record's clock.
    """
    import matplotlib as mpl

    mpl.use('Agg')
    from matplotlib import pyplot

    rows = (record.time >= span[0]) & (record.time <= span[1])
    time = record.time[rows] - span[0]
    count = len(record.joints)
    figure, axes = pyplot.subplots(
        (count + 1) // 2, 2, sharex=True, figsize=(11, 1.9 * ((count + 1) // 2))
    )
    for axis, name, sent, measured in zip(
        np.ravel(axes), record.joints, record.sent[rows].T, record.measured[rows].T, strict=False
    ):
        for seam in seams:
            if span[0] <= seam <= span[1]:
                axis.axvline(seam - span[0], color=SEAM, linewidth=0.7, zorder=0)
        axis.plot(time, sent, color=COMMANDED, linewidth=1.4, label='commanded')
        axis.plot(time, measured, color=MEASURED, linewidth=0.9, label='measured')
        axis.set_title(name, fontsize=8, loc='left')
        axis.tick_params(labelsize=7)
        axis.margins(x=0.0)
    axes.flat[0].legend(fontsize=7, frameon=False, loc='best')
    for axis in axes[-1]:
        axis.set_xlabel('s', fontsize=8)
    figure.suptitle(f'{title} (rad, finger m; grey lines: chunk seams)', fontsize=10)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
