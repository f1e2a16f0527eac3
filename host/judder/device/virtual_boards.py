"""Virtual boards that live on this computer: one folder each, with the flash file in it.

"virtual" and "virtual:NAME" are kept in the user's data folder, or under JUDDER_VIRTUAL_DIR where that is set;
"virtual:DIR" (anything with a slash) is kept in that folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from pathlib import Path
from typing import IO, TYPE_CHECKING

from judder.device import boards
from judder.errors import InputError, PortBusy

if TYPE_CHECKING:
    from judder.virtual.board import VirtualBoard

FLASH_FILE = "flash.bin"
_DEFAULT_NAME = "default"
_locks: list[IO[str]] = []


def base_folder() -> Path:
    """Where named virtual boards are kept."""
    chosen = os.environ.get("JUDDER_VIRTUAL_DIR")
    if chosen:
        return Path(chosen)
    import platformdirs

    return Path(platformdirs.user_data_dir("judder")) / "virtual"


def folder_of(spec: str) -> Path:
    """Folder of "virtual", "virtual:NAME" or "virtual:DIR". Raises InputError for a name that is none."""
    name = spec.partition(":")[2] or _DEFAULT_NAME
    if "/" in name or os.sep in name:
        return Path(name)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise InputError(f"'{name}' is no name for a virtual board: use letters, digits, dot, dash, or a folder with /")
    return base_folder() / name


def existing() -> list[tuple[str, Path]]:
    """(spec, folder) of the named virtual boards that have a flash file."""
    found = sorted(path.parent for path in base_folder().glob(f"*/{FLASH_FILE}"))
    return [("virtual" if folder.name == _DEFAULT_NAME else f"virtual:{folder.name}", folder) for folder in found]


def mac_of(spec: str) -> bytes:
    """A MAC of its own for every virtual board, the same each time (locally administered, so no real chip has it)."""
    return b"\x02" + hashlib.sha256(str(folder_of(spec).name).encode()).digest()[:5]


def start(spec: str, board_name: str = boards.DEFAULT) -> VirtualBoard:
    """Start the virtual board of that name, blank if it is new. Raises PortBusy when another process runs it."""
    from judder.virtual.board import VirtualBoard
    from judder.virtual.clock import VIRTUAL
    from judder.virtual.wiring import Wiring

    board = boards.load(board_name)
    folder = folder_of(spec)
    folder.mkdir(parents=True, exist_ok=True)
    _lock(folder, spec)
    virtual = VirtualBoard(
        folder / FLASH_FILE,
        chip=board.chip.name,
        flash_size=board.flash_bytes,
        mac=mac_of(spec),
        wiring=Wiring.for_board(board),
        # In step with ours, and standing still while this computer is busy: its sensors then keep their rate.
        clock=VIRTUAL,
        pace=1.0,
    )
    virtual.start()
    return virtual


def release_locks() -> None:
    """Let other processes run the boards this one ran."""
    while _locks:
        _locks.pop().close()


def _lock(folder: Path, spec: str) -> None:
    with contextlib.suppress(ImportError):  # Windows has no fcntl: there the board's TCP port is all the protection
        import fcntl

        file = (folder / "lock").open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.close()
            raise PortBusy(f"the virtual board '{spec}' runs in another process: stop that, or name another") from error
        _locks.append(file)
