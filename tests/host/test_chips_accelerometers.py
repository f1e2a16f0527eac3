"""Accelerometer models at their registers, as their data sheets describe them. Drivers are tested in tests/node.

ADXL345 rev. G and AN-1025; ADXL355 rev. C; LIS2DW12 DS11927 and AN5038; LIS3DH DocID17530 and AN3308; MPU-6050
RM-MPU-6000A rev. 4.2.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from judder.virtual.chips.adxl345 import Adxl345
from judder.virtual.chips.adxl355 import Adxl355
from judder.virtual.chips.lis2dw12 import Lis2dw12
from judder.virtual.chips.lis3dh import Lis3dh
from judder.virtual.chips.mpu6050 import Mpu6050
from judder.virtual.machines import Machine

RATE_HZ = 1000.0


class Ramp:
    """Sample n is n * step_g on x, -n * step_g on y, 0.5 g on z."""

    rate_hz = None

    def __init__(self, step_g: float) -> None:
        self.step_g = step_g

    def samples(self, t0_s: float, n: int, rate_hz: float) -> np.ndarray:
        number = round(t0_s * rate_hz) + np.arange(n)
        return np.column_stack([number * self.step_g, -number * self.step_g, np.full(n, 0.5)])

    def ended(self, _t_s: float) -> bool:
        return False


class Bus:
    """A chip with a clock of its own. command(register, reading, several) -> first byte of an SPI transfer."""

    def __init__(self, chip: Any, command: Any) -> None:
        self.chip = chip
        self.command = command
        self.now_us = 5000

    def read(self, register: int, count: int = 1) -> bytes:
        first = bytes((self.command(register, True, count > 1),))
        self.chip.select()
        answer: bytes = self.chip.exchange(first + bytes(count), self.now_us)[1:]
        self.chip.deselect()
        self.now_us += 6
        return answer

    def write(self, register: int, *values: int) -> None:
        self.chip.select()
        self.chip.exchange(bytes((self.command(register, False, len(values) > 1), *values)), self.now_us)
        self.chip.deselect()

    def wait_samples(self, count: float, rate_hz: float) -> None:
        # Half a period on, so that rounding does not decide.
        self.now_us += round((count + 0.5) * 1e6 / rate_hz)


def plain(register: int, reading: bool, _several: bool) -> int:
    return register | 0x80 * reading


def with_increment(register: int, reading: bool, several: bool) -> int:
    return register | 0x80 * reading | 0x40 * several


def shifted(register: int, reading: bool, _several: bool) -> int:
    return register << 1 | reading


def axes(data: bytes, kind: str = "<i2") -> np.ndarray:
    return np.frombuffer(data, kind).reshape(-1, 3)


# --- ADXL345


def adxl345(step_g: float = 1 / 256) -> Bus:
    bus = Bus(Adxl345(Ramp(step_g), rate_hz=3200.0), with_increment)
    bus.write(0x2C, 0x0F)  # 3200 Hz
    bus.write(0x31, 0x0B)  # full resolution, 16 g
    bus.write(0x38, 0x80)  # stream
    bus.write(0x2D, 0x08)  # measure
    bus.now_us += 1100 + 312  # turn-on: 1.1 ms and a sample
    return bus


def test_adxl345_defaults_and_increment_bit() -> None:
    bus = Bus(Adxl345(), with_increment)
    assert bus.read(0x00) == b"\xe5"
    assert bus.read(0x2C, 2) == b"\x0a\x00"
    bus.command = plain
    assert bus.read(0x00, 3) == b"\xe5\xe5\xe5", "without the MB bit the address stays"


def test_adxl345_fifo_gives_one_sample_a_transfer_and_needs_five_us_between() -> None:
    bus = adxl345()
    bus.wait_samples(10, 3200)
    assert bus.read(0x39) == bytes((10,))
    taken = [axes(bus.read(0x32, 6))[0].tolist() for _ in range(3)]
    assert taken == [[0, 0, 128], [1, -1, 128], [2, -2, 128]]
    assert bus.read(0x39) == bytes((7,))
    bus.now_us -= 6
    bus.read(0x32, 6)
    bus.now_us -= 6
    assert axes(bus.read(0x32, 6))[0, 0] == 3, "too soon: the same again"
    long = bus.read(0x32, 12)
    assert long[6:8] != long[:2], "the address goes on to FIFO_CTL, not round"
    assert long[6] == 0x80


def test_adxl345_full_is_no_loss_yet_and_the_oldest_go() -> None:
    bus = adxl345()
    bus.write(0x38, 0x80 | 20)
    bus.wait_samples(32, 3200)
    assert bus.read(0x30)[0] & 0x03 == 0x03  # watermark, overrun: "filled"
    assert bus.read(0x39) == bytes((32,))
    assert bus.chip.samples_lost == 0
    bus.wait_samples(9, 3200)
    assert bus.read(0x39) == bytes((32,))
    assert bus.chip.samples_lost in (9, 10)
    assert axes(bus.read(0x32, 6))[0, 0] == bus.chip.samples_lost
    assert not bus.read(0x30)[0] & 0x01


# FULL_RES, range and justify bits -> what 0.5 g reads (table 1: 256 LSB/g full resolution; 10 bits: 256, 128, 64, 32).
@pytest.mark.parametrize(
    ("format_", "expected"),
    [(0x08, 128), (0x0B, 128), (0x00, 128), (0x01, 64), (0x02, 32), (0x03, 16)]
    + [(0x04, 128 << 6), (0x0F, 128 << 3), (0x07, 16 << 6)],
)
def test_adxl345_formats(format_: int, expected: int) -> None:
    bus = adxl345()
    bus.write(0x31, format_)
    bus.write(0x38, 0x00)
    bus.wait_samples(5, 3200)
    assert axes(bus.read(0x32, 6))[0, 2] == expected


def test_adxl345_self_test_is_within_table_1_at_3_3_volts() -> None:
    still = Machine(lambda t: np.zeros((len(t), 3)), noise_g=0, gravity_g=(0, 0, 0))
    bus = adxl345()
    bus.chip.source = still
    bus.write(0x38, 0x00)
    bus.write(0x31, 0x8B)
    bus.wait_samples(5, 3200)
    x, y, z = axes(bus.read(0x32, 6))[0] / 256
    assert 0.20 * 1.77 <= x <= 2.10 * 1.77
    assert -2.10 * 1.77 <= y <= -0.20 * 1.77
    assert 0.30 * 1.47 <= z <= 3.40 * 1.47


# --- ADXL355


def adxl355(step_lsb: float = 1.0) -> Bus:
    bus = Bus(Adxl355(Ramp(step_lsb / 256_000), rate_hz=4000.0), shifted)
    bus.write(0x2C, 0x81)
    bus.write(0x2D, 0x06)
    bus.now_us += 10_000
    return bus


def values20(data: bytes) -> tuple[np.ndarray, np.ndarray]:
    raw = np.frombuffer(data, np.uint8).reshape(-1, 3).astype(np.int64)
    word = raw[:, 0] << 16 | raw[:, 1] << 8 | raw[:, 2]
    value = word >> 4
    return np.where(value & 0x80000, value - 0x100000, value), word & 3


def test_adxl355_identity_and_standby() -> None:
    bus = Bus(Adxl355(), shifted)
    assert bus.read(0x00, 4) == b"\xad\x1d\xed\x01"
    assert bus.read(0x2C, 2) == b"\x81\x01"
    bus.now_us += 1_000_000
    assert bus.read(0x05) == b"\x00"


def test_adxl355_fifo_is_of_axes_with_a_marker_and_an_empty_indicator() -> None:
    bus = adxl355()
    bus.wait_samples(5, 4000)
    assert bus.read(0x05) == bytes((15,))
    value, flags = values20(bus.read(0x11, 18))
    assert value.reshape(6 // 3, 3).tolist() == [[0, 0, 128_000], [1, -1, 128_000]]
    assert flags.tolist() == [1, 0, 0] * 2
    assert bus.read(0x05) == bytes((9,))
    _value, flags = values20(bus.read(0x11, 33))
    assert flags.tolist() == [1, 0, 0] * 3 + [2, 2]


def test_adxl355_overrun() -> None:
    bus = adxl355()
    bus.write(0x29, 48)
    bus.wait_samples(32, 4000)
    assert bus.read(0x04, 2) == bytes((0x03, 96)), "watermark and data; full, nothing lost"
    bus.wait_samples(7, 4000)
    assert bus.read(0x04, 2)[0] & 0x04
    lost = bus.chip.samples_lost
    assert lost in (7, 8)
    value, flags = values20(bus.read(0x11, 9))
    assert (value[0], flags.tolist()) == (lost, [1, 0, 0])


@pytest.mark.parametrize(("bits", "lsb_per_g"), [(1, 256_000), (2, 128_000), (3, 64_000)])
def test_adxl355_ranges_saturate_at_20_bits(bits: int, lsb_per_g: int) -> None:
    bus = adxl355(20_000.0)
    bus.write(0x2C, 0x80 | bits)
    bus.wait_samples(200, 4000)
    value, _flags = values20(bus.read(0x11, 9))
    assert value[2] == lsb_per_g // 2
    assert value[0] == 2**19 - 1 and value[1] == -(2**19)


# --- the small ones of ST


def lis2dw12(step_g: float = 0.244e-3) -> Bus:
    bus = Bus(Lis2dw12(Ramp(step_g), rate_hz=1600.0), plain)
    bus.write(0x2E, 0xC0 | 10)
    bus.write(0x20, 0x94)
    bus.now_us += 625
    return bus


def lis3dh(step_g: float = 4e-3, ctrl1: int = 0x97, ctrl4: int = 0x00) -> Bus:
    bus = Bus(Lis3dh(Ramp(step_g), rate_hz=1344.0), with_increment)
    bus.write(0x23, ctrl4)
    bus.write(0x24, 0x40)
    bus.write(0x2E, 0x80 | 10)
    bus.write(0x20, ctrl1)
    bus.now_us += 1190  # 1.6 samples in normal mode
    return bus


def test_st_identities() -> None:
    assert Bus(Lis2dw12(), plain).read(0x0F) == b"\x44"
    assert Bus(Lis3dh(), plain).read(0x0F) == b"\x33"
    assert Bus(Lis2dw12(), plain).read(0x20, 3) == b"\x00\x04\x00"
    assert Bus(Lis3dh(), with_increment).read(0x20, 2) == b"\x07\x00"


def test_lis2dw12_fourteen_bits_left_aligned_and_a_burst_goes_round() -> None:
    bus = lis2dw12()
    bus.wait_samples(12, 1600)
    assert bus.read(0x2F) == bytes((0x80 | 12,))  # threshold reached, 12 samples
    samples = axes(bus.read(0x28, 60))
    assert samples[:, 0].tolist() == [4 * n for n in range(10)]
    assert samples[:, 1].tolist() == [-4 * n for n in range(10)]
    assert (samples[:, 2] == 4 * round(0.5 / 0.244e-3)).all()
    assert bus.read(0x2F) == bytes((2,))


def test_lis2dw12_overrun_says_that_something_was_lost() -> None:
    bus = lis2dw12()
    bus.wait_samples(32, 1600)
    assert bus.read(0x2F) == bytes((0x80 | 32,)), "full, nothing overwritten"
    bus.wait_samples(5, 1600)
    assert bus.read(0x2F) == bytes((0x80 | 0x40 | 32,))
    assert axes(bus.read(0x28, 6))[0, 0] == 4 * bus.chip.samples_lost
    bus.write(0x2E, 0x00)
    assert bus.read(0x2F) == b"\x00"


def test_lis3dh_normal_mode_ten_bits_left_aligned() -> None:
    bus = lis3dh()
    bus.wait_samples(12, 1344)
    assert bus.read(0x2F) == bytes((0x80 | 12,))
    samples = axes(bus.read(0x28, 60))
    assert samples[:, 0].tolist() == [64 * n for n in range(10)]
    assert (samples[:, 2] == 64 * 125).all()


def test_lis3dh_full_reads_31_and_overrun() -> None:
    bus = lis3dh()
    bus.wait_samples(31, 1344)
    assert bus.read(0x2F) == bytes((0x80 | 31,))
    bus.wait_samples(0.5, 1344)
    assert bus.read(0x2F) == bytes((0x80 | 0x40 | 31,)), "32 samples, nothing lost"
    assert bus.chip.samples_lost == 0
    bus.read(0x28, 32 * 6)
    assert bus.read(0x2F) == bytes((0x20,))


# CTRL_REG1, CTRL_REG4 -> what 0.5 g reads: 1, 2, 4, 12 mg a digit at 12 bits, times 4 at 10 and 16 at 8 bits (table 4).
@pytest.mark.parametrize(
    ("ctrl1", "ctrl4", "expected"),
    [(0x97, 0x00, 125 << 6), (0x97, 0x08, 500 << 4), (0x97, 0x18, 250 << 4), (0x97, 0x38, 42 << 4)]
    + [(0x9F, 0x00, 31 << 8), (0x9F, 0x30, 3 << 8)],
)
def test_lis3dh_modes(ctrl1: int, ctrl4: int, expected: int) -> None:
    bus = lis3dh(ctrl1=ctrl1, ctrl4=ctrl4)
    bus.now_us += 20_000
    assert axes(bus.read(0x28, 6))[0, 2] == expected


def test_lis3dh_low_power_is_four_times_as_fast() -> None:
    bus = lis3dh(ctrl1=0x9F)
    made = []
    for _ in range(2):
        bus.read(0x2F)
        made.append(bus.chip.samples_made)
        bus.now_us += 1_000_000
    assert made[1] - made[0] == pytest.approx(5376, abs=1)


# --- MPU-6050


def mpu6050(step_g: float = 1 / 16384) -> Bus:
    chip = Mpu6050(Ramp(step_g), rate_hz=RATE_HZ)

    class I2c(Bus):
        def read(self, register: int, count: int = 1) -> bytes:
            self.chip.write(bytes((register,)), self.now_us)
            return self.chip.read(count, self.now_us)

        def write(self, register: int, *values: int) -> None:
            self.chip.write(bytes((register, *values)), self.now_us)

    bus = I2c(chip, plain)
    bus.write(0x6B, 0x00)
    bus.write(0x19, 7)
    bus.write(0x23, 0x08)
    bus.write(0x6A, 0x44)
    bus.now_us += 30_000
    bus.write(0x6A, 0x44)
    return bus


def test_mpu6050_sleeps_until_woken() -> None:
    bus = Bus(Mpu6050(), plain)
    bus.chip.write(b"\x75", 0)
    assert bus.chip.read(1, 0) == b"\x68"
    bus.chip.write(b"\x6b", 0)
    assert bus.chip.read(1, 0) == b"\x40"


def test_mpu6050_fifo_is_of_bytes_most_significant_first() -> None:
    bus = mpu6050()
    bus.wait_samples(20, RATE_HZ)
    count = int.from_bytes(bus.read(0x72, 2), "big")
    assert count in (120, 126)
    samples = axes(bus.read(0x74, 60), ">i2")
    assert np.diff(samples[:, 0]).tolist() == [1] * 9
    assert (samples[:, 2] == 8192).all()
    assert int.from_bytes(bus.read(0x72, 2), "big") == count - 60


def test_mpu6050_overflow_leaves_a_torn_sample_first() -> None:
    bus = mpu6050()
    bus.wait_samples(400, RATE_HZ)
    assert int.from_bytes(bus.read(0x72, 2), "big") == 1024
    assert bus.read(0x3A)[0] & 0x10
    assert not bus.read(0x3A)[0] & 0x10, "cleared by reading"
    data = bus.read(0x74, 1024)
    # 1024 = 170 * 6 + 4: the first four bytes are the rest of a sample, 0.5 g last.
    assert data[2:4] == b"\x20\x00"
    assert (np.diff(axes(data[4:], ">i2")[:, 0]) == 1).all()
    bus.write(0x6A, 0x44)
    assert bus.read(0x72, 2) == b"\x00\x00"


def test_mpu6050_self_test_answers_the_factory_trim() -> None:
    bus = mpu6050(0.0)
    bus.write(0x1C, 0x10)
    bus.wait_samples(2, RATE_HZ)
    rest = axes(bus.read(0x3B, 6), ">i2")[0].astype(int)
    bus.write(0x1C, 0xF0)
    bus.wait_samples(2, RATE_HZ)
    response = axes(bus.read(0x3B, 6), ">i2")[0].astype(int) - rest
    codes = bus.read(0x0D, 4)
    for axis in range(3):
        code = codes[axis] >> 5 << 2 | codes[3] >> (4 - 2 * axis) & 3
        trim = 4096 * 0.34 * (0.92 / 0.34) ** ((code - 1) / 30)  # register map 4.1
        assert abs(response[axis] / trim - 1) < 0.14


# --- all


@pytest.mark.parametrize("kind", [Adxl345, Adxl355, Lis2dw12, Lis3dh, Mpu6050])
def test_power_off_forgets_and_the_clock_is_off_nominal(kind: Any) -> None:
    chip = kind()
    assert chip.rate_hz == pytest.approx(kind.NOMINAL_HZ, rel=0.02)
    assert chip.rate_hz != kind.NOMINAL_HZ
    chip.samples_made = chip.samples_lost = 5
    chip.power_on()
    assert (chip.samples_made, chip.samples_lost, chip._level) == (0, 0, 0)
