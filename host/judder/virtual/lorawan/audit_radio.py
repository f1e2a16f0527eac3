"""Rules of any transmission: modulation, power, dwell time, duty cycle, and letting the receive windows pass."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from judder.virtual.lorawan.air import SYNC_PUBLIC, Emission
from judder.virtual.lorawan.airtime import airtime_us
from judder.virtual.lorawan.mirror import Mirror
from judder.virtual.lorawan.regions import DWELL_US, Plan
from judder.virtual.lorawan.station import Station

Found = list[tuple[str, str]]

JOIN_DELAY_S = 5
_HOUR_US = 3_600_000_000
_POWER_TOLERANCE_DB = 0.6  # radios set whole decibels
_WEAKEST_DBM = 2.0  # an SX1276 with PA_BOOST cannot send with less
_PREAMBLE = 8


@dataclass
class Radio:
    """What one station has sent in the past hour: start, air time, frequency."""

    plan: Plan
    sent: deque[tuple[int, int, int]] = field(default_factory=deque)
    closed_us: int = 0  # its windows are over then
    duty: int = 0  # exponent of the DutyCycleReq in force
    duty_since_us: int = 0

    def answered(self, end_us: int) -> None:
        """A downlink was delivered: no more windows to wait for."""
        self.closed_us = min(self.closed_us, end_us)


def check(
    radio: Radio,
    station: Station,
    emission: Emission,
    rx1_delay_s: int,
    settings: Mirror | None = None,
    adr: bool = False,
    join_eirp_dbm: int = 0,
) -> Found:
    """Judge one transmission and take it into account. settings: of the session, None for a join-request."""
    plan, tuning, start_us = radio.plan, emission.tuning, emission.start_us
    took_us = emission.end_us - start_us
    found: Found = []
    if tuning.inverted_iq or tuning.sync_word != SYNC_PUBLIC or not emission.crc:
        found.append(("modulation", f"{tuning}, CRC {emission.crc}"))
    if emission.preamble_symbols != _PREAMBLE:
        found.append(("preamble", f"{emission.preamble_symbols} symbols"))
    expected_us = airtime_us(len(emission.payload), tuning.sf, tuning.bandwidth_hz)
    if abs(took_us - expected_us) > 1000:
        found.append(("air time", f"{took_us} us for {len(emission.payload)} bytes, not {expected_us}"))
    if start_us < radio.closed_us:
        found.append(("windows", f"sends {(radio.closed_us - start_us) / 1e6:.3f} s before its windows are over"))
    # Window 2 opens a second after window 1; nothing may be sent before it has been listened to.
    radio.closed_us = emission.end_us + (rx1_delay_s + 1) * 1_000_000
    limit_dbm = join_eirp_dbm if settings is None else settings.max_eirp_dbm - 2 * settings.power * adr
    found += _power(station, emission, limit_dbm)
    dwell = plan.dwell_up if settings is None else settings.dwell_up
    if dwell and took_us > DWELL_US:
        found.append(("dwell time", f"{took_us / 1000:.1f} ms"))
    if not plan.in_range(tuning.frequency_hz):
        found.append(("channel", f"{tuning.frequency_hz / 1e6:.4f} MHz is not in {plan.name}"))
    return found + _duty(radio, emission, settings)


def _power(station: Station, emission: Emission, limit_dbm: int) -> Found:
    eirp_dbm = emission.power_dbm + station.gain_dbi
    if eirp_dbm <= limit_dbm + _POWER_TOLERANCE_DB or emission.power_dbm <= _WEAKEST_DBM:
        return []
    return [("power", f"{eirp_dbm:.1f} dBm e.i.r.p., {limit_dbm} allowed")]


def _duty(radio: Radio, emission: Emission, settings: Mirror | None) -> Found:
    found: Found = []
    took_us, end_us = emission.end_us - emission.start_us, emission.end_us
    radio.sent.append((emission.start_us, took_us, emission.tuning.frequency_hz))
    while radio.sent and radio.sent[0][0] < end_us - _HOUR_US:
        radio.sent.popleft()
    band = radio.plan.band(emission.tuning.frequency_hz)
    if radio.plan.bands and band is None:
        found.append(("duty cycle", f"{emission.tuning.frequency_hz / 1e6:.4f} MHz is in no sub-band"))
    if band is not None:
        used_us = sum(took for _start, took, hz in radio.sent if radio.plan.band(hz) is band)
        if used_us > band.duty * _HOUR_US:
            text = f"{used_us / 1e6:.2f} s in an hour at {band.low_hz / 1e6:g}-{band.high_hz / 1e6:g} MHz"
            found.append(("duty cycle", f"{text}, {band.duty * 3600:g} s allowed"))
    exponent = 0 if settings is None else settings.duty
    if exponent != radio.duty:
        radio.duty, radio.duty_since_us = exponent, emission.start_us
    if exponent:
        mine = [took for start, took, _hz in radio.sent if start >= radio.duty_since_us]
        # Asked for is silence after each frame, so the one at hand comes on top.
        if sum(mine[:-1]) > _HOUR_US >> exponent:
            text = f"{sum(mine) / 1e6:.2f} s in an hour, 1/{1 << exponent} allowed"
            found.append(("aggregated duty cycle", text))
    return found
