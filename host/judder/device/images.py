"""File-system images for a board: LittleFS as MicroPython mounts it, the same bytes every time."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judder.device import assets
from judder.device.boards import Board
from judder.device.build import LOADER_FILES, compile_tree
from judder.device.layout import SECTOR_BYTES, Partition, find, layout
from judder.errors import FlashError

# MicroPython's own parameters (extmod/vfs_lfs: block 4096, read and program 32, lookahead 32). Only block size and
# block count are stored and must match the partition: a smaller or larger image does not mount (EINVAL).
_PARAMETERS: dict[str, Any] = {
    "block_size": SECTOR_BYTES,
    "read_size": 32,
    "prog_size": 32,
    "lookahead_size": 32,
    "cache_size": 128,
    "block_cycles": 100,
}


@dataclass(frozen=True)
class Images:
    """What goes into a board's partitions. files: partition label -> [(path, size)]. used: label -> bytes in use."""

    board: Board
    vfs: bytes
    app_a: bytes
    files: Mapping[str, list[tuple[str, int]]]
    used: Mapping[str, int]

    def by_label(self) -> dict[str, bytes]:
        """Partition label -> image."""
        return {"vfs": self.vfs, "app_a": self.app_a}


def littlefs(files: Mapping[str, bytes], partition: Partition) -> tuple[bytes, int]:
    """Image of exactly the partition's size holding `files` (path -> contents), and the bytes of it in use.

    Raises FlashError naming both sizes when they do not fit.
    """
    from littlefs import LittleFS, LittleFSError

    blocks = partition.size // SECTOR_BYTES
    image = LittleFS(block_count=blocks, mount=False, **_PARAMETERS)
    image.format()
    image.mount()
    try:
        for path in sorted(files):
            folder = str(Path(path).parent.as_posix())
            if folder != ".":
                image.makedirs(folder, exist_ok=True)
            with image.open(path, "wb") as file:
                file.write(files[path])
    except LittleFSError as error:
        if error.code != LittleFSError.Error.LFS_ERR_NOSPC:
            raise
        total = sum(map(len, files.values()))
        raise FlashError(
            f"image for partition {partition.label} is too big: {total} bytes in {len(files)} files, "
            f"the partition holds {partition.size} bytes; leave something out"
        ) from error
    used = image.used_block_count * SECTOR_BYTES
    image.unmount()
    return bytes(image.context.buffer), used


def build(board: Board, firmware: Path | None = None, output: Path | None = None) -> Images:
    """Compile the firmware for the board and make its images.

    firmware: another tree than the one that came with Judder. output: folder that gets vfs.img, app_a.img and the
    compiled tree. Raises InputError (does not compile), FlashError (does not fit its partition).
    """
    firmware = assets.firmware() if firmware is None else firmware
    table = layout(board.flash_bytes)
    with tempfile.TemporaryDirectory(prefix="judder-") as scratch:
        tree = (output / "app" if output else Path(scratch)).resolve()
        compiled = compile_tree(board.mpy_arch, tree, board, firmware)
        app_files = {path: (tree / path).read_bytes() for path, _size in compiled}
    vfs_files = {name: (firmware / name).read_bytes() for name in LOADER_FILES}
    vfs, vfs_used = littlefs(vfs_files, find(table, "vfs"))
    app, app_used = littlefs(app_files, find(table, "app_a"))
    if output is not None:
        (output / "vfs.img").write_bytes(vfs)
        (output / "app_a.img").write_bytes(app)
    return Images(
        board,
        vfs,
        app,
        {"vfs": sorted((name, len(data)) for name, data in vfs_files.items()), "app_a": compiled},
        {"vfs": vfs_used, "app_a": app_used},
    )
