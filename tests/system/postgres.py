"""A PostgreSQL of Debian's for tests: a cluster of its own in /tmp, on a free loopback port, gone afterwards."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.system import daemon

from judder.ingest.broker import free_port

_HOMES = [str(path) for path in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]


class Postgres:
    """dsn(): of a database. run(): SQL as its superuser. Kept from syncing, which only a power cut would show.

    disk_mb: on a disk of its own of that size, where we may mount one; else the test is skipped.
    """

    def __init__(self, disk_mb: int | None = None) -> None:
        program = daemon.program("postgres", *_HOMES)
        initdb = daemon.program("initdb", *_HOMES)
        # Not below pytest's folder, where only we may look; short, for the path of a socket is.
        self.folder = Path(tempfile.mkdtemp(prefix="judder-pg-"))
        self._mounted = False
        if disk_mb is not None:
            mount = ["mount", "-t", "tmpfs", "-o", f"size={disk_mb}m", "tmpfs", str(self.folder)]
            if subprocess.run(mount, capture_output=True).returncode:
                self.folder.rmdir()
                pytest.skip("no right to mount a small disk")
            self._mounted = True
        user = "postgres" if os.geteuid() == 0 else None
        if user:
            shutil.chown(self.folder, user, user)
        self.port = free_port()
        command = [initdb, "-D", str(self.folder / "data"), "-U", "postgres", "-A", "trust", "-E", "UTF8"]
        command += ["--no-locale", "--no-sync"]
        subprocess.run(command, user=user, cwd=self.folder, check=True, capture_output=True, timeout=120)
        command = [program, "-D", str(self.folder / "data"), "-p", str(self.port), "-h", "127.0.0.1", "-F"]
        self.server = daemon.Daemon([*command, "-k", str(self.folder)], self.folder, self._up, user)

    def _up(self) -> bool:
        try:
            psycopg.connect(self.dsn("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def dsn(self, database: str = "plant", user: str = "postgres") -> str:
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def run(self, query: str, database: str = "plant", **more: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.dsn(database), autocommit=True, **more) as connection:
            cursor = connection.execute(query)
            return cursor.fetchall() if cursor.description else []

    def anew(self) -> None:
        """An empty database `plant`."""
        self.run("DROP DATABASE IF EXISTS plant WITH (FORCE)", "postgres")
        self.run("CREATE DATABASE plant", "postgres")

    def kill(self) -> None:
        """All its processes, with no chance to say or write anything."""
        parent = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        children = [int(word) for word in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
        self.server.stop(signal.SIGKILL)
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        deadline = time.monotonic() + 60
        while any(Path(f"/proc/{child}").exists() for child in children):
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def remove(self) -> None:
        self.server.stop(signal.SIGQUIT)
        if self._mounted:
            subprocess.run(["umount", "-l", str(self.folder)], check=True)
        shutil.rmtree(self.folder, ignore_errors=True)
