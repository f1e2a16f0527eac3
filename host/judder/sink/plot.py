"""One PNG of a run: the trend against its alarm limits, and the last block's waveform."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")  # no screen is asked for

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

_COLOURS = {"x": "#0072b2", "y": "#e69f00", "z": "#009e73"}  # told apart by colour-blind readers too
_WARNING, _DANGER = "#c77700", "#b00020"


@dataclass(slots=True)
class TrendPoint:
    """One reading as drawn. time_s from the start; values of x, y, z in mg; level 0 none, 1 warning, 2 danger."""

    time_s: float
    rms_mg: tuple[float | None, float | None, float | None]
    level: int


@dataclass(slots=True)
class Waveform:
    """One axis of one block, in mg with the mean removed, at rate_hz; axis "x", "y" or "z"."""

    axis: str
    rate_hz: float
    samples_mg: Sequence[float]


def run_png(
    path: Path,
    points: Sequence[TrendPoint],
    *,
    title: str,
    warning_mg: float = 0,
    danger_mg: float = 0,
    waveform: Waveform | None = None,
) -> Path:
    """Draw and write the picture; the folder is made. A limit of 0 is not drawn."""
    figure, axes = plt.subplots(2 if waveform else 1, 1, figsize=(11, 7.5 if waveform else 4.2), squeeze=False)
    _trend(axes[0][0], points, warning_mg, danger_mg)
    if waveform:
        _wave(axes[1][0], waveform)
    figure.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold")
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)
    return path


def _trend(axes: Axes, points: Sequence[TrendPoint], warning_mg: float, danger_mg: float) -> None:
    times = [point.time_s for point in points]
    for index, (name, colour) in enumerate(_COLOURS.items()):
        values = [_or_nan(point.rms_mg[index]) for point in points]
        axes.plot(times, values, marker="o", markersize=3.5, linewidth=1.4, color=colour, label=f"{name} RMS")
    for limit, name, colour in ((warning_mg, "warning", _WARNING), (danger_mg, "danger", _DANGER)):
        if limit:
            axes.axhline(limit, color=colour, linewidth=1.2, linestyle="--", label=f"{name} {limit:g} mg")
    # Shade while an alarm is in force: from the reading that raised it to the one that cleared it.
    for before, after in itertools.pairwise(points):
        if before.level:
            axes.axvspan(
                before.time_s, after.time_s, color=_DANGER if before.level == 2 else _WARNING, alpha=0.12, lw=0
            )
    axes.set_xlabel("time / s")
    axes.set_ylabel("acceleration RMS / mg")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left", ncols=5, fontsize=9, frameon=False, bbox_to_anchor=(0, 1.12))


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value


def _wave(axes: Axes, waveform: Waveform) -> None:
    count = len(waveform.samples_mg)
    times_ms = [1000.0 * n / waveform.rate_hz for n in range(count)]
    axes.plot(times_ms, list(waveform.samples_mg), linewidth=0.7, color=_COLOURS[waveform.axis])
    axes.set_xlim(0, times_ms[-1] if count else 1)
    axes.set_xlabel("time / ms")
    axes.set_ylabel("acceleration / mg")
    axes.set_title(f"last block, axis {waveform.axis}: {count} samples at {waveform.rate_hz:.1f} Hz", fontsize=10)
    axes.grid(alpha=0.3)
