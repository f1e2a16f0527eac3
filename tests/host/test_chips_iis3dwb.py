"""The IIS3DWB model at its registers. Addresses and bits: ST data sheet DS12569; behaviour of the FIFO: AN5444."""

import numpy as np
import pytest

from judder.virtual.chips.iis3dwb import NOMINAL_HZ, Iis3dwb
from judder.virtual.signal import Machine, Recording, standstill

RATE_HZ = 10_000.0
# Full-scale bits of CTRL1_XL and mg per count, data sheet table 2.
SCALES = [(0x0, 0.061), (0x8, 0.122), (0xC, 0.244), (0x4, 0.488)]


class Ramp:
    """Sample n is n counts of 0.488 mg on x, -n on y, 3 n on z; as a source."""

    rate_hz = RATE_HZ

    def samples(self, t0_s: float, n: int, rate_hz: float) -> np.ndarray:
        number = round(t0_s * rate_hz) + np.arange(n)
        return number[:, None] * np.array((1.0, -1.0, 3.0)) * 0.488e-3

    def ended(self, _t_s: float) -> bool:
        return False


class Driver:
    """The chip as a bus sees it, with a clock of its own in microseconds."""

    def __init__(self, chip: Iis3dwb) -> None:
        self.chip = chip
        self.now_us = 1000

    def transfer(self, data: bytes) -> bytes:
        self.chip.select()
        answer = self.chip.exchange(data, self.now_us)
        self.chip.deselect()
        assert len(answer) == len(data)
        return answer

    def read(self, register: int, count: int = 1) -> bytes:
        return self.transfer(bytes((register | 0x80,)) + bytes(count))[1:]

    def write(self, register: int, value: int) -> None:
        self.transfer(bytes((register, value)))

    def wait(self, us: float) -> None:
        self.now_us += round(us)

    def start(self, mode: int = 6, scale: int = 0x4) -> None:
        """FIFO on, then the sensor; returns when the turn-on time is over."""
        self.write(0x12, 0x44)
        self.write(0x09, 0x0A)
        self.write(0x0A, mode)
        self.write(0x10, 0xA0 | scale)
        self.wait(10_000)

    def level(self) -> int:
        low, high = self.read(0x3A, 2)
        return low | (high & 3) << 8

    def words(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """(tags, samples) of one burst."""
        raw = np.frombuffer(self.read(0x78, 7 * count), np.uint8).reshape(count, 7)
        return raw[:, 0], np.ascontiguousarray(raw[:, 1:]).view("<i2")


@pytest.fixture
def driver() -> Driver:
    return Driver(Iis3dwb(Ramp(), rate_hz=RATE_HZ))


def test_identity_and_defaults(driver: Driver) -> None:
    assert driver.read(0x0F) == b"\x7b"
    assert driver.read(0x12) == b"\x04"  # IF_INC
    assert driver.read(0x10, 8) == bytes((0, 0, 4, 0, 0, 0, 0, 0))


def test_registers_keep_what_is_written_and_reset_clears_them(driver: Driver) -> None:
    driver.write(0x0D, 0x08)
    driver.write(0x0F, 0x00)  # read-only
    driver.transfer(bytes((0x07, 0x80, 0x01)))  # two registers in one go
    assert driver.read(0x07, 2) == b"\x80\x01"
    assert driver.read(0x0D) == b"\x08"
    assert driver.read(0x0F) == b"\x7b"
    driver.write(0x12, 0x01)
    assert driver.read(0x12) == b"\x04"
    assert driver.read(0x07, 2) == b"\x00\x00"


def test_without_increment_the_address_stays(driver: Driver) -> None:
    driver.write(0x12, 0x00)
    assert driver.read(0x0F, 3) == b"\x7b\x7b\x7b"


def test_nothing_comes_before_the_turn_on_time(driver: Driver) -> None:
    driver.start()
    driver.wait(-10_000)
    driver.wait(9_900)
    assert driver.level() == 0
    driver.wait(100 + 1e6 / RATE_HZ * 5)
    assert driver.level() == 5


def test_words_are_the_samples_with_counting_tags_of_even_parity(driver: Driver) -> None:
    driver.start()
    driver.wait(1e6 / RATE_HZ * 40)
    tags, samples = driver.words(40)
    number = np.arange(40)
    assert (samples == number[:, None] * np.array((1, -1, 3))).all()
    assert (tags >> 3 == 2).all()  # accelerometer
    assert (tags >> 1 & 3 == number % 4).all()
    assert all(int(tag).bit_count() % 2 == 0 for tag in tags)
    assert driver.level() == 0


def test_reading_an_empty_fifo_gives_tag_zero(driver: Driver) -> None:
    driver.start()
    driver.wait(1e6 / RATE_HZ * 2)
    tags, _samples = driver.words(4)
    assert list(tags >> 3) == [2, 2, 0, 0]


def test_a_burst_may_come_in_pieces_and_byte_by_byte(driver: Driver) -> None:
    driver.start()
    driver.wait(1e6 / RATE_HZ * 20)
    driver.chip.select()
    driver.chip.exchange(b"\xf8", driver.now_us)
    pieces = [driver.chip.exchange(bytes(size), driver.now_us) for size in (3, 4, 1, 20, 7, 7, 7, 21)]
    driver.chip.deselect()
    raw = np.frombuffer(b"".join(pieces), np.uint8).reshape(10, 7)
    assert (np.ascontiguousarray(raw[:, 1:]).view("<i2")[:, 0] == np.arange(10)).all()
    assert driver.level() == 10


def test_status_watermark_full_and_overrun_with_its_latch(driver: Driver) -> None:
    driver.write(0x07, 100)
    driver.start()
    driver.wait(1e6 / RATE_HZ * 99)
    assert driver.read(0x3B) == b"\x00"
    driver.wait(1e6 / RATE_HZ)
    assert driver.read(0x3B) == b"\x80"  # watermark
    driver.wait(1e6 / RATE_HZ * 411)
    assert driver.read(0x3A, 2) == bytes((0xFF, 0x80 | 0x20 | 1))  # 511 words: full at the next
    driver.wait(1e6 / RATE_HZ)
    assert driver.read(0x3A, 2) == bytes((0x00, 0x80 | 0x20 | 2))  # 512, nothing lost yet
    assert driver.chip.samples_lost == 0
    driver.wait(1e6 / RATE_HZ * 88)
    assert driver.read(0x3A, 2) == bytes((0x00, 0x80 | 0x40 | 0x20 | 0x08 | 2))
    assert driver.read(0x3B)[0] & 0x48 == 0x40  # the latch went with reading, the state is still there
    assert driver.chip.samples_lost == 88
    _tags, samples = driver.words(512)
    assert list(samples[[0, -1], 0]) == [88, 599]  # the oldest were overwritten
    assert driver.read(0x3B) == b"\x00"


def test_tags_count_on_through_an_overrun(driver: Driver) -> None:
    driver.start()
    driver.wait(1e6 / RATE_HZ * 515)
    tags, _samples = driver.words(2)
    assert list(tags >> 1 & 3) == [3 % 4, 4 % 4]


def test_fifo_mode_stops_when_full(driver: Driver) -> None:
    driver.start(mode=1)
    driver.wait(1e6 / RATE_HZ * 600)
    assert driver.level() == 512
    assert driver.chip.samples_lost == 88
    _tags, samples = driver.words(512)
    assert list(samples[[0, -1], 0]) == [0, 511]


def test_bypass_empties_the_fifo_and_stop_on_watermark_limits_it(driver: Driver) -> None:
    driver.start()
    driver.wait(1e6 / RATE_HZ * 50)
    assert driver.level() == 50
    driver.write(0x0A, 0)
    assert driver.level() == 0
    driver.wait(5000)
    assert driver.level() == 0
    driver.transfer(bytes((0x07, 64, 0x80)))
    driver.write(0x0A, 6)
    driver.wait(1e6 / RATE_HZ * 100)
    assert driver.level() == 64


def test_an_hour_unread_is_counted_exactly_and_costs_nothing(driver: Driver) -> None:
    driver.start()
    driver.wait(3600e6)
    assert driver.level() == 512
    assert driver.chip.samples_made == 36_000_000
    assert driver.chip.samples_lost == 36_000_000 - 512
    _tags, samples = driver.words(1)
    expected = (36_000_000 - 512) * 0.488e-3 / 0.488e-3
    assert samples[0, 0] == min(expected, 32767)


@pytest.mark.parametrize(("bits", "mg"), SCALES)
def test_scales_round_to_the_count_and_saturate(bits: int, mg: float) -> None:
    values_g = np.array([[0.0, 1.0, -1.0], [0.0004, -0.0004, 0.5], [40.0, -40.0, 1.9]])
    driver = Driver(Iis3dwb(Recording(values_g, RATE_HZ)))
    driver.start(scale=bits)
    driver.wait(1e6 / RATE_HZ * 3)
    _tags, samples = driver.words(3)
    expected = np.clip(np.rint(values_g / (mg / 1000)), -32768, 32767)
    assert (samples == expected).all()
    assert samples[2, 0] == 32767 and samples[2, 1] == -32768


def test_samples_made_before_a_change_keep_their_scale(driver: Driver) -> None:
    driver.start()
    driver.wait(1e6 / RATE_HZ * 10)
    driver.write(0x10, 0xA0)  # 2 g: 0.061 mg
    driver.wait(1e6 / RATE_HZ * 10)
    _tags, samples = driver.words(20)
    assert list(samples[:10, 0]) == list(range(10))
    assert list(samples[10:, 0]) == [8 * n for n in range(10, 20)]


def test_output_registers_hold_the_newest_sample_whole(driver: Driver) -> None:
    driver.start()
    assert driver.read(0x1E)[0] & 1 == 0
    driver.wait(1e6 / RATE_HZ * 101)
    assert driver.read(0x1E)[0] & 1 == 1
    assert np.frombuffer(driver.read(0x28, 6), "<i2").tolist() == [100, -100, 300]
    assert driver.read(0x1E)[0] & 1 == 0


def test_one_axis_mode_and_self_test() -> None:
    still = Machine(lambda t: np.zeros((len(t), 3)), noise_g=0, gravity_g=(0.25, 0.5, 1.0))
    driver = Driver(Iis3dwb(still, rate_hz=RATE_HZ))
    driver.start(scale=0x8)

    def mean_mg() -> np.ndarray:
        driver.write(0x0A, 0)
        driver.write(0x0A, 6)
        driver.wait(5000)
        return driver.words(50)[1].mean(axis=0) * 0.122

    rest = mean_mg()
    assert rest == pytest.approx([250, 500, 1000], abs=0.1)
    driver.write(0x14, 0x01)
    positive = mean_mg() - rest
    driver.write(0x14, 0x02)
    negative = mean_mg() - rest
    # Limits of ST's self-test example for this part: 800 to 3200 mg.
    assert ((positive >= 800) & (positive <= 3200)).all()
    assert ((negative <= -800) & (negative >= -3200)).all()
    driver.write(0x14, 0)
    driver.write(0x15, 0x02)
    assert mean_mg() == pytest.approx([0, 500, 0], abs=0.1)


def test_temperature_and_trim() -> None:
    chip = Iis3dwb(standstill(), rate_hz=NOMINAL_HZ * (1 + 4 * 0.0015), temperature_c=24.0)
    driver = Driver(chip)
    assert np.frombuffer(driver.read(0x20, 2), "<i2")[0] == -256  # 256 counts a degree from 25 degC
    assert driver.read(0x63) == b"\x04"


def test_the_clock_misses_its_nominal_rate_unless_the_source_has_one() -> None:
    assert Iis3dwb().rate_hz == pytest.approx(NOMINAL_HZ, rel=0.02)
    assert Iis3dwb().rate_hz != NOMINAL_HZ
    assert Iis3dwb(Recording(np.zeros((4, 3)), 12_000)).rate_hz == 12_000


def test_sample_n_of_the_fifo_is_sample_n_of_the_recording() -> None:
    rng = np.random.default_rng(5)
    values = rng.integers(-30_000, 30_000, (9000, 3))
    driver = Driver(Iis3dwb(Recording(values * 0.488e-3, 12_000)))
    driver.now_us = 7_654_321  # powered for a while before anyone looks
    driver.start()
    taken = []
    while sum(map(len, taken)) < 9000:
        driver.wait(rng.integers(500, 30_000))
        level = min(driver.level(), 9000 - sum(map(len, taken)))
        taken.append(driver.words(level)[1])
    assert driver.chip.samples_lost == 0
    assert (np.concatenate(taken) == values).all()


def test_power_off_forgets_and_rewinds(driver: Driver) -> None:
    driver.start()
    driver.wait(50_000)
    driver.words(100)
    driver.chip.power_on()
    driver.now_us = 0
    assert driver.read(0x09) == b"\x00"
    driver.start()
    driver.wait(1e6 / RATE_HZ * 3)
    assert list(driver.words(3)[1][:, 0]) == [0, 1, 2]


def test_time_goes_on_while_the_sensor_is_off(driver: Driver) -> None:
    driver.start()
    driver.wait(1e6 / RATE_HZ * 10)
    driver.words(10)
    driver.write(0x10, 0)
    driver.wait(1e6)
    driver.write(0x0A, 0)
    driver.start()
    driver.wait(1e6 / RATE_HZ)
    expected = 10 + RATE_HZ + 0.010 * RATE_HZ
    assert driver.words(1)[1][0, 0] == pytest.approx(expected, abs=2)
    driver.chip.rewind()
    driver.write(0x0A, 0)
    driver.write(0x0A, 6)
    driver.wait(1e6 / RATE_HZ)
    assert driver.words(1)[1][0, 0] == 0


def test_a_replay_goes_on_where_it_was_left(driver: Driver) -> None:
    driver.chip.waits = True
    driver.start()
    driver.wait(1e6 / RATE_HZ * 40)
    assert list(driver.words(10)[1][:, 0]) == list(range(10))
    driver.write(0x10, 0)
    driver.wait(1e6)
    driver.write(0x0A, 0)
    driver.start()
    driver.wait(1e6 / RATE_HZ * 40)
    assert list(driver.words(10)[1][:, 0]) == list(range(10, 20))
