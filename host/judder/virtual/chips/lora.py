"""What the LoRa radio models share: an open receiver, and an air where there is nobody.

Times are board time in microseconds.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from judder.virtual.lorawan.air import LOCK_SYMBOLS, Emission, Medium, Reception, Tuning

# Semtech AN1200.13: programmed preamble, then 4.25 symbols, then 8 with the header.
_SYNC_SYMBOLS = 4.25
_HEADER_SYMBOLS = 8


class Silence:
    """The air of a board nobody talks to."""

    def transmit(self, emission: Emission) -> None:
        """Gone."""

    def heard(self, station: object, tuning: Tuning, opened_us: int, symbols: int, now_us: int) -> Reception | None:  # noqa: ARG002
        """Nothing."""
        return None

    def locked(self, station: object, tuning: Tuning, opened_us: int, symbols: int, now_us: int) -> Emission | None:  # noqa: ARG002
        """Nothing."""
        return None


HEARD, TIMEOUT, CLOSED = "heard", "timeout", "closed"


@dataclass
class Window:
    """One time the receiver was open. why: HEARD, TIMEOUT, CLOSED by the node, or "" while it is open.

    symbols: time-out in symbols, 0 for none. timer_us: the other time-out, None for none; it stops when the header of a
    frame is in, or with stop_on_preamble when the modem has locked on one. told: interrupts raised for it so far.
    """

    tuning: Tuning
    opened_us: int
    symbols: int = 0
    timer_us: int | None = None
    stop_on_preamble: bool = False
    closed_us: int | None = None
    why: str = ""
    reception: Reception | None = None
    preamble_us: int | None = field(default=None, repr=False)
    header_us: int | None = field(default=None, repr=False)
    told: int = field(default=0, repr=False)

    def look(self, medium: Medium, station: object, now_us: int) -> bool:
        """Let time pass; True once it has closed by itself."""
        if self.closed_us is not None:
            return False
        if now_us < self.opened_us:
            return False
        asked = (station, self.tuning, self.opened_us, self.symbols, now_us)
        reception = medium.heard(*asked)
        emission = medium.locked(*asked) if reception is None else reception.emission
        if emission is None:
            ends = [self.opened_us + self.symbols * self.tuning.symbol_us] if self.symbols else []
            ends += [] if self.timer_us is None else [self.opened_us + self.timer_us]
            return bool(ends) and self._close(min(ends), TIMEOUT, now_us)
        symbol_us = self.tuning.symbol_us
        self.preamble_us = max(self.opened_us, emission.start_us) + LOCK_SYMBOLS * symbol_us
        header = emission.preamble_symbols + _SYNC_SYMBOLS + _HEADER_SYMBOLS
        self.header_us = round(emission.start_us + header * symbol_us)
        if self.timer_us is not None:
            stopped_us = self.preamble_us if self.stop_on_preamble else self.header_us
            if stopped_us > self.opened_us + self.timer_us:
                return self._close(self.opened_us + self.timer_us, TIMEOUT, now_us)
        if reception is None:
            return False
        self.reception = reception
        return self._close(emission.end_us, HEARD, now_us)

    def close(self, now_us: int) -> None:
        """The node closes it."""
        self._close(now_us, CLOSED, now_us)

    def _close(self, at_us: int, why: str, now_us: int) -> bool:
        if now_us < at_us:
            return False
        self.closed_us, self.why = max(at_us, self.opened_us), why
        return True

    @property
    def on_us(self) -> int:
        """How long it was open; of an open one 0."""
        return 0 if self.closed_us is None else self.closed_us - self.opened_us


def payload_of(reception: Reception) -> tuple[bytes, bool]:
    """(bytes in the buffer, CRC error) as a modem gives them: without a CRC it does not know that they are damaged."""
    emission = reception.emission
    if not reception.damaged:
        return emission.payload, False
    noise = hashlib.sha256(emission.payload + emission.start_us.to_bytes(8, "little", signed=True)).digest()
    damaged = bytes(byte ^ noise[place % 32] for place, byte in enumerate(emission.payload))
    return damaged, emission.crc
