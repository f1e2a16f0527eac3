"""Wio-E5 (Seeed LoRa-E5) with its AT firmware. "LoRa-E5 AT Command Specification" V1.0, Seeed; 9600 baud, 8N1.

A line of an answer begins with the command's name, `+NAME: text`; one that is wrong with `+NAME: ERROR(-n)`, or
`+AT: ERROR(-n)` when it was not understood at all. Joining and sending answer in several lines, the last of them Done:
    +JOIN: Start, NORMAL, Network joined (or Join failed), NetID 000024 DevAddr 48:00:00:01, Done
    +CMSGHEX: Start, Wait ACK, ACK Received, PORT: 17; RX: "82100A", RXWIN1, RSSI -82, SNR 10.0, Done

What surprises:
- The port is a setting of its own (AT+PORT), which the next message uses.
- Keys cannot be read back, and nothing but AT+JOIN tells whether it is joined.
- A message that is too long is answered with the length that would do: 0 when answers of the MAC have to go first.
- Asleep (AT+LOWPOWER) the first characters wake it and are lost; it says +LOWPOWER: WAKEUP and needs 5 ms. In its
  automatic low power mode a command is only heard behind four bytes of 0xFF.
"""

from node.link.modem import driver
from node.link.modem import region as regions
from node.link.modem.at import MORE, JoinError, ModemError, Refusal

# Table 2-1 of the specification.
_ERRORS = {
    -1: "a value it does not take",
    -10: "a command it does not know",
    -11: "a wrong format",
    -12: "not in this mode",
    -20: "too many values",
    -21: "too long a line",
    -22: "a line without an end",
    -23: "a character it does not take",
    -24: "a line in pieces",
}
# Lines of joining and sending on the way to the one that ends it; what is not here ends it as well, as a refusal.
_PROGRESS = ("Start", "NORMAL", "FORCE", "Network joined", "NetID", "Join failed", "Done") + (
    "TX",
    "Wait ACK",
    "ACK Received",
    "FPENDING",
    "Link",
    "MULTICAST",
    "PORT",
    "RXWIN",
)
_ENDS = ("Join failed", "Done")
_AUTO = b"\xff\xff\xff\xff"
_BUSY_MS = 4000
_BUSY_LIMIT = 20
_NO_CHANNEL_MS = 15000
_WAKE_MS = 20
_SLEEP_MS = 150
_SHORTEST = 11


class WioE5(driver.Modem):
    """See driver.Modem."""

    CHIP = "Wio-E5"

    def __init__(self, *arguments, **named):
        self._name = ""
        self._seen = []
        self._rate = self._band = ""
        self._port = None
        self._multicast = False
        self._busy = 0
        super().__init__(*arguments, **named)
        self._mode = "LWOTAA" if self.otaa else "LWABP"

    # --- jobs

    def start(self):
        """Find it, and set it to what the settings say unless that was done before the node slept."""
        yield from self._find()
        if self.known.configured:
            mode = yield from self._value("MODE")
            if mode == self._mode:
                return
            # It has lost its settings, or is another one.
            self.lost()
            self.known.configured = False
        self._port = None
        self.version = yield from self._value("VER")
        if self.region[:5] == "as923" and self.region != "as923-1":
            raise ModemError("knows no region %s, only as923-1" % self.region, driver.LONG_MS)
        yield from self._settings()
        # Whether the keys it had were these it cannot say.
        self.known.force = self.otaa
        self.known.configured = True

    def join(self, force: bool):
        """Unless it is joined already; without force it is asked only when it was not before the node slept."""
        if not self.otaa or (self.known.joined and not force):
            return
        if self.adr:
            # Where the join begins; from then on the network decides.
            yield from self._set_data_rate()
        yield from self._run("JOIN", "=FORCE" if force else "", driver.JOIN_MS)
        if self._has("Network joined") or self._has("NetID") or self._has("Joined already"):
            self._busy = 0
            return
        self._refuse()
        if self._has("Join failed"):
            self._busy = 0
            raise JoinError("no answer to the join request")
        self.known.configured = False
        raise ModemError("join refused: %s" % self._last())

    def transmit(self, port: int, text: str, confirmed: bool):
        """True when it has arrived: acknowledged, or, unconfirmed, sent."""
        yield from self._find()
        if self._port is None:
            self._port = yield from self._value("PORT")
        if self._port != str(port):
            yield from self._write("PORT", str(port), "port", True)
            self._port = str(port)
        yield from self._run("CMSGHEX" if confirmed else "MSGHEX", '="%s"' % text if text else "", driver.UPLINK_MS)
        if self._has("Done"):
            self._busy = 0
            return self._has("ACK Received") if confirmed else True
        if self._has("Please join network first"):
            self.known.force = True
            self.known.configured = False
            self.lost()
            return False
        if self._has("Length error") or self._has("DR error"):
            return False
        self._refuse()
        self.known.configured = False
        raise ModemError("message refused: %s" % self._last())

    def inquire(self):
        """How long the next message may be. When answers of the MAC leave no room for one they go out first."""
        yield from self._data_rate()
        for _ in range(3):
            value = yield from self._value("LW", "=LEN")
            digits = value.split(",")[-1].strip()
            if not digits.isdigit():
                return
            if int(digits) >= _SHORTEST:
                self._limit = min(int(digits), driver.LONGEST_BYTES)
                return
            yield from self._run("MSGHEX", "", driver.UPLINK_MS)
            self._refuse()
        raise ModemError("leaves %s bytes for a message" % digits)

    def reset(self):
        """By its reset pin where the board has one, else by command."""
        self.known.configured = False
        if not self._uart.reset():
            yield from self._run("RESET", "", 1000)
        yield from self.pause(2000)

    def sleep(self) -> None:
        """Until the next character. While it is busy with a frame it refuses, and stays awake."""
        self._name = "LOWPOWER"
        self._at.start("AT+LOWPOWER", self._simple, _SLEEP_MS)
        while self._at.waiting():
            self._at.work()
            self._time.sleep_ms(5)

    # --- pieces of jobs

    def _find(self):
        before = self.heard()
        for attempt in range(6):
            self._name = "AT"
            # The last tries are for one that somebody left in automatic low power mode.
            reply = yield from self.ask("AT", self._simple, 400, 1, _AUTO if attempt > 3 else b"")
            if reply == "OK":
                if attempt > 3:
                    self._name = "LOWPOWER"
                    yield from self.ask("AT+LOWPOWER=AUTOOFF", self._simple, 400, 3, _AUTO)
                return
            yield from self.pause(_WAKE_MS)
        raise self.silence(before)

    def _settings(self):
        values = self._values
        mode = yield from self._value("MODE")
        if mode != self._mode:
            yield from self._write("MODE", self._mode, "lorawan_activation", True)
        # Setting the band resets channels and everything that belongs to them, so only when it is another one.
        _rate, band = yield from self._data_rate()
        wanted = "AS923" if self.region == "as923-1" else self.region.upper()
        if band != wanted:
            yield from self._write("DR", wanted, "lorawan_region", True)
        if self.otaa:
            yield from self._identify("DevEui", self.dev_eui, "dev_eui")
            yield from self._identify("AppEui", self.join_eui, "join_eui")
            yield from self._key("APPKEY", values["app_key"], "app_key")
        else:
            yield from self._identify("DevAddr", values["dev_addr"].hex().upper(), "dev_addr")
            yield from self._key("NWKSKEY", values["nwk_s_key"], "nwk_s_key")
            yield from self._key("APPSKEY", values["app_s_key"], "app_s_key")
        yield from self._set("CLASS", "A", "class A")
        if self.region in regions.SUB_BANDS:
            band = values["lorawan_sub_band"]
            channels = "%d-%d,%d" % (8 * band - 8, 8 * band - 1, 63 + band) if band else "0-71"
            yield from self._write("CH", "NUM," + channels, "lorawan_sub_band", True)
        yield from self._set("ADR", "ON" if self.adr else "OFF", "lorawan_adr")
        # Our own outbox sends again, with the age of that moment.
        yield from self._set("RETRY", "1", "retransmissions")
        yield from self._set("REPT", "1", "repetitions")
        for what in ("NET", "DC", "JDC"):
            yield from self._write("LW", what + ",ON", "AT+LW=" + what, False)
        power_dbm = regions.power_dbm(self.region, values["lorawan_max_eirp_dbm"], values["antenna_gain_db"])
        if power_dbm is not None:
            yield from self._write("POWER", str(power_dbm), "lorawan_max_eirp_dbm", False)
        if not self.otaa:
            delay_ms = 1000 * values["lorawan_rx1_delay_s"]
            yield from self._write("DELAY", "RX1,%d" % delay_ms, "lorawan_rx1_delay_s", False)
            yield from self._write("DELAY", "RX2,%d" % (delay_ms + 1000), "lorawan_rx1_delay_s", False)
            if values["lorawan_rx2_hz"] and values["lorawan_rx2_data_rate"] < 15:
                mhz = "%d.%06d" % (values["lorawan_rx2_hz"] // 1000000, values["lorawan_rx2_hz"] % 1000000)
                rx2 = "%s,DR%d" % (mhz, values["lorawan_rx2_data_rate"])
                yield from self._write("RXWIN2", rx2, "lorawan_rx2_hz", False)
        if not self.adr:
            yield from self._set_data_rate()

    def _data_rate(self):
        """(what is set, as "DR0"; band, as "EU868"); empty texts when it does not say."""
        self._name = "DR"
        self._rate = self._band = ""
        before = self.heard()
        yield from self.ask("AT+DR", self._rates, 1500)
        if not self._rate:
            raise self.silence(before)
        return self._rate, self._band

    def _set_data_rate(self):
        rate, _band = yield from self._data_rate()
        if rate != "DR%d" % self.data_rate:
            yield from self._write("DR", "DR%d" % self.data_rate, "lorawan_data_rate", False)

    def _identify(self, name: str, wanted: str, what: str):
        value = yield from self._value("ID", "=" + name)
        if value.split(",")[-1].replace(":", "").strip().upper() != wanted:
            yield from self._write("ID", '%s,"%s"' % (name, wanted), what, True)

    def _key(self, name: str, key: bytes, what: str):
        yield from self._write("KEY", '%s,"%s"' % (name, key.hex().upper()), what, True)

    def _set(self, name: str, wanted: str, what: str):
        value = yield from self._value(name)
        if value != wanted:
            yield from self._write(name, wanted, what, False)

    def _write(self, name: str, value: str, what: str, needed: bool):
        """`what` and never the value is told, for it may be a key."""
        reply = yield from self._value(name, "=" + value)
        if reply.startswith("ERROR"):
            text = "%s is refused: %s" % (what, _error(reply))
            if needed:
                raise ModemError(text)
            self._tell(text)

    def _value(self, name: str, argument: str = ""):
        """The first line of the answer to something that may be asked twice; silence is an error."""
        self._name = name
        before = self.heard()
        reply = yield from self.ask("AT+%s%s" % (name, argument), self._simple, 1500)
        if reply is None:
            raise self.silence(before)
        return reply

    def _run(self, name: str, argument: str, within_ms: int):
        """A command with an answer of many lines, given once: they are in self._seen afterwards."""
        self._name = name
        self._seen = []
        self._multicast = False
        reply = yield from self.ask("AT+%s%s" % (name, argument), self._many, within_ms, 1)
        if reply is None and name != "RESET":
            raise ModemError("no end of AT+%s within %d s" % (name, within_ms // 1000))

    def _has(self, text: str) -> bool:
        return any(line.startswith(text) for line in self._seen)

    def _last(self) -> str:
        line = self._seen[-1] if self._seen else ""
        return _error(line) if line.startswith("ERROR") else line

    def _refuse(self) -> None:
        """Raise Refusal when the last answer was "not now"."""
        if self._has("No band in"):
            raise Refusal("duty cycle", driver.wait_in(self._last()))
        if self._has("No free channel"):
            raise Refusal("no free channel", _NO_CHANNEL_MS)
        if self._has("LoRaWAN modem is busy"):
            self._busy += 1
            if self._busy > _BUSY_LIMIT:
                self._busy = 0
                raise ModemError("stays busy")
            raise Refusal("busy", _BUSY_MS)

    # --- lines

    def _simple(self, text: str):
        """One line: what follows the name."""
        if text.startswith("+%s: " % self._name):
            return text[len(self._name) + 3 :].strip()
        if text.startswith("+AT: ERROR"):
            return text[5:].strip()
        if self._name == "AT" and text == "+LOWPOWER: WAKEUP":
            return text
        return None

    def _many(self, text: str):
        """Lines of an answer until the one that ends it."""
        reply = self._simple(text)
        if reply is None:
            return None
        begins = [word for word in _PROGRESS if reply.startswith(word)]
        if not self._seen and begins and begins[0] != "Start":
            # Left over from a frame that was given up.
            return MORE
        self._seen.append(reply)
        if reply.startswith("PORT"):
            self._received_line(reply)
        elif reply == "MULTICAST":
            self._multicast = True
        elif reply.startswith("RXWIN"):
            words = reply.split()
            self.reception(words[2].rstrip(",") if len(words) > 4 else "", words[-1])
        return MORE if begins and begins[0] not in _ENDS and len(self._seen) < 40 else reply

    def _rates(self, text: str):
        """`DR0 (ADR DR5)` and `EU868 DR5 SF7 BW125K`, in any order."""
        reply = self._simple(text)
        if reply is None or reply.startswith("ERROR"):
            return reply
        words = reply.split()
        if words[0].startswith("DR"):
            self._rate = words[0]
            self.in_force(words[-1].strip("DR)"))
        elif len(words) > 1:
            self._band = words[0]
        return reply if self._rate and self._band else MORE

    def _received_line(self, reply: str) -> None:
        """PORT: 8; RX: "12345678" """
        digits = reply[4:].lstrip(": ").split(";")[0].strip()
        parts = reply.split('"')
        if digits.isdigit() and len(digits) < 4 and len(parts) == 3 and not self._multicast:
            self.downlink(int(digits), parts[1])
        else:
            self.refused += 1

    def on_line(self, text: str) -> None:
        """Nothing of importance comes by itself in class A."""


def _error(reply: str) -> str:
    """ERROR(-12) in words."""
    digits = reply[reply.find("(") + 1 : reply.find(")")]
    try:
        return "%s (%s)" % (_ERRORS.get(int(digits), "error"), reply)
    except ValueError:
        return reply
