"""Supply voltage through a divider on an ADC pin.

Battery(adc, 2, 1).read_mv()    # 2:1 divider
"""

_READS = 8


class Battery:
    """divider: voltage at the supply / voltage at the pin = numerator / denominator."""

    def __init__(self, adc, numerator: int, denominator: int):
        self._adc = adc
        self._numerator = numerator
        self._denominator = denominator

    def read_mv(self) -> int:
        """Mean of a few conversions: one alone scatters by tens of millivolts on these converters."""
        total_uv = 0
        for _ in range(_READS):
            total_uv += self._adc.read_uv()
        return total_uv * self._numerator // (self._denominator * _READS * 1000)
