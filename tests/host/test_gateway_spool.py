"""The spool: what is stored is there after a restart, in order; who owns it; full disks; damaged files; poison."""

import contextlib
import math
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from tests.host.gateways import NODE, T0, Disk, open_spool, rows, uplink

from judder.errors import InputError
from judder.flow import Uplink
from judder.gateway import spool as spool_module
from judder.gateway.spool import RESERVE_BYTES, Aside, Batch, Row, Spool, SpoolDamaged, SpoolError


def test_everything_about_an_uplink_comes_back(tmp_path: Path) -> None:
    whole = Uplink(
        node=NODE,
        payload=b"\x82\x01\x00",
        received_at=T0 + 0.125,
        source="chirpstack",
        port=2,
        fcnt=0,
        session="01a2b3c4",
        confirmed=True,
        rssi_dbm=-101.0,
        snr_db=0.0,
        gateway="0016c001f1500001",
        data_rate="SF7BW125",
        frequency_hz=868100000,
        name="Pump 3",
        tags={"hall": "A"},
        dedup="b1f9",
    )
    bare = Uplink("", b"", math.nan, "file")
    given = [Row("plant", whole, T0, T0 + 1, ("late", "gap:3")), Row("plant", bare)]
    with_id = open_spool(tmp_path)
    assert with_id.store(Batch(given), T0 + 2) == 2
    with_id.close()
    again = open_spool(tmp_path)
    found = again.read(0, 10)
    assert [row.id for row in found] == [1, 2] and [row.stored_at for row in found] == [T0 + 2] * 2
    assert found[0].uplink == whole and found[0].problems == ("late", "gap:3")
    assert (found[0].origin, found[0].measured_at, found[0].heard_at) == ("plant", T0, T0 + 1)
    assert math.isnan(found[1].uplink.received_at) and found[1].uplink.port is None
    again.close()


def test_a_sink_reads_on_where_it_was(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    spool.attach(["influx", "files"])
    spool.store(Batch(rows(1, 2, 3)), T0)
    spool.advance("influx", 2)
    spool.advance("influx", 1)  # never back
    spool.close()
    spool = open_spool(tmp_path)
    assert spool.attach(["influx", "files"]) == {}
    assert (spool.cursor("influx"), spool.cursor("files")) == (2, 0)
    assert [row.id for row in spool.read(2, 10)] == [3]
    assert spool.backlog("influx").waiting == 1 and spool.backlog("files").waiting == 3
    # A sink that is no more is said with what it had not got; a new one begins with the oldest there is.
    assert spool.attach(["influx", "new"]) == {"files": 3}
    assert spool.cursor("new") == 0
    spool.close()


def test_one_batch_is_stored_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    wrong = Row("plant", uplink(2), problems=(object(),))  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        spool.store(Batch([*rows(1), wrong], nodes={NODE: [1, {}]}, position=("plant", "x")), T0)
    assert spool.read(0, 10) == [] and spool.nodes(10) == {} and spool.position("plant") is None
    spool.store(Batch(rows(1), nodes={NODE: [1, {}]}, position=("plant", "x")), T0)
    assert spool.position("plant") == "x" and spool.nodes(10) == {NODE: [1, {}]}
    spool.close()


def test_nodes_come_back_longest_silent_first_and_bounded(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    for node in ("a", "b", "c", "a"):
        spool.store(Batch(nodes={node: 1}), T0)
    assert list(spool.nodes(10)) == ["b", "c", "a"] and list(spool.nodes(2)) == ["c", "a"]
    spool.close()


def test_a_number_is_never_given_twice(tmp_path: Path) -> None:
    """Else a cursor would pass over an uplink."""
    spool = open_spool(tmp_path)
    spool.store(Batch(rows(1, 2)), T0)
    with spool.changing() as db:
        db.execute("DELETE FROM uplink")
    assert spool.store(Batch(), T0) == 2 and spool.store(Batch(rows(3)), T0) == 3
    spool.close()


def test_one_owner_at_a_time(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    program = f"from judder.gateway.spool import Spool; from pathlib import Path; Spool(Path({str(spool.path)!r}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert "is in use by process" in done.stderr and done.returncode
    spool.close()
    subprocess.run([sys.executable, "-c", program + ".close()"], timeout=60, check=True)


def test_a_full_disk_is_said_and_harms_nothing(tmp_path: Path) -> None:
    disk = Disk()
    spool = open_spool(tmp_path, connect=disk.connect)
    spool.store(Batch(rows(1)), T0)
    disk.full()
    with pytest.raises(SpoolError, match="full"):
        spool.store(Batch(rows(*range(2, 400))), T0)
    disk.full(False)
    assert [row.id for row in spool.read(0, 10)] == [1]
    spool.store(Batch(rows(2)), T0)
    assert len(spool.read(0, 10)) == 2
    spool.close()


def test_the_last_of_a_disk_is_left_for_deliveries(tmp_path: Path) -> None:
    left = [RESERVE_BYTES]
    spool = open_spool(tmp_path, free=lambda _folder: left[0])
    spool.attach(["influx"])
    spool.store(Batch(rows(1)), T0)
    left[0] -= 1
    with pytest.raises(SpoolError, match="only 15 MiB are left"):
        spool.store(Batch(rows(2)), T0)
    spool.advance("influx", 1)
    spool.close()


def test_a_damaged_file_is_kept_aside_and_a_new_one_begun(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    spool = open_spool(tmp_path)
    spool.store(Batch(rows(*range(500))), T0)
    with spool.reading() as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    _as_after_a_crash(spool)
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(b"\x55" * 30000)
    said: list[str] = []
    again = Spool(path, log=said.append)
    assert again.read(0, 10) == [] and "is damaged" in said[0]
    assert len(list(tmp_path.glob("spool.db.damaged-*"))) == 1
    again.close()


def test_damage_found_while_it_runs(tmp_path: Path) -> None:
    class Broken:
        in_transaction = False

        def __init__(self, inner: sqlite3.Connection) -> None:
            self.inner, self.broken = inner, False

        def execute(self, sql: str, *more: object) -> object:
            if self.broken:
                error = sqlite3.DatabaseError("database disk image is malformed")
                error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
                raise error
            return self.inner.execute(sql, *more)  # type: ignore[arg-type]

        def close(self) -> None:
            self.inner.close()

    made: list[Broken] = []

    def connect(path: Path, synchronous: str) -> Broken:
        made.append(Broken(spool_module.spool_file.connect(path, synchronous)))
        return made[-1]

    spool = open_spool(tmp_path, connect=connect)
    for one in made:
        one.broken = True
    with pytest.raises(SpoolDamaged):
        spool.store(Batch(rows(1)), T0)
    with pytest.raises(SpoolDamaged):
        spool.read(0, 1)
    for one in made:
        one.broken = False
    spool.close()
    # The next start has to look at the whole file.
    with contextlib.closing(sqlite3.connect(tmp_path / "spool.db")) as db:
        assert db.execute("SELECT count(*) FROM about WHERE name = 'closed'").fetchone() == (0,)


def test_a_spool_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    open_spool(tmp_path).close()
    with sqlite3.connect(tmp_path / "spool.db") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(InputError, match="version 99, this is for"):
        open_spool(tmp_path)


def test_poison_is_kept_once_with_its_reason_and_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = open_spool(tmp_path)
    aside = Aside("decode", "a break \ud800 with nothing to end", Row("plant", Uplink(NODE, b"\xff", T0, "mqtt")))
    spool.store(Batch(aside=[aside]), T0)
    refused = Aside("sink:influx", "422", Row("plant", uplink(1), id=7))
    assert spool.set_aside(refused, T0) and not spool.set_aside(refused, T0)
    found = spool.poison()
    assert [(number, one.stage, one.row.uplink.payload[:1]) for number, _at, one in found] == [
        (1, "decode", b"\xff"),
        (2, "sink:influx", uplink(1).payload[:1]),
    ]
    assert found[0][2].reason == "a break ? with nothing to end" and found[1][2].row.id == 7
    monkeypatch.setattr(spool_module, "POISON_KEPT", 3)
    for _ in range(5):
        spool.store(Batch(aside=[aside]), T0)
    assert [number for number, _at, _one in spool.poison()] == [6, 7, 8]
    assert spool.summary().poison == 3 and spool.summary().poison_dropped == 4
    assert spool.release({6: "", 7: ""}, Batch(rows(1)), T0) == 1
    assert [number for number, _at, _one in spool.poison()] == [8]
    spool.close()


def _as_after_a_crash(spool: Spool) -> None:
    with spool.changing() as db:
        db.execute("DELETE FROM about WHERE name = 'closed'")
    spool._quick.close()
    spool._safe.close()
    spool._lock.release()
