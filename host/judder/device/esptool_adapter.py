"""The only module that imports esptool (GPL-2.0-or-later, an optional extra), and only when a board is flashed.

esptool reports through one logger for the whole process; here each thread has its own sink, so several boards can be
flashed at once. esptool's environment variables and configuration files would silently change time-outs and reset
sequences: they are switched off before the import.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from judder.errors import DeviceError, FlashError, NoBoard, Refused

CONNECT_BAUD = 115200

# progress(region index, done, total) while writing; done and total count bytes on the wire.
OnProgress = Callable[[int, int, int], None]

_local = threading.local()
_load_lock = threading.Lock()
_esptool: Any = None


def ignored_environment() -> list[str]:
    """Names of the ESPTOOL_* variables that are set and have no effect here."""
    return sorted(name for name in os.environ if name.startswith("ESPTOOL_"))


def _load() -> Any:
    """esptool, imported once, deaf to its configuration, logging to the thread's sink."""
    global _esptool
    with _load_lock:
        if _esptool is not None:
            return _esptool
        if "esptool" not in sys.modules:
            with _no_configuration():
                import esptool
        else:
            import esptool
        import esptool.cmds
        import esptool.logger

        esptool.logger.log.set_logger(_make_logger(esptool.logger.TemplateLogger))
        _esptool = esptool
        return esptool


@contextlib.contextmanager
def _no_configuration() -> Iterator[None]:
    """While esptool is imported it reads an empty configuration file, and none of its variables."""
    saved = {name: os.environ.pop(name) for name in ignored_environment()}
    with tempfile.TemporaryDirectory(prefix="judder-") as folder:
        empty = Path(folder) / "esptool.cfg"
        empty.write_text("[esptool]\n", encoding="ascii")
        os.environ["ESPTOOL_CFGFILE"] = str(empty)
        try:
            yield
        finally:
            del os.environ["ESPTOOL_CFGFILE"]
            os.environ.update(saved)


def _make_logger(template: Any) -> Any:
    class Router(template):  # type: ignore[misc]
        """Hands esptool's progress and warnings to the session of the calling thread; the rest is chatter."""

        def print(self, *args: Any, **kwargs: Any) -> None:
            pass

        def note(self, message: str) -> None:
            pass

        def warning(self, message: str) -> None:
            session = getattr(_local, "session", None)
            if session is not None:
                session.warnings.append(str(message))

        error = warning

        def stage(self, finish: bool = False) -> None:
            pass

        def set_verbosity(self, verbosity: str) -> None:
            pass

        def progress_bar(
            self,
            cur_iter: int,
            total_iters: int,
            prefix: str = "",  # noqa: ARG002
            suffix: str = "",  # noqa: ARG002
            bar_length: int = 30,  # noqa: ARG002
        ) -> None:
            session = getattr(_local, "session", None)
            if session is not None:
                session.progressed(cur_iter, total_iters)

    return Router()


class Session:
    """One chip in its boot loader, reached through an open pyserial-like `port`. A context manager; it never closes
    the port. warnings: what esptool warned about.

    Everything raises DeviceError with what to do: NoBoard when nothing answers, FlashError afterwards.
    """

    def __init__(self, port: Any, name: str, *, stub: bool = True, attempts: int = 5) -> None:
        self.warnings: list[str] = []
        self._name = name
        self._port = port
        self._stub = stub
        self._attempts = attempts
        self._esp: Any = None
        self._region = -1
        self._region_ended = True
        self._on_progress: OnProgress | None = None

    def __enter__(self) -> Session:
        esptool = _load()
        _local.session = self
        try:
            with self._errors("connecting", NoBoard), _no_variables():
                self._esp = esptool.cmds.detect_chip(self._port, CONNECT_BAUD, connect_attempts=self._attempts)
                if self._esp.secure_download_mode:
                    raise Refused(
                        f"the chip at {self._name} is in Secure Download Mode: it was locked on purpose and cannot "
                        "be flashed this way"
                    )
                if self._stub:
                    self._esp = esptool.cmds.run_stub(self._esp)
                esptool.cmds.attach_flash(self._esp)
        except BaseException:
            _local.session = None
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _local.session = None

    # --- what it is

    @property
    def chip_title(self) -> str:
        """As esptool names it: "ESP32-S3"."""
        return str(self._esp.CHIP_NAME)

    def description(self) -> str:
        """Chip with package and revision."""
        with self._errors("reading the chip"):
            return str(self._esp.get_chip_description())

    def mac(self) -> bytes:
        """Base MAC, 6 bytes."""
        with self._errors("reading the MAC"):
            return bytes(self._esp.read_mac())

    def flash_bytes(self) -> int:
        """Size of the flash chip; 0 when its id says nothing known."""
        with self._errors("reading the flash chip's id"):
            text = _load().cmds.detect_flash_size(self._esp)
        if not text:
            return 0
        number, unit = int(text[:-2]), text[-2:]
        return number << (20 if unit == "MB" else 10)

    # --- what it does

    def change_baud(self, baud: int) -> None:
        """Speak faster (or slower) from here on."""
        with self._errors(f"changing to {baud} baud"):
            self._esp.change_baud(baud)

    def md5(self, offset: int, size: int) -> str:
        """MD5 of a span of flash in hex, computed by the chip."""
        with self._errors(f"checking flash at 0x{offset:x}"):
            return str(self._esp.flash_md5sum(offset, size))

    def read(self, offset: int, size: int) -> bytes:
        """A span of flash."""
        with self._errors(f"reading flash at 0x{offset:x}"):
            return bytes(self._esp.read_flash(offset, size))

    def erase(self, offset: int, size: int) -> None:
        """Erase whole sectors."""
        with self._errors(f"erasing flash at 0x{offset:x}"):
            if self._stub:
                self._esp.erase_region(offset, size)
            else:  # the ROM erases only what it is told will be written
                self._esp.flash_begin(size, offset, logging=False)

    def write(self, regions: Sequence[tuple[int, bytes]], on_progress: OnProgress | None = None) -> None:
        """Write and verify each (offset, data). A vanished port is waited for, 7 s at most, by esptool."""
        self._region, self._region_ended, self._on_progress = -1, True, on_progress
        try:
            with self._errors("writing flash"), _no_variables():
                _load().cmds.write_flash(self._esp, list(regions), compress=True)
        finally:
            self._on_progress = None

    def restart(self, watchdog: bool) -> None:
        """Leave the boot loader and run the application, over the RTS line or by the chip's own watchdog."""
        with self._errors("restarting the board"):
            _load().cmds.reset_chip(self._esp, "watchdog-reset" if watchdog else "hard-reset")

    # --- inside

    def progressed(self, done: int, total: int) -> None:
        """Called by the logger. A region ends with done == total; after a lost connection it begins again at 0."""
        if self._region_ended:
            self._region += 1
        self._region_ended = done >= total
        if self._on_progress is not None:
            self._on_progress(self._region, done, total)

    @contextlib.contextmanager
    def _errors(self, doing: str, kind: type[DeviceError] = FlashError) -> Iterator[None]:
        import serial

        try:
            yield
        except (_load().FatalError, serial.SerialException, OSError, ValueError) as error:
            raise kind(self._advice(doing, error, kind)) from error

    def _advice(self, doing: str, error: Exception, kind: type[DeviceError]) -> str:
        said = str(error).strip().split("\n")[0].rstrip(".")
        if kind is NoBoard:
            return (
                f"no ESP32 answers at {self._name} ({said}): check cable and port; if it stays so, hold BOOT, press "
                "and release RESET, release BOOT, and run the command again"
            )
        if "MD5" in said or "region is empty" in said:
            return (
                f"what was written does not read back on {self._name} ({said}): run the command again; if it stays so, "
                "the flash chip or the power supply is bad"
            )
        return (
            f"lost the board at {self._name} while {doing} ({said}): plug it in again and run the same command, "
            "it goes on where it stopped"
        )


@contextlib.contextmanager
def _no_variables() -> Iterator[None]:
    """esptool reads one variable when it resets a board."""
    saved = {name: os.environ.pop(name) for name in ignored_environment()}
    try:
        yield
    finally:
        os.environ.update(saved)
