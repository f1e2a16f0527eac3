"""Where the firmware and the board descriptions are: in the checkout, or in the wheel under judder/_assets."""

from __future__ import annotations

from pathlib import Path

import judder
import judder_core
from judder.errors import BoardError

_PACKAGE = Path(judder.__file__).resolve().parent


def root() -> Path:
    """Folder that holds `firmware/` and `boards/`. Raises BoardError when this installation carries neither."""
    checkout = _PACKAGE.parent.parent
    for folder in (checkout, _PACKAGE / "_assets"):
        if (folder / "boards").is_dir() and (folder / "firmware" / "node").is_dir():
            return folder
    raise BoardError("this installation of judder carries no firmware: pip install --force-reinstall 'judder[bench]'")


def firmware() -> Path:
    """Folder with boot.py, main.py and node/; judder_core/ too in a checkout, see `package`."""
    return root() / "firmware"


def package(name: str, tree: Path) -> Path | None:
    """Folder of a package of the node within a firmware tree, None where it is not.

    The wheel carries judder_core once, as the package this computer imports: that is then the node's as well.
    """
    if (tree / name).is_dir():
        return tree / name
    if name == judder_core.__name__ and tree == firmware():
        return Path(judder_core.__file__).resolve().parent
    return None


def boards() -> Path:
    """Folder with one folder per board."""
    return root() / "boards"
