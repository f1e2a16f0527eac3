"""Flash one board in one pass: MicroPython, our partition table, both file systems; verify; restart; wait for HELLO.

Regions of at most 256 KB are compared with what the chip holds (MD5, computed by the chip) before they are written, so
a run that was cut off goes on where it stopped, and a second run writes nothing. The partition table is written last:
until then it says which of the old contents are worth keeping.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from judder.device import hello as hello_wait
from judder.device import images as image_builder
from judder.device import layout, micropython, partitions, ports
from judder.device.boards import Board
from judder.device.chips import by_title
from judder.device.esptool_adapter import CONNECT_BAUD, Session, ignored_environment
from judder.device.events import Event, OnEvent, ignore
from judder.device.micropython import Region
from judder.device.wire import CountedPort
from judder.errors import FlashError, JudderError, WrongChip

REGION_BYTES = 256 * 1024
DEFAULT_BAUD = 460_800
HELLO_TIMEOUT_S = 30.0
_ADAPTER_TIMEOUT_S = 3.0


@dataclass(slots=True)
class FlashReport:
    """Outcome of a flashing that went through.

    bytes_total: what belongs in flash; bytes_written: what had to be written, the rest was there. wire_bytes_out,
    wire_bytes_in, turns: cost on the wire. erased: partitions emptied because they held nothing of ours, or on request.
    hello: raw fields of the node's HELLO, None when it was not waited for.
    """

    port: str
    board: str
    chip: str
    mac: str
    flash_bytes: int
    bytes_total: int = 0
    bytes_written: int = 0
    erased: list[str] = field(default_factory=list)
    wire_bytes_out: int = 0
    wire_bytes_in: int = 0
    turns: int = 0
    seconds: float = 0.0
    hello: dict[str, object] | None = None

    @property
    def skipped(self) -> bool:
        """Nothing had to be written."""
        return self.bytes_written == 0

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return {**asdict(self), "skipped": self.skipped}


def compose(board: Board, image: bytes, images: image_builder.Images) -> list[Region]:
    """Everything that belongs in flash, in the order it is written. Raises FlashError for what does not fit."""
    head, application, table = micropython.compose(board, image)
    ours = layout.layout(board.flash_bytes)
    rest = [Region(label, layout.find(ours, label).offset, data) for label, data in images.by_label().items()]
    return [head, application, *rest, table]


def split(regions: Sequence[Region]) -> list[Region]:
    """Regions cut into pieces of at most 256 KB."""
    return [
        Region(region.label, region.offset + at, region.data[at : at + REGION_BYTES])
        for region in regions
        for at in range(0, len(region.data), REGION_BYTES)
    ]


def flash(
    port: str,
    board: Board,
    *,
    micropython_file: Path | None = None,
    on_event: OnEvent = ignore,
    erase: bool = False,
    baud: int = DEFAULT_BAUD,
    wait_hello: bool = True,
    hello_timeout_s: float = HELLO_TIMEOUT_S,
    images: image_builder.Images | None = None,
    stub: bool = True,
) -> FlashReport:
    """Flash the board at `port`.

    micropython_file: installation image, default what board.toml names. erase: settings, stored readings and radio
    calibration go too. images: built before, default built here. stub False: slow path without esptool's flasher stub.
    Raises NoBoard, PortBusy, WrongChip, FlashError, Timeout (flashed, but no HELLO), InputError, BoardError. Nothing
    is written before board, chip, sizes and images have been checked; a refused board goes back to what it ran.
    """
    job = _Job(port, board, on_event)
    if images is None:
        job.tell("build", 0, 1)
        images = image_builder.build(board)
        job.tell("build", 1, 1, f"{images.used['vfs'] + images.used['app_a']} bytes of file system")
    regions = split(compose(board, micropython.image_for(board, micropython_file), images))
    ignored = ignored_environment()
    if ignored:
        job.tell("note", 1, 1, f"ignored: {', '.join(ignored)} (judder's own options decide)")
    if not ports.has_reset_lines(port):
        job.tell("press BOOT", 1, 1, "this port has no reset lines: hold BOOT, press and release RESET, release BOOT")
    job.tell("connect", 0, 1)
    opened = CountedPort(ports.open_port(port, CONNECT_BAUD, _ADAPTER_TIMEOUT_S))
    try:
        return job.run(opened, regions, erase=erase, baud=baud, stub=stub, hello_s=hello_timeout_s if wait_hello else 0)
    finally:
        opened.close()


class _Job:
    """One flashing: what the steps share."""

    def __init__(self, port: str, board: Board, on_event: OnEvent) -> None:
        self._port = port
        self._board = board
        self._on_event = on_event

    def tell(self, step: str, done: int, total: int, message: str = "") -> None:
        self._on_event(Event(step=step, done=done, total=total, message=message, port=self._port))

    def run(
        self, opened: CountedPort, regions: list[Region], *, erase: bool, baud: int, stub: bool, hello_s: float
    ) -> FlashReport:
        started = time.monotonic()
        # No reset lines: the chip's own watchdog restarts it where it has one. Native USB needs it as well.
        lines = ports.has_reset_lines(self._port)
        watchdog = self._board.chip.watchdog_reset and (not lines or _is_native_usb(opened))
        # Without lines somebody is reaching for the buttons: about half a minute for that.
        with Session(opened, ports.shown(self._port), stub=stub, attempts=5 if lines else 40) as session:
            report = self._identify(session, watchdog)
            if baud != CONNECT_BAUD:
                session.change_baud(baud)
            kept = self._table_on_chip(session)
            missing = self._compare(session, regions)
            report.erased = self._erase(session, kept, erase)
            self._write(session, missing)
            report.bytes_total = sum(len(region.data) for region in regions)
            report.bytes_written = sum(len(region.data) for region in missing)
            self.tell("restart", 0, 1)
            session.restart(watchdog)
            opened.baudrate = ports.CONSOLE_BAUD
            self.tell("restart", 1, 1)
        if not lines and not watchdog:
            self.tell("press RESET", 1, 1, "press and release RESET on the board now")
        report.wire_bytes_out, report.wire_bytes_in, report.turns = opened.bytes_out, opened.bytes_in, opened.turns
        if hello_s:
            self.tell("hello", 0, 1)
            opened.timeout = 0.2
            seen = hello_wait.wait(opened, self._port, hello_s)
            report.hello = seen.to_dict()
            self.tell("hello", 1, 1, f"node {seen.node_id.hex()}")
        report.seconds = round(time.monotonic() - started, 2)
        return report

    def _identify(self, session: Session, watchdog: bool) -> FlashReport:
        board = self._board
        name = ports.shown(self._port)
        size = session.flash_bytes()
        report = FlashReport(name, board.name, session.chip_title, session.mac().hex(":"), size)
        try:
            if by_title(session.chip_title) is not board.chip:
                raise WrongChip(
                    f"the chip at {name} is an {session.chip_title}, board {board.name} has an {board.chip.title}: "
                    "choose the board that fits with --board"
                )
            if size < board.flash_bytes:
                raise FlashError(
                    f"the flash chip at {name} has {size >> 20} MB, board {board.name} says "
                    f"{board.flash_bytes >> 20} MB: choose another board, or correct [flash] size_mb in its board.toml"
                )
        except JudderError:
            session.restart(watchdog)
            raise
        self.tell("connect", 1, 1, f"{session.description()}, {size >> 20} MB, MAC {report.mac}")
        return report

    def _table_on_chip(self, session: Session) -> tuple[layout.Partition, ...]:
        """Partition table the chip has now; empty for a blank or foreign chip."""
        sector = session.read(layout.TABLE_OFFSET, layout.SECTOR_BYTES)
        try:
            return partitions.parse(sector)
        except FlashError:
            return ()

    def _compare(self, session: Session, regions: list[Region]) -> list[Region]:
        missing = []
        for number, region in enumerate(regions):
            self.tell("compare", number, len(regions), region.label)
            if session.md5(region.offset, len(region.data)) != _md5(region.data):
                missing.append(region)
        there = len(regions) - len(missing)
        self.tell("compare", len(regions), len(regions), f"{there} of {len(regions)} regions are there already")
        return missing

    def _erase(self, session: Session, on_chip: tuple[layout.Partition, ...], everything: bool) -> list[str]:
        """Empty what is not overwritten: all of it on request, else what another layout left in its place."""
        known = {(row.label, row.type, row.subtype, row.offset, row.size) for row in on_chip}
        stale = [
            row
            for row in layout.layout(self._board.flash_bytes)
            if row.keep and (everything or (row.label, row.type, row.subtype, row.offset, row.size) not in known)
        ]
        erased = []
        for number, row in enumerate(stale):
            self.tell("erase", number, len(stale), row.label)
            # Most new boards are blank here, and a check takes a fraction of what erasing megabytes does.
            if session.md5(row.offset, row.size) != _md5(b"\xff" * row.size):
                session.erase(row.offset, row.size)
                erased.append(row.label)
        self.tell("erase", 1, 1, f"emptied {', '.join(erased)}" if erased else "nothing to erase")
        return erased

    def _write(self, session: Session, missing: list[Region]) -> None:
        if not missing:
            self.tell("write", 1, 1, "nothing to write")
            return
        total = sum(len(region.data) for region in missing)
        starts = [sum(len(region.data) for region in missing[:number]) for number in range(len(missing))]

        def moved(number: int, done: int, of: int) -> None:
            # esptool counts compressed bytes; people want to see flash.
            region = missing[number]
            share = len(region.data) * done // of if of else 0
            self.tell("write", min(starts[number] + share, total - 1), total, region.label)

        self.tell("write", 0, total)
        session.write([(region.offset, region.data) for region in missing], moved)
        self.tell("write", total, total, f"{total} bytes written and verified")


def _is_native_usb(opened: Any) -> bool:
    """The chip's own USB: its RTS line cannot restart it reliably, its watchdog can (Espressif: 303a:1001)."""
    from serial.tools import list_ports

    return any(
        item.device == opened.port and (item.vid, item.pid) == (0x303A, 0x1001) for item in list_ports.comports()
    )


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
