"""Solders the LoRa radio of a board.toml to its pins. See judder.virtual.wiring."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from judder.virtual.chips.axp import Axp
from judder.virtual.chips.radio import LoraRadio
from judder.virtual.chips.sx1262 import Sx1262
from judder.virtual.chips.sx1276 import Sx1276
from judder.virtual.pins import SpiPins

if TYPE_CHECKING:
    from judder.device.boards import Radio
    from judder.virtual.chips.base import SpiChip
    from judder.virtual.lorawan.air import Medium
    from judder.virtual.wiring import Wiring

PMU_SUPPLY = "pmu"


def solder(wiring: Wiring, spi: dict[SpiPins, SpiChip], radio: Radio, medium: Medium | None) -> Axp | None:
    """Make the chip, put it on `spi` and on the pins of `wiring`; returns the power chip that feeds it, if one does.

    A modem (rak3172, wioe5) is none of these chips: nothing happens.
    """
    pins = (radio.sck, radio.mosi, radio.miso, radio.cs)
    if radio.chip not in ("sx1262", "sx1276") or None in pins or radio.reset is None:
        return None
    chip = _sx1262(wiring, radio, medium) if radio.chip == "sx1262" else _sx1276(wiring, radio, medium)
    wiring.radio = chip
    spi[SpiPins(*(pin for pin in pins if pin is not None))] = chip
    wiring.watchers[radio.reset] = chip.reset
    for way, pin in (("rx", radio.switch_rx), ("tx", radio.switch_tx)):
        if pin is not None:
            wiring.watchers[pin] = _switch(chip, way)
    for pin, on in radio.enable:
        chip.supplies[pin] = False
        wiring.watchers[pin] = _supply(chip, pin, on)
    if radio.pmu is None:
        return None
    chip.supplies[PMU_SUPPLY] = False
    return Axp(switched=lambda on, now_us: chip.set_supply(PMU_SUPPLY, on, now_us))


def _sx1262(wiring: Wiring, radio: Radio, medium: Medium | None) -> Sx1262:
    switch = "dio2" if radio.dio2_switch else _by_pins(radio)
    chip = Sx1262(medium, tcxo_mv=radio.tcxo_mv, switch=switch)
    if radio.busy is not None and radio.dio1 is not None:
        wiring.driven |= {radio.busy: chip.busy, radio.dio1: chip.dio1}
    return chip


def _sx1276(wiring: Wiring, radio: Radio, medium: Medium | None) -> Sx1276:
    chip = Sx1276(medium, tcxo=radio.tcxo_mv is not None, switch=_by_pins(radio))
    for pin, level in ((radio.dio0, chip.dio0), (radio.dio1, chip.dio1)):
        if pin is not None:
            wiring.driven[pin] = level
    return chip


def _by_pins(radio: Radio) -> str | None:
    return None if radio.switch_rx is None and radio.switch_tx is None else "pins"


def _switch(chip: LoraRadio, way: str) -> Callable[[int, int], None]:
    def set_level(level: int, _now_us: int) -> None:
        chip.switch_levels[way] = level

    return set_level


def _supply(chip: LoraRadio, pin: int, on: int) -> Callable[[int, int], None]:
    return lambda level, now_us: chip.set_supply(pin, level == on, now_us)
