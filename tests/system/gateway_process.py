"""`judder gateway` as a process of its own, for tests: started, asked how it is, stopped, killed."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from judder.ingest.broker import free_port

_WAIT_S = 120.0


def wait_for(condition: Callable[[], Any], what: str, timeout_s: float = _WAIT_S) -> Any:
    """What the condition gives, once it is something."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"waited {timeout_s:g} s for {what}")


def config(folder: Path, sections: str, health: int) -> Path:
    path = folder / "gateway.toml"
    path.write_text(f'[service]\ndata = "data"\nhealth = "127.0.0.1:{health}"\ngrace_s = 5\n{sections}')
    return path


class GatewayProcess:
    """sections: of gateway.toml, beside [service]. Its files are in folder / "data"; its log in folder / "log"."""

    def __init__(self, folder: Path, sections: str) -> None:
        self.folder = folder
        self.health = free_port()
        self.path = config(folder, sections, self.health)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, **environ: str) -> Self:
        """Until it is ready."""
        self.begin(**environ)
        wait_for(self.ready, f"a gateway that is ready: {self.log()[-2000:]}")
        return self

    def begin(self, **environ: str) -> None:
        """Without waiting."""
        command = [sys.executable, "-m", "judder.cli.main", "gateway", "--config", str(self.path), "--json"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, **environ}
            )

    def ready(self) -> bool:
        assert self.process is not None and self.process.poll() is None, self.log()
        return self.ask("/readyz")[0] == 200

    def ask(self, path: str) -> tuple[int, str]:
        """(status, body); 0 where nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.health}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def status(self) -> dict[str, Any]:
        code, body = self.ask("/status")
        assert code == 200, body
        found: dict[str, Any] = json.loads(body)
        return found

    def kill(self) -> None:
        """As a power cut does."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)

    def stop(self, with_: int = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(with_)
        return self.process.wait(60)

    def log(self) -> str:
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def lines(self, event: str) -> list[dict[str, Any]]:
        rows = [json.loads(line) for line in self.log().splitlines()]
        return [row for row in rows if row["event"] == event]

    def ndjson(self, name: str = "readings.ndjson") -> list[dict[str, Any]]:
        path = self.folder / "data" / name
        text = path.read_text() if path.exists() else ""
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def sqlite(self, sql: str, name: str = "judder.db") -> list[tuple[Any, ...]]:
        path = self.folder / "data" / name
        if not path.exists():
            return []
        db = sqlite3.connect(path, timeout=30)
        try:
            return db.execute(sql).fetchall()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return []
            raise
        finally:
            db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(30)
