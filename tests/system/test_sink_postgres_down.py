"""The PostgreSQL sink and a server that dies in the middle, fills its disk, is a standby or says nothing any more."""

import contextlib
import os
import shutil
import signal
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests import certificates
from tests.host import sinks
from tests.system.postgres import Postgres

from judder.errors import InputError
from judder.sink import SinkDown
from judder.sink.postgres import PostgresOptions, PostgresSink

_WAIT_S = 60.0


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


def until_taken(sink: PostgresSink, batch: list[Any], downs: list[str]) -> None:
    """As a gateway does, with shorter waits."""
    deadline = time.monotonic() + _WAIT_S
    while True:
        try:
            return sink.write(batch)
        except SinkDown as error:
            downs.append(str(error))
            assert time.monotonic() < deadline, downs[-3:]
            time.sleep(0.05)


# Rows 25 of 50 wait in the server until the test lets them go on.
_HOLD = """
CREATE TABLE hold (sequence bigint);
CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    WHILE EXISTS (SELECT FROM hold WHERE sequence = NEW.sequence) LOOP PERFORM pg_sleep(0.02); END LOOP;
    RETURN NEW;
END $$;
CREATE TRIGGER hold BEFORE INSERT ON judder_reading FOR EACH ROW EXECUTE FUNCTION hold();
INSERT INTO hold VALUES (25);
"""
_HELD = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'judder' AND wait_event = 'PgSleep'"


def test_killed_in_the_middle_of_a_batch_nothing_is_lost_or_twice(db: Postgres) -> None:
    batches = [[sinks.reading(50 * b + n) for n in range(50)] for b in range(4)]
    with open_sink(db) as sink:
        sink.write([sinks.hello()])
        db.run(_HOLD)
        downs: list[str] = []
        failed: list[BaseException] = []

        def gateway() -> None:
            try:
                for batch in batches:
                    until_taken(sink, batch, downs)
            except BaseException as error:
                failed.append(error)

        writer = threading.Thread(target=gateway)
        writer.start()
        deadline = time.monotonic() + _WAIT_S
        while db.run(_HELD) == [(0,)]:
            assert time.monotonic() < deadline and writer.is_alive(), failed
            time.sleep(0.02)
        db.kill()
        while not downs:
            assert time.monotonic() < deadline and writer.is_alive(), failed
            time.sleep(0.02)
        db.server.start()
        assert db.run("SELECT count(*) FROM judder_reading") == [(0,)], "half a batch"
        db.run("DELETE FROM hold")
        writer.join(_WAIT_S)
    assert not writer.is_alive() and not failed
    found = [row[0] for row in db.run("SELECT sequence FROM judder_reading ORDER BY sequence")]
    assert found == list(range(200))


def test_killed_after_each_batch_keeps_every_batch(db: Postgres) -> None:
    """Even where the database commits before it is on the disk: the sink asks for more."""
    db.run("ALTER DATABASE plant SET synchronous_commit = off")
    for n in range(3):
        with open_sink(db) as sink:
            sink.write([sinks.reading(n)])
            db.kill()
            db.server.start()
    assert db.run("SELECT sequence FROM judder_reading ORDER BY sequence") == [(0,), (1,), (2,)]


def test_a_server_that_was_restarted_meanwhile_is_found_again(db: Postgres) -> None:
    with open_sink(db) as sink:
        sink.write([sinks.reading(0)])
        db.server.stop(signal.SIGINT)
        with pytest.raises(SinkDown, match=r"127\.0\.0\.1.*[Cc]onnection refused"):
            sink.write([sinks.reading(1)])
        db.server.start()
        sink.write([sinks.reading(1)])
        db.server.stop(signal.SIGINT)
        db.server.start()
        sink.write([sinks.reading(2)])  # the old connection is gone, and nobody has to know
    assert db.run("SELECT count(*) FROM judder_reading") == [(3,)]


def test_a_server_that_says_nothing_any_more_is_down_in_time(db: Postgres) -> None:
    with open_sink(db, timeout_s=4) as sink:
        until_taken(sink, [sinks.reading(0)], [])
        ((pid,),) = db.run("SELECT pid FROM pg_stat_activity WHERE application_name = 'judder'")
        os.kill(pid, signal.SIGSTOP)
        try:
            with pytest.raises(SinkDown, match="took longer than 4 s"):
                sink.write([sinks.reading(1)])
        finally:
            os.kill(pid, signal.SIGCONT)
        until_taken(sink, [sinks.reading(1)], [])
    assert db.run("SELECT count(*) FROM judder_reading") == [(2,)]


def test_a_disk_that_is_full_takes_all_when_there_is_room_again() -> None:
    db = Postgres(disk_mb=70)
    try:
        db.server.start()
        db.anew()
        batch = [sinks.reading(n) for n in range(1000)]  # a kilobyte each
        with open_sink(db) as sink:
            sink.write(batch[:1])
            filler = db.folder / "filler"
            with filler.open("wb") as file, contextlib.suppress(OSError):
                while True:
                    file.write(bytes(65536))
                    file.flush()
            with pytest.raises(SinkDown, match=r"could not .*: No space left on device; make room on the server"):
                sink.write(batch)
            with pytest.raises(SinkDown):
                sink.write(batch)
            filler.unlink()
            until_taken(sink, batch, [])
        assert db.run("SELECT count(*), count(DISTINCT sequence) FROM judder_reading") == [(1000, 1000)]
    finally:
        db.remove()


def test_a_full_disk_is_down_with_what_to_do(db: Postgres) -> None:
    """The server's own error, raised by a trigger, for where no disk can be filled."""
    with open_sink(db) as sink:
        sink.write([sinks.hello()])
        db.run(
            "CREATE FUNCTION full_() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$;"
            "CREATE TRIGGER full_ BEFORE INSERT ON judder_reading FOR EACH ROW EXECUTE FUNCTION full_()"
        )
        with pytest.raises(SinkDown, match="could not extend file; make room on the server"):
            sink.write([sinks.reading(1)])
        db.run("DROP TRIGGER full_ ON judder_reading")
        sink.write([sinks.reading(1)])


def test_what_a_person_has_to_mend_is_down_and_says_what(db: Postgres) -> None:
    batch = [sinks.reading(1)]
    for dsn, said in ((db.dsn("nonesuch"), "does not exist"), (db.dsn(user="nobody"), "does not exist")):
        with open_sink(db, dsn=dsn) as sink, pytest.raises(SinkDown, match=said):
            sink.write(batch)
    db.run("DROP DATABASE IF EXISTS old", "postgres")
    db.run("CREATE DATABASE old TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'", "postgres")
    with open_sink(db, dsn=db.dsn("old")) as sink, pytest.raises(SinkDown, match="encoding is LATIN1: make"):
        sink.write(batch)
    db.run("ALTER DATABASE plant SET default_transaction_read_only = on", "postgres")
    with open_sink(db) as sink, pytest.raises(SinkDown, match="read-only transaction; it is a standby"):
        sink.write(batch)


def test_a_wrong_password_is_said_and_the_right_one_never(db: Postgres) -> None:
    db.run(
        "DROP ROLE IF EXISTS writer; CREATE ROLE writer LOGIN PASSWORD 'S3CRET'; ALTER DATABASE plant OWNER TO writer"
    )
    (db.folder / "data" / "pg_hba.conf").write_text(
        "host all postgres 127.0.0.1/32 trust\nhost all writer 127.0.0.1/32 scram-sha-256\n"
    )
    db.run("SELECT pg_reload_conf()")
    options = {"dsn": db.dsn(user="writer"), "password": "S3CRET"}
    with open_sink(db, **options) as sink:
        sink.write([sinks.reading(1)])
        assert "S3CRET" not in repr(PostgresOptions(**options))
    wrong = open_sink(db, dsn=db.dsn(user="writer"), password="WR0NG")
    with pytest.raises(SinkDown, match="password authentication failed") as caught:
        wrong.write([sinks.reading(1)])
    assert "WR0NG" not in str(caught.value)


def test_over_tls_to_a_server_that_is_who_it_says(db: Postgres, tmp_path: Path) -> None:
    certificate, key, authority = certificates.make(tmp_path, "localhost")
    for path in (certificate, key):
        kept = db.folder / "data" / path.name
        kept.write_bytes(path.read_bytes())
        kept.chmod(0o600)
        if os.geteuid() == 0:
            shutil.chown(kept, "postgres", "postgres")
    (tmp_path / "ca.pem").write_text(ssl.DER_cert_to_PEM_cert(authority))
    for name, value in (("ssl_cert_file", certificate.name), ("ssl_key_file", key.name), ("ssl", "on")):
        db.run(f"ALTER SYSTEM SET {name} = '{value}'")
    db.run("SELECT pg_reload_conf()")
    address = db.dsn().replace("127.0.0.1", "localhost") + "?sslmode=verify-full&sslrootcert="
    with open_sink(db, dsn=f"{address}{tmp_path / 'ca.pem'}") as sink:
        until_taken(sink, [sinks.reading(1)], [])  # the server reads its configuration when it comes to it
        ((encrypted,),) = db.run(
            "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'judder'"
        )
        assert encrypted
    with open_sink(db, dsn=address + "system") as sink, pytest.raises(SinkDown, match="certificate"):
        sink.write([sinks.reading(2)])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"dsn": "postgresql://u@[::1/plant"}, "^dsn: an address"),
        ({"dsn": "hostname=x"}, "^dsn: an address is .*hostname"),
        ({"dsn": "postgresql://u:S3CRET@db/plant"}, "^dsn: a password in it"),
        ({"dsn": "postgresql://u@db/plant?password=S3CRET"}, "^dsn: a password in it"),
        ({"dsn": "host=x password = S3CRET"}, "^dsn: a password in it"),
        ({"db_schema": "Plant; DROP"}, "^db_schema: "),
        ({"timeout_s": 0}, "^timeout_s: "),
    ],
)
def test_wrong_options_name_the_key(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        PostgresSink(PostgresOptions(**options))
    assert "S3CRET" not in str(caught.value)


def test_without_psycopg_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "judder.sink.postgres_server", raising=False)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(InputError, match=r"pip install 'judder\[postgres\]'"):
        PostgresSink(PostgresOptions())
