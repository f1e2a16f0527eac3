"""LoRaWAN behind the contract of links: the whole way from send() to a network server and back."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from link_bench import APP_KEY, CONFIRM_ALL, CONFIRM_NONE, DEV_EUI, Bench

from judder.virtual.lorawan import commands as mac
from judder_core import codec, schema
from node.message import build

Patch = pytest.MonkeyPatch


def reading(sequence: int, limit: int = 51) -> bytes:
    values = build.reading(0, 250, sequence, [10, 20, 30], [40, 50, 60], 3700, 266_670, 0)
    return codec.encode(schema.READING, values, limit)


ALARM = codec.encode(schema.ALARM, build.alarm(8, 2, 1035, 1000, 4))
COMMAND = codec.encode(schema.COMMAND, [7, schema.COMMAND_ACTIONS.index("request"), 0])


def test_it_joins_by_itself_and_delivers_on_the_port_of_the_kind(monkeypatch: Patch) -> None:
    bench = Bench(monkeypatch)
    assert not bench.link.ready()
    bench.join()
    assert bench.send(reading(1)) is True
    assert bench.send(ALARM) is True
    assert bench.payloads() == [(schema.READING + 1, reading(1)), (schema.ALARM + 1, ALARM)]
    assert [body.get("confirmed", False) for body in bench.ups()] == [False, True]
    assert any("joined" in line for line in bench.said)
    bench.clean()


@pytest.mark.parametrize(
    ("confirm", "insist", "expected"),
    [(CONFIRM_NONE, False, [False, False]), (CONFIRM_ALL, False, [True, True]), (CONFIRM_NONE, True, [True, True])],
)
def test_what_has_to_be_acknowledged(monkeypatch: Patch, confirm: int, insist: bool, expected: list[bool]) -> None:
    bench = Bench(monkeypatch, confirm=confirm)
    bench.join()
    for message in (reading(1), ALARM):
        assert bench.send(message, insist) is True
    assert [body.get("confirmed", False) for body in bench.ups()] == expected
    bench.clean()


@pytest.mark.parametrize("away_ms", [5, 150, 1280])
def test_windows_are_met_by_a_node_that_measures_between_steps(monkeypatch: Patch, away_ms: int) -> None:
    """Blocks of 154 ms (26.7 kHz) and 1280 ms (3.2 kHz), windows 5 s after the frame as The Things Stack has them."""
    bench = Bench(monkeypatch, rx1_delay_s=5, confirm=CONFIRM_ALL)
    bench.join()
    bench.run(10, away_ms)
    for number in range(3):
        longest_ms = 0
        assert bench.link.send(reading(number), False) is None
        while bench.link.outcome() is None:
            began_ms = bench.time.uptime_ms()
            bench.link.step(0)
            longest_ms = max(longest_ms, bench.time.uptime_ms() - began_ms)
            bench.time.sleep_ms(away_ms)
        assert bench.link.outcome() is True
        # It holds the node for its own absences and the window, not for the five seconds.
        if away_ms:
            assert longest_ms < 2 * away_ms + 500
    assert bench.link.failures == 0
    bench.clean()


def test_waiting_for_the_duty_cycle_gives_the_message_back_and_says_how_long(monkeypatch: Patch) -> None:
    bench = Bench(monkeypatch, data_rate=0, adr=False, confirm=CONFIRM_NONE)
    bench.join()
    number = 0
    while not bench.link.pause_ms():
        bench.send(reading(number))
        number += 1
        bench.run(1)
        assert number < 40
    assert bench.link.failures == 0, "to wait is not to fail"
    pause_ms = bench.link.pause_ms()
    assert pause_ms > 1000
    assert not bench.link.ready()
    # Looked at again after a while: what is shorter may go earlier.
    bench.run(12)
    assert bench.link.ready()
    bench.run(pause_ms / 1000)
    before = len(bench.ups())
    assert bench.send(reading(number)) is True
    bench.run(5)
    assert len(bench.ups()) == before + 1
    bench.clean()


def test_downlinks_come_out_once_and_cannot_be_replayed_after_a_power_loss(monkeypatch: Patch) -> None:
    bench = Bench(monkeypatch)
    bench.join()
    bench.server.enqueue(DEV_EUI, schema.COMMAND + 1, COMMAND)
    bench.send(reading(1))
    written = len(bench.vault)
    assert bench.link.poll() == [COMMAND]
    assert bench.link.poll() == []
    bench.run(1)
    assert len(bench.vault) == written + 1, "the counters of now are in flash"
    assert bench.link.proofs >= 2
    bench.clean()


def test_a_payload_on_the_wrong_port_is_refused_and_counted(monkeypatch: Patch) -> None:
    bench = Bench(monkeypatch)
    bench.join()
    for port, payload in ((3, COMMAND), (schema.COMMAND + 1, b"\x81")):
        bench.server.enqueue(DEV_EUI, port, payload)
        bench.send(reading(1))
    assert bench.link.poll() == []
    assert bench.link.refused == 2


def test_the_clock_is_set_from_the_network(monkeypatch: Patch) -> None:
    bench = Bench(monkeypatch)
    bench.join()
    bench.send(reading(1))
    bench.run(2)
    bench.send(reading(2))
    bench.run(2)
    assert len(bench.times) == 1
    gps_s, _fraction, at_ms = bench.times[0]
    # The server's time begins with 2026: that many seconds after the GPS epoch, 18 leap seconds on top (IERS C 71).
    assert gps_s - 1_451_260_818 == pytest.approx(at_ms / 1000, abs=2)


def test_sleep_keeps_the_session_and_no_counter_comes_back(monkeypatch: Patch) -> None:
    bench = Bench(monkeypatch)
    bench.join()
    bench.send(reading(1))
    for number in range(2, 5):
        awake = bench.link.session()
        assert len(awake) <= 256
        bench.link.close()
        bench.time.sleep_ms(60_000)
        bench.start(awake)
        assert bench.send(reading(number)) is True
    assert [body.get("fCnt", 0) for body in bench.ups()] == [0, 1, 2, 3]
    assert bench.mac.session.joins == 1
    bench.clean()


def test_asleep_between_two_repetitions_it_gives_no_answer_twice(monkeypatch: Patch) -> None:
    bench = Bench(monkeypatch, confirm=CONFIRM_NONE)
    bench.join()
    bench.server.request(DEV_EUI, mac.link_adr(5, 0, 0x0007, 0, 2))
    for number in range(3):
        assert bench.send(reading(number)) is True
    bench.server.request(DEV_EUI, mac.dev_status())
    bench.send(reading(3))
    monkeypatch.setattr(bench.gateway, "send", lambda _downlink: "COLLISION_PACKET")
    before = len(bench.chip.emissions)
    assert bench.link.send(reading(4), False) is None
    bench.run(2.2)
    assert len(bench.chip.emissions) == before + 1 and bench.link.outcome() is None, "the repetition is to come"
    bench.link.close()
    bench.start(bench.link.session())
    assert bench.send(reading(5)) is True
    bench.clean()


def test_a_power_loss_goes_on_in_the_same_session(monkeypatch: Patch) -> None:
    bench = Bench(monkeypatch)
    bench.join()
    bench.send(reading(1))
    bench.time.sleep_ms(60_000)
    bench.start(None)
    assert bench.send(reading(2)) is True
    counters = [body.get("fCnt", 0) for body in bench.ups()]
    assert counters[0] == 0 and counters[1] >= 1
    assert bench.mac.session.joins == 1
    bench.clean()


def test_the_session_is_in_rtc_memory_before_the_frame_is_on_the_air(monkeypatch: Patch) -> None:
    bench = Bench(monkeypatch)
    bench.join()
    kept: list[int] = []
    transmit = bench.radio.transmit

    def watched(*arguments: Any) -> None:
        kept.append(len(bench.rtc))
        transmit(*arguments)

    monkeypatch.setattr(bench.radio, "transmit", watched)
    before = len(bench.rtc)
    bench.send(reading(1))
    bench.send(reading(2))
    assert kept == [before + 1, before + 2]


def test_flash_that_refuses_keeps_the_radio_silent(monkeypatch: Patch) -> None:
    bench = Bench(monkeypatch)
    bench.fails = True
    bench.run(60)
    assert list(bench.chip.emissions) == []
    assert bench.link.fault and bench.link.failures > 1
    bench.fails = False
    bench.join()
    assert not bench.link.fault
    assert bench.send(reading(1)) is True
    bench.clean()


def test_a_radio_that_hangs_is_said_counted_and_comes_back(monkeypatch: Patch) -> None:
    bench = Bench(monkeypatch)
    bench.join()
    monkeypatch.setattr(bench.port, "busy", lambda: bench.time.sleep_us(500) or 1)
    assert bench.link.send(reading(1), False) is None
    bench.run(20)
    assert bench.link.fault
    assert any("BUSY" in line for line in bench.said)
    monkeypatch.undo()
    bench2 = Bench(monkeypatch)
    bench2.join()
    assert bench2.send(reading(1)) is True


def test_nobody_answers_a_wrong_key(monkeypatch: Patch) -> None:
    bench = Bench(monkeypatch)
    bench.server.devices[DEV_EUI].app_key = bytes(reversed(APP_KEY))
    assert not bench.run(300, until=bench.link.ready)
    assert bench.link.failures >= 1
    assert bench.link.proofs == 0
    assert bench.link.pause_ms() > 0, "join requests have a back-off"


def test_hello_says_how_the_link_does(monkeypatch: Patch) -> None:
    bench = Bench(monkeypatch)
    bench.join()
    bench.send(ALARM)
    told = dict(bench.link.report())
    assert told.keys() <= {row[0] for row in schema.HELLO_FIELDS}
    assert (told["joins"], told["uplinks"]) == (1, 1)
    # 27 dBm at most from the gateway, 110 dB of path, antenna gain of 2 dB.
    assert -100 <= told["rssi"] <= -75
    assert len(codec.encode(schema.HELLO, build.hello(told | {"firmware": 100}))) > 0


def test_eleven_bytes_is_what_us915_carries_at_its_slowest(monkeypatch: Patch) -> None:
    bench = Bench(monkeypatch, "US915", data_rate=0, adr=False, sub_band=2)
    bench.join()
    assert bench.link.limit() == 11
    assert bench.send(reading(1, 11)) is True
    assert bench.send(codec.encode(schema.ALARM, build.alarm(8, 2, 1035, 1000, 4), 11)) is True
    assert bench.link.send(bytes([0x81, 1]) + bytes(20), False) is False
    assert [len(payload) for _port, payload in bench.payloads()] == [7, 11], "what of a reading without velocity fits"
    bench.clean()


def test_the_watchdog_is_fed_through_the_longest_exchange(monkeypatch: Patch) -> None:
    bench = Bench(monkeypatch, data_rate=0, adr=False, confirm=CONFIRM_ALL)
    bench.join()
    fed: list[int] = []
    bench.link._tick = lambda: fed.append(bench.time.uptime_ms())
    bench.send(reading(1))
    gaps = [after - before for before, after in itertools.pairwise(fed)]
    assert max(gaps) < 10_000, "the shortest watchdog a node may have"
