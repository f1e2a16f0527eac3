"""What this computer keeps of every node it provisioned: one file a node, readable by its owner alone.

The file is written before the node is, so a power cut in between never leaves a node with a key nobody knows.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from judder.errors import InputError


class Keyring:
    """A folder of `<node id>.json`, mode 0600 in a folder of mode 0700."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, node: str) -> Path:
        return self.folder / f"{node}.json"

    def save(self, node: str, entry: dict[str, object]) -> Path:
        """Write whole or not at all. Raises InputError when the folder cannot be written."""
        path = self.path(node)
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            # mkstemp makes the file 0600 from the start: no moment in which others may read the key.
            handle, name = tempfile.mkstemp(dir=self.folder, prefix=f".{node}-")
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(entry, file, indent=2)
                file.write("\n")
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except OSError as error:
            raise InputError(
                f"cannot keep the node's key in {self.folder}: {error.strerror}; name another folder with --keys"
            ) from error
        return path

    def entries(self) -> Iterator[dict[str, object]]:
        """Entries of every node kept here. Raises InputError as load() does."""
        for path in sorted(self.folder.glob("*.json")):
            entry = self.load(path.stem)
            if entry is not None:
                yield entry

    def load(self, node: str) -> dict[str, object] | None:
        """Entry of a node, or None. Raises InputError when the file is there and cannot be used."""
        path = self.path(node)
        try:
            entry = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise InputError(f"cannot use {path}: {error}; move it away and provision again") from error
        if not isinstance(entry, dict):
            raise InputError(f"cannot use {path}: not a node's entry; move it away and provision again")
        return entry
