"""The way in: decoded, tracked and stored at once, or not taken at all."""

import random
from pathlib import Path
from typing import Any

import pytest
from tests.host import servers
from tests.host.gateways import NODE, OTHER, T0, Clock, Disk, Told, arrivals, open_spool, uplink
from tests.host.tracking import hello, reading

from judder.errors import InputError
from judder.flow import Poison, Uplink
from judder.gateway.intake import Arrival, Intake, Rules
from judder.gateway.metrics import Metrics
from judder.gateway.spool import Spool, SpoolError
from judder.ingest import topics
from judder.ingest.events import Event, Foreign, Presence


class Way:
    """An intake with everything around it. words: of what is in the spool, by row."""

    def __init__(self, folder: Path, spool: Spool | None = None, **given: Any) -> None:
        self.spool = spool or open_spool(folder)
        self.log, self.metrics = Told(), Metrics()
        self.stored: list[int] = []
        self.intake = Intake(
            self.spool,
            clock=Clock(T0 + 3600),
            log=self.log,
            metrics=self.metrics,
            stored=self.stored.append,
            **given,
        )

    def take(self, *uplinks: Uplink, repeat: int | None = None) -> None:
        self.intake.take("plant", [Arrival(one, repeat) for one in uplinks])

    @property
    def words(self) -> list[tuple[str, ...]]:
        return [row.problems for row in self.spool.read(0, 1000)]

    @property
    def poison(self) -> list[tuple[str, str]]:
        return [(aside.stage, aside.reason) for _number, _at, aside in self.spool.poison()]


def test_what_comes_is_stored_with_its_times_and_words(tmp_path: Path) -> None:
    way = Way(tmp_path)
    way.intake.take("plant", arrivals(1, 2, 5, 4, 5), "place 1")
    assert way.words == [(), (), ("gap:2",), ("late",), ("duplicate",)]
    row = way.spool.read(0, 1)[0]
    assert (row.measured_at, row.heard_at, row.origin) == (T0 + 60, T0 + 60, "plant")
    assert way.stored == [5] and way.spool.position("plant") == "place 1"
    assert way.metrics.get("received_total", source="plant") == 5
    assert way.metrics.get("gap_readings_total") == 2 and way.metrics.get("nodes") == 1
    way.spool.close()


def test_a_restart_knows_what_was_known(tmp_path: Path) -> None:
    way = Way(tmp_path)
    way.take(uplink(1), uplink(2))
    way.spool.close()
    again = Way(tmp_path)
    again.take(uplink(2), uplink(4))
    assert again.words == [(), (), ("duplicate",), ("gap:1",)]
    again.spool.close()


def test_what_the_disk_refused_may_come_again_and_is_no_duplicate(tmp_path: Path) -> None:
    disk = Disk()
    way = Way(tmp_path, open_spool(tmp_path, connect=disk.connect))
    way.take(uplink(1))
    disk.full()
    many = [uplink(number, f"{number:016x}", 0) for number in range(2, 400)]
    with pytest.raises(SpoolError, match="full"):
        way.take(*many)
    assert way.metrics.get("received_total") == 1 and way.metrics.get("spool_failures_total") == 1
    disk.full(False)
    way.take(*many)
    assert way.words == [()] * 399 and way.metrics.get("received_total") == 399
    way.spool.close()


def test_poison_is_set_aside_and_the_rest_goes_on(tmp_path: Path) -> None:
    way = Way(tmp_path)
    cut = reading(2)[:-1]
    way.intake.take(
        "plant",
        [
            Arrival(uplink(1)),
            Arrival(Uplink(NODE, cut, T0, "mqtt")),
            Arrival(Uplink(NODE, reading(2) + b"\x00", T0, "mqtt")),
            Arrival(Uplink(NODE, b"", T0, "mqtt")),
            Arrival(Poison(Uplink("", b"{", T0, "mqtt"), InputError("no JSON"))),
            Arrival(Foreign(Uplink(OTHER, b"\x01\x67", T0, "tts", port=85), "2 bytes on port 85")),
            Arrival(Presence(NODE, T0, "mqtt", online=True)),
            Arrival(uplink(3)),
        ],
    )
    assert way.words == [(), ("gap:1",)]
    assert [stage for stage, _reason in way.poison] == ["decode", "decode", "decode", "event", "foreign"]
    assert way.poison[3] == ("event", "no JSON") and all(reason for _stage, reason in way.poison)
    assert way.spool.poison()[0][2].row.uplink.payload == cut
    assert way.metrics.table("poison_total", "stage") == {"decode": 3, "event": 1, "foreign": 1}
    assert way.metrics.get("events_total", source="plant", event="presence") == 1
    # One line a minute for a node, however much it sends.
    assert len(way.log.rows("set-aside-decode")) == 1
    way.spool.close()


def test_a_fault_of_our_own_is_set_aside_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(payload: bytes) -> Any:
        if payload == reading(2):
            raise ZeroDivisionError("a fault")
        return decode(payload)

    from judder import decode

    monkeypatch.setattr("judder.gateway.intake.decode", broken)
    way = Way(tmp_path)
    way.take(uplink(1), uplink(2), uplink(3))
    assert len(way.words) == 2 and way.poison == [("decode", "internal error: ZeroDivisionError('a fault')")]
    way.spool.close()


def test_a_huge_message_is_kept_in_part(tmp_path: Path) -> None:
    way = Way(tmp_path)
    way.take(Uplink(NODE, b"\xff" * 1_000_000, T0, "mqtt"))
    (_number, _at, aside) = way.spool.poison()[0]
    assert len(aside.row.uplink.payload) == 8192 and "the first 8192 of 1000000 bytes are kept" in aside.reason
    way.spool.close()


def test_unknown_nodes_are_marked_or_set_aside(tmp_path: Path) -> None:
    known = frozenset({NODE})
    way = Way(tmp_path / "mark", rules=Rules(known, {NODE: "Pump 3"}))
    way.take(uplink(1), uplink(1, OTHER))
    assert way.words == [(), ("unknown-node",)]
    assert [row.uplink.name for row in way.spool.read(0, 2)] == ["Pump 3", None]
    way.spool.close()
    way = Way(tmp_path / "aside", rules=Rules(known, refuse=True))
    way.take(uplink(1), uplink(1, OTHER))
    assert way.words == [()] and way.poison == [("node", "this node is not in [nodes]")]
    way.spool.close()


def test_a_frame_counter_that_goes_back_and_a_new_session(tmp_path: Path) -> None:
    way = Way(tmp_path)
    said = [("s1", 5), ("s1", 6), ("s1", 6), ("s1", 0), ("s2", 0)]
    numbers = [1, 2, 2, 3, 4]
    way.take(*(uplink(n, session=s, fcnt=f, source="tts") for n, (s, f) in zip(numbers, said, strict=True)))
    assert way.words == [(), (), ("duplicate",), ("fcnt-reset",), ("rejoin",)]
    way.spool.close()


def test_clocks_of_1970_and_2106(tmp_path: Path) -> None:
    way = Way(tmp_path)
    for number, at in ((1, 0.0), (2, 4294967295.0)):
        way.take(Uplink(NODE, reading(number), at, "tts"))
    rows = way.spool.read(0, 2)
    assert [row.problems for row in rows] == [("clock-behind",), ("clock-ahead",)]
    # What is believed instead, and what was said.
    assert [row.heard_at for row in rows] == [T0 + 3600] * 2
    assert [row.uplink.received_at for row in rows] == [0.0, 4294967295.0]
    way.spool.close()


def test_what_a_broker_repeats_after_a_crash_is_left_out(tmp_path: Path) -> None:
    """A HELLO carries no number, so Tracker would take its copy for a node that started again."""
    greeting = Uplink(NODE, hello(60, 1), T0, "mqtt")
    way = Way(tmp_path)
    way.take(greeting, uplink(1), uplink(2))
    way.spool.close()
    again = Way(tmp_path)
    again.take(greeting, uplink(1), uplink(2), uplink(3), repeat=1)
    assert again.words == [()] * 4
    assert again.metrics.get("repeated_total") == 3
    again.spool.close()


def test_what_others_took_meanwhile_is_no_gap(tmp_path: Path) -> None:
    """Of that node; and only from the message that says so. A place may be stored with nothing else."""
    way = Way(tmp_path)
    way.take(uplink(1), uplink(1, OTHER))
    way.intake.take("plant", [], "place 2")
    assert way.spool.position("plant") == "place 2"
    way.intake.take("plant", [Arrival(uplink(50), meanwhile=True), Arrival(uplink(53)), Arrival(uplink(50, OTHER))])
    assert way.words == [(), (), (), ("gap:2",), ("gap:48",)]
    way.spool.close()
    again = Way(tmp_path)
    again.take(uplink(53), uplink(54))
    assert again.words[-2:] == [("duplicate",), ()]
    again.spool.close()


def test_equal_messages_that_were_no_repetition_are_kept(tmp_path: Path) -> None:
    """Each stored one accounts for one repetition in a connection, no more."""
    still = Uplink(NODE, reading(None, None), T0, "mqtt")  # a machine that stands still sends equal frames
    way = Way(tmp_path)
    way.take(still, still)
    way.take(still, still, still, repeat=1)
    assert len(way.words) == 3
    way.take(still, repeat=2)  # of the three there are, in a new connection
    assert len(way.words) == 3
    way.spool.close()
    # The same from another source is another message.
    other = Way(tmp_path)
    other.intake.take("hall", [Arrival(still, 1)])
    assert len(other.words) == 4
    other.spool.close()


def test_whatever_comes_is_stored_or_set_aside(tmp_path: Path) -> None:
    """Damaged payloads and events on every topic: each is accounted for, once."""
    rng = random.Random(20261125)
    bodies = [servers.body(vector) for vector in servers.VECTORS] + [reading(n) for n in range(20)] + [hello(1, 1)]
    places = [f"judder/{NODE}/up", f"judder/{NODE}/status", "application/1/device/70b3d57ed0000001/event/up"]
    places += ["v3/plant@ttn/devices/pump/up", "judder/nobody/up", "", "x/y"]
    way = Way(tmp_path)
    came: list[Arrival] = []
    for _ in range(3000):
        body = bytearray(rng.choice(bodies))
        for _ in range(rng.choice((0, 1, 1, 3))):
            at = rng.randrange(len(body) + 1)
            body[at : at + rng.randrange(3)] = rng.randbytes(rng.randrange(3))
        came.append(Arrival(received(rng.choice(places), bytes(body))))
    for first in range(0, len(came), 100):
        way.intake.take("plant", came[first : first + 100])
    rows = len(way.spool.read(0, 10_000))
    others = way.metrics.get("events_total")
    assert rows + len(way.poison) + others == len(came) and rows > 100 and len(way.poison) > 100 and others > 100
    assert not way.log.rows("internal")
    way.spool.close()


def received(topic: str, body: bytes) -> Event | Poison:
    """As a source makes it."""
    try:
        return topics.parse(topic, body, received_at=T0)
    except InputError as error:
        return Poison(Uplink("", body, T0, "mqtt"), error)
