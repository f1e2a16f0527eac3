"""A gateway: eight channels that take every spreading factor, one more that takes one, and one transmitter.

Uplinks go to `forward`, a network server or a packet forwarder. Downlinks are taken under the rules of Semtech's
packet forwarder (just-in-time queue; Lora-net/packet_forwarder, jitqueue.c).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from judder.virtual.lorawan.air import LOCK_SYMBOLS, SYNC_PUBLIC, Emission, Tuning
from judder.virtual.lorawan.airtime import airtime_us
from judder.virtual.lorawan.medium import Air
from judder.virtual.lorawan.regions import DataRate, Plan

NARROW_HZ = 125_000
_WIDE_SFS = range(7, 13)  # SX1301: the multi-SF channels
_DEMODULATORS = 8
_HOUR_US = 3_600_000_000

# Why a downlink is not sent, as TX_ACK names it; OK otherwise.
OK = "NONE"
TOO_LATE, TOO_EARLY, COLLISION, TX_FREQ = "TOO_LATE", "TOO_EARLY", "COLLISION_PACKET", "TX_FREQ"

# Microseconds: from being programmed to the first chirp, margin between packets, furthest in advance (128 s for each of
# three beacons and one more).
_START_US, _MARGIN_US, _ADVANCE_US = 1_500, 1_000, 512_000_000
_PROGRAM_US = 30_000  # TX_JIT_DELAY: how early a packet is written into the concentrator


@dataclass(frozen=True)
class Uplink:
    """A frame a gateway has received. channel: number at this gateway; time_us: end of the frame, time of the air."""

    gateway: Gateway
    payload: bytes
    time_us: int
    frequency_hz: int
    rate: DataRate
    channel: int
    rssi_dbm: float
    snr_db: float
    damaged: bool
    emission: Emission


@dataclass(frozen=True)
class Downlink:
    """A frame to send at a time of the air."""

    payload: bytes
    time_us: int
    frequency_hz: int
    rate: DataRate
    power_dbm: float
    inverted_iq: bool = True
    crc: bool = False
    preamble_symbols: int = 8

    @property
    def airtime_us(self) -> int:
        """How long it takes."""
        return airtime_us(
            len(self.payload),
            self.rate.sf,
            self.rate.bandwidth_hz,
            crc=self.crc,
            preamble_symbols=self.preamble_symbols,
        )


@dataclass
class Counts:
    """Frames and microseconds since the gateway was made. refused: by reason."""

    received: int = 0
    damaged: int = 0
    deaf: int = 0  # not heard because it was sending
    no_demodulator: int = 0
    sent: int = 0
    sent_us: int = 0
    refused: dict[str, int] = field(default_factory=dict)


class Gateway:
    """eui: 8 bytes, its identity. frequencies_hz: its 125 kHz channels; wide: one more of a single data rate.

    gain_dbi: antenna. max_power_dbm: more is reduced to it. Uplinks are handed to `forward` on the time of the air,
    at their end, holding the air's lock.
    """

    def __init__(
        self,
        air: Air,
        eui: bytes,
        plan: Plan,
        frequencies_hz: Sequence[int],
        wide: tuple[int, DataRate] | None = None,
        *,
        gain_dbi: float = 3.0,
        noise_figure_db: float = 6.0,
        max_power_dbm: float = 27.0,
    ) -> None:
        if len(frequencies_hz) > 8:
            raise ValueError(f"{len(frequencies_hz)} channels: a concentrator has 8")
        self.eui = eui
        self.air = air
        self.plan = plan
        self.frequencies_hz = tuple(frequencies_hz)
        self.wide = wide
        self.max_power_dbm = max_power_dbm
        self.counts = Counts()
        self.forward: Callable[[Uplink], None] = lambda _uplink: None
        self.station = air.station(eui.hex(), gain_dbi=gain_dbi, noise_figure_db=noise_figure_db)
        self._sent: deque[tuple[int, int, int]] = deque()  # start, end, frequency: past hour, and what is to come
        self._busy: list[Emission] = []  # what the demodulators are at
        air.on_start.append(self._begun)
        air.on_emission.append(self._ended)

    def __repr__(self) -> str:
        return f"Gateway({self.eui.hex()})"

    # --- uplinks

    def _channel(self, tuning: Tuning) -> int | None:
        if tuning.inverted_iq or tuning.sync_word != SYNC_PUBLIC:
            return None
        if tuning.bandwidth_hz == NARROW_HZ and tuning.sf in _WIDE_SFS:
            for number, frequency_hz in enumerate(self.frequencies_hz):
                if 4 * abs(frequency_hz - tuning.frequency_hz) <= NARROW_HZ:
                    return number
        if self.wide is not None:
            frequency_hz, rate = self.wide
            near = 4 * abs(frequency_hz - tuning.frequency_hz) <= rate.bandwidth_hz
            if near and rate == DataRate(tuning.sf, tuning.bandwidth_hz):
                return len(self.frequencies_hz)
        return None

    def _begun(self, emission: Emission) -> None:
        channel = self._channel(emission.tuning)
        if channel is not None and channel < len(self.frequencies_hz) and self.air.audible(self.station, emission):
            locked_us = emission.start_us + LOCK_SYMBOLS * emission.tuning.symbol_us
            self.air.timeline.at(locked_us, lambda: self._demodulate(emission))

    def _demodulate(self, emission: Emission) -> None:
        """The preamble is found: it takes a demodulator until its end, if there is one left."""
        now_us = self.air.timeline.now_us
        self._busy = [one for one in self._busy if one.end_us > now_us]
        if len(self._busy) < _DEMODULATORS:
            self._busy.append(emission)
        else:
            self.counts.no_demodulator += 1

    def _ended(self, emission: Emission) -> None:
        tuning = emission.tuning
        channel = self._channel(tuning)
        if channel is None or emission.sender is self.station:
            return
        if any(start < emission.end_us and end > emission.start_us for start, end, _hz in self._sent):
            self.counts.deaf += 1
            return
        if not self.air.audible(self.station, emission):
            return
        if channel < len(self.frequencies_hz) and emission not in self._busy:
            return
        got = self.air.receive(self.station, emission)
        self.counts.received += not got.damaged
        self.counts.damaged += got.damaged
        self.forward(
            Uplink(
                self,
                emission.payload,
                emission.end_us,
                tuning.frequency_hz,
                DataRate(tuning.sf, tuning.bandwidth_hz),
                channel,
                got.rssi_dbm,
                got.snr_db,
                got.damaged,
                emission,
            )
        )

    # --- downlinks

    def send(self, downlink: Downlink) -> str:
        """OK, or why it cannot be sent. A power over the limit is reduced (see power_for)."""
        with self.air.lock:
            reason = self._refusal(downlink)
            if reason != OK:
                self.counts.refused[reason] = self.counts.refused.get(reason, 0) + 1
                return reason
            end_us = downlink.time_us + downlink.airtime_us
            self._sent.append((downlink.time_us, end_us, downlink.frequency_hz))
            self.counts.sent += 1
            self.counts.sent_us += downlink.airtime_us
            tuning = Tuning(downlink.frequency_hz, downlink.rate.sf, downlink.rate.bandwidth_hz, downlink.inverted_iq)
            power_dbm = self.power_for(downlink.power_dbm)
            self.air.transmit(
                Emission(
                    self.station,
                    downlink.time_us,
                    end_us,
                    tuning,
                    power_dbm,
                    downlink.payload,
                    downlink.preamble_symbols,
                    downlink.crc,
                )
            )
            return OK

    def send_soon(self, downlink: Downlink) -> str:
        """send() at the first moment at which nothing else is being sent, whatever its time_us says."""
        with self.air.lock:
            time_us = self.air.timeline.now_us + _PROGRAM_US
            guard_us = _START_US + _MARGIN_US
            for start_us, end_us, _hz in sorted(self._sent):
                if start_us <= time_us + downlink.airtime_us + guard_us and end_us >= time_us - guard_us:
                    time_us = end_us + guard_us + 1
            return self.send(replace(downlink, time_us=time_us))

    def power_for(self, power_dbm: float) -> float:
        """What it sends with when asked for power_dbm."""
        return min(power_dbm, self.max_power_dbm)

    def _refusal(self, downlink: Downlink) -> str:
        now_us = self.air.timeline.now_us
        while self._sent and self._sent[0][1] < now_us - _HOUR_US:
            self._sent.popleft()
        if not self.plan.in_range(downlink.frequency_hz):
            return TX_FREQ
        if downlink.time_us - now_us <= _START_US + _MARGIN_US:
            return TOO_LATE
        if downlink.time_us - now_us > _ADVANCE_US:
            return TOO_EARLY
        first_us = downlink.time_us - _START_US - _MARGIN_US
        last_us = downlink.time_us + downlink.airtime_us + _START_US + _MARGIN_US
        if any(start <= last_us and end >= first_us for start, end, _hz in self._sent):
            return COLLISION
        return OK

    def duty(self, frequency_hz: int, more_us: int = 0) -> float:
        """Share of the last hour sent in this frequency's sub-band, more_us on top; 0 where nothing is limited."""
        band = self.plan.band(frequency_hz)
        if band is None:
            return 0.0
        since_us = self.air.timeline.now_us - _HOUR_US
        used_us = sum(
            end - max(start, since_us) for start, end, hz in self._sent if end > since_us and self.plan.band(hz) is band
        )
        return (used_us + more_us) / _HOUR_US

    def within_duty(self, downlink: Downlink) -> bool:
        """Whether sending it keeps the sub-band's duty cycle. send() counts and does not refuse, as real ones do."""
        band = self.plan.band(downlink.frequency_hz)
        return band is None or self.duty(downlink.frequency_hz, downlink.airtime_us) <= band.duty
