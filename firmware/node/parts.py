"""Which sensors a node has, from its board and its settings; built from the board's pins. The board is data."""

from judder_core import schema
from node.sensors import SensorError, bus


def vibration_name(board, values: dict) -> str:
    """Name as in schema.VIBRATION_SENSORS. Setting 0 means: what the board says."""
    chosen = values["vibration_sensor"]
    return schema.VIBRATION_SENSORS[chosen] if chosen else board.VIBRATION


def temperature_name(board, values: dict) -> str:
    """Name as in schema.TEMPERATURE_SENSORS."""
    chosen = values["temperature_sensor"]
    return schema.TEMPERATURE_SENSORS[chosen] if chosen else board.TEMPERATURE


def vibration(board, values: dict):
    """Driver, or None when the board has no such sensor. Raises SensorError when its wiring is not known."""
    name = vibration_name(board, values)
    if name == "synthetic":
        from node.sensors import synthetic

        return synthetic.Vibration()
    if name == "iis3dwb":
        if board.SPI_ID is None or board.SPI_CS is None:
            raise SensorError("board %s names no SPI pins for iis3dwb" % board.NAME)
        from node.sensors import iis3dwb

        # 10 MHz is the part's limit (data sheet table 5).
        device = bus.SpiDevice(board.SPI_ID, board.SPI_SCK, board.SPI_MOSI, board.SPI_MISO, board.SPI_CS, 10000000)
        return iis3dwb.IIS3DWB(device)
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
    return None


def battery(board):
    """Driver or None."""
    if board.BATTERY_ADC is None:
        return None
    from node.sensors.battery import Battery

    numerator, denominator = board.BATTERY_NUMERATOR, board.BATTERY_DENOMINATOR
    if not numerator or not denominator:
        numerator = denominator = 1
    return Battery(bus.Adc(board.BATTERY_ADC), numerator, denominator)
