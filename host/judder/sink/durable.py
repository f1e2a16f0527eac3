"""Files and folders that are there after a power cut: the steps, in the order that makes it so.

A file's bytes are safe after its fsync, its name after that of its folder, a folder's name after that of the one above.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

# What Linux says of a folder that cannot be synced: fsync(2), and what network and user-space file systems make of it.
_NO_SUCH_CALL = {errno.EINVAL, errno.EBADF, errno.ENOTSUP, errno.ENOSYS, errno.EROFS}


def sync_folder(folder: Path) -> None:
    """The names in it. Shares of other computers have no such call; there it is for them to be safe."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in _NO_SUCH_CALL:
            raise
    finally:
        os.close(fd)


def make_folder(folder: Path) -> None:
    """With all above it that are missing. Raises OSError.

    Every name on the way is synced, those that were there too: a process that was killed may have just made them.
    """
    missing = []
    above = folder
    while not above.is_dir():
        missing.append(above)
        above = above.parent
    for made in reversed(missing):
        with contextlib.suppress(FileExistsError):
            os.mkdir(made)  # noqa: PTH102  # what tests of power cuts watch
    device = folder.stat().st_dev
    for parent in folder.absolute().parents:
        if parent.stat().st_dev != device:
            break
        with contextlib.suppress(PermissionError):  # somebody else's, who made what is in it
            sync_folder(parent)


@contextlib.contextmanager
def placing(path: Path) -> Iterator[BinaryIO]:
    """Write what comes to be a whole file under its name, or none: it has a hidden name until then. Raises OSError."""
    hidden = path.with_name(f".{path.name}.new")
    try:
        with hidden.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.rename(hidden, path)  # noqa: PTH104
    except Exception:  # what is killed leaves it, and the next start finds it
        with contextlib.suppress(OSError):
            hidden.unlink()
        raise
    sync_folder(path.parent)
