"""The modems' models by hand, without any driver: answers as the manuals and captured sessions have them.

RAK3172: "RUI3 AT Command Manual" (RAKwireless). Wio-E5: "LoRa-E5 AT Command Specification" V1.0 (Seeed), as sessions
with firmware 4.0.11 show it.
"""

from __future__ import annotations

import re

import pytest

from judder.virtual.modems.model import Model, character_us
from judder.virtual.modems.network import Answer, Downlink, Identity, Prompt, Session, Uplink
from judder.virtual.modems.rak3172 import Rak3172
from judder.virtual.modems.wioe5 import WioE5


class Anybody:
    """Takes everybody. answer: to each uplink."""

    def __init__(self) -> None:
        self.answer = Answer(acknowledged=True)
        self.identities: list[Identity] = []
        self.uplinks: list[Uplink] = []

    def join(self, identity: Identity, _data_rate: int, _now_us: int) -> Session | None:
        self.identities.append(identity)
        return Session(bytes.fromhex("48000001"))

    def uplink(self, _session: Session, uplink: Uplink, _now_us: int) -> Answer:
        self.uplinks.append(uplink)
        return self.answer


class Terminal:
    """A person at the modem's UART."""

    def __init__(self, model: Model, baudrate: int = 0) -> None:
        self.model = model
        self.baudrate = baudrate or model.baudrate
        self.now_us = 0
        model.power_on()
        self.wait(1)

    def wait(self, seconds: float) -> list[str]:
        """Lines that came meanwhile."""
        self.now_us += round(seconds * 1e6)
        text = self.model.speak(self.now_us, self.baudrate).decode("latin-1")
        return [line for line in re.split(r"[\r\n]+", text) if line]

    def __call__(self, command: str, seconds: float = 1.0) -> list[str]:
        self.model.hear(command.encode() + b"\r\n", self.now_us, self.baudrate)
        return self.wait(seconds)


def rak(network: Anybody | None = None) -> Terminal:
    return Terminal(Rak3172(Prompt(network or Anybody())))


def wio(network: Anybody | None = None) -> Terminal:
    return Terminal(WioE5(Prompt(network or Anybody())))


def test_rak_says_what_it_is_when_it_starts() -> None:
    model = Rak3172()
    model.power_on()
    text = model.speak(1_000_000, 115_200).decode()
    assert "Current Work Mode: LoRaWAN." in text


@pytest.mark.parametrize(
    ("command", "lines"),
    [
        ("AT", ["OK"]),
        ("at", ["OK"]),
        ("AT+VER=?", ["AT+VER=RUI_4.2.4_RAK3172-E", "OK"]),
        ("AT+NJM=?", ["AT+NJM=1", "OK"]),
        ("AT+NJS=?", ["AT+NJS=0", "OK"]),
        ("AT+BAND=?", ["AT+BAND=4", "OK"]),
        ("AT+BAND=99", ["AT_PARAM_ERROR"]),
        ("AT+MASK=?", ["AT_ERROR"]),
        ("AT+APPKEY=00112233445566778899AABBCCDDEEFF", ["OK"]),
        ("AT+APPKEY=0011", ["AT_PARAM_ERROR"]),
        ("AT+DR=?", ["AT+DR=0", "OK"]),
        ("AT+DR=7", ["AT_PARAM_ERROR"]),
        ("AT+SEND=2:11", ["AT_NO_NETWORK_JOINED"]),
        ("AT+NONSENSE", ["AT_COMMAND_NOT_FOUND"]),
        ("nonsense", ["AT_COMMAND_NOT_FOUND"]),
    ],
)
def test_rak_answers(command: str, lines: list[str]) -> None:
    assert rak()(command) == lines


def test_rak_joins_and_sends() -> None:
    network = Anybody()
    modem = rak(network)
    assert modem("AT+JOIN=1:0:10:0") == ["OK"]
    assert modem.wait(10) == ["+EVT:JOINED"]
    assert modem("AT+NJS=?") == ["AT+NJS=1", "OK"]
    assert network.identities[0].dev_eui.hex().upper() == "AC1F09FFFE012345"
    assert modem("AT+SEND=12:112233") == ["OK"]
    assert modem("AT+SEND=12:112233") == ["AT_BUSY_ERROR"]
    assert modem.wait(10) == ["+EVT:TX_DONE"]
    modem("AT+CFM=1")
    network.answer = Answer(acknowledged=True, downlink=Downlink(1, b"\x12\x34"))
    assert modem("AT+SEND=2:AB", 10) == ["OK", "+EVT:SEND_CONFIRMED_OK", "+EVT:RX_1:-70:8:UNICAST:1:1234"]
    network.answer = Answer()
    assert modem("AT+SEND=2:AB", 10) == ["OK", "+EVT:SEND_CONFIRMED_FAILED(4)"]
    assert [(uplink.port, uplink.payload.hex()) for uplink in network.uplinks] == [(12, "112233"), (2, "ab"), (2, "ab")]


def test_rak_duty_cycle() -> None:
    modem = rak()
    modem("AT+DCS=1")
    assert modem("AT+JOIN=1:0:10:0", 10) == ["OK", "+EVT:JOINED"]
    sent = 0
    while (answer := modem("AT+SEND=2:" + 51 * "AB", 10))[0] == "OK":
        sent += 1
    # 1.48 s for the join request at SF12 and 2.79 s for each of these, of 36 s in an hour.
    assert sent == 13
    assert re.fullmatch(r"Restricted_Wait_\d+_ms", answer[0])
    assert answer[1:] == ["AT_BUSY_ERROR"]
    wait_s = int(answer[0].split("_")[2]) / 1000
    assert wait_s == pytest.approx(148.2 + 13 * 279.4 - 3600 - 11 - 13 * 10, abs=5)
    modem.wait(wait_s)
    assert modem("AT+SEND=2:AB")[0] == "OK"


def test_rak_sends_an_empty_frame_in_place_of_one_that_is_too_long() -> None:
    network = Anybody()
    modem = rak(network)
    modem("AT+JOIN", 10)
    assert modem("AT+SEND=2:" + "AB" * 52, 10) == ["AT_PARAM_ERROR", "+EVT:TX_DONE"]
    assert network.uplinks[0].port is None


def test_rak_point_to_point_mode() -> None:
    modem = rak()
    assert modem("AT+NWM=0", 2)[0] == "OK"
    assert modem("AT+NJS=?") == ["AT_MODE_NO_SUPPORT"]
    assert "Current Work Mode: LoRaWAN." in modem("AT+NWM=1", 2)


@pytest.mark.parametrize(
    ("command", "lines"),
    [
        ("AT", ["+AT: OK"]),
        ("AT+VER", ["+VER: 4.0.11"]),
        ("AT+ID=DevEui", ["+ID: DevEui, 2C:F7:F1:20:24:90:08:93"]),
        ('AT+ID=DevEui,"0011223344556677"', ["+ID: DevEui, 00:11:22:33:44:55:66:77"]),
        ("AT+MODE", ["+MODE: LWABP"]),
        ("AT+MODE=LWOTAA", ["+MODE: LWOTAA"]),
        ("AT+PORT=8", ["+PORT: 8"]),
        ("AT+PORT=0", ["+PORT: ERROR(-1)"]),
        ("AT+DR=DR5", ["+DR: DR5", "+DR: EU868 DR5  SF7  BW125K "]),
        ("AT+DR=US915", ["+DR: US915"]),
        ("AT+LW=LEN", ["+LW: LEN, 51"]),
        ("AT+LOWPOWER", ["+LOWPOWER: SLEEP"]),
        ("AT+NONSENSE", ["+AT: ERROR(-10)"]),
        ("nonsense", ["+AT: ERROR(-11)"]),
        ("A" * 600, ["+AT: ERROR(-21)"]),
    ],
)
def test_wio_answers(command: str, lines: list[str]) -> None:
    assert wio()(command) == lines


def test_wio_joins_and_sends() -> None:
    network = Anybody()
    modem = wio(network)
    modem("AT+MODE=LWOTAA")
    assert modem("AT+MSGHEX=AB") == ["+MSGHEX: Please join network first"]
    joined = ["Start", "NORMAL", "Network joined", "NetID 000013 DevAddr 48:00:00:01", "Done"]
    assert modem("AT+JOIN", 10) == [f"+JOIN: {line}" for line in joined]
    assert modem("AT+JOIN") == ["+JOIN: Joined already"]
    modem("AT+LW=DC,OFF")
    network.answer = Answer()
    assert modem('AT+MSGHEX="AB CD"', 10) == ["+MSGHEX: Start", "+MSGHEX: Done"]
    network.answer = Answer(acknowledged=True, downlink=Downlink(17, b"\x82\x10\x0a"))
    answer = ["Start", "Wait ACK", "ACK Received", 'PORT: 17; RX: "82100A"', "RXWIN1, RSSI -70, SNR 8.0", "Done"]
    assert modem("AT+CMSGHEX=AB", 10) == [f"+CMSGHEX: {line}" for line in answer]
    assert modem("AT+MSGHEX=" + "AB" * 52) == ["+MSGHEX: Length error 51"]
    assert [uplink.payload.hex() for uplink in network.uplinks] == ["abcd", "ab"]


def test_wio_waits_for_its_band() -> None:
    modem = wio()
    modem("AT+MODE=LWOTAA")
    modem("AT+JOIN", 10)
    assert re.fullmatch(r"\+JOIN: No band in \d+ms", modem("AT+JOIN=FORCE")[0])
    assert re.fullmatch(r"\+MSGHEX: No band in \d+ms", modem("AT+MSGHEX=AB")[0])


def test_wio_sleeps_and_is_woken() -> None:
    modem = wio()
    assert modem("AT+LOWPOWER") == ["+LOWPOWER: SLEEP"]
    assert modem("AT") == ["+LOWPOWER: WAKEUP"]
    assert modem("AT") == ["+AT: OK"]
    assert modem("AT+LOWPOWER=AUTOON") == ["+LOWPOWER: AUTOON"]
    assert modem("AT") == []
    modem.model.hear(b"\xff\xff\xff\xffAT+LOWPOWER=AUTOOFF\r\n", modem.now_us, 9600)
    assert modem.wait(1) == ["+LOWPOWER: AUTOOFF"]


@pytest.mark.parametrize("kind", [Rak3172, WioE5])
def test_another_speed_is_noise(kind: type[Rak3172] | type[WioE5]) -> None:
    modem = Terminal(kind(), 57_600)
    assert modem("AT") == []
    modem.baudrate = modem.model.baudrate
    modem("")
    assert "OK" in "".join(modem("AT"))


@pytest.mark.parametrize("kind", [Rak3172, WioE5])
def test_characters_take_their_time(kind: type[Rak3172] | type[WioE5]) -> None:
    modem = Terminal(kind())
    baudrate = modem.model.baudrate
    assert character_us(baudrate) == pytest.approx({115_200: 86.8, 9600: 1041.7}[baudrate], abs=0.1)
    modem.model.hear(b"AT\r\n", modem.now_us, baudrate)
    begin_us, came = modem.now_us, []
    while len(came) < 4:
        modem.now_us += 10
        came += [modem.now_us - begin_us] * len(modem.model.speak(modem.now_us, baudrate))
    assert came[0] > 4 * character_us(baudrate)
    assert came[3] - came[0] == pytest.approx(3 * character_us(baudrate), abs=25)


@pytest.mark.parametrize("kind", [Rak3172, WioE5])
def test_without_power_it_neither_hears_nor_speaks(kind: type[Rak3172] | type[WioE5]) -> None:
    model = kind()
    model.supplies[5] = False
    modem = Terminal(model)
    assert modem("AT") == []
    model.set_supply(5, True, modem.now_us)
    modem.wait(1)
    assert "OK" in "".join(modem("AT"))
