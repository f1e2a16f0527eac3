"""RAK3172 with RUI3 firmware. Commands and events: "RUI3 AT Command Manual", RAKwireless; 115200 baud, 8N1.

A command ends in a status line, OK or AT_..., with `AT+NAME=value` before it when something was asked. Radio events
come by themselves: +EVT:JOINED, +EVT:TX_DONE, +EVT:SEND_CONFIRMED_OK, +EVT:RX_1:rssi:snr:UNICAST:port:hex.

What surprises:
- A message that is too long is answered with AT_PARAM_ERROR, and an empty frame goes out in its place, with a
  +EVT:TX_DONE of its own.
- After a confirmed downlink or one with more behind it the modem sends an empty frame by itself and is busy meanwhile.
- A duty cycle that is used up shows as Restricted_Wait_<ms>_ms and AT_BUSY_ERROR.
- Woken from low power by a command it may get the first character wrong: AT_COMMAND_NOT_FOUND for what it knows.
"""

from node.link.modem import driver
from node.link.modem import region as regions
from node.link.modem.at import MORE, JoinError, ModemError, Refusal

# AT+BAND, manual; the order of settings.REGIONS.
_BANDS = (4, 5, 6, 8, 9, 10, 11, 3)
_OK = "OK"
_UNKNOWN = "AT_COMMAND_NOT_FOUND"
_PARAMETER = "AT_PARAM_ERROR"
_BUSY = "AT_BUSY_ERROR"
_NOT_JOINED = "AT_NO_NETWORK_JOINED"
_OTHER_MODE = "AT_MODE_NO_SUPPORT"
_BOOT_MS = 2500
_BUSY_MS = 4000
_BUSY_LIMIT = 20
# FOpts are 15 bytes at most (LoRaWAN 1.0.4 section 4.3.1.6): room for answers of the MAC that nobody told us of.
_FOPTS_BYTES = 15
_SHORTEST = 11


class RAK3172(driver.Modem):
    """See driver.Modem."""

    CHIP = "RAK3172"

    def __init__(self, *arguments, **named):
        self._asked = ""
        self._value = None
        self._event = None
        self._restriction = ""
        self._booting = False
        self._confirms = None
        self._busy = 0
        self._too_long = 0
        super().__init__(*arguments, **named)

    # --- jobs

    def start(self):
        """Find it, and set it to what the settings say unless that was done before the node slept."""
        yield from self._find()
        if self.known.configured:
            if not self.known.joined:
                return
            joined = yield from self._get("NJS")
            if joined == "1":
                return
            # It was without power meanwhile, or is another one.
            self.lost()
            self.known.configured = False
        self._confirms = None
        yield from self._version()
        yield from self._mode()
        for name, wanted, what, needed in self._wanted():
            changed = yield from self._set(name, wanted, what, needed)
            if changed and needed:
                self.known.force = True
        self.known.configured = True

    def join(self, force: bool):
        """Unless it is joined already."""
        if not force:
            joined = yield from self._get("NJS")
            if joined == "1":
                return
        if self.adr and self.otaa:
            # Where the join begins; from then on the network decides.
            yield from self._set("DR", str(self.data_rate), "lorawan_data_rate", False)
        self._restriction = ""
        # Now, not by itself after power-on, and no attempts of its own after this one: the back-off is ours.
        status = yield from self._do("AT+JOIN=1:0:10:0", 3000)
        if status == _BUSY:
            raise self._refusal()
        if status == _OTHER_MODE:
            self.known.configured = False
        if status != _OK:
            raise ModemError("join refused: %s" % status)
        self._busy = 0
        if self.otaa:
            yield from self.pause(driver.JOIN_MS, self._heard_event)
        joined = yield from self._get("NJS")
        if joined != "1":
            raise JoinError("no answer to the join request")

    def transmit(self, port: int, text: str, confirmed: bool):
        """True when it has arrived: acknowledged, or, unconfirmed, sent."""
        yield from self._find()
        if self._confirms is not confirmed:
            yield from self._set("CFM", "1" if confirmed else "0", "lorawan_confirm", True)
            self._confirms = confirmed
        self._restriction = ""
        status = yield from self._do("AT+SEND=%d:%s" % (port, text), 3000)
        if status == _OK:
            self._busy = 0
            yield from self.pause(driver.UPLINK_MS, self._heard_event)
            if self._event is None:
                raise ModemError("no word of a message for %d s" % (driver.UPLINK_MS // 1000))
            if confirmed and self._event == "TX_DONE":
                self._confirms = None
            if self._event == ("SEND_CONFIRMED_OK" if confirmed else "TX_DONE"):
                self._too_long = 0
                return True
            return False
        if status == _BUSY:
            raise self._refusal()
        if status == _NOT_JOINED:
            self.known.force = True
            self.known.configured = False
            self.lost()
            return False
        if status == _PARAMETER:
            self._too_long += 1
            return False
        if status == _OTHER_MODE:
            self.known.configured = False
        raise ModemError("message refused: %s" % status)

    def inquire(self):
        """The data rate in force decides how long a message may be."""
        value = yield from self._get("DR")
        data_rate = self.in_force(value or "")
        if data_rate is not None:
            limit = regions.payload_limit(self.region, data_rate)
            if self._too_long > 1:
                limit -= _FOPTS_BYTES
            self._limit = max(limit, _SHORTEST)

    def reset(self):
        """By its reset pin where the board has one, else by command."""
        self.known.configured = False
        self._booting = True
        if not self._uart.reset():
            yield from self.ask("ATZ", self._status, 500, 1, b"\r\n")
        yield from self.pause(_BOOT_MS)
        self._booting = False

    def sleep(self) -> None:
        """Nothing to do: with AT+LPM=1 it sleeps whenever it is not addressed."""

    # --- pieces of jobs

    def _find(self):
        before = self.heard()
        # The line break ends what it may have half of, and wakes it.
        for _ in range(5):
            status = yield from self.ask("AT", self._status, 400, 1, b"\r\n")
            if status == _OK:
                return
            yield from self.pause(100)
        raise self.silence(before)

    def _version(self):
        value = yield from self._get("VER")
        if value is None:
            raise ModemError("its firmware is older than RUI3; update it (RAK3172, AT command firmware)")
        self.version = value

    def _mode(self):
        for _ in range(2):
            mode = yield from self._get("NWM")
            if mode == "1":
                return
            self._tell("in point-to-point mode; switching to LoRaWAN")
            self._booting = True
            yield from self._do("AT+NWM=1", 2000)
            # Most firmware restarts by itself now.
            yield from self.pause(_BOOT_MS)
            self._booting = False
            yield from self._find()
        raise ModemError("stays in point-to-point mode (AT+NWM=%s)" % mode)

    def _wanted(self) -> list:
        """(command, value, setting or what it is, whether it cannot do without), in the order to set them."""
        values = self._values
        rows = [
            ("BAND", str(_BANDS[values["lorawan_region"]]), "lorawan_region", True),
            ("NJM", "1" if self.otaa else "0", "lorawan_activation", True),
            ("CLASS", "A", "class A", False),
            ("PNM", "1", "public network", False),
        ]
        if self.otaa:
            rows.append(("DEVEUI", self.dev_eui, "dev_eui", True))
            rows.append(("APPEUI", self.join_eui, "join_eui", True))
            rows.append(("APPKEY", values["app_key"].hex().upper(), "app_key", True))
        else:
            rows.append(("DEVADDR", values["dev_addr"].hex().upper(), "dev_addr", True))
            rows.append(("NWKSKEY", values["nwk_s_key"].hex().upper(), "nwk_s_key", True))
            rows.append(("APPSKEY", values["app_s_key"].hex().upper(), "app_s_key", True))
            rows.append(("RX1DL", str(values["lorawan_rx1_delay_s"]), "lorawan_rx1_delay_s", False))
            if values["lorawan_rx2_data_rate"] < 15:
                rows.append(("RX2DR", str(values["lorawan_rx2_data_rate"]), "lorawan_rx2_data_rate", False))
            if values["lorawan_rx2_hz"]:
                rows.append(("RX2FQ", str(values["lorawan_rx2_hz"]), "lorawan_rx2_hz", False))
        if self.region in regions.SUB_BANDS:
            band = values["lorawan_sub_band"]
            rows.append(("MASK", "%04X" % (1 << band - 1 if band else 0xFF), "lorawan_sub_band", True))
        rows.append(("ADR", "1" if self.adr else "0", "lorawan_adr", False))
        if not self.adr:
            rows.append(("DR", str(self.data_rate), "lorawan_data_rate", False))
        # Our own outbox sends again, with the age of that moment.
        rows.append(("RETY", "0", "retransmissions", False))
        rows.append(("DCS", "1", "duty cycle", False))
        step = regions.power_step(self.region, values["lorawan_max_eirp_dbm"], values["antenna_gain_db"])
        rows.append(("TXP", str(step), "lorawan_max_eirp_dbm", False))
        # Level 1: either of its UARTs wakes it.
        rows.append(("LPMLVL", "1", "low power", False))
        rows.append(("LPM", "1" if values["mode"] == 0 else "0", "low power", False))
        return rows

    def _set(self, name: str, wanted: str, what: str, needed: bool):
        """Write what differs, and only that: it goes into flash. True when it did. `what` and never the value is
        told, for it may be a key."""
        value = yield from self._get(name)
        # AT+MASK=? may say more in brackets.
        if value is not None and value.split("(")[0].upper() == wanted:
            return False
        if value is None and not needed:
            return False
        status = yield from self._do("AT+%s=%s" % (name, wanted), 3000)
        for _ in range(3):
            if status != _BUSY:
                break
            yield from self.pause(_BUSY_MS)
            status = yield from self._do("AT+%s=%s" % (name, wanted), 3000)
        if status == _OK:
            return True
        if needed:
            raise ModemError("%s is refused: %s" % (what, status))
        self._tell("%s is not taken: %s" % (what, status))
        return False

    def _get(self, name: str):
        """The value of a setting, None when the modem does not know it."""
        for _ in range(2):
            self._value = None
            self._asked = name
            status = yield from self._do("AT+%s=?" % name, 1000)
            if status == _OK:
                return self._value
            if status == _OTHER_MODE and name != "NWM":
                self.known.configured = False
                raise ModemError("in point-to-point mode")
        return None

    def _do(self, text: str, within_ms: int):
        """Status of a command. What it got wrong while it woke up is said again; silence is an error."""
        # A message is never repeated here: it may have gone out.
        tries = 1 if text.startswith("AT+SEND") else 3
        before = self.heard()
        for _ in range(3):
            status = yield from self.ask(text, self._status, within_ms, tries)
            if status is None:
                raise self.silence(before)
            if status != _UNKNOWN or text.startswith("AT+LPM"):
                break
        return status

    def _heard_event(self) -> bool:
        return self._event is not None

    def _refusal(self) -> ModemError:
        if self._restriction:
            return Refusal("duty cycle", driver.wait_in(self._restriction))
        self._busy += 1
        if self._busy <= _BUSY_LIMIT:
            return Refusal("busy", _BUSY_MS)
        self._busy = 0
        return ModemError("stays busy")

    # --- lines

    def _status(self, text: str):
        text = text.lstrip("> ")
        if text == _OK:
            # What was heard before belongs to another frame.
            self._event = None
            return text
        if text.startswith("AT_"):
            return text
        if text.startswith("AT+") and "=" in text:
            name, value = text[3:].split("=", 1)
            # A late answer may hold a key.
            if name == self._asked:
                self._value = value
            return MORE
        return None

    def on_line(self, text: str) -> None:
        """What comes by itself."""
        if text.startswith("+EVT:"):
            self._radio_event(text[5:])
        elif text.startswith("Restricted_Wait"):
            self._restriction = text
        elif text.startswith("Current Work Mode") and not self._booting:
            self.restarted()

    def _radio_event(self, text: str) -> None:
        if text.startswith("RX_"):
            parts = text.split(":")
            if len(parts) == 6 and parts[3] == "UNICAST" and parts[4].isdigit() and len(parts[4]) < 4:
                self.reception(parts[1], parts[2])
                self.downlink(int(parts[4]), parts[5])
            else:
                self.refused += 1
        elif text == "JOINED" or text == "TX_DONE" or text == "SEND_CONFIRMED_OK":
            self._event = text
        elif text.startswith(("JOIN", "SEND_CONFIRMED")):
            self._event = "FAILED"
