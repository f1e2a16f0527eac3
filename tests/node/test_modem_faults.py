"""Modems that keep silent, restart, refuse, or find no network: both drivers against the models."""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest
from modem_bench import APP_KEY, JOIN_EUI, KINDS, NODE_ID, Bench, Table, message

from judder.virtual.modems.network import Answer, Prompt
from judder_core import schema

both = pytest.mark.parametrize("kind", list(KINDS))
FAST = {"lorawan_data_rate": 5}


def joined(kind: str, settings: dict[str, Any] | None = None, **options: Any) -> Bench:
    bench = Bench(kind, {**FAST, **(settings or {})}, **options)
    bench.join()
    bench.idle(15)
    return bench


def pauses_s(bench: Bench) -> list[int]:
    """What it said of the next tries."""
    return [int(found[1]) for line in bench.said if (found := re.search(r"next try in (\d+) s", line))]


def between(pauses: list[int], first_s: int, limit_s: int) -> bool:
    """Whether each lies between half and the whole of a span that doubles up to the limit."""
    spans = [min(first_s << place, limit_s) for place in range(len(pauses))]
    return all(span // 2 <= pause <= span for pause, span in zip(pauses, spans, strict=True))


@both
def test_no_modem_at_all(kind: str) -> None:
    bench = Bench(kind)
    bench.model.present = False
    bench.idle(1800, leap=True)
    name = bench.link.CHIP
    why = "no answer on UART 2 (tx 17, rx 16, 115200 baud); is it powered, wired, and set to this speed?"
    assert {re.sub(r"\d+ s$", "", line) for line in bench.said} == {f"modem: {name}: {why}; next try in "}
    assert between(pauses_s(bench), 1, 300)
    assert bench.link.failures == len(bench.said) >= 10
    assert (bench.link.fault, bench.link.ready(), bench.link.poll()) == (True, False, [])
    assert len(bench.wire.commands()) < 9 * len(bench.said)
    bench.model.present = True
    bench.run(bench.link.ready, 400)
    assert bench.link.fault is False


@both
def test_another_speed(kind: str) -> None:
    bench = Bench(kind, baudrate={"rak3172": 9600, "wioe5": 115_200}[kind])
    bench.model.say("Noise of every kind\r\n" * 50)
    bench.run(lambda: bench.said)
    assert "what comes is none: another speed, or other firmware than AT commands?" in bench.said[0]
    bench.idle(60)
    assert not bench.network.joins


@both
@pytest.mark.parametrize("part", range(4))
def test_a_restart_at_any_moment_loses_nothing(kind: str, part: int) -> None:
    """On the way from power-on to the second message acknowledged, which takes some 30 s."""
    for tenth in range(part * 3, 330, 12):
        bench = Bench(kind, FAST)
        bench.model.restart(tenth * 100_000)
        for place in range(2):
            bench.deliver(message(schema.READING, 20 + place))
        kinds = [len(payload) for _, payload in bench.network.messages]
        assert list(dict.fromkeys(kinds)) == [20, 21], f"at {tenth / 10} s"
        assert bench.model.starts == 2 or bench.now_s < tenth / 10


@both
def test_restarts_all_the_time(kind: str) -> None:
    bench = Bench(kind, FAST)
    for second in range(1, 300, 3):
        bench.model.restart(second * 1_000_000)
    bench.idle(300)
    assert len(bench.wire.commands()) < 3 * 300
    bench.deliver(message())


def test_a_restart_is_told() -> None:
    bench = joined("rak3172")
    bench.model.reset(bench.time.now_us)
    bench.run(lambda: not bench.link.ready())
    assert bench.said[-1] == "modem: RAK3172: it restarted by itself: power supply?; next try in 1 s"
    assert bench.link.failures == 1


@both
def test_busy_for_ever_ends_in_a_reset(kind: str) -> None:
    bench = joined(kind)
    bench.model.station.busy = True
    starts, commands = bench.model.starts, len(bench.wire.commands())
    sent = 0
    while bench.model.starts == starts:
        bench.run(bench.link.ready, 400)
        assert bench.send(message()) is False
        sent += 1
        assert bench.now_s < 1200
    assert any("stays busy" in line for line in bench.said)
    assert len(bench.wire.commands()) - commands < 6 * sent + 50
    bench.deliver(message())


@both
def test_the_reset_pin_is_used_where_there_is_one(kind: str) -> None:
    bench = joined(kind)
    bench.wire.reset_pin = True
    bench.model.station.busy = True
    starts = bench.model.starts
    while bench.model.starts == starts:
        bench.run(bench.link.ready, 400)
        bench.send(message())
    assert not {"ATZ", "AT+RESET"} & set(bench.wire.commands())
    bench.deliver(message())


@both
def test_duty_cycle_is_waited_for_and_no_failure(kind: str) -> None:
    bench = joined(kind, {"lorawan_data_rate": 3})
    bench.idle(30)
    first, second = message(schema.READING, 115), message(schema.READING, 100)
    assert bench.send(first)
    bench.run(bench.link.ready)
    failures = bench.link.failures
    assert bench.send(second) is False
    assert bench.link.failures == failures
    wait_s = bench.link.pause_ms() / 1000
    assert wait_s == pytest.approx((bench.model.station.free_us - bench.time.now_us) / 1e6, abs=0.1)
    assert 60 < wait_s < 70, "99 times an air-time of 0.68 s"
    assert bench.said[-1] == f"modem: {bench.link.CHIP}: duty cycle; again in {-int(-wait_s // 1)} s"
    commands = len(bench.wire.commands())
    bench.idle(wait_s - 0.1)
    assert not bench.link.ready()
    assert len(bench.wire.commands()) == commands
    bench.run(bench.link.ready, 1)
    assert bench.send(second)
    assert bench.network.messages == [(2, first), (2, second)]


@both
def test_no_network_is_tried_less_and_less_often(kind: str) -> None:
    bench = Bench(kind, network=Table(deaf=True))
    bench.idle(86_400, leap=True)
    times_s = [now_us / 1e6 for _, _, now_us in bench.network.joins]
    assert 8 <= len(times_s) <= 20
    gaps = [later - earlier for earlier, later in itertools.pairwise(times_s)]
    assert gaps[-1] >= 2 * 3600
    assert max(gaps) <= 14_900, (
        "4 hours of back-off; 1.48 s of air-time as one part in 10 000 (LoRaWAN 1.0.4 section 7)"
    )
    assert all("no answer to the join request" in line or "duty cycle" in line for line in bench.said)
    assert dict(bench.link.report())["join_failures"] == len(times_s) == bench.link.failures
    assert bench.link.fault is False, "the modem works"
    bench.network.deaf = False
    while not bench.link.ready():
        bench.idle(1, leap=True)
    assert bench.now_s < 86_400 + 2 * 14_900


@both
def test_back_off_of_joining_goes_on_over_deep_sleep(kind: str) -> None:
    bench = Bench(kind, {**FAST, "mode": 0}, Table(deaf=True))
    for _ in range(40):  # wakes for 20 s every 10 minutes
        bench.idle(20)
        session = bench.link.session()
        bench.link.close()
        bench.time.sleep_ms(600_000)
        bench.link = bench.make(session, 600_000)
    assert 5 <= len(bench.network.joins) <= 15


@both
@pytest.mark.parametrize("setting", ["app_key", "join_eui", "dev_eui"])
def test_an_identity_the_modem_does_not_take(kind: str, setting: str) -> None:
    bench = Bench(kind)
    names = {"rak3172": ("APPKEY", "APPEUI", "DEVEUI"), "wioe5": ("KEY", "ID", "ID")}
    bench.model.refuses = {names[kind][("app_key", "join_eui", "dev_eui").index(setting)]}
    bench.idle(120)
    assert all("is refused" in line for line in bench.said)
    assert setting in " ".join(bench.said) or kind == "wioe5"
    assert not any(APP_KEY.hex().upper() in line.upper() for line in bench.said)
    assert between(pauses_s(bench), 1, 300)
    assert not bench.network.joins
    bench.model.refuses = set()
    bench.run(bench.link.ready, 400)


@both
def test_a_setting_it_can_do_without_is_told_and_left(kind: str) -> None:
    bench = Bench(kind, {"lorawan_adr": 0})
    bench.model.refuses = {"ADR"}
    bench.join()
    assert any("lorawan_adr is " in line for line in bench.said)
    assert bench.link.failures == 0


@both
def test_the_network_changes_the_data_rate(kind: str) -> None:
    bench = joined(kind, network=Table(answers=[Answer(acknowledged=True, data_rate=0)]))
    assert bench.link.limit() == 242
    assert bench.send(message(schema.READING, 200))
    bench.run(bench.link.ready)
    assert bench.link.limit() == 51
    assert bench.link.send(message(schema.READING, 52), True) is False
    bench.idle(30)
    bench.deliver(message(schema.READING, 51))


@both
def test_answers_of_the_mac_take_room_from_the_message(kind: str) -> None:
    """11 bytes at most at DR0 in US915, and 5 of them are needed for an answer: nothing of the application fits."""
    network = Table(answers=[Answer(acknowledged=True, mac_bytes=5)])
    bench = joined(kind, {"lorawan_region": 1, "lorawan_data_rate": 0}, network=network)
    assert bench.link.limit() == 11
    assert bench.send(message(schema.READING, 11))
    bench.deliver(message(schema.ALARM, 11), 3)
    assert bench.link.limit() == 11
    assert [uplink.port for uplink in network.uplinks] == [2, None, 3], "an empty frame carries the answer"


@both
def test_a_network_that_forgot_the_node_is_joined_again(kind: str) -> None:
    bench = joined(kind)
    bench.network.sessions.clear()
    sent = 0
    while len(bench.network.joins) < 2:
        bench.run(bench.link.ready, 100)
        if bench.send(message()) is False:
            sent += 1
        bench.idle(8)
        assert sent < 80
    assert sent == 64
    bench.deliver(message())


@both
def test_unconfirmed_messages_never_end_a_session(kind: str) -> None:
    bench = joined(kind)
    bench.network.sessions.clear()
    for _ in range(70):
        bench.run(bench.link.ready, 100)
        assert bench.send(message(), False)
        bench.idle(8)
    assert len(bench.network.joins) == 1


@both
def test_a_modem_that_forgot_its_session_joins_again(kind: str) -> None:
    bench = joined(kind)
    bench.model.station.session = None
    assert bench.send(message()) is False
    bench.deliver(message())
    assert len(bench.network.joins) == 2


@both
def test_another_modem_of_the_same_kind_in_its_place(kind: str) -> None:
    bench = joined(kind, {"mode": 0})
    session = bench.link.session()
    bench.link.close()
    bench.time.sleep_ms(600_000)
    bench.model.__init__(Prompt(bench.network))
    bench.model.power_on()
    bench.model.advance(bench.time.now_us)
    bench.link = bench.make(session, 600_000)
    bench.deliver(message())
    identity = bench.network.joins[-1][0]
    assert (identity.dev_eui, identity.join_eui, identity.app_key) == (NODE_ID, JOIN_EUI, APP_KEY)
