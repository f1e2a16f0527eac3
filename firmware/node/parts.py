"""Which sensors a node has, from its board and its settings; built from the board's pins. The board is data."""

from judder_core import schema
from node.sensors import SensorError, bus

_RANGES_G = (2, 4, 8, 16)


def vibration_name(board, values: dict) -> str:
    """Name as in schema.VIBRATION_SENSORS. Setting 0 means: what the board says."""
    chosen = values["vibration_sensor"]
    return schema.VIBRATION_SENSORS[chosen] if chosen else board.VIBRATION


def temperature_name(board, values: dict) -> str:
    """Name as in schema.TEMPERATURE_SENSORS."""
    chosen = values["temperature_sensor"]
    return schema.TEMPERATURE_SENSORS[chosen] if chosen else board.TEMPERATURE


def range_g(values: dict) -> int:
    """Full scale that the settings ask for."""
    return _RANGES_G[values["range_g"]]


def vibration(board, values: dict):
    """Driver, or None when the board has no such sensor. Raises SensorError when its wiring is not known."""
    name = vibration_name(board, values)
    rate_hz = values["sample_rate_hz"]
    if name == "synthetic":
        from node.sensors import synthetic

        return synthetic.Vibration()
    # Clocks: the fastest each part's data sheet allows.
    if name == "iis3dwb":
        from node.sensors.iis3dwb import IIS3DWB

        return IIS3DWB(_spi(board, name, board.SPI_CS, 10000000), rate_hz=rate_hz)
    if name == "adxl345":
        from node.sensors.adxl345 import ADXL345

        if board.VIBRATION_BUS == "i2c":
            return ADXL345(_i2c(board, name), rate_hz=rate_hz, i2c=True)
        return ADXL345(_spi(board, name, board.SPI_CS, 5000000, increment=0x40), rate_hz=rate_hz)
    if name == "adxl355":
        from node.sensors.adxl355 import ADXL355

        device = _spi(board, name, board.SPI_CS, 10000000, mode=0, shift=1, read=1)
        return ADXL355(device, rate_hz=rate_hz)
    if name == "lis2dw12":
        from node.sensors.lis2dw12 import LIS2DW12

        device = _i2c(board, name) if board.VIBRATION_BUS == "i2c" else _spi(board, name, board.SPI_CS, 10000000)
        return LIS2DW12(device, rate_hz=rate_hz)
    if name == "lis3dh":
        from node.sensors.lis3dh import LIS3DH

        if board.VIBRATION_BUS == "i2c":
            return LIS3DH(_i2c(board, name, increment=0x80), rate_hz=rate_hz)
        return LIS3DH(_spi(board, name, board.SPI_CS, 10000000, increment=0x40), rate_hz=rate_hz)
    if name == "mpu6050":
        from node.sensors.mpu6050 import MPU6050

        return MPU6050(_i2c(board, name), rate_hz=rate_hz)
    return None


def temperature(board, values: dict):
    """Driver or None. Raises SensorError when its wiring is not known."""
    name = temperature_name(board, values)
    if name == "synthetic":
        from node.sensors import synthetic

        return synthetic.Temperature()
    if name == "tmp117":
        if board.I2C_ID is None or board.I2C_TMP117 is None:
            raise SensorError("board %s names no I2C pins for tmp117" % board.NAME)
        from node.sensors import tmp117

        return tmp117.TMP117(bus.I2cDevice(board.I2C_ID, board.I2C_SCL, board.I2C_SDA, board.I2C_TMP117))
    if name == "ds18b20":
        if board.ONEWIRE is None:
            raise SensorError("board %s names no 1-Wire pin for ds18b20" % board.NAME)
        from node.sensors.ds18b20 import DS18B20

        return DS18B20(bus.ds18x20(board.ONEWIRE), "1-Wire on pin %d" % board.ONEWIRE)
    if name == "max31865":
        if board.RTD_OHM is None or board.RTD_REFERENCE_OHM is None or board.RTD_WIRES is None:
            raise SensorError("board %s does not say which resistor is behind its max31865" % board.NAME)
        from node.sensors.max31865 import MAX31865

        device = _spi(board, name, board.TEMPERATURE_CS, 5000000, read=0, write=0x80)
        return MAX31865(device, board.RTD_OHM, board.RTD_REFERENCE_OHM, board.RTD_WIRES, board.MAINS_HZ)
    return None


def _spi(board, name: str, cs, baudrate: int, **frame):
    if board.SPI_ID is None or cs is None:
        raise SensorError("board %s names no SPI pins for %s" % (board.NAME, name))
    return bus.SpiDevice(board.SPI_ID, board.SPI_SCK, board.SPI_MOSI, board.SPI_MISO, cs, baudrate, **frame)


def _i2c(board, name: str, increment: int = 0):
    if board.I2C_ID is None or board.VIBRATION_ADDRESS is None:
        raise SensorError("board %s names no I2C pins and address for %s" % (board.NAME, name))
    return bus.I2cRegisters(board.I2C_ID, board.I2C_SCL, board.I2C_SDA, board.VIBRATION_ADDRESS, increment)


def battery(board):
    """Driver or None."""
    if board.BATTERY_ADC is None:
        return None
    from node.sensors.battery import Battery

    numerator, denominator = board.BATTERY_NUMERATOR, board.BATTERY_DENOMINATOR
    if not numerator or not denominator:
        numerator = denominator = 1
    return Battery(bus.Adc(board.BATTERY_ADC), numerator, denominator)
