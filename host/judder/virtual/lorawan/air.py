"""The seam between chip models and the air: what a radio sends, and what it hears.

Times are microseconds on one scale that all stations of an air share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

SYNC_PUBLIC = 0x34
SYNC_PRIVATE = 0x12
# Preamble symbols a modem needs to see before it locks (of 8; LoRaWAN radios open windows for 6 at least).
LOCK_SYMBOLS = 5


@dataclass(frozen=True, slots=True)
class Tuning:
    """What a LoRa modem is set to. Two modems understand each other when all five agree.

    sync_word: as the SX1276 writes it, 0x34 public (LoRaWAN), 0x12 private. inverted_iq: downlinks are.
    """

    frequency_hz: int
    sf: int
    bandwidth_hz: int
    inverted_iq: bool = False
    sync_word: int = SYNC_PUBLIC

    @property
    def symbol_us(self) -> int:
        """Length of a symbol: 2^SF / bandwidth, whole microseconds at 125, 250 and 500 kHz."""
        return (1 << self.sf) * 1_000_000 // self.bandwidth_hz


@dataclass(frozen=True, slots=True)
class Emission:
    """One frame in the air. sender: the station. start_us, end_us: first and last moment of its signal.

    power_dbm: at the antenna connector. preamble_symbols: programmed ones (LoRa adds 4.25). crc: payload CRC is sent.
    """

    sender: object
    start_us: int
    end_us: int
    tuning: Tuning
    power_dbm: float
    payload: bytes
    preamble_symbols: int = 8
    crc: bool = True


@dataclass(frozen=True, slots=True)
class Reception:
    """A frame as one receiver got it. damaged: the payload CRC (or, without one, the payload itself) is wrong."""

    emission: Emission
    rssi_dbm: float
    snr_db: float
    damaged: bool = False


class Medium(Protocol):
    """What a radio needs of the air. A station is any hashable object that stands for one antenna."""

    def transmit(self, emission: Emission) -> None:
        """The sender transmits; called when the transmission begins. It hears nothing until emission.end_us.

        May block until the other stations' clocks have come as far as emission.start_us.
        """

    def heard(self, station: object, tuning: Tuning, opened_us: int, symbols: int, now_us: int) -> Reception | None:
        """What a receiver open since opened_us has received by now_us: the first frame it locked on, entirely over.

        symbols: time-out of the receiver, 0 for none. None: nothing so far (or the time-out came first: the caller
        knows from `locked` and its clock). May block until the other stations' clocks have come as far as now_us.
        """

    def locked(self, station: object, tuning: Tuning, opened_us: int, symbols: int, now_us: int) -> Emission | None:
        """The frame such a receiver has locked on and that still comes in; then its time-out does not fire."""
