"""One PNG of a vibration: waveform, velocity spectrum with zone limits, envelope spectrum, fault frequencies marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")  # no screen is asked for

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator

from judder.errors import InputError

_SIGNAL, _QUIET = "#0072b2", "#666666"
_LIMITS = ("#c79a00", "#d9650c", "#b00020")  # A/B, B/C, C/D
_ROWS = 3
_TEXT_HEIGHT = 0.05  # of a panel
# Of the kinds of marks; told apart by colour-blind readers too.
_COLOURS = {"shaft": "#777777", "BPFO": "#d55e00", "BPFI": "#aa3377", "2 x BSF": "#009e73", "FTF": "#b58900"}


@dataclass(slots=True)
class Mark:
    """A frequency where something would show. kind: "shaft" or the name of a rate. order: which harmonic."""

    kind: str
    hz: float
    order: int = 1


@dataclass(slots=True)
class WavePanel:
    """acceleration_g at time_s, as far as shown; title says what part of what it is."""

    time_s: Sequence[float]
    acceleration_g: Sequence[float]
    title: str


@dataclass(slots=True)
class VelocityPanel:
    """hz, rms_mm_s: the spectrum. node_lines: (hz, mm/s) as the node reported them. limits: (name, mm/s RMS overall).

    overall_mm_s: velocity RMS the node reported, None if none.
    """

    hz: Sequence[float]
    rms_mm_s: Sequence[float]
    title: str
    node_lines: Sequence[tuple[float, float]] = ()
    limits: Sequence[tuple[str, float]] = ()
    overall_mm_s: float | None = None
    marks: Sequence[Mark] = ()


@dataclass(slots=True)
class EnvelopePanel:
    """hz, depth: the envelope spectrum, 1 fully on and off. needed: depth a line must have. evidence: (hz, depth)."""

    hz: Sequence[float]
    depth: Sequence[float]
    needed: Sequence[float]
    title: str
    evidence: Sequence[tuple[float, float]] = ()
    marks: Sequence[Mark] = ()


def vibration_png(
    path: Path,
    title: str,
    subtitles: Sequence[str],
    wave: WavePanel,
    velocity: VelocityPanel | None,
    envelope: EnvelopePanel | None,
) -> Path:
    """Draw and write the picture; the folder is made. A panel is None where the recording leaves no band for it.

    Raises InputError when the file cannot be written.
    """
    heights = [1.0] + [1.35 for panel in (velocity, envelope) if panel]
    size = 12, 3.1 * sum(heights) + 0.23 * len(subtitles)
    figure, grid = plt.subplots(len(heights), 1, figsize=size, height_ratios=heights, squeeze=False)
    try:
        axes = iter(grid[:, 0])
        _wave(next(axes), wave)
        if velocity:
            _velocity(next(axes), velocity)
        if envelope:
            _envelope(next(axes), envelope)
        inch = 1 / figure.get_figheight()
        figure.suptitle(title, x=0.012, y=1 - 0.13 * inch, ha="left", fontsize=14, fontweight="bold")
        words = "\n".join(subtitles)
        figure.text(0.012, 1 - 0.43 * inch, words, ha="left", va="top", fontsize=10.5, linespacing=1.5)
        figure.tight_layout(rect=(0, 0, 1, 1 - (0.3 + 0.23 * len(subtitles)) * inch), h_pad=1.8)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=110, format="png")
    except OSError as error:
        raise InputError(f"cannot write the picture {path}: {error.strerror or error}") from error
    finally:
        plt.close(figure)
    return path


def _wave(axes: Axes, panel: WavePanel) -> None:
    axes.plot(panel.time_s, panel.acceleration_g, linewidth=0.6, color=_SIGNAL)
    axes.set_xlim(panel.time_s[0], panel.time_s[-1])
    _finish(axes, "time / s", "acceleration / g", panel.title)


def _velocity(axes: Axes, panel: VelocityPanel) -> None:
    axes.loglog(panel.hz, panel.rms_mm_s, linewidth=0.8, color=_SIGNAL)
    top = max([max(panel.rms_mm_s), *(limit for _name, limit in panel.limits), panel.overall_mm_s or 0])
    low = max(sorted(panel.rms_mm_s)[len(panel.rms_mm_s) // 10], top * 1e-5)
    axes.set_ylim(low / 2, top * 8)
    axes.set_xlim(panel.hz[0], panel.hz[-1])
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_major_formatter("{x:g}")
    levels = [
        (limit, f"{name} {limit:g}", colour) for (name, limit), colour in zip(panel.limits, _LIMITS, strict=False)
    ]
    for limit, _text, colour in levels:
        axes.axhline(limit, color=colour, linewidth=1.3, linestyle="--", zorder=1)
    if panel.overall_mm_s:
        axes.axhline(panel.overall_mm_s, color="black", linewidth=1.5, zorder=1)
        levels.append((panel.overall_mm_s, f"node {panel.overall_mm_s:.2f}", "black"))
    _at_right(axes, levels)
    if panel.node_lines:
        hz, rms = zip(*panel.node_lines, strict=True)
        axes.plot(hz, rms, "o", markersize=5, markerfacecolor="none", color="black", label="lines the node reports")
        # A velocity spectrum falls from left to right.
        axes.legend(loc="lower left", fontsize=8.5, framealpha=0.9)
    _marks(axes, panel.marks)
    _finish(axes, "frequency / Hz", "velocity / mm/s RMS", panel.title)


def _envelope(axes: Axes, panel: EnvelopePanel) -> None:
    percent = [100 * depth for depth in panel.depth]
    axes.plot(panel.hz, percent, linewidth=0.9, color=_SIGNAL)
    needed = [100 * depth for depth in panel.needed]
    axes.plot(panel.hz, needed, linewidth=0.9, color=_QUIET, label="lines count from here (12 dB above the noise)")
    if panel.evidence:
        hz = [hz for hz, _depth in panel.evidence]
        depths = [100 * depth for _hz, depth in panel.evidence]
        axes.plot(hz, depths, "o", markersize=5, markerfacecolor="none", color="black", label="evidence")
    axes.set_ylim(0, max(*percent, *needed, 5.0) * 1.3)
    axes.set_xlim(0, panel.hz[-1])
    axes.legend(loc="upper right", fontsize=8.5, framealpha=0.9, bbox_to_anchor=(1, 0.9))
    _marks(axes, panel.marks)
    _finish(axes, "frequency of the envelope / Hz", "depth / %", panel.title)


def _marks(axes: Axes, marks: Sequence[Mark]) -> None:
    """Dashed lines, named at the top in rows, so that neighbours do not cover each other."""
    to_axes = axes.transData + axes.transAxes.inverted()
    ends = [0.0] * _ROWS  # where the text of each row ends, as a part of the width
    for mark in sorted(marks, key=lambda mark: mark.hz):
        if not axes.get_xlim()[0] <= mark.hz <= axes.get_xlim()[1]:
            continue
        colour = _COLOURS.get(mark.kind, _QUIET)
        style = ":" if mark.kind == "shaft" else "--"
        axes.axvline(mark.hz, color=colour, linewidth=1.0, linestyle=style, alpha=0.7, zorder=1)
        text = (
            mark.kind if mark.order == 1 else f"{mark.order}x" if mark.kind == "shaft" else f"{mark.order}·{mark.kind}"
        )
        at = float(to_axes.transform((mark.hz, axes.get_ylim()[1]))[0])
        row = next((row for row in range(_ROWS) if at >= ends[row]), None)
        if row is None:
            continue  # no room: the line itself stays
        ends[row] = at + 0.0075 * (len(text) + 1)
        axes.annotate(
            text,
            (mark.hz, 1),
            xycoords=("data", "axes fraction"),
            xytext=(2, -10 - 11 * row),
            textcoords="offset points",
            fontsize=8,
            color=colour,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0.5},
        )


def _at_right(axes: Axes, levels: Sequence[tuple[float, str, str]]) -> None:
    """Names beside the right edge, pushed apart where the lines are close."""
    to_axes = axes.transData + axes.transAxes.inverted()
    free = 0.0
    for level, text, colour in sorted(levels):
        height = max(float(to_axes.transform((axes.get_xlim()[1], level))[1]), free)
        free = height + _TEXT_HEIGHT
        axes.text(1.006, height, text, transform=axes.transAxes, va="center", fontsize=8.5, color=colour)


def _finish(axes: Axes, x: str, y: str, title: str) -> None:
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.set_title(title, fontsize=10, loc="left")
    axes.grid(alpha=0.3)
