"""What the demonstration shows at its end: sizes, costs, agreement with the recording, one picture."""

from __future__ import annotations

from pathlib import Path

from judder.decode.records import Reading
from judder.sink import plot
from judder.virtual.compare import PEAK_TOLERANCE_MG, RMS_TOLERANCE_MG, Comparison
from judder.virtual.demo import Outcome
from judder_core import schema

NEXT = (
    "make demo RECORDING=FILE RATE=HZ SCALE=G_PER_COUNT    your own vibration through the real firmware",
    ".venv/bin/judder flash --port virtual                 a virtual board that stays, step by step",
    ".venv/bin/judder replay RECORDING --rate HZ           what a node would report of a recording",
    ".venv/bin/judder decode 86011828f619019c1103 --explain  a payload, byte by byte",
    "README.md, 'One board, nothing wired to it'           the same with a real ESP32",
)


def picture(outcome: Outcome, path: Path) -> Path:
    """Trend with limits and, where one was sent, the waveform of the last block, as a PNG."""
    points = []
    for at_s, record in outcome.messages:
        if isinstance(record, Reading):
            axes = record.acceleration_rms_mg
            level = schema.ALARM_LEVELS.index(record.alarm_level)
            points.append(plot.TrendPoint(at_s - (record.age_s or 0), (axes.x, axes.y, axes.z), level))
    limits = outcome.scenario.settings
    warning, danger = (limits.get(f"acceleration_rms_{level}_mg", 0) for level in ("warning", "danger"))
    return plot.run_png(
        path,
        points,
        title=outcome.scenario.title,
        warning_mg=float(warning),
        danger_mg=float(danger),
        waveform=waveform(outcome) if outcome.waveform else None,
    )


def waveform(outcome: Outcome) -> plot.Waveform:
    """The capture put together, mean removed."""
    parts = sorted(outcome.waveform, key=lambda part: part.index or 0)
    counts = [count for part in parts for count in part.counts()]
    mean = sum(counts) / len(counts)
    scale_mg = (parts[0].scale_ug or 0) / 1000
    return plot.Waveform(
        parts[0].axis or "x", parts[0].sample_rate_hz or 1.0, [(count - mean) * scale_mg for count in counts]
    )


def lines(outcome: Outcome) -> list[str]:
    """The report as text."""
    flashed, provisioned = outcome.flashed, outcome.provisioned
    checks = provisioned.self_test
    rows = [
        "",
        f"images      loader {outcome.images.used['vfs']} B, application {outcome.images.used['app_a']} B of its slot",
        f"flash       {flashed.bytes_written} bytes verified by MD5 in {flashed.seconds:.1f} s; "
        f"{flashed.wire_bytes_out} B out, {flashed.wire_bytes_in} B in, {flashed.turns} turns on the wire",
        f"provision   node {provisioned.node}, {sum(c.ok for c in checks)} of {len(checks)} self-test checks passed, "
        f"{provisioned.seconds:.1f} s",
        f"delivered   {len(outcome.readings)} readings and {len(outcome.alarms)} alarms through {outcome.way}, "
        f"none missing, {outcome.board_seconds:.0f} s at the machine",
    ]
    rows += outcome.network
    if outcome.comparisons:
        rows += [
            "",
            "the node against float64 arithmetic on the recording, in mg:",
            *map(_compared, outcome.comparisons),
        ]
        rows += [
            f"  a block may differ by {RMS_TOLERANCE_MG:.2f} mg in RMS: half a sensor step (0.488 mg), rounding to",
            f"  1 mg; by {PEAK_TOLERANCE_MG:.2f} mg in peak: a whole step, as the mean is rounded too, and the same;",
            "  the whole recording by the wander of the blocks' means on top",
        ]
    return rows


def _compared(row: Comparison) -> str:
    text = (
        f"  {row.recording:13} {row.axis}  {row.blocks:3} blocks, worst error RMS {row.rms_error_mg:.2f}, "
        f"peak {row.peak_error_mg:.2f}"
    )
    if row.whole_rms_mg is not None:
        text += (
            f"; together {row.rms_mg:.1f} / {row.peak_mg:.0f}, whole recording {row.whole_rms_mg:.1f} / "
            f"{row.whole_peak_mg:.0f}, wander {row.wander_mg:.1f}"
        )
    return text


def to_dict(outcome: Outcome) -> dict[str, object]:
    """The report as JSON can carry it."""
    return {
        "scenario": outcome.scenario.title,
        "way": outcome.way,
        "flash": outcome.flashed.to_dict(),
        "provision": outcome.provisioned.to_dict(),
        "readings": len(outcome.readings),
        "alarms": [alarm.to_dict() for alarm in outcome.alarms],
        "board_seconds": round(outcome.board_seconds, 1),
        "comparisons": [row.to_dict() for row in outcome.comparisons],
    }
