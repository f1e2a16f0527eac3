"""Virtual boards with one sensor or another on them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from on_board import BOARD

from judder.device import images
from judder.device.boards import Board, Sensors

# One firmware image has the wires of everything; which sensor it is comes with the settings. The others need their own.
WIRES = Sensors(
    vibration="iis3dwb",
    temperature="tmp117",
    spi_id=1,
    i2c_id=0,
    i2c_tmp117=0x48,
    rtd="pt100",
    rtd_wires=3,
    rtd_reference_ohm=430,
    mains_hz=60,
)
PINS = replace(BOARD.pins, onewire=5, temperature_cs=6)
I2C = {"adxl345": 0x53, "lis2dw12": 0x19, "lis3dh": 0x18, "mpu6050": 0x68}
_built: dict[tuple[str, int | None, Path | None], images.Images] = {}


def board_with(
    vibration: str, bus: str, temperature: str, firmware: Path | None = None
) -> tuple[Board, Board, images.Images]:
    """(board the firmware is built for, board with these sensors on it, images). firmware: of another tree."""
    address = I2C[vibration] if bus == "i2c" else None
    sensors = replace(WIRES, vibration_bus=bus if bus == "i2c" else None, vibration_address=address)
    board = replace(BOARD, sensors=sensors, pins=PINS)
    key = (bus, address, firmware)
    if key not in _built:
        _built[key] = images.build(board, firmware=firmware)
    wired = replace(board, sensors=replace(sensors, vibration=vibration, temperature=temperature))
    return board, wired, _built[key]
