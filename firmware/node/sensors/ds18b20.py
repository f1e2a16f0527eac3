"""DS18B20 digital thermometer (Maxim, data sheet 19-7487). 1-Wire, -55..125 degC, +-0.5 degC from -10 to 85 degC.

thermometer = DS18B20(bus.ds18x20(pin), "1-Wire on pin 4"); thermometer.identify()
thermometer.start()          # a conversion takes 750 ms; nothing waits for it here
thermometer.read()           # tenths of a degree; waits for what is left

Bytes go through MicroPython's own onewire and ds18x20 modules. The first thermometer found on the line is taken.

After power-on the chip's result reads 85 degC, a plausible lie. So before the first conversion the two alarm bytes of
its scratchpad, which nothing else uses, are written with a mark. Power that fails takes the mark away: a result without
it is refused, and so is 85 degC before any other value came with it.
"""

import time

from node.sensors import SensorError

_FAMILY = 0x28
_MARK = b"JU"
_TWELVE_BITS = 0x7F
_POWER_ON = 0x0550  # data sheet table 1
_LOW_DC = -550
_HIGH_DC = 1250


def decidegrees(raw: int) -> int:
    """Bytes 1:0 of the scratchpad (two's complement, 1/16 degC) to 0.1 degC, rounded to nearest."""
    if raw & 0x8000:
        raw -= 0x10000
    return (raw * 10 + 8) >> 4


class DS18B20:
    """driver: a ds18x20.DS18X20 of MicroPython. place: the line, for error messages."""

    name = "ds18b20"
    CONVERSION_MS = 750

    def __init__(self, driver, place: str):
        self._driver = driver
        self._place = place
        self._rom = None
        self._started_ms = None
        self._trusted = False

    def identify(self) -> None:
        """Find the thermometer and mark it. Raises SensorError."""
        self._rom = None
        self._trusted = False
        found = self._ask(self._driver.scan)
        for rom in found:
            if rom[0] == _FAMILY:
                self._rom = rom
                break
        else:
            raise SensorError("no ds18b20 on %s" % self._place)
        self._mark()

    def start(self) -> None:
        """Begin one conversion. Raises SensorError."""
        if self._rom is None:
            self.identify()
        self._ask(self._driver.convert_temp)
        self._started_ms = time.ticks_ms()

    def read(self) -> int:
        """Temperature in 0.1 degC. Raises SensorError for a wrong checksum, a lost supply and for no answer."""
        if self._started_ms is None:
            self.start()
        left_ms = self.CONVERSION_MS - time.ticks_diff(time.ticks_ms(), self._started_ms)
        self._started_ms = None
        if left_ms > 0:
            time.sleep_ms(left_ms)
        data = self._ask(self._driver.read_scratch, self._rom)
        if bytes(data[2:4]) != _MARK:
            # It will be marked again by the next start.
            self._rom = None
            raise SensorError("ds18b20 on %s lost its supply, its result is not to be trusted" % self._place)
        raw = data[0] | data[1] << 8
        if raw == _POWER_ON and not self._trusted:
            raise SensorError("ds18b20 on %s reads 85 degC, its value after power-on: no result" % self._place)
        value = decidegrees(raw)
        if not _LOW_DC <= value <= _HIGH_DC:
            raise SensorError("ds18b20 on %s reads %d.%d degC, which it can't" % (self._place, value // 10, value % 10))
        self._trusted = True
        return value

    def self_test(self) -> list:
        """Identity, checksum, and a temperature the part is made for."""
        try:
            self.identify()
            value = self.read()
        except SensorError as error:
            return [("temperature", False, None, -55, 125, "degC", str(error))]
        return [("temperature", True, value / 10, -55, 125, "degC", "")]

    def sleep(self) -> None:
        """Nothing to switch off: it sleeps when it does not convert, and keeps its mark."""

    def _mark(self) -> None:
        self._ask(self._driver.write_scratch, self._rom, bytes((_MARK[0], _MARK[1], _TWELVE_BITS)))

    def _ask(self, function, *arguments):
        # The stock modules raise OneWireError for silence and a plain Exception for a wrong checksum.
        try:
            return function(*arguments)
        except Exception as error:
            raise SensorError("ds18b20 on %s: %s" % (self._place, str(error) or "no answer"))
