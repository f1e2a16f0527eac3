"""judder demo: the whole chain on a virtual board."""

from __future__ import annotations

import json
from pathlib import Path

import click

from judder.cli.progress import Progress
from judder.decode.records import Record
from judder.device import boards

_EPILOG = """\b
Examples:
  judder demo
  judder demo --link lorawan --region EU868
  judder demo --recording bearing.wav --scale 0.0005
  judder demo --recording FOLDER          a folder with recordings.json: its normal, then its outer-race
"""


@click.command(epilog=_EPILOG)
@click.option("--board", "name", help="A virtual board (default: one that has the link).")
@click.option("--link", type=click.Choice(["mqtt", "lorawan"]), default="mqtt", show_default=True, help="How it talks.")
@click.option("--region", default="EU868", show_default=True, help="LoRaWAN: EU868 US915 AU915 AS923-1..4 IN865.")
@click.option(
    "--recording", type=click.Path(path_type=Path), help="NPY, CSV or WAV file, or folder with recordings.json."
)
@click.option("--rate", type=float, help="Sample rate of the recording in Hz (a WAV knows its own).")
@click.option("--scale", type=float, help="g per count of the recording (default: it holds g).")
@click.option(
    "--output", type=click.Path(path_type=Path), default=Path("build/demo"), show_default=True, help="Folder."
)
@click.option(
    "--pace", type=float, default=6.0, show_default=True, help="Seconds at the machine per second here, at most."
)
@click.option(
    "--broker", type=click.Choice(["mosquitto", "amqtt"]), help="Default: mosquitto if installed, else amqtt."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def command(
    name: str | None,
    link: str,
    region: str,
    recording: Path | None,
    rate: float | None,
    scale: float | None,
    output: Path,
    pace: float,
    broker: str | None,
    as_json: bool,
) -> None:
    """Build, flash, provision and run a virtual node; watch a machine fail and recover.

    Writes every message (readings.ndjson) and a picture (run.png).
    """
    from judder.cli.table import ReadingTable
    from judder.virtual import demo, demo_report, scenario

    what = scenario.synthetic() if recording is None else scenario.recorded(recording, rate, scale)
    table = ReadingTable()
    progress = Progress(as_json)
    steps = 0

    def step(title: str) -> None:
        nonlocal steps
        steps += 1
        progress.close()
        if as_json:
            click.echo(json.dumps({"event": "step", "step": steps, "title": title}))
            return
        click.secho(f"\n{steps}  {title}", bold=True)
        progress.open()

    def record(got: Record, at_s: float) -> None:
        if as_json:
            click.echo(json.dumps({"event": "message", "board_s": round(at_s, 3), **got.to_dict()}))
            return
        progress.close()
        for line in table.lines(got, at_s, what.piece_at(at_s).name):
            click.echo(line)

    try:
        outcome = demo.run(
            what,
            output,
            board=None if name is None else boards.load(name),
            link=link,
            region=region,
            pace=pace,
            on_step=step,
            on_event=progress,
            on_record=record,
            broker_kind=broker,
        )
    finally:
        progress.close()
    picture = demo_report.picture(outcome, output / "run.png")
    if as_json:
        click.echo(json.dumps({"event": "report", **demo_report.to_dict(outcome), "picture": str(picture)}))
        return
    click.echo("\n".join(demo_report.lines(outcome)))
    click.secho("\nPASS", bold=True, fg="green")
    waveform = ", and the last block's waveform" if outcome.waveform else ""
    click.echo(f"  {picture}  the trend against its limits{waveform}")
    click.echo(f"  {output / 'readings.ndjson'}  every message, decoded")
    click.echo("\n".join(["", "Try next:", *(f"  {line}" for line in demo_report.NEXT)]))
