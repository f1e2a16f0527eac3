"""The only place besides hal that touches the chip: SPI and I2C devices with registers, 1-Wire, and the ADC.

Transfer buffers are made once, so register access and bursts allocate nothing.
"""

from machine import ADC, I2C, SPI, Pin

# Who set up an SPI bus last: chips of different modes may share one.
_owners = {}


class SpiDevice:
    """Registers over SPI: a byte with the address, then data.

    mode: clock polarity * 2 + phase. The address stands `shift` bits up in its byte; `read`, `write` and, for more than
    one byte, `increment` are added to it (most makers: read is the top bit; LIS3DH and ADXL345 want 0x40 to count on;
    ADXL355 has the address above a read bit; MAX31865 marks writing instead). Raises ValueError for pins or speeds the
    chip has not.
    """

    def __init__(
        self,
        spi_id: int,
        sck: int,
        mosi: int,
        miso: int,
        cs: int,
        baudrate: int,
        mode: int = 3,
        shift: int = 0,
        read: int = 0x80,
        write: int = 0,
        increment: int = 0,
    ):
        self._cs = Pin(cs, Pin.OUT, value=1)
        self._id = spi_id
        self._bus = (baudrate, mode >> 1, mode & 1)
        self._spi = SPI(
            spi_id,
            baudrate=baudrate,
            polarity=mode >> 1,
            phase=mode & 1,
            sck=Pin(sck),
            mosi=Pin(mosi),
            miso=Pin(miso),
        )
        _owners[spi_id] = self._bus
        self.name = "SPI %d, chip select %d" % (spi_id, cs)
        self._shift = shift
        self._read = read
        self._write = write
        self._increment = increment
        self._command = bytearray(1)
        self._byte = bytearray(1)
        self._pair = bytearray(2)

    def burst(self, register: int, buffer) -> None:
        """Fill `buffer` from `register` on, in one transfer."""
        command = register << self._shift | self._read
        if len(buffer) > 1:
            command |= self._increment
        self._command[0] = command
        self._claim()
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
        self._pair[0] = register << self._shift | self._write
        self._pair[1] = value
        self._claim()
        self._cs(0)
        try:
            self._spi.write(self._pair)
        finally:
            self._cs(1)

    def _claim(self) -> None:
        if _owners[self._id] != self._bus:
            baudrate, polarity, phase = self._bus
            self._spi.init(baudrate=baudrate, polarity=polarity, phase=phase)
            _owners[self._id] = self._bus


class I2cRegisters:
    """8-bit registers at one I2C address, with bursts. increment: added to the register when more than one byte is
    read (0x80 for the LIS3DH). OSError when nothing acknowledges.
    """

    def __init__(self, i2c_id: int, scl: int, sda: int, address: int, increment: int = 0, frequency: int = 400000):
        self._i2c = I2C(i2c_id, scl=Pin(scl), sda=Pin(sda), freq=frequency)
        self._address = address
        self._increment = increment
        self.name = "I2C %d, address 0x%02x" % (i2c_id, address)
        self._byte = bytearray(1)

    def burst(self, register: int, buffer) -> None:
        """Fill `buffer` from `register` on, in one transfer."""
        if len(buffer) > 1:
            register |= self._increment
        self._i2c.readfrom_mem_into(self._address, register, buffer)

    def read(self, register: int) -> int:
        """One register."""
        self._i2c.readfrom_mem_into(self._address, register, self._byte)
        return self._byte[0]

    def write(self, register: int, value: int) -> None:
        """One register."""
        self._byte[0] = value
        self._i2c.writeto_mem(self._address, register, self._byte)


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


def ds18x20(pin: int):
    """MicroPython's own driver on a 1-Wire line; the pin needs a pull-up of 4.7 kOhm."""
    from ds18x20 import DS18X20
    from onewire import OneWire

    return DS18X20(OneWire(Pin(pin)))


class Adc:
    """One analogue input, calibrated by the chip (eFuse)."""

    def __init__(self, pin: int):
        # 11 dB: up to about 3.1 V, depending on the chip.
        self._adc = ADC(Pin(pin), atten=ADC.ATTN_11DB)

    def read_uv(self) -> int:
        """Microvolts at the pin."""
        return self._adc.read_uv()
