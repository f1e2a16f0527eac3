"""The PostgreSQL sink and Debian's PostgreSQL: what stands in the tables, what comes twice, what is refused."""

import math
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.host import sinks
from tests.host.test_sinks_page import block
from tests.system import daemon
from tests.system.postgres import Postgres

from judder.decode import columns
from judder.sink import Poisoned, SinkDown, postgres_server, rows
from judder.sink.postgres import PostgresOptions, PostgresSink


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    made = Postgres()
    try:
        made.server.start()
        yield made
    finally:
        made.remove()


@pytest.fixture
def db(server: Postgres) -> Postgres:
    server.anew()
    return server


def open_sink(db: Postgres, **options: Any) -> PostgresSink:
    return PostgresSink(PostgresOptions(**{"dsn": db.dsn(), **options}))


def at(seconds: float) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)


def test_a_reading_is_a_row_with_units_in_its_names(db: Postgres) -> None:
    with open_sink(db) as sink:
        sink.write([sinks.lorawan(sinks.reading(1, problems=("late", "gap:3")))])
    expected = {
        "node": sinks.NODE,
        "time": at(sinks.T0 + 55),
        "measured_at": at(sinks.T0 + 55),
        "received_at": at(sinks.T0 + 60),
        "problems": ["late", "gap:3"],
        "name": "Pump 3, drive end",
        "tags": {"hall": "A"},
        "uplink_fcnt": 0,
        "uplink_snr_db": 0.0,
        "uplink_rssi_dbm": -101.0,
        "uplink_frequency_hz": 868100000,
        "zone": "B",
        "clipped": False,
        "velocity_rms_worst_mm_s": 3.12,
        "acceleration_peak_z_mg": 300,
        "temperature_c": 41.5,
        "extra": None,
        "payload": sinks.reading(1).uplink.payload,
    }
    assert db.run(f"SELECT {', '.join(expected)} FROM judder_reading") == [tuple(expected.values())]


def test_every_kind_of_record_in_its_table(db: Postgres) -> None:
    with open_sink(db) as sink:
        sink.write(sinks.one_of_each())
    for kind in rows.COLUMNS:
        ((count,),) = db.run(f"SELECT count(*) FROM judder_{kind}")
        assert count == (kind != "command")
    assert db.run('SELECT metric, value, "limit" FROM judder_alarm') == [("velocity_rms", 7.52, 7.1)]
    assert db.run("SELECT data, scale_ug FROM judder_capture") == [(b"\x01\x00\xff\xff", 488)]
    assert db.run("SELECT kind_number, items FROM judder_unknown") == [(99, "[10]")]


_TYPES = {
    columns.TEXT: "text",
    columns.INT32: "integer",
    columns.INT64: "bigint",
    columns.FLOAT64: "double precision",
    columns.BOOL: "boolean",
    columns.BINARY: "bytea",
    columns.TEXTS: "ARRAY",
    rows.TIME: "timestamp with time zone",
    rows.JSON: "jsonb",
    rows.UUID: "uuid",
}


def test_the_files_make_every_column_of_every_kind(db: Postgres) -> None:
    """What fails here when the contract grows: a new file in sql/postgres, never a change of one that was released."""
    with open_sink(db) as sink:
        sink.write([sinks.reading(1)])
    for kind, expected in rows.COLUMNS.items():
        query = "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'judder_{}'"
        assert set(db.run(query.format(kind))) == {(name, _TYPES[type_]) for name, type_ in expected}, kind
    assert db.run("SELECT version FROM judder_schema") == [(n,) for n in range(1, postgres_server.VERSION + 1)]


def test_what_is_written_twice_is_there_once_and_untouched(db: Postgres) -> None:
    batch = [sinks.lorawan(sinks.reading(n)) for n in range(50)]
    with open_sink(db) as sink:
        sink.write(batch)
        before = db.run("SELECT id, xmin::text, ctid::text FROM judder_reading ORDER BY sequence")
        sink.write(batch[::-1])
        sink.write([batch[7], batch[7]])
    with open_sink(db) as sink:
        sink.write(batch)
    assert db.run("SELECT id, xmin::text, ctid::text FROM judder_reading ORDER BY sequence") == before
    assert len(before) == 50


def test_columns_of_somebody_else_stay_and_a_later_version_fills_in(db: Postgres) -> None:
    with open_sink(db) as sink:
        sink.write([sinks.reading(1)])
        db.run("ALTER TABLE judder_reading ADD COLUMN plant text DEFAULT 'north'")
        db.run("UPDATE judder_reading SET plant = 'south', kurtosis_x = NULL")
        sink.write([sinks.reading(1), sinks.reading(2)])
    found = db.run("SELECT plant, kurtosis_x FROM judder_reading ORDER BY sequence")
    assert found == [("south", 3.1), ("north", 3.1)]


@pytest.mark.parametrize("text", ["\x00", "a\ud800b", "it's", 'a"b', "\\x41", "{1,2}", "two\nlines", "%s", "ä", "NULL"])
def test_names_of_people_are_texts(db: Postgres, text: str) -> None:
    with open_sink(db) as sink:
        sink.write([sinks.reading(1, name=text, gateway=text, tags={text: text}, problems=(text,))])
    same = text.replace("\x00", "\ufffd").replace("\ud800", "\ufffd")
    found = db.run("SELECT name, uplink_gateway, tags, problems FROM judder_reading")
    assert found == [(same, same, {same: same}, [same])]


def test_numbers_no_calendar_or_decimal_has(db: Postgres) -> None:
    odd = sinks.reading(1, snr_db=math.nan, rssi_dbm=-math.inf)
    odd.uplink.received_at = math.inf
    with open_sink(db) as sink:
        sink.write([odd])
    ((received_at, snr, rssi),) = db.run("SELECT received_at, uplink_snr_db, uplink_rssi_dbm FROM judder_reading")
    assert received_at is None and math.isnan(snr) and rssi == -math.inf


def test_the_query_of_the_page(db: Postgres) -> None:
    now = datetime.now(UTC).timestamp()
    with open_sink(db) as sink:
        sink.write([sinks.reading(n, received_at=now + n) for n in range(3)])
    assert [(row[0], row[3]) for row in db.run(block("postgres:", "sql"))] == [(sinks.NODE, "B")]


# --- refused


def test_a_number_too_large_poisons_one_of_many(db: Postgres) -> None:
    batch = [sinks.reading(n) for n in range(9)]
    huge = sinks.hello()
    huge.record.uptime_s = 1 << 63  # type: ignore[attr-defined]
    batch.insert(5, huge)
    with open_sink(db) as sink:
        with pytest.raises(Poisoned, match=r"refuses it \(22003\).*out of range for type bigint") as caught:
            sink.write(batch)
        assert caught.value.index == 5
        sink.write(batch[:5] + batch[6:])
    assert db.run("SELECT count(*) FROM judder_reading") == [(9,)]


def test_a_rule_of_the_owner_poisons_what_breaks_it(db: Postgres) -> None:
    with open_sink(db) as sink:
        sink.write([sinks.reading(0)])
        db.run("ALTER TABLE judder_reading ADD CHECK (sequence <> 3)")
        with pytest.raises(Poisoned, match=r"23514.*check constraint") as caught:
            sink.write([sinks.reading(n) for n in range(5)])
        assert caught.value.index == 3
        assert "41.5" not in str(caught.value), "the row itself"


def test_no_time_is_poison(db: Postgres) -> None:
    lost = sinks.hello(problems=("clock-behind",))
    lost.heard_at = None
    with open_sink(db) as sink, pytest.raises(Poisoned, match="clock") as caught:
        sink.write([sinks.reading(1), lost])
    assert caught.value.index == 1


# --- tables


def test_two_that_start_together_make_the_tables_once(db: Postgres) -> None:
    found = [open_sink(db, db_schema="judder") for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda pair: pair[1].write([sinks.reading(pair[0])]), enumerate(found)))
    for sink in found:
        sink.close()
    assert db.run("SELECT count(*) FROM judder.judder_reading") == [(4,)]
    assert db.run("SELECT to_regclass('public.judder_reading')") == [(None,)]


def test_by_hand_for_a_role_that_may_only_write(db: Postgres) -> None:
    psql = daemon.program("psql", "/usr/bin")
    db.run("DROP ROLE IF EXISTS writer; CREATE ROLE writer LOGIN")
    as_writer = db.dsn(user="writer")
    said = r"permission denied for schema public; grant it, or let the owner.*sql/postgres"
    with open_sink(db, dsn=as_writer) as sink, pytest.raises(SinkDown, match=said):
        sink.write([sinks.reading(1)])
    with open_sink(db, dsn=as_writer, migrate=False) as sink:
        with pytest.raises(SinkDown, match=r"tables are older than this sink; .*run the files in"):
            sink.write([sinks.reading(1)])
        for path in (*postgres_server.MIGRATIONS.values(), postgres_server.FILES / "timescaledb.sql"):
            command = [psql, "-X", "-v", "ON_ERROR_STOP=1", "-1", "-q", "-f", str(path), db.dsn()]
            subprocess.run(command, check=True, timeout=60)
        with pytest.raises(SinkDown, match="permission denied for table judder_schema; grant it"):
            sink.write([sinks.reading(1)])
        db.run("GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO writer")
        sink.write([sinks.reading(1)])
        sink.write([sinks.reading(1)])
    assert db.run("SELECT count(*) FROM judder_reading") == [(1,)]


def test_tables_that_cannot_be_made_are_down_not_poison(db: Postgres) -> None:
    """Whatever the server's reason; this one would blame the values."""
    db.run(
        "CREATE FUNCTION never() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not now'; END $$;"
        "CREATE EVENT TRIGGER never ON ddl_command_start EXECUTE FUNCTION never()"
    )
    with open_sink(db) as sink:
        with pytest.raises(SinkDown, match=r"127\.0\.0\.1: not now"):
            sink.write([sinks.reading(1)])
        db.run("ALTER EVENT TRIGGER never DISABLE")
        sink.write([sinks.reading(1)])


def test_tables_that_were_changed_are_down_not_poison(db: Postgres) -> None:
    with open_sink(db) as sink:
        sink.write([sinks.reading(1)])
        db.run("ALTER TABLE judder_reading DROP COLUMN kurtosis_x")
        with pytest.raises(SinkDown, match=r"kurtosis_x.*run the files in"):
            sink.write([sinks.reading(2)])
