"""Ports: which are there, opening one, and virtual boards behind the name "virtual".

--port takes a device path, rfc2217://host:port, socket://host:port (no reset lines), or virtual[:NAME or :DIR].
"""

from __future__ import annotations

import atexit
import errno
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from judder.device import virtual_boards
from judder.device.boards import Board
from judder.errors import DeviceError, NoBoard, PortBusy

if TYPE_CHECKING:
    from judder.virtual.board import VirtualBoard

CONSOLE_BAUD = 115200
VIRTUAL = "virtual"

_HANDLERS = "judder.virtual.serial_handlers"
_BUSY = (errno.EBUSY, errno.EAGAIN)
_DENIED = (errno.EACCES, errno.EPERM)

_lock = threading.Lock()
_running: dict[str, VirtualBoard] = {}  # spec -> board, all in this process


@dataclass(frozen=True)
class PortInfo:
    """A port that could have a board. state: "free", "busy", "no permission", "virtual", "not checked" (no USB port),
    after a probe "answers" or "silent". chip, mac and flash_bytes only after a probe. usb: "vid:pid" in hex."""

    port: str
    description: str
    state: str
    usb: str | None = None
    serial_number: str | None = None
    chip: str | None = None
    mac: str | None = None
    flash_bytes: int | None = None

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)


def enable_fast_rfc2217() -> None:
    """Make pyserial, esptool and mpremote in this process open rfc2217:// with the quick client."""
    import serial

    if _HANDLERS not in serial.protocol_handler_packages:
        serial.protocol_handler_packages.insert(0, _HANDLERS)


def is_virtual(port: str) -> bool:
    """The port names a virtual board rather than something to open."""
    return port == VIRTUAL or port.startswith(VIRTUAL + ":")


def has_reset_lines(port: str) -> bool:
    """DTR and RTS reach the board; if not, people have to press its buttons."""
    return not port.startswith(("socket://", "/dev/pts/"))


def resolve(port: str) -> str:
    """Port as pyserial takes it; starts the virtual board if that is what is named.

    Raises PortBusy when that virtual board runs in another process.
    """
    return virtual_board(port).port if is_virtual(port) else port


def shown(port: str) -> str:
    """The other way: what a person would type to get to this port again."""
    with _lock:
        return next((spec for spec, board in _running.items() if board.port == port), port)


def virtual_board(spec: str = VIRTUAL, make: Callable[[str], VirtualBoard] | None = None) -> VirtualBoard:
    """The running virtual board of that name, started if need be; it stops with this process. Its flash is kept.

    make: starts a board another way than virtual_boards.start (other wiring, other clock).
    """
    with _lock:
        if spec not in _running:
            if not _running:
                atexit.register(stop_virtual_boards)
            _running[spec] = (make or virtual_boards.start)(spec)
        return _running[spec]


def stop_virtual_boards() -> None:
    """Stop every virtual board this process started."""
    with _lock:
        boards = list(_running.values())
        _running.clear()
    for board in boards:
        board.stop()
    virtual_boards.release_locks()


def open_port(port: str, baud: int = CONSOLE_BAUD, timeout_s: float | None = 0.2) -> Any:
    """An open pyserial object, exclusively ours. Raises NoBoard or PortBusy with what to do."""
    import serial

    enable_fast_rfc2217()
    url = resolve(port)
    try:
        opened = serial.serial_for_url(url, baudrate=baud, timeout=timeout_s, exclusive=True, do_not_open=True)
        if sys.platform == "win32":
            # There opening with both lines asserted resets the board.
            opened.dtr = opened.rts = False
        opened.open()
    except (serial.SerialException, OSError, ValueError) as error:
        raise _explained(port, error) from error
    return opened


def _explained(port: str, error: Exception) -> DeviceError:
    number = getattr(error, "errno", None)
    said = str(error)
    low = said.lower()
    if number in _BUSY or "busy" in low or "in use" in low or "exclusively lock" in low or "access is denied" in low:
        return PortBusy(f"{port} is in use by another program: close it (a serial monitor, an IDE) and try again")
    if number in _DENIED or "permission denied" in low:
        return NoBoard(f"{port}: no permission; on Linux join the group that owns it (dialout) and log in again")
    if "refused" in low or "timed out" in low or "name or service" in low:
        return NoBoard(f"{port}: nothing listens there ({said}); is the address right and the server running?")
    if number == errno.ENOENT or "no such file" in low or "filenotfound" in low:
        return NoBoard(f"{port}: no such port; 'judder ports' lists those there are")
    return NoBoard(f"{port} cannot be opened: {said}; 'judder ports' lists those there are")


def choose(port: str | None, board: Board | None = None) -> str:
    """The port given, else the only sensible one: virtual for a virtual board, the one USB port otherwise.

    Raises NoBoard when there is none or more than one.
    """
    if port:
        return port
    if board is not None and board.micropython.synthetic:
        return VIRTUAL
    found = [info for info in _attached() if info.usb]
    if not found:
        raise NoBoard("no serial port found: plug a board in and try again, or try --port virtual")
    if len(found) > 1:
        raise NoBoard(f"several ports: choose one with --port ({', '.join(info.port for info in found)})")
    return found[0].port


def list_ports(probe: bool = False) -> list[PortInfo]:
    """Serial ports of this computer, then virtual boards that have a flash file.

    probe: ask each free USB port for its chip. That resets the boards behind them.
    """
    found = []
    for info in _attached():
        state = _state(info.port) if info.usb else "not checked"
        found.append(_probed(info, state) if probe and info.usb and state == "free" else _with(info, state=state))
    return found + [PortInfo(spec, f"virtual board, flash in {folder}", "virtual") for spec, folder in _virtual()]


def _virtual() -> list[tuple[str, str]]:
    known = [(spec, str(folder)) for spec, folder in virtual_boards.existing()]
    if not any(spec == VIRTUAL for spec, _ in known):
        known.insert(0, (VIRTUAL, f"{virtual_boards.folder_of(VIRTUAL)} (made when first used)"))
    return known


def _attached() -> list[PortInfo]:
    from serial.tools import list_ports as pyserial_ports

    return [
        PortInfo(
            port=item.device,
            description=item.description if item.description != "n/a" else "",
            state="free",
            usb=f"{item.vid:04x}:{item.pid:04x}" if item.vid is not None else None,
            serial_number=item.serial_number,
        )
        for item in sorted(pyserial_ports.comports(), key=lambda item: str(item.device))
    ]


def _state(port: str) -> str:
    try:
        open_port(port).close()
    except PortBusy:
        return "busy"
    except NoBoard as error:
        return "no permission" if "permission" in str(error) else "silent"
    return "free"


def _probed(info: PortInfo, state: str) -> PortInfo:
    from judder.device.esptool_adapter import Session

    try:
        opened = open_port(info.port)
        try:
            with Session(opened, info.port, attempts=2) as session:
                found = _with(
                    info,
                    state="answers",
                    chip=session.chip_title,
                    mac=session.mac().hex(":"),
                    flash_bytes=session.flash_bytes(),
                )
                session.restart(watchdog=False)
                return found
        finally:
            opened.close()
    except DeviceError:
        return _with(info, state="silent" if state == "free" else state)


def _with(info: PortInfo, **changes: Any) -> PortInfo:
    return PortInfo(**{**asdict(info), **changes})
