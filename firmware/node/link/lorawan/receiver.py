"""From the end of a transmission to the end of an uplink: windows, join accepts, downlinks, and what follows from them.

mac.Mac is built on this; the states are drawn there.
"""

from node.link.lorawan import RECEIVE, airtime, const, frames
from node.link.lorawan.channels import below
from node.link.lorawan.commands import obey, settle
from node.link.lorawan.crypto import Key
from node.link.lorawan.session import LAST_NONCE

REST = 0
AIR = 1
WINDOW_1 = 2
WINDOW_2 = 3

# What an uplink is.
JOIN = 1
DATA = 2  # the application's message
ALONE = 3  # answers on port 0
EMPTY = 4

_DOWNLINKS = const(4)

# RETRANSMIT_TIMEOUT: 2 s, one more or less (RP002 section 2.3).
_RETRY_MS = const(1000)
_RETRY_SPREAD_MS = const(2001)


class Receiver:
    """Half of Mac: the uplink on the air, as `_kind`, `_data_rate`, `_channel`, `_carried` and so on tell it."""

    def __init__(self, region, identity, aes, random, session, now_ms: int):
        self._region = region
        self._identity = identity
        self._aes = aes
        self._random = random
        self.session = session
        self._root = Key(aes, identity.app_key) if identity.otaa else None
        self._session_keys()
        self._phase = REST
        self._action = None
        self._kind = 0
        self._message = None
        self._outcome = None
        self._data_rate = self._channel = 0
        self._repeats = 0  # transmissions left
        self._carried = 0  # bytes of answers
        self._acknowledged = False
        self._not_before_ms = 0
        self._owed_ms = self._sent_ms = now_ms
        self._join_due = False
        self._save_due = False
        self._limit = 0  # longest MACPayload of the window
        self._time_asked = False
        self.battery = 255
        self.downlinks = []
        self.time = self.margin_db = self.gateways = self.rssi_dbm = self.snr_qdb = None

    def sent(self, now_ms: int) -> None:
        if self._phase == AIR:
            self._sent_ms = now_ms
            self._open(now_ms, WINDOW_1)

    def not_sent(self, now_ms: int) -> None:
        if self._phase == AIR:
            # It was not heard: what it carried is still due.
            self._repeats = self._carried = 0
            self._acknowledged = False
            self._finish(now_ms, False, False)

    def silent(self, now_ms: int) -> None:
        if self._phase == WINDOW_1:
            self._open(now_ms, WINDOW_2)
        elif self._phase == WINDOW_2:
            self._unheard(now_ms)

    def heard(self, now_ms: int, frame, rssi_dbm: int, snr_qdb: int) -> None:
        if self._phase < WINDOW_1:
            return
        taken = self._accept(frame) if self._kind == JOIN else self._downlink(now_ms, frame, snr_qdb)
        if taken:
            self.rssi_dbm = rssi_dbm
            self.snr_qdb = snr_qdb
        else:
            self.silent(now_ms)

    # --- what commands.py needs

    def refuse(self, reason: int) -> None:
        """Count something that was not taken."""
        self.session.refused[reason] = min(self.session.refused[reason] + 1, 255)

    def network_time(self, seconds: int, fraction: int) -> None:
        """DeviceTimeAns; only one that was asked for, so that an old one sent again sets no clock."""
        if self._time_asked:
            self.time = (seconds, fraction, self._sent_ms)

    # --- windows

    def _open(self, now_ms: int, phase: int) -> None:
        second = phase == WINDOW_2
        number, frequency_hz, delay_s = self.session.window(second, self._kind == JOIN, self._data_rate, self._channel)
        late = True
        if number is not None:
            sf, bandwidth_hz = self._region.rate(self._region.down, number)
            # Three symbols of the preamble may be gone, five are enough: later there is nothing left to hear.
            late = now_ms - self._sent_ms - delay_s * 1000 > 3 * airtime.symbol_us(sf, bandwidth_hz) // 1000
        if late:
            if second:
                self._unheard(now_ms)
            else:
                self._open(now_ms, WINDOW_2)
            return
        identity = self._identity
        error_us = identity.clock_error_ms * 1000 + delay_s * identity.clock_ppm
        symbols, offset_us = airtime.window(sf, bandwidth_hz, error_us)
        self._phase = phase
        self._limit = self._region.n_down[number] + 8
        self._action = (RECEIVE, delay_s * 1000000 + offset_us, frequency_hz, sf, bandwidth_hz, symbols)

    def _accept(self, frame) -> bool:
        """Join accept (L2 1.0.4 section 6.2.6)."""
        got = frames.join_accept(self._root, frame)
        session, region = self.session, self._region
        if not isinstance(got, int) and got[0] <= session.join_nonce:
            got = frames.JOIN_NONCE
        if isinstance(got, int):
            self.refuse(got)
            return False
        # The data rate that reached the network (section 4.3.1.1), unless it was one of the few wide channels.
        wide = region.fixed and self._data_rate == region.join[1]
        keys = frames.session_keys(self._root, got[0], got[1], session.dev_nonce - 1)
        session.accept(keys, got, region.join[0] if wide else self._data_rate)
        self._session_keys()
        self._carried = 0
        self._acknowledged = False
        self._save_due = True
        self._finish(None, True, True)
        return True

    def _downlink(self, now_ms: int, frame, snr_qdb: int) -> bool:
        """Data frame in a window."""
        session = self.session
        got = frames.downlink(frame, self._nwk, self._app, session.dev_addr, session.fcnt_down, self._limit)
        if isinstance(got, int):
            self.refuse(got)
            return False
        counter, confirmed, control, options, port, payload = got
        session.fcnt_down = counter
        session.downs += 1
        session.adr_count = session.floor = 0
        session.joining.reset()
        self._repeats = 0
        wanted = self._kind == DATA and self._message[2]
        self._time_asked = self._settle(True)
        before = session.agreed()
        obey(self, payload if port == 0 else options, snr_qdb)
        # Written before the answers go out, after which the network counts on it.
        if session.agreed() != before:
            self._save_due = True
        if port:
            if port > 223:
                self.refuse(frames.OPTIONS)
            elif len(self.downlinks) < _DOWNLINKS:
                self.downlinks.append((port, payload, counter))
            else:
                self.refuse(frames.FULL)
                confirmed = False
        session.ack_due = confirmed
        session.more_due = bool(control & frames.PENDING)
        self._owed_ms = self._soon(now_ms)
        self._finish(now_ms, bool(control & frames.ACK) if wanted else True, True)
        return True

    def _unheard(self, now_ms: int) -> None:
        """Both windows are over."""
        if self._kind != JOIN and self._repeats:
            self._repeats -= 1
        if self._kind != JOIN and self._repeats:
            self._phase = REST
            self._action = None
            self._not_before_ms = self._soon(now_ms)
            return
        good = self._kind != JOIN and not (self._kind == DATA and self._message[2])
        self._finish(now_ms, good, False)

    # --- ends

    def _finish(self, now_ms, good: bool, heard: bool) -> None:
        """The uplink under way is over."""
        self._phase = REST
        self._action = None
        session = self.session
        if not heard:
            if self._kind == JOIN:
                session.join_failures += 1
                if not session.joined:
                    self._fail()
            else:
                self._settle(False)
                if session.unheard() and self._root is not None and session.dev_nonce <= LAST_NONCE:
                    self._join_due = True
        if not good:
            self._not_before_ms = self._soon(now_ms)
        if self._kind == DATA:
            self._message = None
            self._outcome = good

    def _fail(self) -> None:
        if self._message is not None:
            self._message = None
            self._outcome = False

    def _settle(self, heard: bool) -> bool:
        session = self.session
        if self._acknowledged:
            session.ack_due = False
        session.more_due = False
        asked = settle(session, self._carried, heard)
        self._carried = 0
        self._acknowledged = False
        return asked

    def _soon(self, now_ms: int) -> int:
        return now_ms + _RETRY_MS + below(self._random, _RETRY_SPREAD_MS)

    def _session_keys(self) -> None:
        self._nwk = Key(self._aes, self.session.nwk_s_key)
        self._app = Key(self._aes, self.session.app_s_key)
