"""A board that knows download mode only: loader, reset lines and a port, for tests of the flasher.

In run mode it prints what `console` holds, once per boot, as an application would.
"""

from __future__ import annotations

import threading
from pathlib import Path

from judder.virtual.counters import Counters
from judder.virtual.identity import identity_of
from judder.virtual.lines import BOOT_DOWNLOAD, BOOT_RUN, HOLD, ResetLines
from judder.virtual.loader import DEFAULT_MAC, Loader
from judder.virtual.nor import Hook, NorFlash
from judder.virtual.rfc2217 import Server

KNOWN_MAC = bytes.fromhex("0242ac110203")


class LoaderBoard:
    """Serves one chip over RFC2217. cut_after_bytes: the plug is pulled when that much flash was programmed."""

    def __init__(
        self,
        path: Path,
        chip: str = "esp32s3",
        flash_size: int = 8 << 20,
        mac: bytes = DEFAULT_MAC,
        console: bytes = b"",
        cut_after_bytes: int | None = None,
        hook: Hook | None = None,
        download: bool = False,
    ) -> None:
        self.counters = Counters()
        self.flash = NorFlash(path, flash_size, self.counters, hook)
        self.loader = Loader(self.flash, identity_of(chip), self.counters, mac)
        self.console = console
        self.lines = ResetLines()
        self.state = BOOT_DOWNLOAD if download else BOOT_RUN
        self.cut_after_bytes = cut_after_bytes
        self.server = Server(self._data, self._lines, counters=self.counters)
        self.port = self.server.port

    def __enter__(self) -> LoaderBoard:
        self.server.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.server.stop()
        self.flash.close()

    def _data(self, data: bytes) -> None:
        if self.state != BOOT_DOWNLOAD:
            return
        answer = self.loader.feed(data)
        if self.cut_after_bytes is not None and self.counters.bytes_programmed >= self.cut_after_bytes:
            threading.Thread(target=self.server.stop).start()
            self.state = HOLD
            return
        self.server.send(answer)
        if self.loader.action:
            self._boot(self.loader.action)

    def _lines(self, dtr: bool, rts: bool) -> None:
        action = self.lines.update(dtr, rts)
        if action:
            self._boot(action)

    def _boot(self, action: str) -> None:
        self.state = action
        if action == BOOT_DOWNLOAD:
            self.counters.downloads += 1
            self.server.send(self.loader.reset())
        elif action == BOOT_RUN:
            self.counters.boots += 1
            self.server.send(self.console)
