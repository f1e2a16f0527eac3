"""Wio-E5 (Seeed LoRa-E5) at its UART. After "LoRa-E5 AT Command Specification" V1.0 (Seeed) and captured sessions with
firmware 4.0.11.

Modelled: what a LoRaWAN class A device is set to and does, low power, error codes. Not modelled: class B and C,
multicast groups, the test mode's own commands, whether a setting outlives a loss of power (all do here).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from judder.virtual.modems.model import Model
from judder.virtual.modems.network import Answer, Identity, Network, Session
from judder.virtual.modems.station import NotPossible, Restricted, Station

BAUDRATE = 9600
BOOT_US = 150_000
_COMMAND_US = 3_000
_LINE_BYTES = 528
_WAKE_US = 5_000
_AUTO_WAKE = 4  # bytes of 0xFF
BANDS = {"EU868": "eu868", "US915": "us915", "AU915": "au915", "AS923": "as923-1", "IN865": "in865"}
_SIMPLE = {
    "CLASS": ("A", r"[ABC]"),
    "PORT": ("8", r"[1-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5]"),
    "ADR": ("ON", r"ON|OFF"),
    "RETRY": ("3", r"[0-9]{1,3}"),
    "REPT": ("1", r"[1-9]|1[0-5]"),
    "POWER": ("14", r"[0-9]{1,2}"),
    "RXWIN2": ("869.525,DR0", r"[0-9.]+,DR[0-9]+"),
}
_SWITCHES = ("NET", "DC", "JDC")
_IDS = {"DEVADDR": ("DevAddr", 4), "DEVEUI": ("DevEui", 8), "APPEUI": ("AppEui", 8)}
_KEYS = ("APPKEY", "NWKSKEY", "APPSKEY")


class WioE5(Model):
    """asleep: after AT+LOWPOWER. automatic: in low power between commands. refuses: commands answered ERROR(-1).

    channels: what AT+CH=NUM said last.
    """

    def __init__(self, network: Network | None = None, baudrate: int = BAUDRATE) -> None:
        super().__init__(baudrate, network)
        self.version = "4.0.11"
        self.mode = "LWABP"
        self.band = "EU868"
        self.ids = {
            "DEVADDR": bytes.fromhex("24900893"),
            "DEVEUI": bytes.fromhex("2CF7F12024900893"),
            "APPEUI": bytes.fromhex("8000000000000006"),
        }
        self.keys = dict.fromkeys(_KEYS, bytes.fromhex("2B7E151628AED2A6ABF7158809CF4F3C"))
        self.settings = {name: default for name, (default, _) in _SIMPLE.items()}
        self.switches = {"NET": True, "DC": True, "JDC": True}
        self.channels = ""
        self.rx1_delay_s = 1
        self.refuses: set[str] = set()
        self.asleep = False
        self.automatic = False
        self.station = Station(self.network, self)
        self._line = bytearray()
        self._booting = True
        self._deaf_until_us = 0
        self._wake_bytes = 0

    # --- power and characters

    def boot(self) -> None:
        """Everything in RAM is lost. It says nothing when it starts."""
        self.station.network = self.network
        self.station.reset()
        self._apply()
        self.asleep = False
        self._line.clear()
        self._booting = True
        self.after(BOOT_US, self._booted)

    def _booted(self) -> None:
        self._booting = False

    def character(self, value: int) -> None:
        """A command ends with LF."""
        if self._booting or self.now_us < self._deaf_until_us:
            return
        if self.asleep:
            self.asleep = False
            self._deaf_until_us = self.now_us + _WAKE_US
            self.say("+LOWPOWER: WAKEUP\r\n")
            return
        if self.automatic and self._wake_bytes < _AUTO_WAKE:
            self._wake_bytes = self._wake_bytes + 1 if value == 0xFF else 0
            return
        if value == 10:
            line = bytes(self._line).strip(b"\r\xff ")
            self._line.clear()
            self._wake_bytes = 0
            self.after(_COMMAND_US, lambda: self._command(line))
        elif len(self._line) < _LINE_BYTES + 1:
            self._line.append(value)

    # --- commands

    def _command(self, line: bytes) -> None:
        if not line:
            return
        if len(line) > _LINE_BYTES:
            self._answer("AT", "ERROR(-21)")
            return
        if any(value < 32 or value > 126 for value in line):
            self._answer("AT", "ERROR(-23)")
            return
        name, _, argument = line.decode("ascii").partition("=")
        argument = re.sub(r"\s*,\s*", ",", argument.strip())
        if name.upper() == "AT":
            self._answer("AT", "OK")
            return
        if not name.upper().startswith("AT+"):
            self._answer("AT", "ERROR(-11)")
            return
        name = name[3:].upper()
        commands: dict[str, Callable[[str], None]] = {
            "VER": lambda _: self._answer("VER", self.version),
            "RESET": self._reset_command,
            "MODE": self._mode_command,
            "ID": self._id,
            "KEY": self._key,
            "DR": self._dr,
            "CH": self._ch,
            "LW": self._lw,
            "DELAY": self._delay,
            "LOWPOWER": self._lowpower,
            "JOIN": self._join,
            "MSGHEX": lambda text: self._message("MSGHEX", text),
            "CMSGHEX": lambda text: self._message("CMSGHEX", text),
        }
        if name in self.refuses and argument:
            self._answer(name, "ERROR(-1)")
        elif name in commands:
            commands[name](argument)
        elif name in _SIMPLE:
            self._setting(name, argument)
        else:
            self._answer("AT", "ERROR(-10)")

    def _answer(self, name: str, text: str) -> None:
        self.say(f"+{name}: {text}\r\n")

    def _setting(self, name: str, argument: str) -> None:
        if argument:
            if re.fullmatch(_SIMPLE[name][1], argument.upper()) is None:
                self._answer(name, "ERROR(-1)")
                return
            self.settings[name] = argument.upper()
            self._apply()
        self._answer(name, self.settings[name])

    def _apply(self) -> None:
        station = self.station
        region = BANDS[self.band]
        if station.region != region:
            station.region = region
            station.set_data_rate(next(rate for rate in range(6) if station.valid(rate)))
        station.adr = self.settings["ADR"] == "ON"
        station.duty_cycle = self.switches["DC"]
        station.join_duty_cycle = self.switches["DC"] and self.switches["JDC"]
        if self.mode == "LWABP":
            keys = (self.keys["NWKSKEY"], self.keys["APPSKEY"])
            station.session = Session(self.ids["DEVADDR"], *keys, rx1_delay_s=self.rx1_delay_s)

    def _reset_command(self, _argument: str) -> None:
        self._answer("RESET", "OK")
        self.after(50_000, lambda: self.reset(self.now_us))

    def _mode_command(self, argument: str) -> None:
        if argument:
            if argument.upper() not in ("LWOTAA", "LWABP", "TEST"):
                self._answer("MODE", "ERROR(-1)")
                return
            self.mode = argument.upper()
            self.station.session = None
            self._apply()
        self._answer("MODE", self.mode)

    def _id(self, argument: str) -> None:
        name, comma, value = argument.partition(",")
        if name.upper() not in _IDS:
            for key in _IDS:
                self._say_id(key)
            return
        _, length = _IDS[name.upper()]
        if comma:
            given = _hex(value, length)
            if given is None:
                self._answer("ID", "ERROR(-1)")
                return
            self.ids[name.upper()] = given
            self._apply()
        self._say_id(name.upper())

    def _say_id(self, key: str) -> None:
        self._answer("ID", f"{_IDS[key][0]}, {self.ids[key].hex(':').upper()}")

    def _key(self, argument: str) -> None:
        name, _, value = argument.partition(",")
        given = _hex(value, 16)
        if name.upper() not in _KEYS or given is None:
            self._answer("KEY", "ERROR(-1)")
            return
        self.keys[name.upper()] = given
        self._apply()
        self._answer("KEY", f"{name.upper()} {given.hex().upper()}")

    def _dr(self, argument: str) -> None:
        argument = argument.upper()
        if argument in BANDS:
            self.band = argument
            self.station.session = None
            self.station.region = ""
            self._apply()
            self._answer("DR", self.band)
            return
        number = argument.removeprefix("DR")
        if argument:
            if self.mode == "TEST":
                self._answer("DR", "ERROR(-12)")
                return
            if not number.isdigit() or not self.station.valid(int(number)):
                self._answer("DR", "ERROR(-1)")
                return
            self.station.set_data_rate(int(number))
        rate, start = self.station.data_rate, self.station.start_data_rate
        self._answer("DR", f"DR{start}" + (f" (ADR DR{rate})" if rate != start else ""))
        for shown in dict.fromkeys((rate, start)):
            used = self.station.modulation(shown)
            self._answer("DR", f"{self.band} DR{shown}  SF{used.sf:<2} BW{used.bandwidth_hz // 1000}K ")

    def _ch(self, argument: str) -> None:
        if re.fullmatch(r"NUM,[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*", argument.upper()) is None:
            self._answer("CH", "ERROR(-1)")
            return
        self.channels = argument[4:]
        numbers: list[int] = []
        for part in self.channels.split(","):
            first, _, last = part.partition("-")
            numbers += range(int(first), int(last or first) + 1)
        self.station.channels = tuple(numbers)
        self._answer("CH", "NUM, " + ", ".join(self.channels.split(",")))

    def _lw(self, argument: str) -> None:
        what, comma, value = argument.upper().partition(",")
        if what == "LEN" and not comma:
            self._answer("LW", f"LEN, {self.station.limit()}")
        elif what in _SWITCHES and value in ("", "ON", "OFF"):
            if comma:
                self.switches[what] = value == "ON"
                self._apply()
            shown = "ON" if self.switches[what] else "OFF"
            self._answer("LW", f"{what}, {shown}" + (", 0" if what == "DC" else ""))
        else:
            self._answer("LW", "ERROR(-1)")

    def _delay(self, argument: str) -> None:
        found = re.fullmatch(r"(RX1|RX2|JRX1|JRX2),([0-9]+)", argument.upper())
        if found is None:
            self._answer("DELAY", "ERROR(-1)")
            return
        if found[1] == "RX1":
            self.rx1_delay_s = int(found[2]) // 1000
            self._apply()
        self._answer("DELAY", f"{found[1]}, {found[2]}")

    def _lowpower(self, argument: str) -> None:
        if argument.upper() in ("AUTOON", "AUTOOFF"):
            self.automatic = argument.upper() == "AUTOON"
            self._answer("LOWPOWER", argument.upper())
        elif argument:
            self._answer("LOWPOWER", "ERROR(-1)")
        elif self.station.busy:
            self._answer("LOWPOWER", "LoRaWAN modem is busy")
        else:
            self._answer("LOWPOWER", "SLEEP")
            self.asleep = True

    # --- the radio

    def _join(self, argument: str) -> None:
        force = argument.upper() == "FORCE"
        if argument and not force:
            self._answer("JOIN", "ERROR(-1)")
        elif self.mode != "LWOTAA":
            self._answer("JOIN", "ERROR(-12)" if self.mode == "TEST" else "Not in OTAA mode")
        elif self.station.busy:
            self._answer("JOIN", "LoRaWAN modem is busy")
        elif self.station.session is not None and not force:
            self._answer("JOIN", "Joined already")
        else:
            self._request(force)

    def _request(self, force: bool) -> None:
        station = self.station
        keys = (self.ids["DEVEUI"], self.ids["APPEUI"], self.keys["APPKEY"])
        try:
            station.join(Identity(*keys, station.region, station.channels), self._join_done)
        except Restricted as restricted:
            self._answer("JOIN", f"No band in {restricted.wait_ms}ms")
            return
        except NotPossible:
            self._answer("JOIN", "DR error")
            return
        self._answer("JOIN", "Start")
        self._answer("JOIN", "FORCE" if force else "NORMAL")

    def _join_done(self, session: Session | None) -> None:
        if session is None:
            self._answer("JOIN", "Join failed")
        else:
            self._answer("JOIN", "Network joined")
            self._answer("JOIN", f"NetID 000013 DevAddr {session.dev_addr.hex(':').upper()}")
        self._answer("JOIN", "Done")

    def _message(self, name: str, argument: str) -> None:
        payload = _hex(argument, None) if argument else b""
        limit = self.station.limit()
        if payload is None:
            self._answer(name, "ERROR(-1)")
        elif self.mode == "TEST":
            self._answer(name, "ERROR(-12)")
        elif self.station.session is None:
            self._answer(name, "Please join network first")
        elif self.station.busy:
            self._answer(name, "LoRaWAN modem is busy")
        elif len(payload) > limit:
            self._answer(name, f"Length error {limit}")
        else:
            self._uplink(name, payload)

    def _uplink(self, name: str, payload: bytes) -> None:
        confirmed = name == "CMSGHEX"
        port = int(self.settings["PORT"]) if payload else None
        try:
            self.station.uplink(port, payload, confirmed, lambda answer: self._uplink_done(name, answer))
        except Restricted as restricted:
            self._answer(name, f"No band in {restricted.wait_ms}ms")
            return
        except NotPossible:
            self._answer(name, "DR error")
            return
        self._answer(name, "Start")
        if confirmed:
            self._answer(name, "Wait ACK")

    def _uplink_done(self, name: str, answer: Answer) -> None:
        if answer.pending:
            self._answer(name, "FPENDING")
        if answer.acknowledged:
            self._answer(name, "ACK Received")
        down = answer.downlink
        if down is not None:
            if down.multicast:
                self._answer(name, "MULTICAST")
            self._answer(name, f'PORT: {down.port}; RX: "{down.payload.hex().upper()}"')
        if answer.acknowledged or down is not None:
            window, rssi, snr = (1, -70, 8) if down is None else (down.window, down.rssi_dbm, down.snr_db)
            self._answer(name, f"RXWIN{window}, RSSI {rssi}, SNR {float(snr)}")
        self._answer(name, "Done")


def _hex(text: str, length: int | None) -> bytes | None:
    """Bytes of a value, with or without quotes, blanks and colons; None when it is none or of another length."""
    digits = re.sub(r"[ :]", "", text.strip('"'))
    if len(digits) % 2 or re.fullmatch(r"[0-9A-Fa-f]*", digits) is None:
        return None
    value = bytes.fromhex(digits)
    return value if length in (None, len(value)) else None
