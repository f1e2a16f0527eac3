"""A trivial air for radio models and drivers: what was sent, and frames one other station sends when it is told to."""

from __future__ import annotations

from judder.virtual.lorawan.air import LOCK_SYMBOLS, Emission, Reception, Tuning
from judder.virtual.lorawan.airtime import airtime_us
from judder.virtual.lorawan.propagation import understands


class OneOther:
    """sent: by the radio. others: what the other station sends, heard as rssi_dbm, snr_db and damaged say."""

    def __init__(self, rssi_dbm: float = -80.0, snr_db: float = 9.0) -> None:
        self.sent: list[Emission] = []
        self.others: list[Emission] = []
        self.rssi_dbm, self.snr_db, self.damaged = rssi_dbm, snr_db, False

    def says(self, start_us: int, tuning: Tuning, payload: bytes, crc: bool = False) -> Emission:
        """One frame; downlinks have no CRC."""
        end_us = start_us + airtime_us(len(payload), tuning.sf, tuning.bandwidth_hz, crc=crc)
        emission = Emission("gateway", start_us, end_us, tuning, 27.0, payload, 8, crc)
        self.others.append(emission)
        return emission

    def transmit(self, emission: Emission) -> None:
        self.sent.append(emission)

    def _found(self, tuning: Tuning, opened_us: int, symbols: int, now_us: int) -> Emission | None:
        for emission in self.others:
            lock_us = max(opened_us, emission.start_us) + LOCK_SYMBOLS * tuning.symbol_us
            last_us = emission.start_us + emission.preamble_symbols * tuning.symbol_us
            if symbols:
                last_us = min(last_us, opened_us + symbols * tuning.symbol_us)
            if understands(tuning, emission.tuning) and lock_us <= min(last_us, now_us):
                return emission
        return None

    def heard(self, station: object, tuning: Tuning, opened_us: int, symbols: int, now_us: int) -> Reception | None:  # noqa: ARG002
        emission = self._found(tuning, opened_us, symbols, now_us)
        if emission is None or emission.end_us > now_us:
            return None
        return Reception(emission, self.rssi_dbm, self.snr_db, self.damaged)

    def locked(self, station: object, tuning: Tuning, opened_us: int, symbols: int, now_us: int) -> Emission | None:  # noqa: ARG002
        emission = self._found(tuning, opened_us, symbols, now_us)
        return None if emission is None or emission.end_us <= now_us else emission
