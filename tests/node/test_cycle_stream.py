"""A stream of blocks through one cycle: what waits for what, and sensors that go silent. Sensors told what to say."""

from __future__ import annotations

import numpy as np
import pytest
from test_cycle import Vibration

from judder_core import settings
from node.alarm.engine import Engine
from node.cycle import Cycle
from node.dsp import decimate_twin, envelope_twin, fft_twin, moments_twin, spectrum_twin, twin
from node.dsp.features import Features
from node.sensors import SensorError

KERNELS = (twin, moments_twin, envelope_twin, decimate_twin, fft_twin, spectrum_twin)
N = 512
# 1600 Hz: a record is 2048 samples. 3.2 kHz: 4096.
RATE_DHZ = 32_000


class Stream(Vibration):
    """50 Hz on x, noise on all. Each fill is noted; what begins it is told in `gaps`: whether each block joins."""

    rate_dhz = RATE_DHZ

    def __init__(self, seed: int = 1) -> None:
        super().__init__()
        self.rng = np.random.default_rng(seed)
        self.at = 0
        self.fills: list[int] = []
        self.joins = True
        self.still: dict[int, int] = {}  # axis -> sample of the stream from which on it gives one value

    def fill(self, buffers, n: int) -> int:
        k = self.at + np.arange(n)
        data = self.rng.normal(0, 5, (n, 3))
        data[:, 0] += 2000 * np.sin(2 * np.pi * 50 * k / (RATE_DHZ / 10))
        for axis, since in self.still.items():
            data[k >= since, axis] = 77
        for axis in range(3):
            buffers[axis][:n] = type(buffers[axis])("h", np.round(data[:, axis]).astype(np.int16).tobytes())
        self.contiguous = self.joins and bool(self.fills)
        self.at += n
        self.fills.append(n)
        return self.lost


class Slow:
    """A DS18B20 by the clock of the test: read() before the time is up is a wait, and it is noted."""

    CONVERSION_MS = 750

    def __init__(self) -> None:
        self.now_ms = 0
        self.waited_ms = 0
        self.started: list[int] = []
        self.reads: list[int] = []
        self.fault: Exception | None = None
        self.identified = 0

    def identify(self) -> None:
        self.identified += 1
        if self.fault:
            raise self.fault

    def start(self) -> None:
        self.started.append(self.now_ms)

    def read(self) -> int:
        if self.fault:
            raise self.fault
        self.waited_ms += max(0, self.started[-1] + self.CONVERSION_MS - self.now_ms)
        self.reads.append(self.now_ms)
        return 250

    def sleep(self) -> None:
        pass


def make(vibration: Stream | None, temperature: Slow | None = None, n: int = N) -> Cycle:
    return Cycle(Features(KERNELS), vibration, temperature, 16, n, Engine(settings.defaults()))


def test_a_chip_with_time_takes_every_block_whole() -> None:
    cycle = make(stream := Stream())
    for _ in range(10):
        cycle.measure(0, False)
        assert cycle.features.whole and cycle.samples == N
    assert not cycle.hurried and stream.fills == [N] * 10


def test_gaps_after_whole_blocks_make_it_take_records_in_one_go() -> None:
    cycle = make(stream := Stream())
    stream.joins = False
    for _ in range(3):
        cycle.measure(0, False)
        assert cycle.velocity_c is None and not cycle.hurried
    cycle.measure(0, False)
    assert cycle.hurried
    # Between the blocks of a record nothing is done that leaves a gap: this is what the stream is like then.
    stream.joins = True
    stream.fills.clear()
    cycle.measure(0, False)
    assert cycle.velocity_c is not None and cycle.quiet and cycle.features.whole
    assert sum(stream.fills) in (4096, 4096 - N), "the block before joined or it did not"


def test_a_gap_now_and_then_changes_nothing() -> None:
    cycle = make(stream := Stream())
    for block in range(1, 60):
        # A link that stalls once a record.
        stream.joins = block % 11 != 0
        cycle.measure(0, False)
    assert not cycle.hurried


def test_a_record_is_taken_in_short_steps_and_ends_with_a_block() -> None:
    cycle = make(stream := Stream(), n=4096)
    stream.rate_dhz = 64_000  # decimated by two: 8192 samples a record
    cycle.measure(0, False, record=True)
    assert stream.fills == [4096, 4096]
    stream.joins = False
    stream.fills.clear()
    cycle.measure(0, False, record=True)
    stream.fills.clear()
    stream.joins = True
    cycle.features.velocity.forget()
    cycle.measure(0, False, record=True)
    assert stream.fills == [1024] * 4 + [4096]
    assert cycle.samples == 4096 and cycle.velocity_c is not None


def test_the_thermometer_is_never_waited_for_while_a_stream_goes_on() -> None:
    temperature = Slow()
    cycle = make(Stream(), temperature)
    cycle.warm_up(0)
    assert (temperature.waited_ms, cycle.temperature_dc) == (750, 250)
    temperature.waited_ms = 0
    for block in range(200):
        now_ms = 1000 + 160 * block
        temperature.now_ms = now_ms + 160  # it is asked after the block
        reads = len(temperature.reads) + len(temperature.started)
        cycle.measure(now_ms, False)
        if not cycle.quiet:
            assert len(temperature.reads) + len(temperature.started) == reads, "a gap would cost a record"
        assert cycle.temperature_dc == 250
    assert temperature.waited_ms == 0
    assert 10 < len(temperature.reads) < 32


def test_a_thermometer_is_asked_even_if_no_record_is_ever_full() -> None:
    temperature = Slow()
    cycle = make(stream := Stream(), temperature)
    stream.rate_dhz = 0
    for block in range(200):
        temperature.now_ms = 160 * block + 160
        cycle.measure(160 * block, False)
    assert not cycle.quiet and temperature.waited_ms == 0
    assert 2 <= len(temperature.reads) <= 4, "every ten seconds or so"


def test_duty_waits_for_what_is_left_after_the_blocks() -> None:
    temperature = Slow()
    cycle = make(Stream(), temperature)
    temperature.now_ms = 0
    cycle.measure(0, True, record=True)
    assert (temperature.started, temperature.waited_ms, cycle.temperature_dc) == ([0], 750, 250)


def test_a_broken_thermometer_stays_a_fault_until_it_answers_and_is_asked_when_quiet_only() -> None:
    temperature = Slow()
    cycle = make(Stream(), temperature)
    cycle.warm_up(0)
    temperature.fault = SensorError("cold")
    faults = []
    for block in range(60):
        temperature.now_ms = 160 * block + 160
        asked = temperature.identified
        cycle.measure(160 * block, False)
        assert cycle.quiet or temperature.identified == asked
        faults.append(cycle.fault)
        assert cycle.rms_mg is not None
    first = faults.index(True)
    assert all(faults[first:]) and cycle.temperature_dc is None and cycle.why == "cold"
    temperature.fault = None
    for block in range(60, 90):
        temperature.now_ms = 160 * block + 160
        cycle.measure(160 * block, False)
    assert not cycle.fault and cycle.temperature_dc == 250


# --- a sensor that goes silent


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_an_axis_that_stops_in_the_middle_of_a_block_is_a_fault(axis: int) -> None:
    cycle = make(stream := Stream(), n=4096)
    cycle.measure(0, False)
    assert not cycle.fault and cycle.moved == 7
    stream.still = {axis: stream.at + 2000}
    for _ in range(3):
        cycle.measure(0, False)
        assert cycle.fault and cycle.rms_mg is None and cycle.velocity_c is None
        assert cycle.why == "fake gives one and the same value on an axis that gave others"
    stream.still = {}
    cycle.measure(0, False)
    assert not cycle.fault


def test_what_moved_is_known_after_a_deep_sleep() -> None:
    asleep = make(stream := Stream(), n=4096)
    asleep.measure(0, False)
    stream.still = {1: 0}
    awake = make(stream, n=4096)
    awake.measure(0, False)
    assert not awake.fault, "an axis that never gave anything is no axis, as in a recording of one channel"
    awake.moved = asleep.moved
    awake.measure(0, False)
    assert awake.fault


def test_a_sensor_of_coarse_digits_may_be_still() -> None:
    cycle = make(stream := Stream(), n=4096)
    stream.COARSE = True
    cycle.measure(0, False)
    stream.still = {0: 0, 1: 0, 2: 0}
    cycle.measure(0, False)
    assert not cycle.fault and cycle.rms_mg is not None and list(cycle.rms_mg) == [0, 0, 0]
    assert cycle.velocity_c is None, "and no zone: whether it stands still is more than it can tell"
    stream.fills.clear()
    cycle.measure(0, True, record=True)
    assert len(stream.fills) == 1, "and nothing is waited for"


def test_a_short_block_of_a_slow_signal_is_not_frozen() -> None:
    """A sine of 2 Hz and 40 counts keeps its top for 950 samples of 26.7 kHz; a short block says nothing of that."""
    cycle = make(stream := Stream(), n=256)
    cycle.measure(0, False)
    stream.still = {1: stream.at + 130}
    cycle.measure(0, False)
    assert not cycle.fault
