"""judder flash"""

from __future__ import annotations

import json
from pathlib import Path

import click

from judder.cli.progress import Progress
from judder.device import boards

_EPILOG = """\b
Examples:
  judder flash --board esp32s3-generic --micropython ESP32_GENERIC_S3-v1.26.bin
  judder flash --port virtual                      (no hardware needed)
"""


@click.command(epilog=_EPILOG)
@click.option("--board", "name", default=boards.DEFAULT, show_default=True, help="Name, or path of a board.toml.")
@click.option("--port", help="Device, rfc2217://host:port, socket://host:port or virtual. Default: the only one.")
@click.option(
    "--micropython",
    "image",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="MicroPython installation image (.bin). Default: what the board names.",
)
@click.option("--erase", is_flag=True, help="Settings, stored readings and radio calibration go too.")
@click.option("--baud", type=click.IntRange(9600, 4_000_000), default=460_800, show_default=True)
@click.option("--no-wait", is_flag=True, help="Do not wait for the node to say HELLO.")
@click.option(
    "--timeout", type=click.FloatRange(1, 600), default=30, show_default=True, help="Seconds to wait for HELLO."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def command(
    name: str,
    port: str | None,
    image: Path | None,
    erase: bool,
    baud: int,
    no_wait: bool,
    timeout: float,
    as_json: bool,
) -> None:
    """Write MicroPython, partition table and file systems in one verified pass.

    What is there already is not written again, so a run that was cut off goes on where it stopped.
    """
    from judder.device import ports
    from judder.device.flash import flash

    board = boards.load(name)
    chosen = ports.choose(port, board)
    with Progress(as_json) as progress:
        report = flash(
            chosen,
            board,
            micropython_file=image,
            on_event=progress,
            erase=erase,
            baud=baud,
            wait_hello=not no_wait,
            hello_timeout_s=timeout,
        )
    if as_json:
        click.echo(json.dumps({"event": "report", **report.to_dict()}))
        return
    what = "nothing had to be written" if report.skipped else f"{report.bytes_written} bytes written"
    who = f", node {report.hello['node']} says HELLO" if report.hello else ""
    click.echo(f"{report.port}: {report.chip} flashed for {report.board}, {what}, {report.seconds:.1f} s{who}")
    if report.hello:
        click.echo(f"next: judder provision --port {report.port}")
