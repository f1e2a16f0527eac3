"""Observations to PostgreSQL, in hypertables where the database has TimescaleDB. Needs the extra `postgres` (psycopg).

A table for each kind (judder_reading, judder_alarm, ...), a column for each value, its unit in the name; the files in
sql/postgres/ say what and the sink runs those that are new. A row is known by node, time and id, so writing it again
changes nothing. write() returns when the server has committed to its disk.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from judder.decode import columns
from judder.errors import InputError
from judder.flow import Observation
from judder.sink import Plugin, Poisoned, SinkOptions, halves, needs, rows, secret
from judder.sink.base import BaseSink

if TYPE_CHECKING:
    from judder.sink.postgres_server import Server

_PASSWORD = re.compile(r"://[^/@]*:[^/@]*@|\b(ssl)?password\s*=", re.I)
_SCHEMA = re.compile(r"[a-z_][a-z0-9_]{0,62}")


@dataclass(slots=True, kw_only=True)
class PostgresOptions(SinkOptions):
    """dsn: where to, as libpq takes it: "postgresql://judder@db.example/plant" or "host=... dbname=..."; what it leaves
    out comes from PGHOST and its like. password: or that of PGPASSWORD or ~/.pgpass; not in dsn, which is shown.
    db_schema: of the tables; empty: the role's own search path. migrate: make and extend the tables; false where the
    role may not. timeout_s: for connecting, and for one batch."""

    dsn: str = ""
    password: str = secret()
    db_schema: str = ""
    migrate: bool = True
    timeout_s: float = 30.0
    batch_size: int = 1000

    def __post_init__(self) -> None:
        SinkOptions.__post_init__(self)
        if _PASSWORD.search(self.dsn):
            raise InputError("dsn: a password in it would end up in logs; password is a key of its own")
        if self.db_schema and not _SCHEMA.fullmatch(self.db_schema):
            raise InputError(
                f"db_schema: {self.db_schema!r} is none; lower-case letters, digits and _ are expected, as judder"
            )
        if self.timeout_s <= 0:
            raise InputError(f"timeout_s: {self.timeout_s:g} is not above 0")


_Row = tuple[str, dict[str, Any]]


class PostgresSink(BaseSink):
    """One transaction a batch."""

    name = "postgres"

    def __init__(self, options: PostgresOptions) -> None:
        super().__init__(options)
        try:
            from judder.sink.postgres_server import Server
        except ImportError as error:  # also a psycopg that finds no libpq
            raise needs("psycopg", "postgres", error) from error
        self._server: Server = Server(
            options.dsn, options.password, options.db_schema, options.timeout_s, migrate=options.migrate
        )
        self._statements = {kind: _upsert(kind, options.db_schema) for kind in rows.COLUMNS}

    def write(self, batch: Sequence[Observation]) -> None:
        halves.write([_row(index, observation) for index, observation in enumerate(batch)], self._attempt)

    def _attempt(self, some: Sequence[_Row]) -> str | None:
        # By id: one statement must not meet a row twice.
        found: dict[str, dict[str, dict[str, Any]]] = {}
        for kind, row in some:
            found.setdefault(kind, {})[row["id"]] = row
        return self._server.execute(
            [(self._statements[kind], json.dumps(list(of_kind.values()))) for kind, of_kind in found.items()]
        )

    def close(self) -> None:
        self._server.close()


def _upsert(kind: str, db_schema: str) -> str:
    """All rows of a kind in one statement with one parameter, a JSON array."""
    table = f"{db_schema}.judder_{kind}" if db_schema else f"judder_{kind}"
    names = [f'"{name}"' for name, _type in rows.COLUMNS[kind]]
    all_ = ", ".join(names)
    # An update that changes nothing would leave a dead row behind.
    return (
        f"INSERT INTO {table} AS old ({all_}) SELECT {all_} FROM json_populate_recordset(NULL::{table}, %s) "
        f"ON CONFLICT (node, time, id) DO UPDATE SET ({all_}) = ({', '.join('excluded.' + n for n in names)}) "
        f"WHERE ({', '.join('old.' + n for n in names)}) IS DISTINCT FROM ({', '.join('excluded.' + n for n in names)})"
    )


def _row(index: int, observation: Observation) -> _Row:
    if rows.moment(observation.at) is None:
        raise Poisoned(index, "no clock can be believed, and a row needs a time")
    kind = observation.record.kind
    row = rows.flat(observation, _MADE)
    return kind, dict(zip(_NAMES[kind], row, strict=True))


def _time(value: float) -> str | None:
    at = rows.moment(value)
    return None if at is None else at.isoformat()


def _tags(value: str) -> dict[str, str]:
    return {rows.sayable(name): rows.sayable(str(said)) for name, said in json.loads(value).items()}


# Column type -> what turns its value into JSON that the server makes the type of.
_MADE: dict[str, Callable[[Any], Any]] = {
    rows.TIME: _time,
    rows.JSON: _tags,
    rows.UUID: str,
    columns.TEXT: rows.sayable,
    columns.TEXTS: lambda texts: [rows.sayable(text) for text in texts],
    columns.BINARY: lambda data: "\\x" + data.hex(),
    columns.FLOAT64: lambda number: number if math.isfinite(number) else str(number),
}
_NAMES = {kind: [name for name, _type in found] for kind, found in rows.COLUMNS.items()}


PLUGIN = Plugin(PostgresOptions, PostgresSink)
