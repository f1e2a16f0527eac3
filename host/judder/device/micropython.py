"""The MicroPython image for a board: where it comes from, whether it fits, and the regions of flash it becomes."""

from __future__ import annotations

import hashlib
import re
import tempfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from judder.device import espimage, layout, partitions
from judder.device.boards import Board
from judder.device.chips import by_image_id
from judder.errors import FlashError, InputError

APP_OFFSET = 0x10000
_DOWNLOAD_TIMEOUT_S = 30
_LARGEST_DOWNLOAD = 16 << 20

# esp_app_desc_t at the start of the first segment (ESP-IDF, "App Image Format"): magic, then the version at +16.
_DESCRIPTION_AT = espimage.HEADER.size + espimage.SEGMENT.size
_DESCRIPTION_MAGIC = (0xABCD5432).to_bytes(4, "little")


@dataclass(frozen=True)
class Region:
    """A span of flash and what belongs there. label: for people."""

    label: str
    offset: int
    data: bytes


def image_for(board: Board, file: Path | None, cache: Path | None = None) -> bytes:
    """Image from `file`, else what board.toml names: a download checked against its hash, or the stand-in.

    cache: folder for downloads, default the user's cache. Raises InputError for a file that cannot be read, FlashError
    for a download that fails or differs from its hash and for a board that names none.
    """
    source = board.micropython
    if file is not None:
        try:
            return file.read_bytes()
        except OSError as error:
            raise InputError(f"{file}: cannot be read: {error.strerror}; see {source.page}") from error
    if source.synthetic:
        from judder.virtual.image import synthetic_micropython

        return synthetic_micropython(board.chip.name)
    if source.url is None or source.sha256 is None:
        raise FlashError(
            f"board {board.name} names no MicroPython image: download the installation .bin "
            f"({source.minimum} or newer) from {source.page} and pass it with --micropython FILE"
        )
    return _download(source.url, source.sha256, cache)


def compose(board: Board, image: bytes) -> list[Region]:
    """Image -> regions, with our partition table in place of the image's own, checked against board and layout.

    Raises FlashError: not an installation image, another chip, damaged, too old, or larger than its partition.
    """
    chip = board.chip
    base = chip.boot_loader_offset
    download = f"download the installation .bin for the {chip.title} from {board.micropython.page}"
    try:
        boot_loader = espimage.read(image)
    except FlashError as error:
        raise FlashError(f"{error}: {download}") from None
    if boot_loader.chip_id != chip.image_chip_id:
        other = by_image_id(boot_loader.chip_id)
        made_for = other.title if other else f"chip number {boot_loader.chip_id}"
        raise FlashError(
            f"the MicroPython image is for the {made_for}, board {board.name} has an {chip.title}: {download}"
        )
    table_at = layout.TABLE_OFFSET - base
    try:
        table = partitions.parse(image[table_at : table_at + layout.SECTOR_BYTES])
    except FlashError:
        raise FlashError(f"the MicroPython image has no partition table, so it is an .app-bin: {download}") from None
    if not any(row.type == layout.TYPE_APP and row.subtype == 0 and row.offset == APP_OFFSET for row in table):
        raise FlashError(f"the MicroPython image has no factory application at 0x10000 (an OTA variant?): {download}")
    application = image[APP_OFFSET - base :]
    header = espimage.read(application)
    if header.chip_id != chip.image_chip_id:
        raise FlashError(f"the application in the MicroPython image is for another chip: {download}")
    _check_version(application, board)
    ours = layout.layout(board.flash_bytes)
    room = layout.find(ours, "factory").size
    if header.size > room:
        raise FlashError(
            f"the MicroPython image is too big: {header.size} bytes, its partition holds {room} bytes: {download}"
        )
    head = espimage.with_flash_size(image[: boot_loader.size], board.flash_bytes)
    return [
        Region("boot loader", base, head),
        Region("MicroPython", APP_OFFSET, application[: header.size]),
        Region("partition table", layout.TABLE_OFFSET, partitions.encode(ours)),
    ]


def _check_version(application: bytes, board: Board) -> None:
    """Refuse a release older than the board needs; an image that does not tell its version passes."""
    description = application[_DESCRIPTION_AT : _DESCRIPTION_AT + 48]
    if description[:4] != _DESCRIPTION_MAGIC:
        return
    version = description[16:48].split(b"\0")[0].decode("ascii", "replace")
    found = re.match(r"v?(\d+)\.(\d+)", version)
    needed = re.match(r"(\d+)\.(\d+)", board.micropython.minimum)
    if found and needed and tuple(map(int, found.groups())) < tuple(map(int, needed.groups())):
        raise FlashError(
            f"the image is MicroPython {version}, board {board.name} needs {board.micropython.minimum} or newer: "
            f"download one from {board.micropython.page}"
        )


def _download(url: str, sha256: str, cache: Path | None) -> bytes:
    if cache is None:
        import platformdirs

        cache = Path(platformdirs.user_cache_dir("judder"))
    kept = cache / f"{sha256}.bin"
    if kept.is_file():
        data = kept.read_bytes()
        if hashlib.sha256(data).hexdigest() == sha256:
            return data
    try:
        with urllib.request.urlopen(url, timeout=_DOWNLOAD_TIMEOUT_S) as answer:
            data = bytes(answer.read(_LARGEST_DOWNLOAD + 1))
    except (OSError, urllib.error.URLError, ValueError) as error:
        raise FlashError(
            f"{url} cannot be fetched ({error}): download it elsewhere and pass --micropython FILE"
        ) from error
    got = hashlib.sha256(data).hexdigest()
    if got != sha256:
        raise FlashError(f"{url} has SHA-256 {got}, board.toml records {sha256}: not used; pass --micropython FILE")
    cache.mkdir(parents=True, exist_ok=True)
    # Whole or not at all: another run may read the cache now.
    with tempfile.NamedTemporaryFile(dir=cache, delete=False) as file:
        file.write(data)
    Path(file.name).replace(kept)
    return data
