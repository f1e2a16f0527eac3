"""judder build"""

from __future__ import annotations

import json
from pathlib import Path

import click

from judder.device import boards


@click.command(epilog="Example: judder build --board esp32-generic --output build/esp32-generic")
@click.option("--board", "name", default=boards.DEFAULT, show_default=True, help="Name, or path of a board.toml.")
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), help="Folder for the images.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def command(name: str, output: Path | None, as_json: bool) -> None:
    """Compile the firmware for a board and make its images; prints their sizes."""
    from judder.device.images import build
    from judder.device.layout import find, layout

    board = boards.load(name)
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
    images = build(board, output=output)
    table = layout(board.flash_bytes)
    for label, files in images.files.items():
        room = find(table, label).size
        total = sum(size for _path, size in files)
        if as_json:
            for path, size in files:
                click.echo(json.dumps({"partition": label, "file": path, "bytes": size}))
            summary = {"files": len(files), "bytes": total, "used_bytes": images.used[label], "partition_bytes": room}
            click.echo(json.dumps({"partition": label, **summary, "board": board.name, "arch": board.mpy_arch}))
            continue
        for path, size in files:
            click.echo(f"{label:7} {size:8}  {path}")
        used = images.used[label]
        click.echo(
            f"{label:7} {total:8}  in {len(files)} files; {used} of {room} bytes used ({100 * used / room:.0f} %)"
        )
    if output is not None and not as_json:
        click.echo(f"images for {board.name} ({board.mpy_arch}) in {output}")
