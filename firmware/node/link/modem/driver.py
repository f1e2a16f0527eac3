"""What both modems share: a link (node/link/__init__.py) over a modem that does the LoRaWAN by itself.

    down --pause over--> connecting: find, configure, join, ask --> up --send--> uplink, ask --> up
    ModemError: counted, told, down with a longer pause; Refusal: not counted, up again when the modem says

A job is a generator that yields whenever it waits; every step runs it as far as it goes without waiting. The modem
keeps keys, counters and session to itself. What the node has to know after a deep sleep is in session().
"""

from judder_core import schema, settings
from node.link import ACKED, FAILED, WAITING, Link
from node.link.backoff import Backoff
from node.link.modem import region as regions
from node.link.modem.at import At, JoinError, ModemError, Refusal
from node.link.modem.known import Known

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

# Setting lorawan_confirm.
_CONFIRM_ALARMS = 1
_CONFIRM_ALL = 2


class Modem(Link):
    """uart: of uart.py. values: settings by name. node_id: 8 bytes, the DevEUI where the setting names none.

    random: n -> n random bytes. time: MicroPython's. say: called with one line of text for the console. session: what
    session() gave before a deep sleep of asleep_ms or a restart, b"" where nothing is known.

    version: firmware of the modem, "" until it is known.
    """

    CHIP = ""

    def __init__(self, uart, values: dict, node_id: bytes, random, time, say=None, session: bytes = b"", asleep_ms=0):
        self._uart = uart
        self._values = values
        self._time = time
        self._say = say
        self._at = At(uart, time, self.on_line)
        self.region = settings.REGIONS[values["lorawan_region"]]
        self.otaa = values["lorawan_activation"] == 0
        self.adr = values["lorawan_adr"] == 1
        self.data_rate = regions.first_data_rate(self.region, values["lorawan_data_rate"])
        self.dev_eui = (values["dev_eui"] or node_id).hex().upper()
        self.join_eui = (values["join_eui"] or bytes(8)).hex().upper()
        self.known = Known(self.CHIP, self.dev_eui, values)
        self._backoff = Backoff(_BACKOFF_MS[0], _BACKOFF_MS[1], random)
        self._join_backoff = Backoff(_JOIN_BACKOFF_MS[0], _JOIN_BACKOFF_MS[1], random)
        self._job = None
        self._up = False
        self._sending = False
        self._result = WAITING
        self._received = []
        self._limit = regions.payload_limit(self.region, self.data_rate)
        self._broken = None
        self._pause_ms = 0
        self._paused_at_ms = 0
        self._strikes = 0
        self._in_force = self._rssi_dbm = self._snr_qdb = None
        self.version = ""
        self._hold(self.known.thaw(session) - asleep_ms)
        for _ in range(min(self.known.join_tries, 16)):
            self._join_backoff.delay_ms()

    # --- the link's contract

    def ready(self) -> bool:
        return self._up and self._job is None and not self.pause_ms()

    def limit(self) -> int:
        return self._limit

    def send(self, message: bytes, confirmed: bool, repeat: bool = False):  # noqa: ARG002
        """On FPort kind + 1. A message sent again is a new uplink; its sequence number tells the host."""
        if not self.ready():
            return FAILED
        kind = _kind(message)
        confirm = self._values["lorawan_confirm"]
        confirmed = confirmed or confirm == _CONFIRM_ALL or (confirm == _CONFIRM_ALARMS and kind == schema.ALARM)
        if len(message) > self._limit:
            self.failures += 1
            self._tell("a message of %d bytes is longer than %d" % (len(message), self._limit))
            return FAILED
        self._sending = True
        self._result = WAITING
        self._job = self._uplink(kind + schema.FPORT_OFFSET, message.hex().upper(), confirmed)
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
                self._at.work()
                if self._broken is not None:
                    error = self._broken
                    self._broken = None
                    raise error
                self._advance()
            except ModemError as error:
                self._fail(error)
            left_ms = wait_ms - self._time.ticks_diff(self._time.ticks_ms(), began_ms)
            if left_ms <= 0 or before != (self._result, self.ready(), len(self._received)):
                return
            self._time.sleep_ms(min(left_ms, _LOOK_MS))

    def close(self) -> None:
        """Give up what is under way and let the modem sleep; the session stays with it."""
        self._stop()
        if self.known.configured:
            self.sleep()

    def busy(self) -> bool:
        """Joining, sending, or setting the modem up."""
        return self._job is not None

    def pause_ms(self) -> int:
        """Left of the pause. One that is over is forgotten, before ticks wrap and it seems to lie ahead."""
        if self._pause_ms:
            left_ms = self._pause_ms - self._time.ticks_diff(self._time.ticks_ms(), self._paused_at_ms)
            if left_ms > 0:
                return left_ms
            self._pause_ms = 0
        return 0

    def session(self) -> bytes:
        """What a wake from deep sleep needs; holds no key."""
        return self.known.freeze(self.pause_ms())

    def report(self) -> tuple:
        """For HELLO; without the frame counter, which the modem keeps to itself."""
        return (
            ("joins", self.known.joins & 0xFFFF),
            ("join_failures", self.known.join_failures & 0xFFFF),
            ("downlinks", self.known.downlinks),
            ("data_rate", self._in_force),
            ("rssi", self._rssi_dbm),
            ("snr", self._snr_qdb),
        )

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
            why = "what comes is none: another speed, or other firmware than AT commands?"
        else:
            why = "is it powered, wired, and set to this speed?"
        return ModemError("no answer on %s; %s" % (self._uart.name, why))

    def lost(self) -> None:
        """The modem is not joined (any more)."""
        self.known.joined = False
        self._up = False

    def downlink(self, port: int, text: str) -> None:
        """A payload as hexadecimal digits; what is none, or one too many, is refused and counted."""
        try:
            payload = bytes.fromhex(text)
        except ValueError:
            payload = b""
        self.known.unheard = 0
        self.proofs += 1
        fits = 3 <= len(payload) <= LONGEST_BYTES and port == _kind(payload) + schema.FPORT_OFFSET
        if not fits or len(self._received) >= _DOWNLINKS:
            self.refused += 1
            return
        self.known.downlinks += 1
        self._received.append(payload)

    def reception(self, rssi_dbm: str, snr_db: str) -> None:
        """As the modem prints them; what is no number, or none that can be, is left out."""
        try:
            rssi, snr = int(rssi_dbm), int(float(snr_db) * 4)
        except (ValueError, OverflowError):
            return
        if -200 <= rssi <= 50 and -128 <= snr <= 127:
            self._rssi_dbm = rssi
            self._snr_qdb = snr

    def in_force(self, text: str):
        """The data rate in force as the modem prints it: the number, None when it is none."""
        self._in_force = int(text) if text.isdigit() and len(text) < 3 and int(text) < 16 else None
        return self._in_force

    # --- jobs

    def _advance(self) -> None:
        if self._job is None:
            if self._up or self.pause_ms():
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
        self.fault = False
        was_joined = self.known.joined and not self.known.force
        yield from self.join(self.known.force)
        self.known.joined = True
        self.known.force = False
        self.known.join_tries = 0
        self._join_backoff.reset()
        yield from self.inquire()
        self._up = True
        self._backoff.reset()
        if not was_joined:
            self.known.joins += 1
            self.proofs += self.otaa
            self._tell("joined as %s%s" % (self.dev_eui, self.version and ", firmware " + self.version))

    def _uplink(self, port: int, text: str, confirmed: bool):
        try:
            arrived = yield from self.transmit(port, text, confirmed)
        except Refusal as refusal:
            self._settle(False)
            self._hold(refusal.wait_ms)
            self._tell("%s; again in %d s" % (refusal, (self._pause_ms + 999) // 1000))
            return
        self._settle(arrived)
        if arrived:
            self._strikes = 0
            if confirmed:
                self.known.unheard = 0
                self.proofs += 1
        else:
            self.failures += 1
            if confirmed and self._up and self.otaa:
                self.known.unheard += 1
        if self.known.unheard >= _UNHEARD:
            self._tell("%d confirmed messages without an answer: joining again" % self.known.unheard)
            self.known.unheard = 0
            self.known.force = True
            self.lost()
        if self._up:
            yield from self.inquire()

    def _settle(self, arrived: bool) -> None:
        if self._sending:
            self._sending = False
            self._result = ACKED if arrived else FAILED

    def _stop(self) -> None:
        """Give up what is under way."""
        self._at.stop()
        self._settle(False)
        if self._job is not None:
            self._job.close()
            self._job = None
        self._up = False

    def _fail(self, error: ModemError) -> None:
        self._stop()
        if isinstance(error, Refusal):
            self._hold(error.wait_ms)
        else:
            self.failures += 1
            if isinstance(error, JoinError):
                self.known.join_failures += 1
                self.known.join_tries += 1
                self._hold(self._join_backoff.delay_ms())
            else:
                self._strikes += 1
                self.fault = True
                self._hold(self._backoff.delay_ms() if error.wait_ms is None else error.wait_ms)
        self._tell("%s; next try in %d s" % (error, (self._pause_ms + 999) // 1000))

    def restarted(self) -> None:
        """The modem said that it has just started. Before it is set up that is only natural."""
        if not self.known.configured:
            return
        self.lost()
        self.known.configured = False
        self._broken = ModemError("it restarted by itself: power supply?")

    # --- time

    def _hold(self, ms: int) -> None:
        self._pause_ms = min(max(ms, 0), _JOIN_BACKOFF_MS[1])
        self._paused_at_ms = self._time.ticks_ms()

    def _tell(self, text: str) -> None:
        if self._say is not None:
            self._say("modem: %s: %s" % (self.CHIP, text))


def _kind(message: bytes) -> int:
    """Of a message of the contract, at least three bytes long."""
    return message[1] if message[0] < 0x98 else message[2]


def wait_in(text: str) -> int:
    """The first run of digits in a refusal, as milliseconds, at most an hour; a minute when there is none."""
    digits = ""
    for letter in text:
        if letter in "0123456789":
            digits += letter
        elif digits:
            break
    return min(int(digits), LONG_MS) if digits and len(digits) < 12 else LONG_MS // 60
