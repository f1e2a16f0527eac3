"""The only place besides hal that touches the chip: SPI and I2C devices with registers, and the ADC.

Transfer buffers are made once, so register access and bursts allocate nothing.
"""

from machine import ADC, I2C, SPI, Pin


class SpiDevice:
    """Registers over SPI: first byte is the address, its top bit set to read (ST, Bosch and others).

    Mode 3, MSB first. Raises ValueError for pins or speeds the chip has not.
    """

    def __init__(self, spi_id: int, sck: int, mosi: int, miso: int, cs: int, baudrate: int):
        self._cs = Pin(cs, Pin.OUT, value=1)
        self._spi = SPI(spi_id, baudrate=baudrate, polarity=1, phase=1, sck=Pin(sck), mosi=Pin(mosi), miso=Pin(miso))
        self.name = "SPI %d, chip select %d" % (spi_id, cs)
        self._command = bytearray(1)
        self._byte = bytearray(1)
        self._pair = bytearray(2)

    def burst(self, register: int, buffer) -> None:
        """Fill `buffer` from `register` on, in one transfer."""
        self._command[0] = register | 0x80
        self._cs(0)
        try:
            self._spi.write(self._command)
            self._spi.readinto(buffer)
        finally:
            self._cs(1)

    def read(self, register: int) -> int:
        """One register."""
        self.burst(register, self._byte)
        return self._byte[0]

    def write(self, register: int, value: int) -> None:
        """One register."""
        self._pair[0] = register
        self._pair[1] = value
        self._cs(0)
        try:
            self._spi.write(self._pair)
        finally:
            self._cs(1)


class I2cDevice:
    """16-bit big-endian registers at one I2C address. OSError when nothing acknowledges."""

    def __init__(self, i2c_id: int, scl: int, sda: int, address: int, frequency: int = 400000):
        self._i2c = I2C(i2c_id, scl=Pin(scl), sda=Pin(sda), freq=frequency)
        self._address = address
        self.name = "I2C %d, address 0x%02x" % (i2c_id, address)
        self._pair = bytearray(2)

    def read(self, register: int) -> int:
        """0..65535."""
        self._i2c.readfrom_mem_into(self._address, register, self._pair)
        return self._pair[0] << 8 | self._pair[1]

    def write(self, register: int, value: int) -> None:
        """value: 0..65535."""
        self._pair[0] = value >> 8
        self._pair[1] = value & 0xFF
        self._i2c.writeto_mem(self._address, register, self._pair)


class Adc:
    """One analogue input, calibrated by the chip (eFuse)."""

    def __init__(self, pin: int):
        # 11 dB: up to about 3.1 V, depending on the chip.
        self._adc = ADC(Pin(pin), atten=ADC.ATTN_11DB)

    def read_uv(self) -> int:
        """Microvolts at the pin."""
        return self._adc.read_uv()
