"""The firmware of this checkout on a virtual board, its console and its messages recorded."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from judder.device import boards, images
from judder.virtual import factory
from judder.virtual.board import VirtualBoard
from judder.virtual.wiring import Wiring
from judder_core import codec, line, schema, settings

BOARD = boards.load("virtual-esp32s3")
_built: dict[Path | None, images.Images] = {}


class Sine:
    """x: a sine whose RMS in g is given by rms_g(t); y and z: half and a quarter of it, z on top of 1 g."""

    rate_hz = None

    def __init__(self, rms_g: Callable[[float], float], frequency_hz: float = 157.0) -> None:
        self._rms_g = rms_g
        self._frequency_hz = frequency_hz

    def samples(self, t0_s: float, n: int, rate_hz: float) -> np.ndarray:
        t = t0_s + np.arange(n) / rate_hz
        x = self._rms_g(t0_s) * np.sqrt(2) * np.sin(2 * np.pi * self._frequency_hz * t)
        return np.column_stack([x, x / 2, x / 4 + 1.0])

    def ended(self, _t_s: float) -> bool:
        return False


def make_flash(path: Path, values: Mapping[str, Any] | None, firmware: Path | None = None) -> Path:
    """A flash file with this firmware (or another tree) and settings as people write them; None: not provisioned."""
    if firmware not in _built:
        _built[firmware] = images.build(BOARD, firmware=firmware)
    stored = None if values is None else {name: settings.from_text(name, value) for name, value in values.items()}
    return factory.make_flash(path, BOARD, _built[firmware], stored)


class Node:
    """A running node. `messages`: (kind name, values by field name) from its console; `lines`: everything else."""

    def __init__(self, path: Path, source: Any = None, clock: str = "virtual", **options: Any) -> None:
        options.setdefault("wiring", Wiring.for_board(BOARD, source))
        self.board = VirtualBoard(path, clock=clock, **options)
        self.messages: list[tuple[str, dict[str, Any]]] = []
        self.lines: list[str] = []
        self._rest = b""
        self._news = threading.Condition()
        self.board.console(self._hear)

    def __enter__(self) -> Node:
        self.board.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.board.stop()

    def _hear(self, data: bytes) -> None:
        with self._news:
            *whole, self._rest = (self._rest + data).split(b"\n")
            for text in whole:
                found = line.decode(text)
                if found is None:
                    self.lines.append(text.decode(errors="replace").strip())
                else:
                    self.messages.append(named(found[1]))
            self._news.notify_all()

    def wait(self, condition: Callable[[], Any], timeout_s: float = 90.0) -> Any:
        """The first true value of condition(); AssertionError with what was heard when it does not come."""
        deadline = time.monotonic() + timeout_s
        with self._news:
            while not (value := condition()):
                left_s = deadline - time.monotonic()
                assert left_s > 0, (
                    f"not within {timeout_s:g} s; lines {self.lines[-20:]}, messages {self.messages[-5:]}"
                )
                self._news.wait(min(left_s, 0.2))
            return value

    @property
    def prompt(self) -> bool:
        """The REPL waits for input."""
        return self._rest.endswith(b">>> ")

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [values for name, values in self.messages if name == kind]

    def wait_messages(self, kind: str, count: int, timeout_s: float = 90.0) -> list[dict[str, Any]]:
        self.wait(lambda: len(self.of(kind)) >= count, timeout_s)
        return self.of(kind)

    def wait_line(self, text: str, count: int = 1, timeout_s: float = 90.0) -> None:
        self.wait(lambda: sum(text in one for one in self.lines) >= count, timeout_s)


def named(payload: bytes) -> tuple[str, dict[str, Any]]:
    """(kind, values by field name; absent ones left out)."""
    kind, values, _extra = codec.decode(payload)
    assert values is not None
    rows = schema.fields(kind)
    assert rows is not None
    found = {row[0]: value for row, value in zip(rows, values, strict=False) if value is not None}
    return codec.kind_name(kind), found


def level(values: Mapping[str, Any]) -> int:
    return values["state"] >> schema.STATE_ALARM_SHIFT & schema.STATE_ALARM_MASK
