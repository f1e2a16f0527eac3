"""A virtual node ready to run: flash with our partition table, file systems and settings, written straight to the file.

What `judder flash` and `judder provision` do over a serial line, for runs that are not about the bench: replay,
simulation, tests. The bytes are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from judder.device import images, layout, micropython
from judder.device.boards import Board
from judder.device.flash import compose
from judder.device.profile import Value
from judder.virtual.nor import NorFlash
from judder_core import record, settings

# Locally administered, so that no virtual node can be taken for a chip somebody made.
_MAC_PREFIX = bytes((0x02, 0x4A, 0x44))

_SETTINGS_BYTES = 2 * layout.SECTOR_BYTES  # sectors 0 and 1 of cfg


def mac_address(number: int) -> bytes:
    """6-byte MAC of virtual node `number` (0..0xFFFFFF)."""
    return _MAC_PREFIX + number.to_bytes(3, "big")


def eui64(mac: bytes) -> bytes:
    """EUI-64 of a 6-byte MAC: FF FE in the middle (IEEE Guidelines for EUI, "Mapping EUI-48 to EUI-64")."""
    return mac[:3] + b"\xff\xfe" + mac[3:]


def make_flash(path: Path, board: Board, made: images.Images, values: Mapping[str, Value] | None) -> Path:
    """A new flash file for the board. values: settings by name and stored value, None leaves it not provisioned.

    Raises SettingsError before anything is written; an existing file is replaced.
    """
    payload = None if values is None else settings.pack(dict(values))
    path.unlink(missing_ok=True)
    regions = compose(board, micropython.image_for(board, None), made)
    with NorFlash(path, board.flash_bytes) as flash:
        for region in regions:
            flash.program(region.offset, region.data)
        if payload is not None:
            flash.program(layout.find(layout.layout(board.flash_bytes), "cfg").offset, record.frame(1, payload))
    return path


def remake_flash(path: Path, board: Board, made: images.Images, values: Mapping[str, Value]) -> Path:
    """make_flash(), and what a node has remembered besides its settings (link records, queue) stays where it is.

    Raises SettingsError before anything is written.
    """
    old = path.read_bytes() if path.exists() else b""
    make_flash(path, board, made, values)
    if len(old) == board.flash_bytes:
        table = layout.layout(board.flash_bytes)
        with NorFlash(path, board.flash_bytes) as flash:
            for start, end in _remembered(table):
                flash.program(start, old[start:end])
    return path


def _remembered(table: tuple[layout.Partition, ...]) -> list[tuple[int, int]]:
    cfg, ring = layout.find(table, "cfg"), layout.find(table, "ring")
    return [(cfg.offset + _SETTINGS_BYTES, cfg.end), (ring.offset, ring.end)]
