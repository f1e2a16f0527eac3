"""Events of long work, shown: bars on a terminal, plain lines in a log, JSON lines for a program."""

from __future__ import annotations

import json
import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from judder.device.events import Event


class Progress:
    """Callable for `on_event`. as_json: one object a line. On a terminal rich draws a bar for each step."""

    def __init__(self, as_json: bool) -> None:
        self._json = as_json
        self._bars: Any = None
        self._tasks: dict[tuple[str, str], Any] = {}
        self._finished: set[tuple[str, str]] = set()

    def __enter__(self) -> Progress:
        self.open()
        return self

    def open(self) -> None:
        """Begin to show; after close() a fresh set of bars."""
        self._tasks.clear()
        if self._bars is None and not self._json and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
            from rich.progress import Progress as Bars

            columns = (
                TextColumn("{task.description:12}"),
                BarColumn(30),
                TextColumn("{task.percentage:>3.0f}%"),
                TimeElapsedColumn(),
                TextColumn("{task.fields[message]}"),
            )
            self._bars = Bars(*columns, console=Console(stderr=True))
            self._bars.start()

    def __call__(self, event: Event) -> None:
        if self._json:
            click.echo(json.dumps({"event": "progress", **event.to_dict()}))
            return
        key = (event.port, event.step)
        if self._bars is not None:
            if key not in self._tasks:
                self._tasks[key] = self._bars.add_task(event.step, message="")
            # rich draws a task without a total as one that never ends.
            self._bars.update(self._tasks[key], completed=event.done, total=max(event.total, 1), message=event.message)
        elif event.done >= event.total and key not in self._finished:
            self._finished.add(key)
            click.echo(f"{event.step:12} {event.message}".rstrip(), err=True)

    def close(self) -> None:
        if self._bars is not None:
            self._bars.stop()
            self._bars = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
