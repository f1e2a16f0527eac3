"""The wires of a modem: one UART of the ESP32, and the pins that switch or reset it. The edge to the chip."""

import time

from machine import UART, Pin

# Room for a downlink and what comes with it while the node measures and does not look.
_RECEIVE_BYTES = 1024
# The longest command in one piece: 242 bytes as digits.
_SEND_BYTES = 640
_RESET_MS = 20


class Uart:
    """enable: ((pin, level that switches on), ...). reset: pin that is low to reset, None where it is not wired.

    name: for people.
    """

    def __init__(self, uart_id: int, tx: int, rx: int, baudrate: int, reset=None, enable=()):
        for pin, level in enable:
            Pin(pin, Pin.OUT, value=level)
        self._reset = None if reset is None else Pin(reset, Pin.OPEN_DRAIN, value=1)
        self._uart = UART(
            uart_id, baudrate=baudrate, tx=Pin(tx), rx=Pin(rx), rxbuf=_RECEIVE_BYTES, txbuf=_SEND_BYTES, timeout=0
        )
        self.name = "UART %d (tx %d, rx %d, %d baud)" % (uart_id, tx, rx, baudrate)

    def readinto(self, buffer):
        """Bytes read, None when nothing is there."""
        return self._uart.readinto(buffer)

    def write(self, data):
        """Bytes taken."""
        return self._uart.write(data)

    def reset(self) -> bool:
        """Pull the reset pin; False when there is none."""
        if self._reset is None:
            return False
        self._reset(0)
        time.sleep_ms(_RESET_MS)
        self._reset(1)
        return True
