"""Solders the LoRaWAN modem of a board.toml to its pins. See judder.virtual.wiring."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from judder.virtual.modems.model import Model
from judder.virtual.modems.rak3172 import Rak3172
from judder.virtual.modems.wioe5 import WioE5
from judder.virtual.pins import UartPins

if TYPE_CHECKING:
    from judder.device.boards import Radio
    from judder.virtual.modems.network import Network
    from judder.virtual.wiring import Wiring

MODEMS: Mapping[str, type[Rak3172] | type[WioE5]] = {"rak3172": Rak3172, "wioe5": WioE5}


def solder(wiring: Wiring, radio: Radio, network: Network | None) -> None:
    """Make the modem and put it on the pins of `wiring`. A radio (sx1262, sx1276) is none: nothing happens."""
    if radio.chip not in MODEMS or radio.tx is None or radio.rx is None:
        return
    wiring.modem = modem = MODEMS[radio.chip](network)
    wiring.uart = {UartPins(radio.tx, radio.rx): modem}
    if radio.reset is not None:
        wiring.watchers[radio.reset] = _reset(modem)
    for pin, on in radio.enable:
        modem.supplies[pin] = False
        wiring.watchers[pin] = _supply(modem, pin, on)


def _reset(modem: Model) -> Callable[[int, int], None]:
    def set_level(level: int, now_us: int) -> None:
        if level == 0:
            modem.reset(now_us)

    return set_level


def _supply(modem: Model, pin: int, on: int) -> Callable[[int, int], None]:
    return lambda level, now_us: modem.set_supply(pin, level == on, now_us)
