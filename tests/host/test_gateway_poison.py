"""What was set aside is listed, dropped and tried again; with a gateway running and without."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.host import servers
from tests.host.gateways import NODE, OTHER, T0, Clock, Kept, Told, arrivals, open_spool, uplink
from tests.host.tracking import reading

from judder.cli.gateway import command
from judder.errors import InputError
from judder.flow import Poison, Uplink
from judder.gateway import poison, spool_file
from judder.gateway.intake import Arrival, Intake, Rules
from judder.gateway.metrics import Metrics
from judder.gateway.spool import Aside, Row, Spool
from judder.ingest.events import Foreign

BAD = b"\xff"


def intake(spool: Spool, **rules: object) -> Intake:
    return Intake(spool, clock=Clock(T0), log=Told(), metrics=Metrics(), rules=Rules(**rules))  # type: ignore[arg-type]


def with_poison(folder: Path) -> Spool:
    """1: undecodable. 2: a node that was not known. 3: an event that was no event. 4: refused by a sink. 5: foreign."""
    spool = open_spool(folder)
    spool.attach(["influx"])
    way = intake(spool, known=frozenset({NODE}), refuse=True)
    body = servers.body(servers.named("chirpstack: up, one gateway"))
    way.take("plant", [Arrival(Uplink(NODE, BAD, T0, "mqtt")), *arrivals(7, node=OTHER)])
    way.take("plant", [Arrival(Poison(Uplink("", body, T0, "mqtt"), InputError("no topic of any server")))])
    way.take("plant", arrivals(1))
    spool.set_aside(Aside("sink:influx", "422", spool.read(0, 1)[0]), T0)
    way.take("plant", [Arrival(Foreign(Uplink(NODE, b"\x01\x67", T0, "tts", port=85), "2 bytes on port 85"))])
    return spool


def stages(spool: Spool) -> dict[int, str]:
    return {number: aside.stage for number, _at, aside in spool.poison()}


def test_it_is_listed_with_its_reason_also_while_a_gateway_runs(tmp_path: Path) -> None:
    spool = with_poison(tmp_path)
    found = poison.listing(spool.path)
    assert [entry.aside.stage for entry in found] == ["decode", "node", "event", "sink:influx", "foreign"]
    assert [entry.number for entry in poison.listing(spool.path, "node")] == [2]
    row = found[0].to_dict()
    assert (row["number"], row["node"], row["payload"], row["from"]) == (1, NODE, "ff", "plant")
    assert row["reason"].startswith("a break with nothing to end")
    assert poison.drop(spool.path, [1, 5, 77]) == 2
    assert stages(spool) == {2: "node", 3: "event", 4: "sink:influx"}
    spool.close()


def test_a_second_try_takes_what_can_be_taken_now(tmp_path: Path) -> None:
    spool = with_poison(tmp_path)
    now_known = intake(spool)
    assert poison.retry_wanted(spool, now_known) == 0
    poison.ask(spool.path, [1, 2, 3, 4, 5])
    assert poison.outcomes(spool.path) == {}
    assert poison.retry_wanted(spool, now_known) == 5
    outcomes = poison.outcomes(spool.path)
    assert {number for number, why in outcomes.items() if not why} == {2, 3, 4}
    assert outcomes[1].startswith("a break") and outcomes[5] == "2 bytes on port 85 that are no message of that port"
    assert stages(spool) == {6: "decode", 7: "foreign"}
    taken = spool.read(1, 10)
    assert taken[0].uplink.node == OTHER and taken[1].uplink.source == "chirpstack"
    # What the sink refused stands there as it did, not as a duplicate that sinks leave out.
    assert taken[2].uplink == uplink(1) and taken[2].problems == ()
    assert poison.retry_wanted(spool, now_known) == 0
    spool.close()


def test_an_event_that_cannot_be_read_keeps_its_first_reason() -> None:
    for body in (b"\x00\xff", b"offline?", b"{", b'{"some": "thing"}'):
        aside = Aside("event", "the first reason", Row("plant", Uplink("", body, T0, "mqtt")))
        (found,) = poison.again(aside)
        assert isinstance(found, Poison) and str(found.error) == "the first reason"


def test_what_the_disk_refuses_stays_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = with_poison(tmp_path)
    poison.ask(spool.path, [2])
    monkeypatch.setattr(spool, "_free", lambda _folder: 0)
    with pytest.raises(spool_file.SpoolError):
        poison.retry_wanted(spool, intake(spool))
    assert 2 in stages(spool) and poison.outcomes(spool.path) == {}
    monkeypatch.setattr(spool, "_free", lambda _folder: 1 << 40)
    assert poison.retry_wanted(spool, intake(spool)) == 1 and 2 not in stages(spool)
    spool.close()


def test_no_spool(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no spool"):
        poison.listing(tmp_path / "spool.db")
    assert not list(tmp_path.iterdir())


def run(folder: Path, *words: str) -> tuple[int, str]:
    done = CliRunner().invoke(command, ["--data", str(folder), "poison", *words], standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    return int(done.return_value or 0), done.output


def test_the_command(tmp_path: Path) -> None:
    with_poison(tmp_path).close()
    code, shown = run(tmp_path, "list")
    assert code == 0 and len(shown.splitlines()) == 10
    assert f"decode  node {NODE}  a break with nothing to end" in shown
    row = json.loads(run(tmp_path, "list", "--stage", "sink:influx", "--json")[1])
    assert (row["reason"], row["payload"]) == ("422", reading(1).hex())
    code, shown = run(tmp_path, "retry", "2", "1")
    assert code == 6 and shown.splitlines()[1] == "2  taken" and shown.startswith("1  set aside again: a break")
    assert run(tmp_path, "retry", "4", "--json") == (0, '{"number": 4, "taken": true, "reason": null}\n')
    assert run(tmp_path, "drop", "--all") == (0, "3 dropped\n")
    assert run(tmp_path, "list") == (0, "nothing was set aside\n")
    with pytest.raises(InputError, match="nothing with number 9 is set aside"):
        run(tmp_path, "drop", "9")
    spool = open_spool(tmp_path)
    assert [row.uplink.node for row in spool.read(0, 10)] == [NODE, OTHER, NODE]
    spool.close()


def test_what_was_taken_reaches_the_sink(tmp_path: Path) -> None:
    """The message a sink refused comes to it again, under a new number."""
    from tests.host.test_gateway_delivery import Way

    spool = with_poison(tmp_path)
    sink = Kept()
    way = Way(tmp_path, sink, spool)
    way.drain()
    before = len(sink.payloads)
    poison.ask(spool.path, [4])
    poison.retry_wanted(spool, intake(spool))
    way.drain()
    assert sink.payloads[before:] == [reading(1)]
    spool.close()
