"""LoRaWAN as a link: carries out what the MAC asks for with a radio, a clock and a place in flash.

    idle --message--> (join) --> sending --TxDone--> first window --> second window --> idle

A window opens to the millisecond or is missed, so step() does not return while one is due sooner than its caller is
likely to be back: it learns how long the caller stays away. Between a transmission and windows that are far enough off,
and while the duty cycle makes it wait, the node measures on.
"""

from judder_core import schema
from judder_core.errors import JudderError
from node.link import ACKED, FAILED, WAITING, Link
from node.link.lorawan import IDLE, RECEIVE, SAVE, TRANSMIT, WAIT, LorawanError, airtime

# Outcomes of radio.poll(), see node/link/radio.
_SENT = 1
_HEARD = 2

_NEVER_MS = 1 << 28
# Setting a window up takes some 20 transfers over SPI and a few milliseconds of Python.
_STAGE_MS = 40
# A caller that stays away longer than it ever did misses the window: so much longer is allowed for.
_MARGIN_MS = 50
_NAP_MS = 500
_POLL_MS = 2
# A message that would have to wait longer is given back.
_SOON_MS = 1000
_RETRY_MS = 10000
# After a fault of the radio or of flash.
_FAULT_PAUSE_MS = 5000
_DAY_MS = 86400000
_ASK_TIME_AGAIN_MS = 600000

# Setting lorawan_confirm.
_CONFIRM_ALARMS = 1
_CONFIRM_ALL = 2

_FAULTS = (OSError, JudderError)


class Lorawan(Link):
    """mac: node.link.lorawan.mac.Mac. radio: see node/link/radio. time: the module. clock: has uptime_ms().

    vault: has save(blob), on flash. keep(session): puts the session into RTC memory at once. tick: called while
    waiting. confirm: setting lorawan_confirm. set_time(gps_seconds, fraction_256, at_ms): None where nobody wants it.
    """

    def __init__(self, mac, radio, time, clock, vault, keep, tick, confirm: int, set_time=None, say=None):
        self._mac = mac
        self._radio = radio
        self._time = time
        self._clock = clock
        self._vault = vault
        self._keep = keep
        self._tick = tick
        self._confirm = confirm
        self._set_time = set_time
        self._say = say
        self._sending = self._started = self._flying = self._awake = self.fault = False
        self._result = WAITING
        self._received = []
        self._refused = 0
        self._faults = 0
        self._failed = 0
        self._resume_ms = self._tried_ms = 0
        self._waits_until_ms = 0
        self._air_ms = self._began_ms = 0
        self._asked_ms = None
        session = mac.session
        self._told_joins = session.joins
        self._proofs_before = session.joins + session.downs
        self._join_failures_before = session.join_failures
        self._refused_before = sum(session.refused)
        # How long callers stay away between two steps, and when this one was left.
        self._away_ms = 0
        self._left_ms = None

    # --- the contract of links

    @property
    def failures(self) -> int:
        return self._faults + self._failed + self._mac.session.join_failures - self._join_failures_before

    @property
    def refused(self) -> int:
        return self._refused + sum(self._mac.session.refused) - self._refused_before

    @property
    def proofs(self) -> int:
        session = self._mac.session
        return session.joins + session.downs - self._proofs_before

    def ready(self) -> bool:
        if self._flying or not self._mac.session.joined or not self._mac.ready():
            return False
        # A message that had to wait is taken up again now and then: an alarm is shorter, and may go earlier.
        return self._clock.uptime_ms() >= max(self._resume_ms, min(self._waits_until_ms, self._tried_ms + _RETRY_MS))

    def limit(self) -> int:
        return self._mac.limit()

    def send(self, message: bytes, confirmed: bool, repeat: bool = False):  # noqa: ARG002  a new frame counter each time
        """On port kind + 1. FAILED for what the region does not carry, and for what would have to wait: by the time it
        goes its age is another.
        """
        now_ms = self._clock.uptime_ms()
        kind = message[1] if message[0] < 0x98 else message[2]
        confirmed = confirmed or self._confirm == _CONFIRM_ALL
        confirmed = confirmed or (self._confirm == _CONFIRM_ALARMS and kind == schema.ALARM)
        try:
            self._mac.send(now_ms, kind + schema.FPORT_OFFSET, message, confirmed)
        except LorawanError as error:
            self._failed += 1
            self._tell(str(error))
            return FAILED
        action = self._mac.next(now_ms)
        if action[0] == WAIT and action[1] - now_ms > _SOON_MS:
            self._mac.cancel()
            self._waits_until_ms = action[1]
            self._tried_ms = now_ms
            return FAILED
        self._waits_until_ms = 0
        self._flying = True
        self._result = WAITING
        return WAITING

    def outcome(self):
        """Of the message under way; after a step."""
        if self._flying:
            outcome = self._mac.outcome()
            if outcome is not None:
                self._flying = False
                self._result = ACKED if outcome else FAILED
                if not outcome:
                    self._failed += 1
        return self._result

    def poll(self) -> list:
        """Downlink payloads that came on the port of their kind."""
        received = self._received
        if received:
            self._received = []
            # What is handed out may be obeyed: after a power loss nobody shall be able to replay it.
            self._mac.checkpoint()
        return received

    def busy(self) -> bool:
        """Between a transmission and the end of its windows, or with an answer to the network due."""
        if self._sending or self._flying:
            return True
        action = self._mac.next(self._clock.uptime_ms())[0]
        return action == RECEIVE or action == TRANSMIT or action == SAVE

    def pause_ms(self) -> int:
        """Until the MAC may send, or a radio that failed is tried again."""
        return max(0, max(self._resume_ms, self._waits_until_ms) - self._clock.uptime_ms())

    def session(self) -> bytes:
        return self._mac.state(self._clock.uptime_ms())

    def report(self) -> tuple:
        session = self._mac.session
        return (
            ("joins", session.joins),
            ("join_failures", session.join_failures),
            ("uplinks", session.fcnt_up),
            ("downlinks", session.downs),
            ("data_rate", session.data_rate),
            ("rssi", self._mac.rssi_dbm),
            ("snr", self._mac.snr_qdb),
        )

    def step(self, wait_ms: int = 0) -> None:
        """Waits at most wait_ms, except for a transmission or a window that is due before the caller would be back."""
        time = self._time
        began = time.ticks_ms()
        if self._left_ms is not None:
            away_ms = time.ticks_diff(began, self._left_ms)
            # Sleep and long work once in a while do not count for ever.
            self._away_ms = max(away_ms, self._away_ms - (self._away_ms >> 4))
        while True:
            self._tick()
            due_ms = self._work()
            if due_ms <= 0:
                continue
            left_ms = wait_ms - time.ticks_diff(time.ticks_ms(), began)
            if due_ms <= self._away_ms + _MARGIN_MS and self._engaged():
                self._nap(due_ms)
            elif left_ms > 0:
                self._nap(min(due_ms, left_ms))
            else:
                break
        self._left_ms = time.ticks_ms()

    def close(self) -> None:
        """The radio sleeps, the session stays. What waits to be repeated is given up: see Mac.cancel()."""
        if self._sending:
            self._sending = False
            self._mac.not_sent(self._clock.uptime_ms())
        self._mac.cancel()
        self._rest()

    # --- inside

    def _engaged(self) -> bool:
        return self._sending or self._mac.next(self._clock.uptime_ms())[0] == RECEIVE

    def _nap(self, ms: int) -> None:
        while ms > 0:
            part = ms if ms < _NAP_MS else _NAP_MS
            self._time.sleep_ms(part)
            ms -= part
            self._tick()

    def _work(self) -> int:
        """Do what can be done now. Milliseconds until there is more to do."""
        now_ms = self._clock.uptime_ms()
        if now_ms < self._resume_ms:
            return self._resume_ms - now_ms
        try:
            if not self._started:
                self._radio.start()
                self._started = True
                self.fault = False
            return self._carry_out(now_ms)
        except _FAULTS as error:
            self._fault(error)
            self._resume_ms = now_ms + _FAULT_PAUSE_MS
            return _FAULT_PAUSE_MS

    def _carry_out(self, now_ms: int) -> int:
        mac, radio, time = self._mac, self._radio, self._time
        if self._sending:
            if radio.poll() != _SENT:
                left_ms = self._air_ms - time.ticks_diff(time.ticks_ms(), self._began_ms)
                return max(_POLL_MS, left_ms)
            self._sending = False
            mac.sent(now_ms - time.ticks_diff(time.ticks_us(), radio.ended_us) // 1000)
        action = mac.next(now_ms)
        if action[0] == IDLE and not mac.session.joined:
            mac.join()
            action = mac.next(now_ms)
        what = action[0]
        if what == WAIT:
            self._waits_until_ms = action[1]
        if what == SAVE:
            self._vault.save(bytes(action[1]))
            mac.saved(self._clock.uptime_ms())
            return 0
        if what == TRANSMIT:
            self._transmit(action)
            return 0
        if what == RECEIVE:
            opens_us = time.ticks_add(radio.ended_us, action[1])
            ahead_ms = time.ticks_diff(opens_us, time.ticks_us()) // 1000 - _STAGE_MS
            if ahead_ms > 0:
                return ahead_ms
            self._listen(action, opens_us)
            return 0
        self._collect(now_ms)
        self._rest()
        if what == IDLE:
            return _NEVER_MS
        return max(1, action[1] - now_ms)

    def _transmit(self, action) -> None:
        _what, frame, frequency_hz, sf, bandwidth_hz, power_dbm = action
        mac = self._mac
        self._keep(mac.state(self._clock.uptime_ms()))
        self._began_ms = self._time.ticks_ms()
        try:
            self._radio.transmit(frame, frequency_hz, sf, bandwidth_hz, power_dbm)
        except _FAULTS:
            mac.not_sent(self._clock.uptime_ms())
            raise
        self._sending = self._awake = True
        self._air_ms = airtime.time_on_air_us(sf, bandwidth_hz, len(frame)) // 1000

    def _listen(self, action, opens_us: int) -> None:
        _what, _delay_us, frequency_hz, sf, bandwidth_hz, symbols = action
        radio, mac = self._radio, self._mac
        try:
            radio.stage(frequency_hz, sf, bandwidth_hz, symbols)
            radio.listen(opens_us)
            what = radio.poll()
            while what is None:
                self._time.sleep_ms(_POLL_MS)
                self._tick()
                what = radio.poll()
        except _FAULTS:
            mac.silent(self._clock.uptime_ms())
            raise
        if what == _HEARD:
            mac.heard(self._clock.uptime_ms(), radio.frame, radio.rssi_dbm, radio.snr_qdb)
        else:
            mac.silent(self._clock.uptime_ms())

    def _collect(self, now_ms: int) -> None:
        """What the windows brought."""
        mac = self._mac
        while mac.downlinks:
            port, payload, _fcnt = mac.downlinks.pop(0)
            kind = None
            if len(payload) > 2:
                kind = payload[1] if payload[0] < 0x98 else payload[2]
            if kind is None or port != kind + schema.FPORT_OFFSET:
                self._refused += 1
            else:
                self._received.append(bytes(payload))
        session = mac.session
        if session.joins != self._told_joins:
            self._told_joins = session.joins
            self._waits_until_ms = 0
            self._tell("joined, address %s" % bytes(session.dev_addr).hex())
        if self._set_time is None or not session.joined:
            return
        if mac.time is not None:
            self._set_time(*mac.time)
            mac.time = None
            self._asked_ms = now_ms + _DAY_MS
        elif self._asked_ms is None or now_ms >= self._asked_ms:
            mac.ask_time()
            self._asked_ms = now_ms + _ASK_TIME_AGAIN_MS

    def _rest(self) -> None:
        if self._started and self._awake:
            self._awake = False
            self._radio.sleep()

    def _fault(self, error) -> None:
        self._faults += 1
        if self._sending:
            self._sending = False
            self._mac.not_sent(self._clock.uptime_ms())
        self._started = self._awake = False
        self.fault = True
        self._tell(str(error))

    def _tell(self, text: str) -> None:
        if self._say is not None:
            self._say("lorawan: " + text)
