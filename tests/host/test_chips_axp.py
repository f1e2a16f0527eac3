"""AXP192 and AXP2101: the output a T-Beam's radio hangs on. AXP2101 data sheet V1.4; XPowersLib's register lists."""

import pytest

from judder.virtual.chips.axp import Axp


@pytest.mark.parametrize(
    ("kind", "number", "voltage", "low", "high", "switch", "bit"),
    [("axp192", 0x03, 0x28, 0xC0, 0xF0, 0x12, 0x04), ("axp2101", 0x4A, 0x93, 25, 28, 0x90, 0x02)],
)
def test_the_radio_is_fed_once_voltage_and_switch_are_set(
    kind: str, number: int, voltage: int, low: int, high: int, switch: int, bit: int
) -> None:
    told: list[tuple[bool, int]] = []
    chip = Axp(kind, lambda on, now_us: told.append((on, now_us)))
    chip.write(b"\x03", 0)
    assert chip.read(1, 0) == bytes((number,))
    chip.write(bytes((voltage, low)), 5)
    chip.write(bytes((switch, bit)), 6)
    assert chip.radio_mv == 3000
    chip.write(bytes((voltage, high)), 7)
    assert chip.radio_mv == 3300
    chip.write(bytes((switch, 0)), 8)
    assert told == [(False, 5), (True, 6), (True, 7), (False, 8)]
    chip.write(b"\x03\x99", 9)
    chip.write(b"\x03", 9)
    assert chip.read(1, 9) == bytes((number,)), "the type is not written"
