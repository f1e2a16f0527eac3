"""TMP117 and battery models. Registers and times: TI data sheet SNOSD82, tables 6.5, 7-5 to 7-7."""

import pytest

from judder.virtual.chips.battery import Battery
from judder.virtual.chips.tmp117 import Tmp117


def register(chip: Tmp117, number: int, now_us: int) -> int:
    chip.write(bytes((number,)), now_us)
    return int.from_bytes(chip.read(2, now_us), "big")


def write(chip: Tmp117, number: int, value: int, now_us: int) -> None:
    chip.write(bytes((number,)) + value.to_bytes(2, "big"), now_us)


def test_identity_and_defaults() -> None:
    chip = Tmp117()
    assert register(chip, 0x0F, 0) == 0x0117
    assert register(chip, 0x01, 0) == 0x0220
    assert (register(chip, 0x02, 0), register(chip, 0x03, 0)) == (0x6000, 0x8000)


def test_no_result_before_the_first_conversion_is_done() -> None:
    chip = Tmp117(25.0)
    # Start-up 1.5 ms, eight conversions of 15.5 ms.
    assert register(chip, 0x00, 125_000) == 0x8000
    assert register(chip, 0x00, 126_000) == 0x0C80  # table 7-4: 25 degC


# Table 7-4 of the data sheet, and one count (7.8125 mdegC) around zero.
@pytest.mark.parametrize(
    ("celsius", "expected"),
    [(100, 0x3200), (25, 0x0C80), (0.0078125, 0x0001), (0, 0), (-0.0078125, 0xFFFF), (-25, 0xF380), (300, 0x7FFF)],
)
def test_result_is_twos_complement(celsius: float, expected: int) -> None:
    assert register(Tmp117(celsius), 0x00, 10_000_000) == expected


def test_data_ready_goes_with_reading() -> None:
    chip = Tmp117()
    assert register(chip, 0x01, 2_000_000) & 0x2000
    assert not register(chip, 0x01, 2_000_000) & 0x2000
    assert register(chip, 0x01, 3_100_000) & 0x2000  # a cycle of 1 s later
    register(chip, 0x00, 4_200_000)
    assert not register(chip, 0x01, 4_200_000) & 0x2000


def test_one_shot_converts_once_and_shuts_down() -> None:
    readings = iter(range(100))
    chip = Tmp117(lambda _t: float(next(readings)))
    register(chip, 0x00, 1_000_000)  # an earlier result, unread, would still be "ready"
    write(chip, 0x01, 0x0C00, 1_000_000)  # one shot, no averaging: 15.5 ms
    before = chip.conversions
    assert not register(chip, 0x01, 1_015_000) & 0x2000
    status = register(chip, 0x01, 1_016_000)
    assert status & 0x2000 and status >> 10 & 3 == 1  # ready, shut down
    first = register(chip, 0x00, 1_016_000)
    assert register(chip, 0x00, 9_000_000) == first
    assert chip.conversions == before + 1


def test_continuous_conversion_follows_the_temperature_in_steps() -> None:
    chip = Tmp117(lambda t_s: 20 + t_s)
    values = {register(chip, 0x00, us) / 128 for us in range(5_200_000, 6_100_000, 100_000)}
    assert len(values) == 1  # one conversion a second
    assert register(chip, 0x00, 60_000_000) / 128 == pytest.approx(80, abs=1.1)


def test_soft_reset_restores_defaults() -> None:
    chip = Tmp117()
    write(chip, 0x01, 0x0400, 1_000_000)
    write(chip, 0x02, 0x1234, 1_000_000)
    write(chip, 0x01, 0x0002, 2_000_000)
    assert (register(chip, 0x01, 2_000_000), register(chip, 0x02, 2_000_000)) == (0x0220, 0x6000)
    assert register(chip, 0x00, 2_100_000) == 0x8000


def test_battery_behind_its_divider() -> None:
    assert Battery(3700, 2, 1).microvolts(0) == 1_850_000
    assert Battery(lambda t_s: 4200 - t_s, 3, 2).microvolts(300_000_000) == pytest.approx(2_600_000)
