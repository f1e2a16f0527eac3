"""Where a radio driver meets the chip it runs on: SPI, pins, supplies. And which driver a board needs.

Buffers are the driver's, so transfers allocate nothing.
"""

from machine import I2C, SPI, Pin

_BAUDRATE = 8000000  # SX1276: 10 MHz at most, SX1262: 16 MHz
_NUDGE_US = 30  # NSS low wakes an SX1262


class Port:
    """Pins and bus of the radio as board.toml has them (constants RADIO_* of `board`)."""

    def __init__(self, board):
        self._board = board
        self._cs = Pin(board.RADIO_CS, Pin.OUT, value=1)
        self._reset = Pin(board.RADIO_RESET, Pin.OUT, value=1)
        self._spi = SPI(
            board.RADIO_SPI_ID,
            baudrate=_BAUDRATE,
            polarity=0,
            phase=0,
            sck=Pin(board.RADIO_SCK),
            mosi=Pin(board.RADIO_MOSI),
            miso=Pin(board.RADIO_MISO),
        )
        self.name = "SPI %d, chip select %d" % (board.RADIO_SPI_ID, board.RADIO_CS)
        self.busy = _input(board.RADIO_BUSY)
        self.dio0 = _input(board.RADIO_DIO0)
        self.dio1 = _input(board.RADIO_DIO1)
        self._switch_rx = _output(board.RADIO_SWITCH_RX)
        self._switch_tx = _output(board.RADIO_SWITCH_TX)
        self._supplies = []

    def power(self) -> None:
        """Switch on what feeds the radio. RadioError when the power chip does not answer."""
        import time

        board = self._board
        # Kept: a pin that is nobody's may become an input.
        self._supplies = [Pin(pin, Pin.OUT, value=level) for pin, level in board.RADIO_ENABLE]
        if board.RADIO_PMU is not None:
            from node.link.radio import pmu

            pmu.feed_radio(I2C(board.I2C_ID, scl=Pin(board.I2C_SCL), sda=Pin(board.I2C_SDA), freq=400000))
        if self._supplies or board.RADIO_PMU is not None:
            time.sleep_ms(10)

    def reset(self, level: int) -> None:
        self._reset(level)

    def antenna(self, way: int) -> None:
        """1: sends, 0: receives, -1: neither. Nothing where the chip turns the switch itself."""
        if self._switch_tx is not None:
            self._switch_tx(way == 1)
        if self._switch_rx is not None:
            self._switch_rx(way == 0)

    def write(self, data) -> None:
        """One transfer."""
        self._cs(0)
        self._spi.write(data)
        self._cs(1)

    def write_from(self, head, data) -> None:
        """One transfer in two pieces."""
        self._cs(0)
        self._spi.write(head)
        self._spi.write(data)
        self._cs(1)

    def exchange(self, command, into) -> None:
        """Send a command, then fill `into`, in one transfer."""
        self._cs(0)
        self._spi.write(command)
        self._spi.readinto(into)
        self._cs(1)

    def nudge(self) -> None:
        """Chip select low for a moment."""
        import time

        self._cs(0)
        time.sleep_us(_NUDGE_US)
        self._cs(1)


def _input(pin):
    return None if pin is None else Pin(pin, Pin.IN)


def _output(pin):
    return None if pin is None else Pin(pin, Pin.OUT, value=0)


def radio(board):
    """Driver of the board's radio, not yet started; None when it has none, or a modem."""
    if board.RADIO_CHIP == "sx1262":
        from node.link.radio.sx1262 import SX1262

        return SX1262(Port(board), board.RADIO_TCXO_MV, board.RADIO_DIO2_SWITCH, board.RADIO_PA_GAIN_DB)
    if board.RADIO_CHIP == "sx1276":
        from node.link.radio.sx1276 import SX1276

        return SX1276(Port(board), board.RADIO_TCXO_MV is not None, board.RADIO_PA_GAIN_DB)
    return None
