"""A connection to PostgreSQL: made when it is needed, tables brought up to date, what its errors mean to a sink."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
from psycopg import conninfo

from judder.errors import InputError
from judder.sink import SinkDown

FILES = Path(__file__).parent / "sql" / "postgres"
# Version -> file that leads to it.
MIGRATIONS = {int(path.stem): path for path in sorted(FILES.glob("[0-9]*.sql"))}
VERSION = max(MIGRATIONS)

# Of pg_advisory_xact_lock: two gateways that start together make the tables once. Any number nobody else has.
_LOCK = 0x4A756464

# Classes of SQLSTATE that blame the values (PostgreSQL manual, appendix A): data exception, integrity constraint,
# view's check option, a limit such as the size of an index row, an error raised by somebody's trigger.
_REFUSALS = ("22", "23", "44", "54", "P0")

# SQLSTATE -> what to do, where the server's words do not say it.
_ADVICE = {
    "25006": "it is a standby, or set to read only: look at dsn",
    "42501": f"grant it, or let the owner of the tables run the files in {FILES} and set migrate = false",
    "42P01": f"its tables are not there or not ours: run the files in {FILES}, or set migrate = true",
    "42703": f"its tables are not ours or older: run the files in {FILES}, or set migrate = true",
    "53100": "make room on the server",
}


class Server:
    """Nothing is asked of the server before the first execute(). Raises InputError for a dsn that is none."""

    def __init__(self, dsn: str, password: str, db_schema: str, timeout_s: float, *, migrate: bool) -> None:
        usual: dict[str, Any] = {"application_name": "judder", "connect_timeout": max(2, round(timeout_s))}
        try:
            said = usual | conninfo.conninfo_to_dict(dsn) | {"client_encoding": "utf8"}
            self._conninfo = conninfo.make_conninfo(**said | ({"password": password} if password else {}))
        except psycopg.Error as error:
            raise InputError(
                f"dsn: an address is expected, as postgresql://judder@db.example/plant ({_words(error)})"
            ) from error
        self.shown = f"PostgreSQL at {said.get('host') or os.environ.get('PGHOST') or 'this computer'}"
        self._schema = db_schema
        self._timeout_s = timeout_s
        self._migrate = migrate
        self._connection: psycopg.Connection[Any] | None = None

    def execute(self, statements: Sequence[tuple[str, str]]) -> str | None:
        """(statement, its parameter) of each, in one transaction. None when it is committed, else why the server
        refuses the values. Raises SinkDown."""
        kept = self._connection is not None
        deadline = _Deadline(self._timeout_s)
        writing = False
        try:
            connection = self._connection or self._connect(deadline)
            writing = True
            with deadline.of(connection), connection.transaction():
                for statement, parameter in statements:
                    connection.execute(statement, (parameter,))
        except psycopg.Error as error:
            if writing and (error.sqlstate or "")[:2] in _REFUSALS:
                return f"{self.shown} refuses it ({error.sqlstate}): {_words(error)}"
            stale = kept and connection.broken and not deadline.passed
            self.close()
            if stale:  # cut while nobody wrote; doing it twice changes nothing
                return self.execute(statements)
            if deadline.passed:
                raise SinkDown(f"{self.shown} took longer than {self._timeout_s:g} s") from error
            advice = _ADVICE.get(error.sqlstate or "")
            raise SinkDown(f"{self.shown}: {_words(error)}{'; ' + advice if advice else ''}") from error
        return None

    def close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error):
                self._connection.close()
        self._connection = None

    def _connect(self, deadline: _Deadline) -> psycopg.Connection[Any]:
        connection = psycopg.connect(self._conninfo, autocommit=True)
        try:
            encoding = connection.info.parameter_status("server_encoding")
            if encoding != "UTF8":
                raise SinkDown(f"{self.shown}: its encoding is {encoding}: make a database with that of UTF8")
            with deadline.of(connection):
                # Committed is to mean on the disk, whatever the role's or the database's setting.
                if _one(connection, "SHOW synchronous_commit") == "off":
                    connection.execute("SET synchronous_commit = on")
                self._bring_up_to_date(connection)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return connection

    def _bring_up_to_date(self, connection: psycopg.Connection[Any]) -> None:
        if self._version(connection) >= VERSION:
            return
        if not self._migrate:
            raise SinkDown(f"{self.shown}: its tables are older than this sink; {_ADVICE['42P01']}")
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            if self._schema:
                # Only where it is not there: IF NOT EXISTS wants the right to make one all the same.
                if _one(connection, "SELECT to_regnamespace(%s)", self._schema) is None:
                    connection.execute(f"CREATE SCHEMA {self._schema}")
                connection.execute("SELECT set_config('search_path', %s, true)", (self._schema,))
            there = self._version(connection)
            for version, path in MIGRATIONS.items():
                if version > there:
                    connection.execute(path.read_bytes())
            connection.execute((FILES / "timescaledb.sql").read_bytes())

    def _version(self, connection: psycopg.Connection[Any]) -> int:
        table = f"{self._schema}.judder_schema" if self._schema else "judder_schema"
        if _one(connection, "SELECT to_regclass(%s)", table) is None:
            return 0
        return int(_one(connection, f"SELECT coalesce(max(version), 0) FROM {table}"))


def _one(connection: psycopg.Connection[Any], query: str, *parameters: str) -> Any:
    row = connection.execute(query, parameters).fetchone()
    assert row is not None
    return row[0]


def _words(error: psycopg.Error) -> str:
    """Without the detail, which repeats the row."""
    return error.diag.message_primary or " ".join(str(error).split()) or type(error).__name__


class _Deadline:
    """Cuts a connection off whose server says nothing any more, which neither TCP nor libpq does. passed: it did."""

    def __init__(self, timeout_s: float) -> None:
        self.passed = False
        self._timeout_s = timeout_s
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def of(self, connection: psycopg.Connection[Any]) -> Iterator[None]:
        over = threading.Event()
        timer = threading.Timer(self._timeout_s, self._cut, (connection, over))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            with self._lock:
                over.set()
            timer.cancel()

    def _cut(self, connection: psycopg.Connection[Any], over: threading.Event) -> None:
        with self._lock:
            if over.is_set():
                return
            self.passed = True
            with contextlib.suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as cut:
                cut.shutdown(socket.SHUT_RDWR)
