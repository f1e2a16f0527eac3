"""judder replay: the real firmware over a recording."""

from __future__ import annotations

import json
from pathlib import Path

import click

_EPILOG = """\b
Examples:
  judder replay bearing.npy --rate 12000 --scale 0.00025
  judder replay bearing.wav --all --json
"""


@click.command(epilog=_EPILOG)
@click.argument("recording", type=click.Path(path_type=Path))
@click.option("--rate", type=float, help="Sample rate in Hz (a WAV knows its own).")
@click.option("--scale", type=float, help="g per count (default: the file holds g).")
@click.option(
    "--block", type=click.IntRange(256, 4096), help="Samples per block, a multiple of 8 (default: divides the file)."
)
@click.option(
    "--range",
    "range_g",
    type=click.Choice(["2", "4", "8", "16"]),
    default="16",
    show_default=True,
    help="Full scale, g.",
)
@click.option("--warning", type=click.IntRange(0, 65535), default=0, help="Warning limit, mg RMS.")
@click.option("--danger", type=click.IntRange(0, 65535), default=0, help="Danger limit, mg RMS.")
@click.option("--all", "every", is_flag=True, help="Every block; otherwise only the blocks put together.")
@click.option("--json", "as_json", is_flag=True, help="JSON: a line per block with --all, then the summary.")
def command(
    recording: Path,
    rate: float | None,
    scale: float | None,
    block: int | None,
    range_g: str,
    warning: int,
    danger: int,
    every: bool,
    as_json: bool,
) -> None:
    """Run the real firmware over a recording and print what the node would report.

    Put together: RMS as the root of the blocks' mean square, peak as their largest.
    """
    from judder.cli.table import ReadingTable
    from judder.device import profile
    from judder.virtual import replay, replay_report, scenario

    what = scenario.recorded_file(recording, rate, scale)
    values = profile.from_table({"range_g": range_g})
    values |= {"acceleration_rms_warning_mg": warning, "acceleration_rms_danger_mg": danger}
    if block:
        values["block_samples"] = block
    run = replay.replay(what, values=values)
    if as_json:
        if every:
            for index, reading in enumerate(run.readings):
                click.echo(json.dumps(replay_report.block(index, reading)))
        click.echo(json.dumps(replay_report.summary(run, recording.name)))
        return
    if every:
        table = ReadingTable()
        for at_s, record in run.messages:
            for line in table.lines(record, at_s, recording.stem):
                click.echo(line)
    for line in replay_report.lines(run, recording.name):
        click.echo(line)
