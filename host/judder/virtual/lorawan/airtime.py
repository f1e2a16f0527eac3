"""Time on air of a LoRa frame (Semtech SX1276 data sheet rev. 7 section 4.1.1.7; AN1200.13)."""

from __future__ import annotations

from judder.virtual.lorawan.air import Tuning

_LOW_RATE_SYMBOL_US = 16_000  # from here on the low-data-rate optimisation is on
_SYNC_SYMBOLS_X4 = 17  # 4.25 symbols of sync word after the programmed preamble


def low_data_rate(sf: int, bandwidth_hz: int) -> bool:
    """Whether LoRaWAN radios have the low-data-rate optimisation on: symbols of 16 ms and longer."""
    return Tuning(0, sf, bandwidth_hz).symbol_us >= _LOW_RATE_SYMBOL_US


def payload_symbols(size: int, sf: int, bandwidth_hz: int, *, crc: bool = True, coding_rate: int = 1) -> int:
    """Symbols after preamble and sync word, with an explicit header. coding_rate: 1 is 4/5, 4 is 4/8."""
    usable = sf - 2 * low_data_rate(sf, bandwidth_hz)
    bits = 8 * size - 4 * sf + 28 + 16 * crc
    return 8 + max(0, -(-bits // (4 * usable))) * (coding_rate + 4)


def airtime_us(
    size: int, sf: int, bandwidth_hz: int, *, crc: bool = True, preamble_symbols: int = 8, coding_rate: int = 1
) -> int:
    """Microseconds a frame of `size` bytes is in the air, explicit header."""
    quarters = 4 * preamble_symbols + _SYNC_SYMBOLS_X4
    quarters += 4 * payload_symbols(size, sf, bandwidth_hz, crc=crc, coding_rate=coding_rate)
    return quarters * Tuning(0, sf, bandwidth_hz).symbol_us // 4
