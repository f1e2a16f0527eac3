"""What is peculiar to the Wio-E5: settings by name, modes it may be found in, its answers. Against the model.

Commands, answers and error codes: LoRa-E5 AT Command Specification V1.0.
"""

from __future__ import annotations

from typing import Any

import pytest
from modem_bench import Bench, message

from judder_core import schema

FAST = {"lorawan_data_rate": 5}


def bench(settings: dict[str, Any] | None = None, **options: Any) -> Bench:
    return Bench("wioe5", {**FAST, **(settings or {})}, **options)


def joined(settings: dict[str, Any] | None = None, **options: Any) -> Bench:
    made = bench(settings, **options)
    made.join()
    made.idle(15)
    return made


@pytest.mark.parametrize(
    ("region", "band", "data_rate"),
    [(0, "EU868", 0), (1, "US915", 0), (2, "AU915", 2), (3, "AS923", 2), (7, "IN865", 0)],
)
def test_region(region: int, band: str, data_rate: int) -> None:
    made = bench({"lorawan_region": region, "lorawan_data_rate": 0})
    made.join()
    assert made.model.band == band
    assert made.network.joins[0][1] == data_rate


@pytest.mark.parametrize("region", [4, 5, 6])
def test_region_it_does_not_have(region: int) -> None:
    made = bench({"lorawan_region": region})
    made.idle(7200, leap=True)
    why = f"knows no region as923-{region - 2}, only as923-1"
    assert set(made.said) == {f"modem: Wio-E5: {why}; next try in 3600 s"}
    assert made.link.fault


@pytest.mark.parametrize(
    ("region", "sub_band", "channels"), [(1, 2, "8-15,65"), (1, 8, "56-63,71"), (2, 1, "0-7,64"), (1, 0, "0-71")]
)
def test_sub_band(region: int, sub_band: int, channels: str) -> None:
    made = bench({"lorawan_region": region, "lorawan_sub_band": sub_band, "lorawan_data_rate": 2})
    made.join()
    assert made.model.channels == channels


def test_settings() -> None:
    made = bench()
    made.model.settings.update(ADR="OFF", RETRY="7", REPT="3", CLASS="C")
    made.model.switches = dict.fromkeys(made.model.switches, False)
    made.join()
    assert {"ADR": "ON", "RETRY": "1", "REPT": "1", "CLASS": "A", "POWER": "14"}.items() <= made.model.settings.items()
    assert set(made.model.switches.values()) == {True}


@pytest.mark.parametrize(
    ("settings", "power"),
    [({"lorawan_max_eirp_dbm": 10}, "8"), ({"antenna_gain_db": 6}, "10"), ({"antenna_gain_db": -3}, "14")],
)
def test_power(settings: dict[str, Any], power: str) -> None:
    made = bench(settings)
    made.join()
    assert made.model.settings["POWER"] == power


def test_data_rate_without_adr() -> None:
    made = bench({"lorawan_adr": 0, "lorawan_data_rate": 3})
    made.join()
    assert (made.model.settings["ADR"], made.model.station.start_data_rate) == ("OFF", 3)


@pytest.mark.parametrize("mode", ["TEST", "LWABP"])
def test_found_in_another_mode(mode: str) -> None:
    made = bench()
    made.model.mode = mode
    made.join()
    assert made.model.mode == "LWOTAA"
    assert made.link.failures == 0


def test_found_in_automatic_low_power() -> None:
    made = bench()
    made.model.automatic = True
    made.join()
    assert made.model.automatic is False


def test_found_asleep() -> None:
    made = bench()
    made.model.advance(made.time.now_us + 200_000)
    made.model.asleep = True
    made.join()
    assert made.link.failures == 0


def test_sleeps_between_and_answers_at_once() -> None:
    made = joined({"mode": 0})
    assert made.send(message())
    made.run(made.link.ready)
    began_us = made.time.now_us
    made.link.close()
    assert made.time.now_us - began_us <= 150_000
    assert made.model.asleep
    began_us = made.time.now_us
    made.run(made.link.ready)
    assert made.time.now_us - began_us < 1_500_000
    assert not made.model.asleep


def test_closed_while_a_frame_is_under_way_it_stays_awake() -> None:
    made = joined({"mode": 0})
    made.link.send(message(), True)
    made.idle(0.3)
    made.link.close()
    assert not made.model.asleep
    made.deliver(message())
    made.link.close()
    assert made.model.asleep


@pytest.mark.parametrize(
    ("line", "pause_s"),
    [("No band in 5000ms", 5), ("No band in ms", 60), ("No free channel", 15), ("LoRaWAN modem is busy", 4)],
)
def test_how_long_a_refusal_holds(monkeypatch: pytest.MonkeyPatch, line: str, pause_s: int) -> None:
    made = joined()
    monkeypatch.setattr(made.model, "_message", lambda name, _text: made.model.say(f"+{name}: {line}\r\n"))
    assert made.send(message()) is False
    assert made.link.pause_ms() / 1000 == pytest.approx(pause_s, abs=0.1)
    assert made.link.failures == 0


@pytest.mark.parametrize("line", ["Length error 11", "DR error"])
def test_what_does_not_fit_fails_and_the_limit_is_asked_again(monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    made = joined()
    monkeypatch.setattr(made.model, "_message", lambda name, _text: made.model.say(f"+{name}: {line}\r\n"))
    monkeypatch.setattr(made.model.station, "limit", lambda: 33)
    assert made.send(message()) is False
    made.run(made.link.ready)
    assert (made.link.limit(), made.link.failures) == (33, 1)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("ERROR(-12)", "not in this mode (ERROR(-12))"),
        ("ERROR(-1)", "a value it does not take (ERROR(-1))"),
        ("ERROR(-99)", "error (ERROR(-99))"),
        ("ERROR", "ERROR"),
        ("Something new", "Something new"),
    ],
)
def test_an_answer_nobody_expects_is_a_fault_with_its_words(
    monkeypatch: pytest.MonkeyPatch, line: str, why: str
) -> None:
    made = joined()
    monkeypatch.setattr(made.model, "_message", lambda name, _text: made.model.say(f"+{name}: {line}\r\n"))
    assert made.send(message()) is False
    assert made.said[-1].startswith(f"modem: Wio-E5: message refused: {why}; next try in ")
    assert made.link.fault


@pytest.mark.parametrize(
    ("line", "refused"),
    [
        ('PORT: 1; RX: "83000102"', 0),
        ('PORT: 2; RX: "83000102"', 1),  # not the port of its kind
        ('PORT: 1; RX: "8300010"', 1),
        ('PORT: 1; RX: ""', 1),
        ('PORT: x; RX: "83000102"', 1),
        ("PORT: 1; RX: 83000102", 1),
        ("PORT", 1),
        ("RXWIN1", 0),
        ("RXWIN1, RSSI x, SNR y", 0),
        ("RXWIN1, RSSI -70, SNR 1e999", 0),
        ("Link 20, 1", 0),
    ],
)
def test_lines_of_an_answer(monkeypatch: pytest.MonkeyPatch, line: str, refused: int) -> None:
    made = joined()
    answer = "".join(f"+CMSGHEX: {text}\r\n" for text in ("Start", "Wait ACK", "ACK Received", line, "Done"))
    monkeypatch.setattr(made.model, "_message", lambda _name, _text: made.model.say(answer))
    assert made.send(message())
    assert made.link.refused == refused
    assert len(made.link.poll()) == (line.startswith("PORT") and not refused)


def test_an_answer_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    made = joined()
    monkeypatch.setattr(made.model, "_message", lambda name, _text: made.model.say(f"+{name}: Start\r\n" * 300))
    assert made.send(message()) is False
    assert made.link.failures == 1
    monkeypatch.undo()
    made.deliver(message())


def test_an_acknowledgement_of_before_is_none_of_this_message() -> None:
    made = joined()
    made.network.losses = 1
    made.model.say("+CMSGHEX: ACK Received\r\n+CMSGHEX: Done\r\n")
    assert made.send(message()) is False


def test_no_room_for_a_message_whatever_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    made = joined({"lorawan_region": 1, "lorawan_data_rate": 0})
    monkeypatch.setattr(made.model.station, "limit", lambda: 5)
    assert not made.link.send(message(schema.READING, 11), True)
    made.run(lambda: made.link.fault, 100)
    assert made.said[-1].startswith("modem: Wio-E5: leaves 5 bytes for a message; next try in ")
