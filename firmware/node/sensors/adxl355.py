"""ADXL355 accelerometer (Analog Devices, data sheet rev. C). SPI, 4000 Hz, 20 bits, very quiet (25 ug/rtHz).

    sensor = ADXL355(bus.SpiDevice(..., mode=0, shift=1)); sensor.identify(); sensor.configure(8)
    lost = sensor.fill((x, y, z), 4096)

The FIFO holds 96 values of one axis, 32 samples. Of the 20 bits 16 are kept, at 2 g 15, so that a count is 125 ug at 2
and 4 g and 250 ug at 8 g: well below the part's noise (0.8 mg RMS in 1 kHz). There is no range of 16 g; 8 g is taken.
The marker at the x axis is checked at every sample, so a slip by one axis is an error and not a swapped reading.
"""

import time

from node.sensors.fifo import FifoSensor

_DEVID_AD = 0x00  # then DEVID_MST, PARTID
_STATUS = 0x04  # then FIFO_ENTRIES
_FILTER = 0x28
_FIFO_SAMPLES = 0x29
_RANGE = 0x2C
_POWER_CTL = 0x2D
_SELF_TEST = 0x2E
_RESET = 0x2F

_IDS = (0xAD, 0x1D, 0xED)
_RESET_CODE = 0x52
_RANGE_BITS = {2: 0x81, 4: 0x82, 8: 0x83}  # the interrupt polarity bit stays as it is after reset
_SHIFT = {2: 5, 4: 4, 8: 4}
_SCALE_UG = {2: 125, 4: 125, 8: 250}
_MEASURE = 0x04  # DRDY pin off
_STANDBY = 0x05
_BOTH = 0x03  # ST1 and ST2
_FIFO_OVR = 0x04
_AXES_DEPTH = 96
_DEPTH = 32
_CHUNK = 16
_RATE_CODE = {4000: 0, 2000: 1, 1000: 2}
_EMPTYING = 8


class ADXL355(FifoSensor):
    """device: bus.SpiDevice, mode 0, at most 10 MHz. kernel: node.sensors.unpack20."""

    name = "adxl355"
    RANGES_G = (2, 4, 8)
    RATES_HZ = (4000, 2000, 1000)
    SELF_TEST_RANGE_G = 8
    SELF_TEST_SETTLE_MS = 50
    _DATA = 0x11  # FIFO_DATA; the address stays there in a burst

    def __init__(self, device, kernel=None, rate_hz: int = 0):
        if kernel is None:
            from node.sensors import unpack20 as kernel
        super().__init__(device, kernel, _CHUNK, _DEPTH, rate_hz)
        self._status = bytearray(2)

    def _identity(self):
        found = bytearray(3)
        self._device.burst(_DEVID_AD, found)
        return None if tuple(found) == _IDS else "its three identity registers read %s, not ad1ded" % found.hex()

    def _setup(self) -> None:
        write = self._device.write
        write(_RESET, _RESET_CODE)
        time.sleep_ms(10)
        write(_FILTER, _RATE_CODE[self.NOMINAL_HZ])
        write(_FIFO_SAMPLES, 3 * _CHUNK)
        write(_RANGE, _RANGE_BITS[self.range_g])
        self.SCALE_UG = _SCALE_UG[self.range_g]
        self._state[self._kernel.SHIFT] = _SHIFT[self.range_g]
        self.CLIP = 0x7FFFF >> _SHIFT[self.range_g]
        self.BAND_HZ = (0, self.NOMINAL_HZ // 4)

    def _start(self) -> None:
        self._device.write(_POWER_CTL, _MEASURE)
        # Turn-on is below 10 ms; the filter's delay is a few samples (data sheet table 10).
        time.sleep_ms(12 + 8000 // self.NOMINAL_HZ)

    def _stop(self) -> None:
        self._device.write(_POWER_CTL, _STANDBY)

    def _restart(self) -> None:
        # There is no command for it: read what is in it, from a value that begins a sample.
        for _ in range(_EMPTYING):
            entries = self._entries()
            if entries < 3:
                return
            self._device.burst(self._DATA, bytearray(3 * (entries - entries % 3)))

    def _entries(self) -> int:
        self._device.burst(_STATUS, self._status)
        return self._status[1] & 0x7F

    def _read_level(self) -> int:
        entries = self._entries()
        if entries > _AXES_DEPTH:
            return entries
        self._full = bool(self._status[0] & _FIFO_OVR)
        # The values of a sample may be on their way in: whole samples only.
        return entries // 3

    def _check_burst(self) -> None:
        if self._state[self._kernel.USED] != self._took:
            self._fail("gives the values of its axes out of step")

    def _stimulus(self, on: bool) -> None:
        self._device.write(_SELF_TEST, _BOTH if on else 0)

    def _limits_mg(self) -> tuple:
        # The data sheet gives typical changes only: 0.3 g, z 1.5 g. From a third to twice or three times that.
        return ((100, 900), (100, 900), (500, 3000))
