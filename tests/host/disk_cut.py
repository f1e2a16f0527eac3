"""Power cuts of a file system, after every step of a workload.

POSIX promises no more than this: bytes of a file are on the disk after its fsync, a name after the fsync of its folder.
A recorder stands in for a module's `os` and writes down what is done; disk() then builds the folder as it may look when
power fails after step k: of what was not synced, a `survives` picked by the test says which steps are on the disk all
the same, in any order, and bytes of a file that was not synced are partly there.
"""

import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

# ("folder", path), ("file", path, number), ("sync", number, bytes), ("sync folder", path), ("rename", from, to),
# ("unlink", path), ("mark", value)
Step = tuple[Any, ...]


class Killed(BaseException):
    """What a process feels of SIGKILL: nothing after it is done."""


class Recorder(ModuleType):
    """In place of a module's `os`; syncs nothing, for that takes long. Paths are noted relative to root, which exists.

    killed_at: number of the step before which the process dies.
    """

    def __init__(self, root: Path, killed_at: int | None = None) -> None:
        super().__init__("os")
        self.steps: list[Step] = []
        self.killed_at = killed_at
        self._root = root
        self._numbers: dict[str, int] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def mark(self, value: Any) -> None:
        self.steps.append(("mark", value))

    def _alive(self) -> None:
        if self.killed_at is not None and len(self.steps) >= self.killed_at:
            raise Killed

    def mkdir(self, path: Path) -> None:
        self._alive()
        os.mkdir(path)  # noqa: PTH102
        self.steps.append(("folder", self._name(path)))

    def rename(self, old: Path, new: Path) -> None:
        self._alive()
        os.rename(old, new)  # noqa: PTH104
        self.steps.append(("rename", self._name(old), self._name(new)))
        self._numbers.pop(self._name(old), None)

    def unlink(self, path: Path) -> None:
        self._alive()
        os.unlink(path)  # noqa: PTH108
        self.steps.append(("unlink", self._name(path)))

    def fsync(self, fd: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{fd}"))  # noqa: PTH115
        if path != self._root and self._root not in path.parents:
            return
        name = self._name(path)
        if not path.is_dir() and name not in self._numbers:
            self._numbers[name] = len(self.steps)
            self.steps.append(("file", name, self._numbers[name]))
        self._alive()
        if path.is_dir():
            self.steps.append(("sync folder", name))
            return
        self.steps.append(("sync", self._numbers[name], path.read_bytes()))

    def _name(self, path: Path) -> str:
        return str(Path(path).relative_to(self._root))


def disk(steps: list[Step], cut: int, survives: Callable[[], bool], root: Path) -> None:
    """Build in root, which is empty, what is on the disk when power fails before step `cut`."""
    held: dict[int, bytes] = {}
    names: dict[str, int | None] = {}  # None: a folder
    waiting: list[Step] = []
    for step in steps[:cut]:
        if step[0] == "sync":
            held[step[1]] = step[2]
        elif step[0] == "sync folder":
            for other in [w for w in waiting if _folder_of(w) == step[1]]:
                _apply(other, names)
                waiting.remove(other)
        elif step[0] != "mark":
            # A rename of what has no name on the disk yet gives it one; which file it is does not depend on that.
            if step[0] == "rename":
                step = (*step, next(w[2] for w in reversed(steps[:cut]) if w[0] == "file" and w[1] == step[1]))
            waiting.append(step)
    for step in waiting:
        if survives():
            _apply(step, names)
    for name, number in sorted(names.items()):
        path = root / name
        if not path.parent.is_dir():
            continue  # a folder above it is not on the disk
        if number is None:
            path.mkdir()
        else:
            whole = next((s[2] for s in steps if s[0] == "sync" and s[1] == number), b"")
            path.write_bytes(held.get(number, whole[: len(whole) // 2] if survives() else b""))


def _apply(step: Step, names: dict[str, int | None]) -> None:
    if step[0] == "folder":
        names[step[1]] = None
    elif step[0] == "file":
        names[step[1]] = step[2]
    elif step[0] == "unlink":
        names.pop(step[1], None)
    else:
        names.pop(step[1], None)
        names[step[2]] = step[3]


def _folder_of(step: Step) -> str:
    return str(Path(step[1]).parent)
