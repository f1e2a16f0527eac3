"""TMP117, DS18B20, MAX31865 and battery models. TMP117: TI data sheet SNOSD82, tables 6.5, 7-5 to 7-7."""

import pytest

from judder.virtual.chips.battery import Battery
from judder.virtual.chips.ds18b20 import Ds18b20, crc8
from judder.virtual.chips.max31865 import OPEN, SHORT, Max31865
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


# --- DS18B20: data sheet 19-7487, "1-Wire bus system", tables 1 and 2


def pulse(chip: Ds18b20, *values: int, now_us: int = 0) -> None:
    for value in values:
        for place in range(8):
            chip.write_bit(value >> place & 1, now_us)


def heard(chip: Ds18b20, count: int, now_us: int = 0) -> bytes:
    return bytes(sum(chip.read_bit(now_us) << place for place in range(8)) for _ in range(count))


def test_ds18b20_rom_has_the_family_and_its_crc() -> None:
    chip = Ds18b20(serial=0x0000_0001_2345)
    assert chip.reset(0)
    pulse(chip, 0x33)
    rom = heard(chip, 8)
    assert rom[:3] == b"\x28\x45\x23"
    # The CRC over the code with its CRC is zero (Maxim application note 27); its example code.
    assert crc8(rom) == 0
    assert crc8(bytes.fromhex("021cb801000000")) == 0xA2


def test_ds18b20_power_on_value_conversion_time_and_scratchpad() -> None:
    chip = Ds18b20(-10.125)
    chip.reset(0)
    pulse(chip, 0xCC, 0xBE)
    data = heard(chip, 9)
    assert data == bytes.fromhex("50054b467fff0c10") + bytes((crc8(data[:8]),))
    chip.reset(0)
    pulse(chip, 0xCC, 0x44)
    assert chip.read_bit(749_000) == 0, "converting"
    assert chip.read_bit(751_000) == 1
    chip.reset(751_000)
    pulse(chip, 0xCC, 0xBE, now_us=751_000)
    assert heard(chip, 2, 751_000) == b"\x5e\xff"  # table 1


def test_ds18b20_match_and_search_single_out_one() -> None:
    chip, other = Ds18b20(serial=1), Ds18b20(serial=2)
    for one in (chip, other):
        one.reset(0)
        pulse(one, 0x55, *chip.rom, 0xBE)
    assert heard(chip, 1) == b"\x50"
    assert heard(other, 1) == b"\xff", "not addressed: leaves the line alone"
    chip.reset(0)
    pulse(chip, 0xF0)
    code = 0
    for place in range(64):
        bit, complement = chip.read_bit(0), chip.read_bit(0)
        assert bit != complement
        code |= bit << place
        chip.write_bit(bit, 0)
    assert code.to_bytes(8, "little") == chip.rom


def test_ds18b20_settings_survive_power_only_when_copied() -> None:
    chip = Ds18b20(25.0625)
    chip.reset(0)
    pulse(chip, 0xCC, 0x4E, 0x11, 0x22, 0x1F)  # 9 bits
    chip.reset(0)
    pulse(chip, 0xCC, 0x44)
    assert chip.read_bit(94_000) == 1, "93.75 ms at 9 bits"
    chip.reset(94_000)
    pulse(chip, 0xCC, 0xBE, now_us=94_000)
    assert heard(chip, 5) == bytes((25 * 16 & 0xFF, 25 * 16 >> 8, 0x11, 0x22, 0x1F))
    chip.power_on()
    chip.reset(0)
    pulse(chip, 0xCC, 0xBE)
    assert heard(chip, 5)[2:] == bytes((0x4B, 0x46, 0x7F))


# --- MAX31865: data sheet 19-6478, tables 1 to 7


def rtd_read(chip: Max31865, register: int, count: int, now_us: int) -> bytes:
    chip.select()
    answer = chip.exchange(bytes((register,)) + bytes(count), now_us)[1:]
    chip.deselect()
    return answer


def rtd_write(chip: Max31865, register: int, value: int, now_us: int) -> None:
    chip.select()
    chip.exchange(bytes((register | 0x80, value)), now_us)
    chip.deselect()


def test_max31865_defaults_and_thresholds() -> None:
    chip = Max31865()
    assert rtd_read(chip, 0x00, 8, 0) == bytes((0, 0, 0, 0xFF, 0xFF, 0, 0, 0))
    rtd_write(chip, 0x04, 0xA4, 0)
    assert rtd_read(chip, 0x04, 1, 0) == b"\xa4"
    rtd_write(chip, 0x01, 0x55, 0)
    assert rtd_read(chip, 0x01, 1, 0) == b"\x00", "read only"


def test_max31865_one_shot_takes_its_time_and_reads_the_ratio() -> None:
    # 100 ohm at 0 degC against 400 ohm: a quarter of full scale, table 5 (4000h with the fault bit below it).
    chip = Max31865(0.0, 100.0, 400.0)
    rtd_write(chip, 0x00, 0xA1, 0)
    assert rtd_read(chip, 0x01, 2, 62_000) == b"\x00\x00"
    assert rtd_read(chip, 0x01, 2, 63_000) == b"\x40\x00"
    assert rtd_read(chip, 0x00, 1, 63_000) == b"\x81", "the one-shot bit has cleared itself"
    rtd_write(chip, 0x00, 0x20, 100_000)
    assert rtd_read(chip, 0x01, 2, 300_000) == b"\x40\x00", "no conversion without bias"


def test_max31865_open_and_short_set_the_fault_bits_until_cleared() -> None:
    chip = Max31865()
    for fault, bit in ((OPEN, 0x80), (SHORT, 0x40)):
        chip.fault = fault
        rtd_write(chip, 0x00, 0xA0, 0)
        assert rtd_read(chip, 0x02, 1, 60_000)[0] & 1
        assert rtd_read(chip, 0x07, 1, 60_000)[0] == bit
        rtd_write(chip, 0x00, 0x02, 60_000)
        assert rtd_read(chip, 0x07, 1, 60_000) == b"\x00"
