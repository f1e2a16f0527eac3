"""judder replay: the real firmware over a recording."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from judder.diagnose import Diagnosis
    from judder.virtual.recording import Recording

_EPILOG = """\b
Examples:
  judder replay bearing.npy --rate 12000 --scale 0.00025
  judder replay bearing.wav --scale 0.0005 --all --json
  judder replay bearing.npy --rate 12000 --scale 0.00025 --rpm 1797 --bearing 6205-2RS --plot bearing.png
  judder replay pump.csv --rate 26667 --profile pump.toml --word 32
\b
--bearing takes a part that is known (6205-2RS, ...), its geometry, balls=9,ball=7.94,pitch=39.04[,angle=0], or its
multiples of shaft speed, bpfo=3.585,bpfi=5.415[,ftf=0.398][,bsf=2.357].
"""


@click.command(epilog=_EPILOG)
@click.argument("recording", type=click.Path(path_type=Path))
@click.option("--rate", type=float, help="Sample rate in Hz (a WAV knows its own).")
@click.option("--scale", type=float, help="g per count (needed unless the file holds g).")
@click.option("--profile", "profile_file", type=click.Path(path_type=Path), help="Settings of the node: zones, limits.")
@click.option(
    "--block", type=click.IntRange(256, 4096), help="Samples per block, a multiple of 8 (default: divides the file)."
)
@click.option("--range", "range_g", type=click.Choice(["2", "4", "8", "16"]), help="Full scale, g (default: 16).")
@click.option("--warning", type=click.IntRange(0, 65535), help="Warning limit, mg RMS.")
@click.option("--danger", type=click.IntRange(0, 65535), help="Danger limit, mg RMS.")
@click.option("--rpm", type=float, help="Shaft speed in r/min, for --bearing and --plot.")
@click.option("--bearing", "bearing_text", help="Look for its defects: part number, geometry or multiples.")
@click.option(
    "--word", type=click.Choice(["64", "32"]), default="64", show_default=True, help="Word size; an ESP32 has 32 bits."
)
@click.option("--plot", type=click.Path(path_type=Path), help="Draw waveform, spectrum and envelope as a PNG.")
@click.option("--all", "every", is_flag=True, help="Every block; otherwise only the blocks put together.")
@click.option("--json", "as_json", is_flag=True, help="JSON: a line per block with --all, then the summary.")
def command(
    recording: Path,
    rate: float | None,
    scale: float | None,
    profile_file: Path | None,
    block: int | None,
    range_g: str | None,
    warning: int | None,
    danger: int | None,
    rpm: float | None,
    bearing_text: str | None,
    word: str,
    plot: Path | None,
    every: bool,
    as_json: bool,
) -> None:
    """Run the real firmware over a recording and print what the node would report.

    The recording is cut into consecutive blocks. Put together: RMS (acceleration, velocity, envelope) as the root of
    the blocks' mean square, peak as their largest, kurtosis as if they were one, lines as an RMS over the spectra, the
    worst zone and the highest alarm level of any block.
    """
    from judder.cli.table import ReadingTable
    from judder.virtual import replay, replay_notes, replay_report, replay_text, scenario

    what = scenario.recorded_file(recording, rate, scale)
    signal = what.pieces[0].recording
    assert signal is not None
    diagnoses = _diagnoses(signal, rpm, bearing_text)
    values = _values(profile_file, {"range_g": range_g, "block_samples": block}, warning, danger)
    run = replay.replay(what, values=values, word=int(word))
    found = replay_report.summary(run, recording.name)
    if plot:
        from judder.virtual import replay_picture

        replay_picture.picture(plot, run, found, signal, diagnoses, rpm)
    if as_json:
        if every:
            for one in replay_report.blocks(run):
                click.echo(json.dumps(one))
        diagnosis = {axis: diagnosis.to_dict() for axis, diagnosis in diagnoses.items()} or None
        more = {"notes": replay_notes.notes(run, found), "diagnosis": diagnosis, "plot": str(plot) if plot else None}
        click.echo(json.dumps({**found, **more}))
        return
    if every:
        table = ReadingTable()
        for at_s, record in run.messages:
            for line in table.lines(record, at_s, recording.stem):
                click.echo(line)
    for line in replay_text.lines(run, found, diagnoses):
        click.echo(line)
    if plot:
        click.echo(f"picture: {plot}")


def _diagnoses(signal: Recording, rpm: float | None, bearing_text: str | None) -> dict[str, Diagnosis]:
    """By axis, of the channels that say anything. Before the firmware runs: what is typed wrong shows at once."""
    from judder.diagnose import Bearing, diagnose
    from judder.errors import InputError

    if rpm is not None and not 0 < rpm < float("inf"):
        raise InputError(f"--rpm {rpm:g}: the shaft speed is above 0")
    if bearing_text is None:
        return {}
    bearing = Bearing.parse(bearing_text)
    if rpm is None:
        raise InputError("--bearing needs the shaft speed: give --rpm")
    channels = zip("xyz", signal.values_g.T[: signal.channels], strict=False)
    return {axis: diagnose(samples, signal.rate_hz or 0, rpm, bearing) for axis, samples in channels}


def _values(
    profile_file: Path | None, given: dict[str, object], warning: int | None, danger: int | None
) -> dict[str, int | str | bytes]:
    """Settings: the profile's, then those of the command line, then what makes it a replay."""
    from judder.device import profile
    from judder.virtual.replay import CONSECUTIVE

    values = profile.load(profile_file) if profile_file else {}
    limits = {"acceleration_rms_warning_mg": warning, "acceleration_rms_danger_mg": danger}
    values |= profile.from_table({name: value for name, value in {**given, **limits}.items() if value is not None})
    return {**values, **CONSECUTIVE}
