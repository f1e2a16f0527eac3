"""A LoRa radio on a virtual board: what both models have besides their registers.

Wrong use is not an exception, as on a real chip, but is written down in `faults`; tests assert that there is none.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection

from judder.virtual.chips.lora import Silence, Window
from judder.virtual.lorawan.air import Emission, Medium

RX_OFF_LOSS_DB = 40.0  # through an antenna switch that stands wrong
_KEPT = 1000  # of what happened, the latest


class LoraRadio:
    """medium, station: the air and who this is in it. switch: how the antenna switch is driven: None (by the chip
    itself), "dio2", or "pins" (switch_rx and switch_tx). powered: False while a supply pin or power chip keeps it off.

    emissions: what it sent. windows: each time its receiver was open, rx_us: how long in all. faults: what the node did
    wrong. absent: nobody soldered it in.
    """

    spi_modes: Collection[int] = (0,)
    max_baudrate: int

    def __init__(self, medium: Medium | None = None, station: object | None = None, switch: str | None = None) -> None:
        self.medium: Medium = Silence() if medium is None else medium
        self.station: object = self if station is None else station
        self.switch = switch
        self.absent = False
        self.faults: list[str] = []
        self.emissions: deque[Emission] = deque(maxlen=_KEPT)
        self.windows: deque[Window] = deque(maxlen=_KEPT)
        self.rx_us = 0
        self.switch_levels = {"rx": 0, "tx": 0}
        # Supplies: pin -> whether its level is the one that means on.
        self.supplies: dict[object, bool] = {}
        self._now_us = 0
        self._in_reset = False
        self._tx_until_us: int | None = None
        self._window: Window | None = None

    def reset(self, level: int, now_us: int) -> None:
        """NRESET."""
        if level == 0 and not self._in_reset:
            self._abort(now_us)
            self._in_reset = True
        elif level == 1 and self._in_reset:
            self._in_reset = False
            self._start(now_us)

    @property
    def powered(self) -> bool:
        """Every supply is on."""
        return not self.absent and all(self.supplies.values())

    def set_supply(self, name: object, on: bool, now_us: int) -> None:
        """A supply comes or goes."""
        before, self.supplies[name] = self.powered, on
        if self.powered and not before:
            self._start(now_us)
        elif before and not self.powered:
            self._abort(now_us)

    def power_on(self) -> None:
        """The board's voltage came, its time is zero again; what the board switches is still off."""
        self.supplies = dict.fromkeys(self.supplies, False)
        self._now_us = 0
        self._in_reset = False
        self._window = None
        self._start(0)

    def fault(self, text: str) -> None:
        """Write down what the node did wrong."""
        if len(self.faults) < _KEPT:
            self.faults.append(f"{self._now_us} us: {text}")

    # --- the receiver

    def _open(self, window: Window) -> None:
        self._window = window
        self.windows.append(window)

    def _close(self, now_us: int) -> None:
        """The node takes the receiver down."""
        window, self._window = self._window, None
        if window is not None:
            window.close(now_us)
            self.rx_us += window.on_us

    def _look(self, now_us: int) -> Window | None:
        """The window that closed by itself by now, once."""
        window = self._window
        if window is None or not window.look(self.medium, self.station, now_us):
            return None
        self._window = None
        self.rx_us += window.on_us
        return window

    def _switch_is(self, way: str) -> bool:
        """Whether the antenna switch, if it hangs on pins, stands for "rx" or "tx"."""
        other = "rx" if way == "tx" else "tx"
        return self.switch != "pins" or (self.switch_levels[way] == 1 and self.switch_levels[other] == 0)

    # --- what a model does

    def _start(self, now_us: int) -> None:
        """Power-on reset."""
        raise NotImplementedError

    def _abort(self, now_us: int) -> None:
        """Power is gone, or reset holds it."""
        self._now_us = max(self._now_us, now_us)
        self._cut_short(now_us)
        self._close(now_us)

    def _cut_short(self, now_us: int) -> None:
        """The node ends a transmission."""
        if self._tx_until_us is not None and now_us < self._tx_until_us:
            self.fault("a transmission was cut short")
        self._tx_until_us = None
