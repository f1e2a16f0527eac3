"""The 32-bit MicroPython, whose viper computes in the word size of an ESP32. Found here, fetched by a checkout.

A wheel for PCs is 64-bit; Debian has an i386 build, which tests/tools/micropython32.py of a checkout unpacks under
build/ with its libraries and starts through its own ld-linux.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import judder
from judder.errors import InputError

# What mpy-cross calls the code it runs.
ARCH = "x86"
_LIBRARIES = "usr/lib/i386-linux-gnu"
_GET = (
    "set MICROPYTHON32 to its command, or in a checkout on x86-64 Debian: "
    ".venv/bin/python tests/tools/micropython32.py (fetches it with apt into build/, installs nothing)"
)


def command_of(tree: Path) -> list[str]:
    """Arguments that start the interpreter unpacked in a folder."""
    libraries = tree / _LIBRARIES
    return [str(libraries / "ld-linux.so.2"), "--library-path", str(libraries), str(tree / "usr/bin/micropython")]


def find() -> list[str]:
    """Arguments that start it: what MICROPYTHON32 says, else the one under build/ of this checkout.

    Raises InputError saying how to get it, or that what was named is no 32-bit MicroPython.
    """
    named = os.environ.get("MICROPYTHON32")
    if named:
        words = shlex.split(named)
        if not words or shutil.which(words[0]) is None:
            raise InputError(f"MICROPYTHON32: there is no '{named}'; {_GET}")
        return _checked(words)
    tree = Path(judder.__file__).resolve().parents[2] / "build" / "micropython32"
    # Written last, when it had been started once.
    if not (tree / "complete").is_file():
        raise InputError(f"there is no 32-bit MicroPython here: {_GET}")
    return _checked(command_of(tree))


def _checked(words: Sequence[str]) -> list[str]:
    program = "import sys; print(sys.implementation[0], sys.maxsize)"
    try:
        done = subprocess.run([*words, "-c", program], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InputError(f"the 32-bit MicroPython '{words[-1]}' does not start ({error}); {_GET}") from error
    if done.returncode != 0 or done.stdout.split() != ["micropython", str(2**31 - 1)]:
        raise InputError(f"'{' '.join(words)}' is no 32-bit MicroPython; {_GET}")
    return list(words)
