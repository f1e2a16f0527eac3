"""TMP117 digital thermometer (Texas Instruments, data sheet SNOSD82). I2C, 0x48..0x4B, +-0.1 degC from -20 to 50 degC.

thermometer = TMP117(bus.I2cDevice(...)); thermometer.identify()
thermometer.start()          # one conversion runs while something else is measured
thermometer.read()           # tenths of a degree
"""

import time

from node.sensors import SensorError

_TEMP_RESULT = 0x00
_CONFIGURATION = 0x01
_DEVICE_ID = 0x0F

_ID_MASK = 0x0FFF  # bits 15:12 are the revision
_ID = 0x0117
_DATA_READY = 1 << 13  # cleared by reading the result or the configuration (data sheet 8.6.3)
_SHUTDOWN = 1 << 10  # MOD = 01
_ONE_SHOT = 3 << 10  # MOD = 11, falls back to shutdown by itself
_AVERAGE_8 = 1 << 5  # AVG = 01: eight conversions of 15.5 ms, 124 ms in all

# The result register before the first conversion.
_NO_RESULT = 0x8000
_TIMEOUT_MS = 400


def decidegrees(raw: int) -> int:
    """Register (two's complement, 1/128 degC) to 0.1 degC, rounded to nearest."""
    if raw & 0x8000:
        raw -= 0x10000
    return (raw * 10 + 64) >> 7


class TMP117:
    """device: bus.I2cDevice."""

    name = "tmp117"
    CONVERSION_MS = 150

    def __init__(self, device):
        self._device = device
        self._running = False

    def identify(self) -> None:
        """Raises SensorError."""
        try:
            found = self._device.read(_DEVICE_ID)
        except OSError as error:
            raise SensorError("tmp117 does not answer on %s (%s)" % (self._device.name, error))
        if found & _ID_MASK != _ID:
            raise SensorError("no tmp117 on %s: device id 0x%04x" % (self._device.name, found))

    def start(self) -> None:
        """Begin one conversion; read() then waits only for what is left of it. Raises SensorError."""
        try:
            self._device.write(_CONFIGURATION, _ONE_SHOT | _AVERAGE_8)
        except OSError as error:
            raise SensorError("tmp117 does not answer on %s (%s)" % (self._device.name, error))
        self._running = True

    def read(self) -> int:
        """Temperature in 0.1 degC. Raises SensorError when no result comes in time."""
        if not self._running:
            self.start()
        self._running = False
        try:
            began = time.ticks_ms()
            while not self._device.read(_CONFIGURATION) & _DATA_READY:
                if time.ticks_diff(time.ticks_ms(), began) > _TIMEOUT_MS:
                    raise SensorError("tmp117 on %s gives no result" % self._device.name)
                time.sleep_ms(5)
            raw = self._device.read(_TEMP_RESULT)
        except OSError as error:
            raise SensorError("tmp117 does not answer on %s (%s)" % (self._device.name, error))
        if raw == _NO_RESULT:
            raise SensorError("tmp117 on %s gives no result" % self._device.name)
        return decidegrees(raw)

    def self_test(self) -> list:
        """Identity, and a temperature the part is made for (data sheet: -55..150 degC)."""
        try:
            self.identify()
            value = self.read()
        except SensorError as error:
            return [("temperature", False, None, -55, 150, "degC", str(error))]
        return [("temperature", -550 <= value <= 1500, value / 10, -55, 150, "degC", "")]

    def sleep(self) -> None:
        """Shutdown, 0.25 uA; after one conversion it is there already."""
        self._running = False
        try:
            self._device.write(_CONFIGURATION, _SHUTDOWN)
        except OSError:
            pass
