"""What both modems share: a link (node/link/__init__.py) over a modem that does the LoRaWAN by itself.

    down --pause over--> connecting: find, configure, join, ask --> up --send--> uplink, ask --> up
    ModemError: counted, told, down with a longer pause; Refusal: not counted, up again when the modem says

A job is a generator that yields whenever it waits; every step runs it as far as it goes without waiting. The modem
keeps keys, counters and session to itself. What the node has to know after a deep sleep is in state().
"""

import binascii
import struct

from judder_core import cbor, codec, schema
from node.link import ACKED, FAILED, WAITING
from node.link.backoff import Backoff
from node.link.modem.at import At, JoinError, ModemError, Refusal

# As the setting lorawan_region counts them.
REGIONS = ("eu868", "us915", "au915", "as923-1", "as923-2", "as923-3", "as923-4", "in865")
SUB_BANDS = ("us915", "au915")
# Longest application payload by data rate (RP002-1.0.4 section 2, without repeater), where the modem cannot tell.
# AU915 and AS923 are counted with the uplink dwell time of 400 ms in force, from data rate 2 on; below that a modem
# is only when the network has lifted it.
_DYNAMIC = (51, 51, 51, 115, 242, 242, 242, 242)
_DWELL = (51, 51, 11, 53, 125, 242, 242, 242)
_LIMITS = {"eu868": _DYNAMIC, "in865": _DYNAMIC, "us915": (11, 53, 125, 242, 242)}
# Data rate below which such a region carries nothing while the dwell time is in force.
_DWELL_DATA_RATE = 2
# EIRP of TXPower 0 (RP002-1.0.4).
_EIRP_DBM = {"us915": 30, "au915": 30, "in865": 30}
# What LoRaMac-based modems take off the EIRP for their antenna, in 0.01 dB.
_ASSUMED_GAIN_CDB = 215

_BACKOFF_MS = (1000, 300000)
# Six join requests a day in the end, which the limits of LoRaWAN 1.0.4 section 7 allow at any data rate.
_JOIN_BACKOFF_MS = (15000, 14400000)
LONG_MS = 3600000
_LOOK_MS = 10
# With 15 transmissions and receive windows at their latest.
UPLINK_MS = 180000
JOIN_MS = 60000
# Confirmed uplinks in a row that nobody answered, after which the session counts as lost (as ADR_ACK_LIMIT).
_UNHEARD = 64
_STRIKES = 3
_DOWNLINKS = 4
LONGEST_BYTES = 242

_STATE = "<BBBBII"
_STATE_VERSION = 1
_CONFIGURED = 1
_JOINED = 2


class Modem:
    """uart: of uart.py. values: settings by name. node_id: 8 bytes, the DevEUI where the setting names none.

    random: n -> n random bytes. time: MicroPython's. say: called with one line of text for the console. state: what
    state() gave before a deep sleep of asleep_ms, b"" after any other start.

    version: firmware of the modem, "" until it is known. joins, join_failures, restarts, waits: counts for HELLO.
    """

    CHIP = ""

    def __init__(self, uart, values: dict, node_id: bytes, random, time, say=None, state: bytes = b"", asleep_ms=0):
        self._uart = uart
        self._values = values
        self._time = time
        self._random = random
        self._say = say
        self._at = At(uart, time, self.on_line)
        self.region = REGIONS[values["lorawan_region"]]
        self.otaa = values["lorawan_activation"] == 0
        self.adr = values["lorawan_adr"] == 1
        self.data_rate = values["lorawan_data_rate"]
        if self.region[:2] == "as" or self.region == "au915":
            self.data_rate = max(self.data_rate, _DWELL_DATA_RATE)
        self.dev_eui = (values["dev_eui"] or node_id).hex().upper()
        self._identity = self._fingerprint()
        self._backoff = Backoff(_BACKOFF_MS[0], _BACKOFF_MS[1], random)
        self._join_backoff = Backoff(_JOIN_BACKOFF_MS[0], _JOIN_BACKOFF_MS[1], random)
        self._job = None
        self._up = False
        self._sending = False
        self._result = WAITING
        self._received = []
        self._limit = payload_limit(self.region, self.data_rate)
        self._broken = None
        self._pause_ms = 0
        self._paused_at_ms = 0
        self._strikes = 0
        self._join_tries = 0
        self._unheard = 0
        self._configured = False
        self._joined = False
        self._force = False
        self.version = ""
        self.failures = 0
        self.refused = 0
        self.joins = 0
        self.join_failures = 0
        self.restarts = 0
        self.waits = 0
        self._thaw(state, asleep_ms)

    # --- the link's contract

    def ready(self) -> bool:
        return self._up and self._job is None and not self._wait_ms()

    def limit(self) -> int:
        return self._limit

    def send(self, message: bytes, confirmed: bool, repeat: bool = False):  # noqa: ARG002
        """On FPort kind + 1. A message sent again is a new uplink; its sequence number tells the host."""
        if not self.ready():
            return FAILED
        if len(message) > self._limit:
            self.failures += 1
            self._tell("a message of %d bytes is longer than %d" % (len(message), self._limit))
            return FAILED
        port = codec.begin(cbor.Reader(message))[1] + schema.FPORT_OFFSET
        self._sending = True
        self._result = WAITING
        self._job = self._uplink(port, message.hex().upper(), confirmed)
        return WAITING

    def outcome(self):
        """Of the message under way; after a step."""
        return self._result

    def poll(self) -> list:
        """Downlink payloads."""
        received = self._received
        self._received = []
        return received

    def step(self, wait_ms: int = 0) -> None:
        """Waits at most wait_ms, and less when something is settled on the way."""
        began_ms = self._time.ticks_ms()
        before = (self._result, self.ready(), len(self._received))
        while True:
            try:
                came = self._at.work()
                if self._broken is not None:
                    error = self._broken
                    self._broken = None
                    raise error
                self._advance()
            except ModemError as error:
                self._fail(error)
            left_ms = wait_ms - self._time.ticks_diff(self._time.ticks_ms(), began_ms)
            if before != (self._result, self.ready(), len(self._received)):
                return
            if left_ms > 0:
                self._time.sleep_ms(min(left_ms, _LOOK_MS))
            elif not came:
                return

    def close(self) -> None:
        """Give up what is under way and let the modem sleep; the session stays with it."""
        self._at.stop()
        self._end_job(False)
        if self._configured:
            self.sleep()

    def state(self) -> bytes:
        """What a wake from deep sleep needs, at most 12 bytes; holds no key."""
        flags = (_CONFIGURED if self._configured else 0) | (_JOINED if self._joined else 0)
        tries = min(self._join_tries, 255)
        return struct.pack(_STATE, _STATE_VERSION, flags, self._unheard, tries, self._identity, self._wait_ms())

    # --- for the two modems: start(), join(), transmit(), inquire(), reset() as jobs, sleep(), on_line(line)

    def ask(self, text: str, judge, within_ms: int = 1000, tries: int = 3, before: bytes = b""):
        """A command that does no harm when it is given twice. Job; returns the reply, None when there was none."""
        for _ in range(tries):
            self._at.start(text, judge, within_ms, before)
            while self._at.waiting():
                yield
            if self._at.reply is not None:
                return self._at.reply
        return None

    def pause(self, ms: int, over=None):
        """Job: so long, or until over() is true."""
        began_ms = self._time.ticks_ms()
        while self._time.ticks_diff(self._time.ticks_ms(), began_ms) < ms and not (over is not None and over()):
            yield

    def heard(self) -> int:
        """Bytes that have come from the modem so far."""
        return self._at.heard

    def silence(self, heard_before: int) -> ModemError:
        """The error for a modem that does not answer, by whether anything has come since."""
        if self._at.heard != heard_before:
            why = "what comes is no answer: another speed, or other firmware than AT commands?"
        else:
            why = "is it powered, and are the wires crossed?"
        return ModemError("no answer on %s; %s" % (self._uart.name, why))

    def lost(self) -> None:
        """The modem is not joined (any more)."""
        self._joined = False
        self._up = False

    def downlink(self, port: int, text: str) -> None:
        """A payload as hexadecimal digits; what is none, or one too many, is refused and counted."""
        try:
            payload = bytes.fromhex(text)
        except ValueError:
            payload = b""
        if not payload or len(payload) > LONGEST_BYTES or not 1 <= port <= 223 or len(self._received) >= _DOWNLINKS:
            self.refused += 1
            return
        self._unheard = 0
        self._received.append(payload)

    def power_step(self) -> int:
        """How many steps of 2 dB below the region's EIRP the settings ask for."""
        eirp_dbm = _EIRP_DBM.get(self.region, 16)
        cap_dbm = min(self._values["lorawan_max_eirp_dbm"] or eirp_dbm, eirp_dbm)
        over_cdb = (eirp_dbm - cap_dbm + self._values["antenna_gain_db"]) * 100 - _ASSUMED_GAIN_CDB
        return max(0, (over_cdb + 199) // 200)

    def power_dbm(self):
        """Conducted power that stays below the EIRP asked for, None where neither limit nor antenna is special."""
        if not self._values["lorawan_max_eirp_dbm"] and self._values["antenna_gain_db"] <= 2:
            return None
        eirp_dbm = _EIRP_DBM.get(self.region, 16)
        return min(self._values["lorawan_max_eirp_dbm"] or eirp_dbm, eirp_dbm) - self._values["antenna_gain_db"]

    # --- jobs

    def _advance(self) -> None:
        if self._job is None:
            if self._up or self._wait_ms():
                return
            self._job = self._connect()
        try:
            next(self._job)
        except StopIteration:
            self._job = None

    def _connect(self):
        if self._strikes and not self._strikes % _STRIKES:
            yield from self.reset()
        yield from self.start()
        was_joined = self._joined and not self._force
        yield from self.join(self._force)
        self._joined = True
        self._force = False
        self._join_tries = 0
        self._join_backoff.reset()
        yield from self.inquire()
        self._up = True
        self._backoff.reset()
        if not was_joined:
            self.joins += 1
            self._tell("joined as %s, firmware %s" % (self.dev_eui, self.version))

    def _uplink(self, port: int, text: str, confirmed: bool):
        try:
            arrived = yield from self.transmit(port, text, confirmed)
        except Refusal as refusal:
            self.waits += 1
            self._settle(False)
            self._hold(refusal.wait_ms)
            self._tell("%s; again in %d s" % (refusal, (self._pause_ms + 999) // 1000))
            return
        self._settle(arrived)
        if arrived:
            self._strikes = 0
            if confirmed:
                self._unheard = 0
        else:
            self.failures += 1
            if confirmed and self._up:
                self._unheard += 1
        if self._unheard >= _UNHEARD:
            self._tell("%d confirmed messages without an answer: joining again" % self._unheard)
            self._unheard = 0
            self._force = True
            self.lost()
        if self._up:
            yield from self.inquire()

    def _settle(self, arrived: bool) -> None:
        if self._sending:
            self._sending = False
            self._result = ACKED if arrived else FAILED

    def _end_job(self, arrived: bool) -> None:
        self._settle(arrived)
        if self._job is not None:
            self._job.close()
            self._job = None
        self._up = False

    def _fail(self, error: ModemError) -> None:
        self._at.stop()
        self._end_job(False)
        if isinstance(error, Refusal):
            self.waits += 1
            self._hold(error.wait_ms)
        else:
            self.failures += 1
            if isinstance(error, JoinError):
                self.join_failures += 1
                self._join_tries += 1
                self._hold(self._join_backoff.delay_ms())
            else:
                self._strikes += 1
                self._hold(self._backoff.delay_ms() if error.wait_ms is None else error.wait_ms)
        self._tell("%s; next try in %d s" % (error, (self._pause_ms + 999) // 1000))

    def restarted(self) -> None:
        """The modem said that it has just started. Before it is set up that is only natural."""
        if not self._configured:
            return
        self.restarts += 1
        self.lost()
        self._configured = False
        self._broken = ModemError("it restarted by itself: power supply?")

    # --- time

    def _hold(self, ms: int) -> None:
        self._pause_ms = min(max(ms, 0), _JOIN_BACKOFF_MS[1])
        self._paused_at_ms = self._time.ticks_ms()

    def _wait_ms(self) -> int:
        """Left of the pause. One that is over is forgotten, before ticks wrap and it seems to lie ahead."""
        if self._pause_ms:
            left_ms = self._pause_ms - self._time.ticks_diff(self._time.ticks_ms(), self._paused_at_ms)
            if left_ms > 0:
                return left_ms
            self._pause_ms = 0
        return 0

    # --- what survives deep sleep

    def _fingerprint(self) -> int:
        """Of everything the modem was set to: another one means to set it anew."""
        values = self._values
        parts = [self.CHIP, self.region, self.dev_eui, str(self.data_rate)]
        for name in ("join_eui", "app_key", "dev_addr", "nwk_s_key", "app_s_key"):
            parts.append(values[name].hex())
        for name in (
            "mode",
            "lorawan_activation",
            "lorawan_sub_band",
            "lorawan_adr",
            "lorawan_max_eirp_dbm",
            "antenna_gain_db",
            "lorawan_rx1_delay_s",
            "lorawan_rx2_data_rate",
            "lorawan_rx2_hz",
        ):
            parts.append(str(values[name]))
        return binascii.crc32(" ".join(parts).encode()) & 0xFFFFFFFF

    def _thaw(self, state: bytes, asleep_ms: int) -> None:
        if len(state) != struct.calcsize(_STATE):
            return
        version, flags, unheard, tries, identity, wait_ms = struct.unpack(_STATE, state)
        if version != _STATE_VERSION or identity != self._identity:
            return
        self._configured = bool(flags & _CONFIGURED)
        self._joined = bool(flags & _JOINED)
        self._unheard = unheard
        self._join_tries = tries
        for _ in range(min(tries, 16)):
            self._join_backoff.delay_ms()
        self._hold(wait_ms - asleep_ms)

    def _tell(self, text: str) -> None:
        if self._say is not None:
            self._say("modem: %s: %s" % (self.CHIP, text))


def payload_limit(region: str, data_rate: int) -> int:
    """Longest application payload in bytes; for a data rate that is none of the region's, the shortest there is."""
    limits = _LIMITS.get(region, _DWELL)
    return limits[data_rate] if 0 <= data_rate < len(limits) else min(limits)


def wait_in(text: str) -> int:
    """The first run of digits in a refusal, as milliseconds, at most an hour; a minute when there is none."""
    digits = ""
    for letter in text:
        if letter in "0123456789":
            digits += letter
        elif digits:
            break
    return min(int(digits), LONG_MS) if digits and len(digits) < 12 else LONG_MS // 60
