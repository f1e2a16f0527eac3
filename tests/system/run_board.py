"""A flash file with given boot.py and main.py, and a board that runs it, its console recorded."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from littlefs import LittleFS

from judder.device import partitions
from judder.device.layout import TABLE_OFFSET, find, layout
from judder.virtual.board import VirtualBoard

FLASH_BYTES = 8 << 20
MAC = bytes.fromhex("0242ac110203")


def file_system(files: Mapping[str, str], size: int) -> bytes:
    """A LittleFS image with MicroPython's own parameters (extmod/vfs_lfsx.c: read 32, prog 32, cache 128)."""
    fs = LittleFS(
        block_size=4096, block_count=size // 4096, read_size=32, prog_size=32, cache_size=128, lookahead_size=32
    )
    for name, text in files.items():
        with fs.open(name, "w") as file:
            file.write(text)
    return bytes(fs.context.buffer)


def make_flash(path: Path, **files: str) -> Path:
    """Write a flash file that boots: headers, partition table, vfs. files: boot="...", main="..."."""
    table = layout(FLASH_BYTES)
    image = bytearray(b"\xff" * FLASH_BYTES)
    image[0] = image[find(table, "factory").offset] = 0xE9
    sector = partitions.encode(table)
    image[TABLE_OFFSET : TABLE_OFFSET + len(sector)] = sector
    vfs = find(table, "vfs")
    image[vfs.offset : vfs.end] = file_system({f"{name}.py": text for name, text in files.items()}, vfs.size)
    path.write_bytes(image)
    return path


def files_in(path: Path, label: str = "vfs") -> dict[str, bytes]:
    """Every file at the top of a file system in a flash file, read by littlefs-python."""
    row = find(layout(FLASH_BYTES), label)
    fs = LittleFS(block_size=4096, block_count=row.size // 4096, mount=False)
    fs.context.buffer = bytearray(path.read_bytes()[row.offset : row.end])
    fs.mount()
    found = {}
    for name in fs.listdir("/"):
        with fs.open(name, "rb") as file:
            found[name] = bytes(file.read())
    fs.unmount()
    return found


class Recorded:
    """A running board and everything it printed."""

    def __init__(self, path: Path, **options: Any) -> None:
        self.board = VirtualBoard(path, flash_size=FLASH_BYTES, mac=MAC, **options)
        self._heard = bytearray()
        self._news = threading.Condition()
        self.board.console(self._hear)

    def __enter__(self) -> Recorded:
        self.board.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.board.stop()

    def _hear(self, data: bytes) -> None:
        with self._news:
            self._heard += data
            self._news.notify_all()

    @property
    def text(self) -> str:
        with self._news:
            return self._heard.decode("utf-8", "replace")

    def clear(self) -> None:
        with self._news:
            self._heard.clear()

    def wait(self, pattern: str, timeout_s: float = 60.0) -> re.Match[str]:
        """The first match of a regular expression in what was printed; AssertionError with the text when late."""
        deadline = time.monotonic() + timeout_s
        with self._news:
            while True:
                text = self._heard.decode("utf-8", "replace")
                match = re.search(pattern, text, re.DOTALL)
                if match:
                    return match
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    raise AssertionError(f"no {pattern!r} within {timeout_s:g} s in:\n{text}")
                self._news.wait(left_s)

    def exec(self, code: str, timeout_s: float = 60.0) -> str:
        """Run code in the raw REPL, without mpremote; what it printed, with LF. AssertionError if it raised."""
        self.clear()
        self.board.type(b"\x01")
        self.wait("raw REPL; CTRL-B to exit\r\n>", timeout_s)
        self.clear()
        self.board.type(code.encode() + b"\x04")
        match = self.wait(r"OK(.*?)\x04(.*?)\x04>", timeout_s)
        assert not match[2], match[2]
        return match[1].replace("\r\n", "\n")
