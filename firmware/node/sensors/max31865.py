"""MAX31865 with a platinum resistor, Pt100 or Pt1000 (Maxim, data sheet 19-6478). SPI, 15 bits.

thermometer = MAX31865(bus.SpiDevice(..., read=0, write=0x80), ...); thermometer.identify()
thermometer.start()          # bias on, one conversion; nothing waits for it here
thermometer.read()           # tenths of a degree; waits for what is left

Resistance to temperature is the inverse of the Callendar-Van Dusen equation (IEC 60751), in whole numbers: the chip's
resolution is about 0.03 degC, the arithmetic's 0.001.
"""

import time

from node.sensors import SensorError

_CONFIG = 0x00
_RTD = 0x01  # two bytes, the lowest bit says fault
_HIGH_THRESHOLD = 0x03  # four bytes: high, then low threshold
_FAULT_STATUS = 0x07

_BIAS = 0x80
_ONE_SHOT = 0x20
_THREE_WIRES = 0x10
_AUTO_FAULT_CYCLE = 0x04
_FAULT_CLEAR = 0x02
_FILTER_50_HZ = 0x01
# By the bits of the fault status register, the first that is set.
_FAULTS = (
    (0x04, "a wire beyond the supply: check for a short to another voltage"),
    (0x80, "sensor open or wire broken"),
    (0x40, "sensor or wires shorted"),
    (0x20, "sensor open or FORCE- broken"),
    (0x10, "FORCE- or RTDIN- shorted or broken"),
    (0x08, "RTDIN- or FORCE+ shorted"),
)
# Ten time constants of the input filter of usual boards (0.1 uF, or 10 nF for a Pt1000) and 1 ms, data sheet p. 12.
_BIAS_SETTLE_MS = 3
_CONVERSION_MS = {50: 66, 60: 55}  # one shot, largest, table "Electrical characteristics"
_WAIT_MS = 8  # fault detection cycle: 600 us at most, and room

# R / R0 in 1e-12, temperature in 0.001 degC.
_ONE = 1000000000000
_LOW_MC = -200000
_HIGH_MC = 850000


def resistance(t_mc: int) -> int:
    """R / R0 of a platinum resistor, in 1e-12, at a temperature in 0.001 degC: 1 + A t + B t^2 (+ C (t - 100) t^3).

    IEC 60751: A = 3.9083e-3, B = -5.775e-7, and below 0 degC C = -4.183e-12. Rounded down.
    """
    ratio = _ONE + 3908300 * t_mc - 5775 * t_mc * t_mc // 10000
    if t_mc < 0:
        ratio -= 4183 * (t_mc - 100000) * t_mc * t_mc * t_mc // 1000000000000000
    return ratio


def decidegrees(ratio: int) -> int:
    """Temperature in 0.1 degC, rounded to nearest, of R / R0 in 1e-12; -2001 or 8501 beyond -200..850 degC."""
    if ratio < resistance(_LOW_MC):
        return -2001
    if ratio > resistance(_HIGH_MC):
        return 8501
    low, high = _LOW_MC, _HIGH_MC
    while low < high:
        middle = (low + high + 1) >> 1
        if resistance(middle) <= ratio:
            low = middle
        else:
            high = middle - 1
    return (low + 50) // 100


class MAX31865:
    """device: bus.SpiDevice, mode 1 or 3, at most 5 MHz. ohm_at_0: 100 for Pt100, 1000 for Pt1000. reference_ohm: the
    resistor beside the chip, 430 and 4300 on most boards. wires: 2, 3 or 4. mains_hz: 50 or 60, which hum to filter.
    """

    name = "max31865"

    def __init__(self, device, ohm_at_0: int, reference_ohm: int, wires: int, mains_hz: int):
        self._device = device
        self._ohm_at_0 = ohm_at_0
        self._reference_ohm = reference_ohm
        self._config = (_THREE_WIRES if wires == 3 else 0) | (_FILTER_50_HZ if mains_hz == 50 else 0)
        self.CONVERSION_MS = _CONVERSION_MS[mains_hz]
        self._started_ms = None

    def identify(self) -> None:
        """The chip has no number: its thresholds are written and have to come back. Raises SensorError."""
        write = self._device.write
        back = bytearray(4)
        for pattern in (b"\x5a\xa4\x25\x5a", b"\xff\xff\x00\x00"):
            for i in range(4):
                write(_HIGH_THRESHOLD + i, pattern[i])
            self._device.burst(_HIGH_THRESHOLD, back)
            if back != pattern:
                raise SensorError("no max31865 on %s: its registers do not keep what is written" % self._device.name)
        write(_CONFIG, self._config | _FAULT_CLEAR)

    def start(self) -> None:
        """Check the wires, then begin one conversion."""
        write = self._device.write
        write(_CONFIG, self._config | _BIAS | _FAULT_CLEAR)
        time.sleep_ms(_BIAS_SETTLE_MS)
        write(_CONFIG, self._config | _BIAS | _AUTO_FAULT_CYCLE)
        time.sleep_ms(1)
        write(_CONFIG, self._config | _BIAS | _ONE_SHOT)
        self._started_ms = time.ticks_ms()

    def read(self) -> int:
        """Temperature in 0.1 degC. Raises SensorError naming the fault the chip found."""
        if self._started_ms is None:
            self.start()
        left_ms = self.CONVERSION_MS - time.ticks_diff(time.ticks_ms(), self._started_ms)
        self._started_ms = None
        if left_ms > 0:
            time.sleep_ms(left_ms)
        for _ in range(_WAIT_MS):
            # The bit for one conversion clears itself when the chip has begun it; an absent chip never does.
            config = self._device.read(_CONFIG)
            if not config & _ONE_SHOT:
                break
            time.sleep_ms(1)
        data = bytearray(2)
        self._device.burst(_RTD, data)
        faults = self._device.read(_FAULT_STATUS)
        self._device.write(_CONFIG, self._config | _FAULT_CLEAR)
        if config != self._config | _BIAS:
            raise SensorError("max31865 on %s does not keep its settings" % self._device.name)
        if faults or data[1] & 1:
            raise SensorError("max31865 on %s: %s" % (self._device.name, _fault(faults)))
        code = (data[0] << 8 | data[1]) >> 1
        value = decidegrees(code * self._reference_ohm * _ONE // (32768 * self._ohm_at_0))
        if not -2000 <= value <= 8500:
            raise SensorError(
                "max31865 on %s: %d ohm is no temperature of a %d ohm sensor"
                % (self._device.name, code * self._reference_ohm >> 15, self._ohm_at_0)
            )
        return value

    def self_test(self) -> list:
        """The chip is there, no wire is broken or shorted, and the temperature is one of a platinum resistor."""
        try:
            self.identify()
            value = self.read()
        except SensorError as error:
            return [("temperature", False, None, -200, 850, "degC", str(error))]
        return [("temperature", True, value / 10, -200, 850, "degC", "")]

    def sleep(self) -> None:
        """Bias off; after one conversion it is off already."""
        self._started_ms = None
        self._device.write(_CONFIG, self._config | _FAULT_CLEAR)


def _fault(bits: int) -> str:
    for bit, words in _FAULTS:
        if bits & bit:
            return words
    return "fault"
