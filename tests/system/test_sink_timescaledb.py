"""The PostgreSQL sink's files and statements in a TimescaleDB 2.23, built for WebAssembly and run by Node.

Debian has no TimescaleDB, so this one has no network and the sink cannot connect to it: what it would send is sent.
"""

import json
import os
import re
from collections.abc import Sequence
from typing import Any

import pytest
from tests.host import sinks
from tests.tools import npm_packages

from judder.decode.columns import COLUMNS
from judder.flow import Observation
from judder.sink import postgres, postgres_server

WEEK = 7 * 86400
TABLES = sorted(f"judder_{kind}" for kind in COLUMNS)
MIGRATIONS = [path.read_text() for path in postgres_server.MIGRATIONS.values()]
HYPERTABLES = (postgres_server.FILES / "timescaledb.sql").read_text()
EXTENSION = "CREATE EXTENSION timescaledb SCHEMA public"
WHICH = "SELECT hypertable_schema || '.' || hypertable_name AS name FROM timescaledb_information.hypertables ORDER BY 1"
CHUNKS = "SELECT count(*)::int AS rows, count(DISTINCT tableoid)::int AS chunks FROM judder_reading"
Query = str | tuple[str, str]


def statements(batch: Sequence[Observation]) -> list[Query]:
    found = [postgres._row(index, observation) for index, observation in enumerate(batch)]
    return [(postgres._upsert(kind, ""), json.dumps([row])) for kind, row in found]


def schema(name: str) -> list[Query]:
    return [f"CREATE SCHEMA {name}", f"SET search_path TO {name}"]


OLDER = HYPERTABLES.replace("'.by_range'", "'.nonesuch'")
EARLY = statements([sinks.reading(n, received_at=sinks.T0 + n * WEEK) for n in range(3)])
BATCH = [*sinks.one_of_each(), *(sinks.reading(n, received_at=sinks.T0 + n * WEEK) for n in range(2, 6))]
# One server for all, for it takes seconds to start; a schema for each case.
QUERIES: dict[str, list[Query]] = {
    "before": [*schema("before"), *MIGRATIONS, HYPERTABLES, *EARLY],
    "extension": [EXTENSION],
    "moved": [HYPERTABLES, WHICH, CHUNKS],
    "moved, again": EARLY,
    "with it": [*schema("with_it"), *MIGRATIONS, HYPERTABLES, HYPERTABLES, WHICH],
    "written": statements(BATCH),
    "again": statements(BATCH),
    "counted": [CHUNKS],
    "older form": [*schema("older"), *MIGRATIONS, OLDER, WHICH],
}


def asked() -> dict[str, list[Any]]:
    """To each of QUERIES: rows, or {"changed": how many}."""
    lines = [
        json.dumps({"sql": q} if isinstance(q, str) else {"sql": q[0].replace("%s", "$1"), "parameters": [q[1]]})
        for part in QUERIES.values()
        for q in part
    ]
    try:
        found = iter([json.loads(line) for line in npm_packages.run("timescaledb.cjs", lines)])
    except npm_packages.Unavailable as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))
    return {name: [next(found) for _ in part] for name, part in QUERIES.items()}


def tables(answer: list[dict[str, str]], schema: str) -> list[str]:
    return [row["name"].partition(".")[2] for row in answer if row["name"].startswith(f"{schema}.")]


def test_hypertables_take_what_the_sink_writes_once() -> None:
    answers = asked()
    assert tables(answers["with it"][-1], "with_it") == TABLES
    assert answers["written"] == [{"changed": 1}] * len(BATCH)
    assert answers["again"] == [{"changed": 0}] * len(BATCH)
    assert answers["counted"] == [[{"rows": 5, "chunks": 5}]]
    # Rows that were there before the extension are moved.
    assert tables(answers["moved"][1], "before") == TABLES
    assert answers["moved"][2] == [{"rows": 3, "chunks": 3}]
    assert answers["moved, again"] == [{"changed": 0}] * 3
    # Versions before 2.13 know the older form only.
    assert OLDER != HYPERTABLES
    assert tables(answers["older form"][-1], "older") == TABLES


def test_the_file_names_every_table() -> None:
    (listed,) = re.findall(r"ARRAY\[(.*?)\]", HYPERTABLES)
    assert sorted("judder_" + name.strip(" '") for name in listed.split(",")) == TABLES
