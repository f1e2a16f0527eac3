"""How long a frame lasts on the air, and how long and when to listen for one. Microseconds, integers.

LoRaWAN frames: preamble of 8 symbols, explicit header, coding rate 4/5; uplinks with CRC, downlinks without.
"""

# SX1262 datasheet: SetLoRaSymbNumTimeout.
_MOST_SYMBOLS = 248
_FEWEST_SYMBOLS = 6


def symbol_us(sf: int, bandwidth_hz: int) -> int:
    """Duration of a symbol; exact, as bandwidths are 125, 250 or 500 kHz."""
    return (1 << sf) * 1000000 // bandwidth_hz


def time_on_air_us(sf: int, bandwidth_hz: int, size: int, crc: int = 1) -> int:
    """Time on air of a PHYPayload of `size` bytes (SX1276 datasheet section 4.1.1.7, Semtech AN1200.13)."""
    symbol = symbol_us(sf, bandwidth_hz)
    # Low data rate optimisation where a symbol lasts 16 ms or more takes two bits out of each.
    bits = sf - 2 if symbol >= 16000 else sf
    rest = 8 * size - 4 * sf + 28 + 16 * crc
    coded = (rest + 4 * bits - 1) // (4 * bits) * 5 if rest > 0 else 0
    # Preamble of 8 symbols and a sync of 4.25, header and first bits of payload in 8.
    return symbol * (49 + 4 * (8 + coded)) // 4


def window(sf: int, bandwidth_hz: int, error_us: int) -> tuple:
    """(symbols, offset_us): how many symbols to listen, and when to open relative to the nominal start.

    The same bounds as LoRaMac-node: long enough for an error of -error_us..error_us on either side of a preamble of
    which six symbols are enough, and centred on the middle of that preamble.
    """
    symbol = symbol_us(sf, bandwidth_hz)
    spread = 2 * error_us + (2 * _FEWEST_SYMBOLS - 8) * symbol
    symbols = min(max((spread + symbol - 1) // symbol, _FEWEST_SYMBOLS), _MOST_SYMBOLS)
    return symbols, 4 * symbol - symbols * symbol // 2
