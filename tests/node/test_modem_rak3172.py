"""What is peculiar to the RAK3172: settings by name, firmware that does not fit, its surprises. Against the model.

Values of AT+BAND, AT+MASK, AT+TXP, AT+DR: RUI3 AT Command Manual.
"""

from __future__ import annotations

from typing import Any

import pytest
from modem_bench import APP_KEY, Bench, Table, message

from judder.virtual.modems.network import Answer
from judder_core import schema

BANDS = {0: "4", 1: "5", 2: "6", 3: "8", 4: "9", 5: "10", 6: "11", 7: "3"}
FAST = {"lorawan_data_rate": 5}


def bench(settings: dict[str, Any] | None = None, **options: Any) -> Bench:
    return Bench("rak3172", {**FAST, **(settings or {})}, **options)


def joined(settings: dict[str, Any] | None = None, **options: Any) -> Bench:
    made = bench(settings, **options)
    made.join()
    made.idle(15)
    return made


@pytest.mark.parametrize(("region", "band"), BANDS.items())
def test_region(region: int, band: str) -> None:
    made = bench({"lorawan_region": region, "lorawan_data_rate": 0})
    made.join()
    assert made.model.settings["BAND"] == band
    # With the dwell time in force nothing slower carries a message.
    assert made.network.joins[0][1] == (2 if 2 <= region <= 6 else 0)


@pytest.mark.parametrize(
    ("region", "sub_band", "mask"), [(1, 2, "0002"), (1, 8, "0080"), (2, 1, "0001"), (1, 0, "00FF")]
)
def test_sub_band(region: int, sub_band: int, mask: str) -> None:
    made = bench({"lorawan_region": region, "lorawan_sub_band": sub_band, "lorawan_data_rate": 2})
    made.model.settings["MASK"] = "0004"
    made.join()
    assert made.model.settings["MASK"] == mask


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({}, {"NJM": "1", "ADR": "1", "RETY": "0", "DCS": "1", "LPM": "0", "CLASS": "A", "PNM": "1", "TXP": "0"}),
        ({"mode": 0}, {"LPM": "1", "LPMLVL": "1"}),
        ({"lorawan_adr": 0, "lorawan_data_rate": 3}, {"ADR": "0"}),
        ({"lorawan_max_eirp_dbm": 10}, {"TXP": "3"}),
        ({"antenna_gain_db": 8}, {"TXP": "3"}),
    ],
)
def test_settings(settings: dict[str, Any], wanted: dict[str, str]) -> None:
    made = bench(settings)
    made.model.settings.update(dict.fromkeys(("RETY",), "5"), DCS="0", TXP="7", ADR="1", PNM="0", CLASS="C")
    made.join()
    assert wanted.items() <= made.model.settings.items()
    assert made.model.station.data_rate == settings.get("lorawan_data_rate", 5)


def test_point_to_point_mode_is_left() -> None:
    made = bench()
    made.model.mode = "0"
    made.join()
    assert made.model.mode == "1"
    assert made.said[0] == "modem: RAK3172: in point-to-point mode; switching to LoRaWAN"
    assert made.link.failures == 0


def test_point_to_point_mode_that_cannot_be_left() -> None:
    made = bench()
    made.model.mode = "0"
    made.model.refuses = {"NWM"}
    made.idle(120, leap=True)
    assert "modem: RAK3172: stays in point-to-point mode (AT+NWM=0); next try in 1 s" in made.said
    assert made.link.fault


def test_somebody_else_sets_point_to_point_mode() -> None:
    made = joined()
    made.model.mode = "0"
    assert made.send(message()) is False
    made.deliver(message())
    assert made.model.mode == "1"


def test_firmware_before_rui3() -> None:
    made = bench()
    made.model.version = "V1.0.4"
    made.idle(20)
    why = "its firmware is older than RUI3; update it (RAK3172, AT command firmware)"
    assert made.said[0] == f"modem: RAK3172: {why}; next try in 1 s"


@pytest.mark.parametrize("mode", [0, 1])
def test_first_character_lost_in_low_power(mode: int) -> None:
    made = joined({"mode": mode})
    made.model.wakes_badly = True
    for place in range(3):
        made.deliver(message(schema.READING, 20 + place), 2)
        made.idle(15)
    assert made.link.failures == 0


def test_a_late_answer_is_not_taken_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    made = bench()

    def late(_argument: str) -> str:
        made.model.say(f"AT+VER={made.model.version}\r\nAT+APPKEY={APP_KEY.hex().upper()}\r\n")
        return "OK"

    monkeypatch.setattr(made.model, "_ver", late)
    made.join()
    assert made.link.version == made.model.version


def test_echo_makes_no_difference() -> None:
    made = bench()
    made.model.echo = True
    made.join()
    made.idle(15)
    assert made.send(message())
    assert made.link.failures == made.link.refused == 0


def test_an_empty_frame_in_place_of_a_message_is_no_success() -> None:
    """Too long for what the MAC has to say besides: AT_PARAM_ERROR, and +EVT:TX_DONE of the empty frame."""
    made = joined({"lorawan_data_rate": 0}, network=Table(answers=[Answer(mac_bytes=15)]))
    made.idle(200)
    assert made.send(message(schema.READING, 51), False)
    made.idle(400)
    assert made.send(message(schema.ALARM, 51), False) is False
    made.deliver(message(schema.ALARM, 51))
    assert [uplink.port for uplink in made.network.uplinks] == [2, None, 3]


def test_room_is_left_when_the_mac_never_stops_talking() -> None:
    made = joined()
    made.network.answers = [Answer(acknowledged=True, mac_bytes=15) for _ in range(9)]
    for _ in range(9):
        made.run(made.link.ready)
        if made.link.limit() < 242:
            break
        made.send(message(schema.READING, 242))
        made.idle(15)
    assert made.link.limit() == 242 - 15
    assert made.send(message(schema.READING, 227))


@pytest.mark.parametrize(
    ("line", "pause_s"),
    [("Restricted_Wait_5000_ms", 5), ("Restricted_Wait__ms", 60), ("Restricted_Wait_99999999999999_ms", 60)]
    + [("Restricted_Wait_90000000_ms", 3600), ("", 4)],
)
def test_how_long_a_refusal_holds(monkeypatch: pytest.MonkeyPatch, line: str, pause_s: int) -> None:
    made = joined()

    def refuse(_argument: str) -> str:
        made.model.say(line + "\r\n")
        return "AT_BUSY_ERROR"

    monkeypatch.setattr(made.model, "_send", refuse)
    assert made.send(message()) is False
    assert made.link.pause_ms() / 1000 == pytest.approx(pause_s, abs=0.1)
    assert made.link.failures == 0


@pytest.mark.parametrize("status", ["AT_ERROR", "AT_DUTYCYLE_RESTRICTED", "AT_CRYPTO_ERROR", "AT_TEST_PARAM_OVERFLOW"])
def test_a_status_nobody_expects_is_a_fault_with_its_name(monkeypatch: pytest.MonkeyPatch, status: str) -> None:
    made = joined()
    monkeypatch.setattr(made.model, "_send", lambda _argument: status)
    assert made.send(message()) is False
    assert made.said[-1].startswith(f"modem: RAK3172: message refused: {status}; next try in ")
    assert made.link.fault


@pytest.mark.parametrize(
    ("event", "refused"),
    [
        ("RX_1:-70:8:UNICAST:1:83000102", 0),
        ("RX_2:-70:-8:UNICAST:1:83000102", 0),
        ("RX_1:-70:8:MULTICAST:1:83000102", 1),
        ("RX_1:-70:8:UNICAST:2:83000102", 1),  # not the port of its kind
        ("RX_1:-70:8:UNICAST:1:8300010", 1),
        ("RX_1:-70:8:UNICAST:1:", 1),
        ("RX_1:-70:8:UNICAST:x:83000102", 1),
        ("RX_1:-70:8:UNICAST:1:" + "83000102" * 70, 1),
        ("RX_1, RSSI -70, SNR 8", 1),  # RUI3 before 3.2
        ("TX_DONE", 0),
        ("SOMETHING_NEW:1", 0),
    ],
)
def test_events_that_come_by_themselves(event: str, refused: int) -> None:
    made = joined()
    made.model.say(f"+EVT:{event}\r\n")
    made.idle(1)
    assert made.link.refused == refused
    assert len(made.link.poll()) == (event.startswith("RX") and not refused)
    assert made.send(message())


def test_a_result_of_before_is_none_of_this_message() -> None:
    made = joined(network=Table(losses=1))
    made.model.say("+EVT:SEND_CONFIRMED_OK\r\n")
    assert made.send(message()) is False


def test_no_result_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    made = joined()
    monkeypatch.setattr(made.model, "_send", lambda _argument: "OK")
    assert made.send(message()) is False
    assert made.said[-1].startswith("modem: RAK3172: no word of a message for 180 s; next try in ")
