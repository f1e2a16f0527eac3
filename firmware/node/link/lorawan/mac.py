"""The state machine of LoRaWAN class A; what it takes and gives is told in the package.

    REST --uplink prepared--> AIR --sent--> WINDOW_1 --silent--> WINDOW_2 --silent--> REST
      ^                        |               |                    |
      +----not_sent------------+               +--a frame for us----+

In REST the next step is chosen: a record to save, a repetition, a join request, answers that need a frame of their
own, the application's message, an empty frame that the network waits for. One uplink is under way at a time.
"""

from node.link.lorawan import IDLE, SAVE, TRANSMIT, WAIT, LorawanError, airtime, const, frames
from node.link.lorawan.commands import DEVICE_TIME, LINK_CHECK, ask, fitting
from node.link.lorawan.receiver import AIR, ALONE, DATA, EMPTY, JOIN, REST, Receiver
from node.link.lorawan.record import COUNTERS_AHEAD, NONCES_AHEAD, pack, recover
from node.link.lorawan.session import LAST_COUNTER, LAST_NONCE

_OPTION_BYTES = const(15)
# The shortest alarm: room that answers may not take from a message.
_MESSAGE_BYTES = const(11)
# Uplinks of its own in a row that the network can draw from a node, and frames of answers before a message.
_CHAIN = const(8)
_ALONE_MOST = const(3)

_ADR_ACK_LIMIT = const(64)
_IDLE = (IDLE,)


class Mac(Receiver):
    """See the package."""

    def __init__(self, region, identity, aes, random, now_ms: int, stored=None, awake=None):
        session = recover(region, identity, stored, awake, now_ms)
        super().__init__(region, identity, aes, random, session, now_ms)
        self._frame = bytearray(frames.PHY_BYTES)
        self._size = 0
        self._chain = self._alone = 0
        self._reserving = None

    # --- requests

    def limit(self) -> int:
        longest = self._longest()
        due = len(self.session.answers)
        return longest if due > _OPTION_BYTES or longest - due < _MESSAGE_BYTES else longest - due

    def ready(self) -> bool:
        return self._message is None

    def send(self, _now_ms: int, port: int, payload: bytes, confirmed: bool) -> None:
        session = self.session
        if self._message is not None:
            raise LorawanError("busy", "an uplink is under way: wait for its outcome")
        if not 1 <= port <= 223:
            raise LorawanError("port", "port %d: application ports are 1 to 223" % port)
        if len(payload) > self._longest():
            raise LorawanError("length", "%d bytes, at most %d now: shorten it" % (len(payload), self._longest()))
        if session.fcnt_up > LAST_COUNTER:
            if self._root is None:
                raise LorawanError("counter", "FCntUp is used up: give the node new keys")
            session.joined = False
        if not session.joined and session.dev_nonce > LAST_NONCE:
            raise LorawanError("nonce", "DevNonce is used up: give the node another JoinEUI and key")
        self._message = (port, bytes(payload), confirmed)
        self._outcome = None
        self._chain = self._alone = 0

    def outcome(self):
        return self._outcome

    def cancel(self) -> None:
        if self._phase != REST:
            return
        if self._repeats:
            self._repeats = 0
            self._settle(False)
        self._fail()

    def join(self) -> None:
        if self._root is not None and self.session.dev_nonce <= LAST_NONCE:
            self._join_due = True

    def check_link(self) -> None:
        ask(self.session, LINK_CHECK)

    def ask_time(self) -> None:
        ask(self.session, DEVICE_TIME)

    def checkpoint(self) -> None:
        self._save_due = True

    def state(self, now_ms: int) -> bytes:
        session = self.session
        return pack(session, now_ms, session.fcnt_reserved, session.nonce_reserved)

    # --- work

    def next(self, now_ms: int) -> tuple:
        if self._action is not None:
            return self._action
        if self._save_due:
            return self._save(now_ms, False)
        if self._repeats:
            return self._retransmit(now_ms)
        session = self.session
        message = self._message
        # With a session, a join request comes before the next message, as far as its own limits let it.
        if (message or self._join_due) and (
            not session.joined or (self._join_due and (message is None or session.joining.wait_ms(now_ms, 0) <= 0))
        ):
            return self._join_request(now_ms)
        if message:
            if self._alone < _ALONE_MOST and self._answers_first(len(message[1])):
                return self._data(now_ms, ALONE)
            return self._data(now_ms, DATA)
        if (session.ack_due or session.more_due) and self._chain < _CHAIN and session.fcnt_up <= LAST_COUNTER:
            if now_ms < self._owed_ms:
                return WAIT, self._owed_ms
            return self._data(now_ms, EMPTY)
        return _IDLE

    def saved(self, _now_ms: int) -> None:
        if self._reserving is not None:
            self.session.fcnt_reserved, self.session.nonce_reserved = self._reserving
            self._reserving = self._action = None

    # --- uplinks

    def _longest(self) -> int:
        session = self.session
        return self._region.longest(session.data_rate, session.dwell)

    def _answers_first(self, size: int) -> bool:
        """Whether answers need a frame of their own before a message of that size.

        New ones at once. Sticky ones that went out before, and for which there is no room, before every eighth
        message: "in every uplink" (L2 1.0.4 section 5) would leave no room for messages at all.
        """
        session = self.session
        due = len(session.answers)
        if not due or (due <= _OPTION_BYTES and due + size <= self._longest()):
            return False
        return due > session.answered or session.fcnt_up % 8 == 0

    def _save(self, now_ms: int, joining: bool) -> tuple:
        session = self.session
        counter, nonce = session.fcnt_reserved, session.nonce_reserved
        if session.joined:
            counter = session.fcnt_up + COUNTERS_AHEAD
        if joining:
            nonce = session.dev_nonce + NONCES_AHEAD
        self._reserving = (counter, nonce)
        self._save_due = False
        self._action = (SAVE, pack(session, now_ms, counter, nonce))
        return self._action

    def _join_request(self, now_ms: int) -> tuple:
        session, plan, joining = self.session, self.session.plan, self.session.joining
        if session.dev_nonce > LAST_NONCE:
            self._join_due = False
            self._fail()
            return _IDLE
        data_rate = plan.join_data_rate(joining.attempts, self._identity.data_rate)
        rate = self._region.rate(self._region.up, data_rate)
        time_us = airtime.time_on_air_us(rate[0], rate[1], 23)
        wait_ms = max(joining.wait_ms(now_ms, time_us), self._held_ms(now_ms))
        if wait_ms > 0:
            return WAIT, now_ms + wait_ms
        if session.dev_nonce >= session.nonce_reserved:
            return self._save(now_ms, True)
        self._kind = JOIN
        self._data_rate = data_rate
        self._size = 23
        frame = frames.join_request(self._root, self._identity.join_eui, self._identity.dev_eui, session.dev_nonce)
        mask = plan.join_mask(joining.attempts, self._random)
        action = self._transmit(now_ms, mask, 0)
        if action[0] == TRANSMIT:
            self._frame[:23] = frame
            session.dev_nonce += 1
            joining.spend(now_ms, time_us, self._random)
            self._join_due = False
        return action

    def _data(self, now_ms: int, kind: int) -> tuple:
        session = self.session
        session.usable_channels()
        longest = self._longest()
        port, payload, confirmed = self._message if kind == DATA else (None, b"", False)
        if len(payload) > longest or session.fcnt_up > LAST_COUNTER:
            # A lower data rate since send(), the application has to shorten it; or no number is left.
            self._fail()
            return _IDLE
        if kind == ALONE:
            carried = fitting(session.answers, longest)
            options, port, payload = b"", 0, bytes(session.answers[:carried])
        else:
            carried = fitting(session.answers, min(_OPTION_BYTES, longest - len(payload)))
            options = bytes(session.answers[:carried])
        if session.fcnt_up >= session.fcnt_reserved:
            return self._save(now_ms, False)
        self._kind = kind
        self._data_rate = session.data_rate
        self._size = 12 + len(options) + (0 if port is None else 1 + len(payload))
        wait_ms = self._held_ms(now_ms)
        if wait_ms > 0:
            return WAIT, now_ms + wait_ms
        action = self._transmit(now_ms, session.plan.mask, session.power)
        if action[0] != TRANSMIT:
            return action
        adr = self._identity.adr
        control = frames.ADR if adr else 0
        if adr and session.adr_count >= _ADR_ACK_LIMIT:
            control |= frames.ADR_ACK_REQUEST
        if session.ack_due:
            control |= frames.ACK
        frames.uplink(
            self._frame,
            self._nwk,
            self._app,
            session.dev_addr,
            session.fcnt_up,
            confirmed,
            control,
            options,
            port,
            payload,
        )
        if kind == ALONE:
            # All answers to a frame go in one; what that cannot hold is cut off (L2 1.0.4 section 5).
            session.answers = session.answers[:carried]
            self._alone += 1
        self._carried = carried
        self._acknowledged = session.ack_due
        self._repeats = session.nb_trans
        session.fcnt_up += 1
        session.uplinks += 1
        if kind != DATA:
            self._chain += 1
        # Counts without ADR as well where an answer was due: a network that lost us is noticed either way.
        if adr or confirmed:
            session.adr_count += 1
        return action

    def _retransmit(self, now_ms: int) -> tuple:
        """The same frame again, on another channel (L2 1.0.4 section 4.3.1.3)."""
        session = self.session
        wait_ms = self._held_ms(now_ms)
        if wait_ms > 0:
            return WAIT, now_ms + wait_ms
        return self._transmit(now_ms, session.plan.mask, session.power)

    def _held_ms(self, now_ms: int) -> int:
        """How long nothing may be sent, whatever the channel."""
        return max(self.session.budget.quiet_ms, self._not_before_ms) - now_ms

    def _transmit(self, now_ms: int, mask, power: int) -> tuple:
        """The frame of that size and data rate goes out, or WAIT until a channel is free."""
        session, plan, region = self.session, self.session.plan, self._region
        sf, bandwidth_hz = region.rate(region.up, self._data_rate)
        time_us = airtime.time_on_air_us(sf, bandwidth_hz, self._size)
        budget = session.budget
        channel, wait_ms = plan.pick(
            mask, self._data_rate, self._random, lambda hz: budget.wait_ms(now_ms, hz, time_us)
        )
        if channel is None:
            return WAIT, now_ms + wait_ms
        self._channel = channel
        frequency_hz = plan.up_hz(channel)
        budget.spend(now_ms, frequency_hz, time_us, session.max_duty)
        power_dbm = session.power_dbm(power, bandwidth_hz)
        self._phase = AIR
        frame = memoryview(self._frame)[: self._size]
        self._action = (TRANSMIT, frame, frequency_hz, sf, bandwidth_hz, power_dbm)
        return self._action
