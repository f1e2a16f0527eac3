"""RAK3172 with RUI3 firmware, at its UART. After "RUI3 AT Command Manual" (RAKwireless) and the behaviour of the
published firmware sources (RAK-STM32-RUI): the status lines, events in their order, the empty frame in place of a
message that is too long, frames of its own after a confirmed downlink.

Modelled: what a LoRaWAN class A device is set to and does. Not modelled: class B and C, multicast groups, point to
point (NWM=0 only answers AT_MODE_NO_SUPPORT), other serial modes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

from judder.virtual.modems.model import Model
from judder.virtual.modems.network import Answer, Identity, Network, Session
from judder.virtual.modems.station import NotPossible, Restricted, Station

BAUDRATE = 115_200
BOOT_US = 300_000
_COMMAND_US = 2_000
_BUFFER_BYTES = 1024
_ASLEEP_US = 500_000
BANDS = {
    "3": "in865",
    "4": "eu868",
    "5": "us915",
    "6": "au915",
    "8": "as923-1",
    "9": "as923-2",
    "10": "as923-3",
    "11": "as923-4",
}
_SUB_BAND_REGIONS = ("us915", "au915")

# Settings in flash: default, and what is taken.
_HEX8, _HEX4, _HEX16 = r"[0-9A-Fa-f]{16}", r"[0-9A-Fa-f]{8}", r"[0-9A-Fa-f]{32}"
_SETTINGS = {
    "NJM": ("1", r"[01]"),
    "CLASS": ("A", r"[ABCabc]"),
    "PNM": ("1", r"[01]"),
    "DEVEUI": ("AC1F09FFFE012345", _HEX8),
    "APPEUI": ("AC1F09FFF8683172", _HEX8),
    "APPKEY": ("00000000000000000000000000000000", _HEX16),
    "DEVADDR": ("00000000", _HEX4),
    "NWKSKEY": ("00000000000000000000000000000000", _HEX16),
    "APPSKEY": ("00000000000000000000000000000000", _HEX16),
    "CFM": ("0", r"[01]"),
    "RETY": ("0", r"[0-7]"),
    "ADR": ("1", r"[01]"),
    "DCS": ("0", r"[01]"),
    "TXP": ("0", r"1?[0-9]"),
    "RX1DL": ("1", r"[1-9]|1[0-5]"),
    "RX2DR": ("0", r"1?[0-9]"),
    "RX2FQ": ("869525000", r"[0-9]{9,10}"),
    "BAND": ("4", "|".join(BANDS)),
    "MASK": ("00FF", r"00[0-9A-Fa-f]{2}"),
    "LPM": ("0", r"[01]"),
    "LPMLVL": ("1", r"[12]"),
}
_WITHOUT_RADIO = ("LPM", "LPMLVL", "VER", "NWM")


class Rak3172(Model):
    """version: what AT+VER=? says; one that does not begin with RUI is of the old firmware. echo: as ATE leaves it.

    wakes_badly: asleep (LPM=1) it gets the first character wrong. refuses: settings it answers AT_PARAM_ERROR for.
    """

    def __init__(self, network: Network | None = None, baudrate: int = BAUDRATE) -> None:
        super().__init__(baudrate, network)
        self.version = "RUI_4.2.4_RAK3172-E"
        self.echo = False
        self.wakes_badly = False
        self.refuses: set[str] = set()
        self.settings = {name: default for name, (default, _) in _SETTINGS.items()}
        self.mode = "1"
        self.writes = 0
        self.station = Station(self.network, self)
        # LoRaMac-node since 4.4.4 (RegionCommon.c): credits of an hour.
        self.station.burst_us = 3_600_000_000
        self._buffer = bytearray()
        self._booting = True
        self._heard_us = 0

    # --- power and characters

    def boot(self) -> None:
        """Everything in RAM is lost; the banner, and then it listens."""
        self.station.network = self.network
        self.station.reset()
        self._apply()
        self._buffer.clear()
        self._booting = True
        self.after(BOOT_US, self._booted)

    def _booted(self) -> None:
        self._booting = False
        name = "LoRaWAN" if self.mode == "1" else "LoRa P2P"
        self.say(f"RAKwireless RAK3172 Example\r\n{'-' * 54}\r\nCurrent Work Mode: {name}.\r\n")

    def character(self, value: int) -> None:
        """A line ends with CR or LF; an empty one is nothing."""
        if self._booting:
            return
        if self.wakes_badly and self.settings["LPM"] == "1" and self.now_us - self._heard_us > _ASLEEP_US:
            value |= 0x80
        self._heard_us = self.now_us
        if value not in (10, 13):
            if len(self._buffer) < _BUFFER_BYTES:
                self._buffer.append(value)
            if self.echo:
                self.say(chr(value & 0x7F))
            return
        line = bytes(self._buffer)
        self._buffer.clear()
        if line:
            if self.echo:
                self.say("\n\r")
            self.after(_COMMAND_US, lambda: self._command(line.decode("latin-1")))

    # --- commands

    def _command(self, line: str) -> None:
        name, equals, argument = line.partition("=")
        name = name.upper()
        if name == "ATZ" and not equals:
            self.reset(self.now_us)
            return
        status = self._run(name, argument if equals else None)
        if status is not None:
            self.say(f"\r\n{status}\r\n")

    def _run(self, name: str, argument: str | None) -> str | None:
        if name == "AT" and argument is None:
            return "OK"
        if name == "ATE" and argument is None:
            self.echo = not self.echo
            return "OK"
        name = name.removeprefix("AT+")
        commands: dict[str, Callable[[str | None], str | None]] = {
            "VER": self._ver,
            "NWM": self._nwm,
            "NJS": self._njs,
            "DR": self._dr,
            "JOIN": self._join,
            "SEND": self._send,
        }
        if name not in _SETTINGS and name not in commands:
            return "AT_COMMAND_NOT_FOUND"
        if self.mode != "1" and name not in _WITHOUT_RADIO:
            return "AT_MODE_NO_SUPPORT"
        return commands[name](argument) if name in commands else self._setting(name, argument)

    def _value(self, name: str, value: str) -> str:
        rui3 = self.version.startswith("RUI")
        self.say(f"AT+{name}={value}\r\n" if rui3 else f"{value}\r\n")
        return "OK"

    def _setting(self, name: str, argument: str | None) -> str:
        if argument == "?":
            if name == "MASK" and self.station.region not in _SUB_BAND_REGIONS:
                return "AT_ERROR"
            return self._value(name, self.settings[name])
        if argument is None or name in self.refuses or re.fullmatch(_SETTINGS[name][1], argument) is None:
            return "AT_PARAM_ERROR"
        if self.station.busy and name not in ("CFM", "RETY", "LPM", "LPMLVL"):
            return "AT_BUSY_ERROR"
        if name == "MASK" and argument == "0000":
            argument = "00FF"
        changed = self.settings[name] != argument.upper()
        self.settings[name] = argument.upper()
        self.writes += 1
        if name == "BAND" and changed:
            self.settings["MASK"] = "00FF"
            self.station.reset()
        if name == "NJM" and changed:
            self.station.session = None
        self._apply()
        return "OK"

    def _apply(self) -> None:
        """From flash into the stack."""
        station, settings = self.station, self.settings
        region = BANDS[settings["BAND"]]
        if station.region != region:
            station.region = region
            station.set_data_rate(next(rate for rate in range(6) if station.valid(rate)))
        station.adr = settings["ADR"] == "1"
        station.duty_cycle = settings["DCS"] == "1"
        station.channels = _channels(int(settings["MASK"], 16)) if region in _SUB_BAND_REGIONS else ()
        if settings["NJM"] == "0" and station.session is None:
            station.session = self._personalised()

    def _personalised(self) -> Session:
        address, network_key, application_key = self._bytes("DEVADDR", "NWKSKEY", "APPSKEY")
        return Session(address, network_key, application_key, int(self.settings["RX1DL"]))

    def _bytes(self, *names: str) -> tuple[bytes, ...]:
        return tuple(bytes.fromhex(self.settings[name]) for name in names)

    def _ver(self, argument: str | None) -> str:
        return self._value("VER", self.version) if argument == "?" else "AT_PARAM_ERROR"

    def _nwm(self, argument: str | None) -> str | None:
        if argument == "?":
            return self._value("NWM", self.mode)
        if argument not in ("0", "1", "2") or "NWM" in self.refuses:
            return "AT_PARAM_ERROR"
        self.mode = argument
        self.say("OK\r\n")
        self.after(50_000, lambda: self.reset(self.now_us))
        return None

    def _njs(self, argument: str | None) -> str:
        return self._value("NJS", str(int(self.station.session is not None))) if argument == "?" else "AT_PARAM_ERROR"

    def _dr(self, argument: str | None) -> str:
        if argument == "?":
            return self._value("DR", str(self.station.data_rate))
        if argument is None or not argument.isdigit() or not self.station.valid(int(argument)):
            return "AT_PARAM_ERROR"
        self.station.set_data_rate(int(argument))
        self.writes += 1
        return "OK"

    # --- the radio

    def _join(self, argument: str | None) -> str:
        numbers = (argument or "1").split(":")
        if len(numbers) > 4 or not all(number.isdigit() for number in numbers):
            return "AT_PARAM_ERROR"
        period = int(numbers[2]) if len(numbers) > 2 else 8
        if numbers[0] not in ("0", "1") or not 7 <= period <= 255:
            return "AT_PARAM_ERROR"
        if numbers[0] == "0":
            return "OK"
        if self.settings["NJM"] == "0":
            self.station.session = self._personalised()
            return "OK"
        if self.station.busy:
            return "AT_BUSY_ERROR"
        dev_eui, join_eui, app_key = self._bytes("DEVEUI", "APPEUI", "APPKEY")
        identity = Identity(dev_eui, join_eui, app_key, self.station.region, self.station.channels)
        return self._begin(lambda: self.station.join(identity, self._join_done))

    def _join_done(self, session: Session | None) -> None:
        if session is None:
            self.say("+EVT:JOIN_FAILED_RX_TIMEOUT\r\n")
            return
        self.say("+EVT:JOINED\r\n")

    def _send(self, argument: str | None) -> str:
        port, _, digits = (argument or "").partition(":")
        if not port.isdigit() or not 1 <= int(port) <= 223 or re.fullmatch(r"([0-9A-Fa-f]{2}){1,250}", digits) is None:
            return "AT_PARAM_ERROR"
        if self.station.session is None:
            return "AT_NO_NETWORK_JOINED"
        if self.station.busy:
            return "AT_BUSY_ERROR"
        payload = bytes.fromhex(digits)
        fits = len(payload) <= self.station.limit()
        status = self._uplink(int(port), payload, self.settings["CFM"] == "1") if fits else self._uplink(None, b"")
        return "AT_PARAM_ERROR" if status == "OK" and not fits else status

    def _uplink(self, port: int | None, payload: bytes, confirmed: bool = False) -> str:
        done = partial(self._uplink_done, confirmed)
        return self._begin(lambda: self.station.uplink(port, payload, confirmed, done))

    def _begin(self, exchange: Callable[[], None]) -> str:
        try:
            exchange()
        except Restricted as restricted:
            self.say(f"Restricted_Wait_{restricted.wait_ms}_ms\r\n")
            return "AT_BUSY_ERROR"
        except NotPossible:
            return "AT_ERROR"
        return "OK"

    def _uplink_done(self, confirmed: bool, answer: Answer) -> None:
        if not confirmed:
            self.say("+EVT:TX_DONE\r\n")
        elif answer.acknowledged:
            self.say("+EVT:SEND_CONFIRMED_OK\r\n")
        else:
            self.say("+EVT:SEND_CONFIRMED_FAILED(4)\r\n")
        down = answer.downlink
        if down is not None:
            cast = "MULTICAST" if down.multicast else "UNICAST"
            where = f"RX_{down.window}:{down.rssi_dbm}:{down.snr_db}:{cast}"
            self.say(f"+EVT:{where}:{down.port}:{down.payload.hex()}\r\n")
        if answer.pending or (down is not None and down.confirmed):
            self._uplink(None, b"")


def _channels(mask: int) -> tuple[int, ...]:
    """Of the sub-bands of AT+MASK: eight of 125 kHz and one of 500 kHz each."""
    bands = [band for band in range(8) if mask >> band & 1]
    return tuple(number for band in bands for number in (*range(8 * band, 8 * band + 8), 64 + band))
