"""The `judder` command. Commands are imported when they are called, so `judder decode` needs no extra."""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any

import click

from judder import __version__
from judder.errors import JudderError, exit_code

# name -> line in `judder --help`. The module judder.cli.<name> has a click command named `command`.
COMMANDS = {
    "ports": "Boards attached: chip and state.",
    "build": "Compile the firmware for a board and make its images.",
    "flash": "Write MicroPython, partition table and file systems in one verified pass.",
    "provision": "Give a node its identity, key and settings; test it.",
    "decode": "Turn payloads into records: hex, base64, a file or a node's console.",
    "command": "Make an order for a node; send it through a broker or network server.",
    "gateway": "What nodes send, to files, databases and dashboards, as a service.",
    "replay": "Run the real firmware over a recording.",
    "sim": "Virtual nodes, running the real firmware, to a broker or stdout.",
    "demo": "The whole chain with no hardware: flash, provision, measure, decode, plot.",
}


_NEEDS_SIM = ("sim", "replay", "demo")


def _missing(command: str, error: ModuleNotFoundError) -> JudderError:
    extra = "sim" if command in _NEEDS_SIM else "gateway" if command == "gateway" else "bench"
    return JudderError(f"'judder {command}' needs the package '{error.name}': pip install 'judder[{extra}]'")


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        try:
            module = importlib.import_module(f"judder.cli.{cmd_name}")
        except ModuleNotFoundError as error:
            raise _missing(cmd_name, error) from error
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="judder")
def cli() -> None:
    """Vibration nodes: flash, provision, decode.

    With no hardware at hand: judder demo
    """


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line; turns the error tree into one line on stderr and an exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    as_json = "--json" in arguments
    try:
        result = cli.main(args=arguments, prog_name="judder", standalone_mode=False)
        sys.exit(result if isinstance(result, int) else 0)
    except click.exceptions.Abort:
        click.echo("stopped", err=True)
        sys.exit(1)
    except click.ClickException as error:
        # Everything click finds is a usage error; its own exit code 2 means "no board" here.
        if as_json:
            click.echo(json.dumps({"error": error.format_message(), "exit_code": 1}))
        error.show()
        sys.exit(1)
    except ModuleNotFoundError as error:
        # Extras are imported where they are used, inside the commands.
        if (error.name or "").split(".")[0] in ("judder", "judder_core"):
            raise
        click.echo(f"judder: {_missing(next(iter(arguments), ''), error)}", err=True)
        sys.exit(1)
    except JudderError as error:
        code = exit_code(error)
        if as_json:
            click.echo(json.dumps({"error": str(error), "kind": type(error).__name__, "exit_code": code}))
        click.echo(f"judder: {error}", err=True)
        sys.exit(code)


if __name__ == "__main__":
    main()
