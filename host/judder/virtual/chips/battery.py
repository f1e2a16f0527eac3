"""A battery behind a voltage divider."""

from __future__ import annotations

from judder.virtual.chips.base import Quantity, value_at


class Battery:
    """millivolts: of the cell, a number or a function of seconds. The pin sees it * denominator / numerator."""

    def __init__(self, millivolts: Quantity = 3700.0, numerator: int = 1, denominator: int = 1) -> None:
        self.millivolts = millivolts
        self._ratio = denominator / numerator

    def microvolts(self, now_us: int) -> float:
        """Voltage at the converter's pin."""
        return value_at(self.millivolts, now_us) * 1000 * self._ratio
