"""judder ports"""

from __future__ import annotations

import json

import click


@click.command(epilog="Example: judder ports --probe")
@click.option("--probe", is_flag=True, help="Ask each free USB port for its chip. This resets the boards.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def command(probe: bool, as_json: bool) -> None:
    """Boards attached to this computer, and virtual ones."""
    from judder.device.ports import list_ports

    found = list_ports(probe)
    if as_json:
        for info in found:
            click.echo(json.dumps(info.to_dict()))
        return
    width = max(len(info.port) for info in found)
    for info in found:
        chip = ""
        if info.chip:
            chip = f"  {info.chip}, {(info.flash_bytes or 0) >> 20} MB, MAC {info.mac}"
        usb = f"  [{info.usb}]" if info.usb else ""
        click.echo(f"{info.port:{width}}  {info.state:13}  {info.description}{usb}{chip}".rstrip())
    if all(info.state == "virtual" for info in found):
        click.echo("no serial port found: plug a board in, or go on with --port virtual", err=True)
