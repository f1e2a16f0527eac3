"""Receive windows as published for LoRaMac-node's formula: six symbols at least, clocks wrong by up to E ms."""

from __future__ import annotations

import math

# Every (SF, Hz) a class-A downlink of EU868, US915, AU915, AS923 or IN865 may come with.
_FACTORS = range(12, 6, -1)
DOWNLINK_RATES = [(sf, 125_000) for sf in _FACTORS] + [(7, 250_000)] + [(sf, 500_000) for sf in _FACTORS]

# (SF, Hz) -> E -> (symbols, ms open, rounded).
PUBLISHED = {
    (12, 125_000): {3: (6, 197), 10: (6, 197), 20: (6, 197)},
    (10, 125_000): {3: (6, 49), 10: (7, 57), 20: (9, 74)},
    (9, 125_000): {3: (6, 25), 10: (9, 37), 20: (14, 57)},
    (7, 125_000): {3: (10, 10), 10: (24, 25), 20: (44, 45)},
    (12, 500_000): {3: (6, 49), 10: (7, 57), 20: (9, 74)},
    (10, 500_000): {3: (7, 14), 10: (14, 29), 20: (24, 49)},
    (7, 500_000): {3: (28, 7), 10: (83, 21), 20: (161, 41)},
}
# (SF, Hz) -> ms from the nominal moment to the opening, with E = 20.
OPENS_MS = {
    (12, 125_000): 33,
    (10, 125_000): -4,
    (9, 125_000): -12,
    (7, 125_000): -18,
    (12, 500_000): -4,
    (10, 500_000): -16,
    (7, 500_000): -19,
}
_SYMBOLS = 6


def by_formula(sf: int, bandwidth_hz: int, error_ms: float) -> tuple[int, float, float]:
    """(symbols, ms open, ms from the nominal moment to the opening), for the rates that the tables leave out.

    RegionCommonComputeRxWindowParameters of LoRaMac-node 4.7.0, without the time its radio takes to wake.
    """
    symbol_ms = 2**sf / bandwidth_hz * 1000
    symbols = max(math.ceil(((2 * _SYMBOLS - 8) * symbol_ms + 2 * error_ms) / symbol_ms), _SYMBOLS)
    return symbols, symbols * symbol_ms, 4 * symbol_ms - symbols * symbol_ms / 2
