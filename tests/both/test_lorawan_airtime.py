"""Time on air and receive windows of LoRa against Semtech's numbers."""

import math

from node.link.lorawan import airtime

# PHYPayload bytes of the columns, then milliseconds to three digits as published for these frames: coding rate 4/5,
# preamble 8, explicit header, CRC.
COLUMNS = (13, 23, 24, 33, 64, 128, 255)
TABLE = (
    (12, 125, (1155, 1483, 1483, 1810, 2793, 4923, 9019)),
    (11, 125, (577, 823, 823, 987, 1561, 2708, 5001)),
    (10, 125, (289, 371, 371, 453, 698, 1231, 2296)),
    (9, 125, (165, 206, 206, 247, 390, 677, 1250)),
    (8, 125, (82, 113, 113, 134, 216, 379, 707)),
    (7, 125, (46.3, 61.7, 61.7, 71.9, 118, 215, 400)),
    (7, 250, (23.2, 30.8, 30.8, 36.0, 59.0, 108, 200)),
    (8, 500, (20.6, 28.3, 28.3, 33.4, 53.9, 94.8, 177)),
)

# Semtech's SX1261 LoRa calculator, as quoted in micropython-lib's tests: SF, kHz, bytes, CRC, milliseconds.
CALCULATOR = (
    (12, 500, 1, 1, 206.848),
    (12, 500, 1, 0, 165.888),
    (12, 500, 192, 1, 1476.608),
)

# Longest frames under a dwell time of 400 ms: SF, bytes of application payload, milliseconds.
DWELL = ((10, 11, 370.688), (9, 53, 390.144), (8, 125, 399.872), (7, 242, 399.616))


def test_table():
    for sf, khz, row in TABLE:
        for i in range(len(COLUMNS)):
            ms = airtime.time_on_air_us(sf, khz * 1000, COLUMNS[i]) / 1000
            # Published to whole or tenths of milliseconds; 577.536 rounded down there, 2707.456 up.
            assert abs(ms - row[i]) <= (0.55 if isinstance(row[i], int) else 0.05), (sf, khz, COLUMNS[i], ms)


def test_semtech_calculator():
    for sf, khz, size, crc, ms in CALCULATOR:
        assert airtime.time_on_air_us(sf, khz * 1000, size, crc) == round(ms * 1000)


def test_dwell_time_of_400_ms():
    for sf, size, ms in DWELL:
        assert airtime.time_on_air_us(sf, 125000, size + 13) == round(ms * 1000)


def _formula_ms(sf, khz, size, crc):
    """SX1276 datasheet section 4.1.1.7, term by term, in floating point."""
    symbol_ms = 2**sf / khz
    low = 1 if symbol_ms >= 16 else 0
    payload = 8 + max(math.ceil((8 * size - 4 * sf + 28 + 16 * crc) / (4 * (sf - 2 * low))) * 5, 0)
    return (8 + 4.25) * symbol_ms + payload * symbol_ms


def test_every_length_at_every_rate():
    for sf in range(7, 13):
        for khz in (125, 250, 500):
            for crc in (0, 1):
                for size in range(256):
                    us = airtime.time_on_air_us(sf, khz * 1000, size, crc)
                    assert abs(us / 1000 - _formula_ms(sf, khz, size, crc)) < 0.1, (sf, khz, size, crc)


# --- receive windows: LoRaMac-node's formula, computed for these rates outside of this code

WINDOWS = (
    # SF, kHz, symbol ms, (error ms, symbols, length ms), ..., opens at ms with an error of 20
    (12, 125, 32.768, ((3, 6, 197), (10, 6, 197), (20, 6, 197)), 33),
    (10, 125, 8.192, ((3, 6, 49), (10, 7, 57), (20, 9, 74)), -4),
    (9, 125, 4.096, ((3, 6, 25), (10, 9, 37), (20, 14, 57)), -12),
    (7, 125, 1.024, ((3, 10, 10), (10, 24, 25), (20, 44, 45)), -18),
    (12, 500, 8.192, ((3, 6, 49), (10, 7, 57), (20, 9, 74)), -4),
    (10, 500, 2.048, ((3, 7, 14), (10, 14, 29), (20, 24, 49)), -16),
    (7, 500, 0.256, ((3, 28, 7), (10, 83, 21), (20, 161, 41)), -19),
)


def test_windows():
    for sf, khz, symbol_ms, row, opens_ms in WINDOWS:
        assert airtime.symbol_us(sf, khz * 1000) == round(symbol_ms * 1000)
        for error_ms, symbols, length_ms in row:
            found, offset_us = airtime.window(sf, khz * 1000, error_ms * 1000)
            assert found == symbols, (sf, khz, error_ms)
            # Published to whole milliseconds; the opening is rounded up in LoRaMac-node.
            assert abs(found * symbol_ms - length_ms) <= 0.5
        assert math.ceil(offset_us / 1000) == opens_ms or round(offset_us / 1000) == opens_ms


def test_a_window_hears_enough_of_the_preamble_whatever_the_error():
    # Early or late by all of the error, six symbols of the eight are heard.
    for sf in range(7, 13):
        for khz in (125, 250, 500):
            for error_us in (0, 1000, 3000, 10000, 20000, 30000):
                symbol = airtime.symbol_us(sf, khz * 1000)
                symbols, offset_us = airtime.window(sf, khz * 1000, error_us)
                if symbols == 248:
                    continue  # as far as the symbol time-out of an SX1262 goes
                for start in (-error_us, error_us):
                    opens, closes = max(offset_us, start), min(offset_us + symbols * symbol, start + 8 * symbol)
                    assert closes - opens >= 6 * symbol, (sf, khz, error_us)
