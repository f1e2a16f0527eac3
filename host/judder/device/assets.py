"""Where the firmware and the board descriptions are: in the checkout, or in the wheel under judder/_assets."""

from __future__ import annotations

from pathlib import Path

import judder
from judder.errors import BoardError

_PACKAGE = Path(judder.__file__).resolve().parent


def root() -> Path:
    """Folder that holds `firmware/` and `boards/`. Raises BoardError when this installation carries neither."""
    checkout = _PACKAGE.parent.parent
    for folder in (checkout, _PACKAGE / "_assets"):
        if (folder / "boards").is_dir() and (folder / "firmware" / "judder_core").is_dir():
            return folder
    raise BoardError("this installation of judder carries no firmware: pip install --force-reinstall 'judder[bench]'")


def firmware() -> Path:
    """Folder with boot.py, main.py, judder_core/ and node/."""
    return root() / "firmware"


def boards() -> Path:
    """Folder with one folder per board."""
    return root() / "boards"
