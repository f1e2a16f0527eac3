"""LoRaWAN as a modem does it: data rates, air-time, duty cycle, session and counters. No frames and no keys: what
would be in them goes through judder.virtual.modems.network.

Numbers: RP002-1.0.4 (data rates, payload sizes), LoRaWAN 1.0.4 section 7 (join back-off), Semtech AN1200.13 (time on
air). Simplified: one band, one transmission an uplink, RX1 alone decides how long a frame takes when it is answered.
"""

from __future__ import annotations

import math

from judder.virtual.modems.network import Answer, Identity, Network, Session, Uplink

_CHANNELS_125 = tuple((sf, 125_000) for sf in (12, 11, 10, 9, 8, 7))
_EU = (*_CHANNELS_125, (7, 250_000))
DATA_RATES: dict[str, tuple[tuple[int, int], ...]] = {
    "eu868": _EU,
    "in865": _CHANNELS_125,
    "us915": (*_CHANNELS_125[2:], (8, 500_000)),
    "au915": (*_CHANNELS_125, (8, 500_000)),
    **{f"as923-{number}": _EU for number in (1, 2, 3, 4)},
}
# Longest application payload without FOpts; with the dwell time of 400 ms DR0 and DR1 carry nothing.
_PAYLOADS = {
    "eu868": (51, 51, 51, 115, 242, 242, 242),
    "in865": (51, 51, 51, 115, 242, 242),
    "us915": (11, 53, 125, 242, 242),
}
_PAYLOADS_DWELL = (0, 0, 11, 53, 125, 242, 242)
# Share of the time a device may send (ETSI EN 300 220, the sub-band of the join channels).
_DUTY_CYCLE = {"eu868": 0.01, **{f"as923-{number}": 0.01 for number in (1, 2, 3, 4)}}
_JOIN_REQUEST_BYTES = 23
_OVERHEAD_BYTES = 13  # MHDR, FHDR, FPort, MIC
_JOIN_DELAY_US = 5_000_000
_WINDOW_US = 1_000_000
_HOUR_US = 3600 * 1_000_000


def time_on_air_us(sf: int, bandwidth_hz: int, length: int) -> int:
    """Of an uplink of `length` bytes with all its headers: preamble 8, explicit header, CRC, coding rate 4/5."""
    symbol_us = (1 << sf) * 1e6 / bandwidth_hz
    slow = 2 if symbol_us > 16_000 else 0
    symbols = 8 + max(math.ceil((8 * length - 4 * sf + 44) / (4 * (sf - slow))) * 5, 0)
    return round((8 + 4.25 + symbols) * symbol_us)


class Restricted(Exception):
    """Not yet: duty cycle, or the back-off of joining. wait_ms: how long."""

    def __init__(self, wait_ms: int) -> None:
        super().__init__(wait_ms)
        self.wait_ms = wait_ms


class NotPossible(Exception):
    """The data rate is none of the region's, or carries nothing."""


class Station:
    """The radio half of a modem. Settings are attributes; `reset` is what a restart forgets.

    session None: not joined. data_rate: in force, `start_data_rate`: the setting. mac_bytes: FOpts that are due.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.region = "eu868"
        self.start_data_rate = 0
        self.adr = True
        self.duty_cycle = True
        self.join_duty_cycle = True
        self.reset()

    def reset(self) -> None:
        """Session, counters and air-time are forgotten."""
        self.session: Session | None = None
        self.data_rate = self.start_data_rate
        self.counter = 0
        self.mac_bytes = 0
        self.air_us = 0
        self._free_us = 0
        self._join_free_us = 0
        self.busy_until_us = 0

    def limit(self) -> int:
        """Longest application payload now; 0 when the answers of the MAC leave no room for any."""
        payloads = _PAYLOADS.get(self.region, _PAYLOADS_DWELL)
        if self.data_rate >= len(payloads):
            return 0
        room = payloads[self.data_rate] - self.mac_bytes
        return max(0, room)

    def valid(self, data_rate: int) -> bool:
        """Whether an uplink may be set to it."""
        payloads = _PAYLOADS.get(self.region, _PAYLOADS_DWELL)
        return 0 <= data_rate < len(payloads) and payloads[data_rate] > 0

    def set_data_rate(self, data_rate: int) -> None:
        """As a command does."""
        self.start_data_rate = self.data_rate = data_rate

    def busy(self, now_us: int) -> bool:
        """A frame is under way, or one of its windows."""
        return now_us < self.busy_until_us

    def join(self, identity: Identity, now_us: int) -> tuple[int, Session | None]:
        """Send a join request: (board time at which the result is there, session or None). Raises Restricted."""
        self._check(max(self._free_us, self._join_free_us if self.join_duty_cycle else 0), now_us)
        self.session = None
        self.data_rate = self.start_data_rate
        air_us = self._air_us(_JOIN_REQUEST_BYTES)
        sent_us = now_us + air_us
        # 1 % in the first hour, 0.1 % in the next ten, 0.01 % afterwards.
        share = 0.01 if now_us < _HOUR_US else 0.001 if now_us < 11 * _HOUR_US else 0.0001
        self._join_free_us = sent_us + round(air_us * (1 / share - 1))
        self._spend(air_us, sent_us)
        session = self.network.join(identity, self.data_rate, now_us)
        done_us = sent_us + _JOIN_DELAY_US + (100_000 if session is not None else _WINDOW_US + 200_000)
        self.busy_until_us = done_us
        return done_us, session

    def joined(self, session: Session) -> None:
        """The join accept is in."""
        self.session = session
        self.counter = 0
        self.mac_bytes = 0

    def uplink(self, port: int | None, payload: bytes, confirmed: bool, now_us: int) -> tuple[int, Answer]:
        """Send a frame that fits: (board time at which its windows are over, what came back). Raises Restricted."""
        assert self.session is not None
        self._check(self._free_us if self.duty_cycle else 0, now_us)
        air_us = self._air_us(_OVERHEAD_BYTES + self.mac_bytes + len(payload))
        sent_us = now_us + air_us
        self._spend(air_us, sent_us)
        answer = self.network.uplink(
            self.session, Uplink(port, payload, confirmed, self.data_rate, self.counter), now_us
        )
        self.counter += 1
        self.mac_bytes = answer.mac_bytes
        if answer.data_rate is not None and self.adr:
            self.data_rate = answer.data_rate
        heard = answer.acknowledged or answer.downlink is not None
        late = not heard or (answer.downlink is not None and answer.downlink.window == 2)
        done_us = sent_us + self.session.rx1_delay_s * 1_000_000 + 100_000 + (_WINDOW_US if late else 0)
        self.busy_until_us = done_us
        return done_us, answer

    # --- inside

    def _air_us(self, length: int) -> int:
        if not self.valid(self.data_rate):
            raise NotPossible
        return time_on_air_us(*DATA_RATES[self.region][self.data_rate], length)

    @staticmethod
    def _check(free_us: int, now_us: int) -> None:
        if now_us < free_us:
            raise Restricted(math.ceil((free_us - now_us) / 1000))

    def _spend(self, air_us: int, sent_us: int) -> None:
        self.air_us += air_us
        share = _DUTY_CYCLE.get(self.region)
        if share is not None:
            self._free_us = sent_us + round(air_us * (1 / share - 1))
