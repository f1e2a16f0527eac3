"""The FIFO kernels on both word sizes: what numpy makes of the same bytes is what has to be in the buffers."""

from pathlib import Path

import numpy as np
import pytest
from tests.device.target import Target

# IIS3DWB datasheet, FIFO_DATA_OUT_TAG: sensor in bits 7-3 (2 accelerometer, 3 temperature, 4 time stamp), counter in
# bits 2-1, parity in bit 0.
WORD = np.dtype([("tag", "u1"), ("axes", "<i2", 3)])
ACCELEROMETER, STAMP = 2, 4
EXTREMES = (-32768, 32767, -1, 0, 255, -256)


def run(device: Target, built: Path, folder: Path, kernel: str, data: np.ndarray, bursts: list[list[int]]):
    """States after each burst, and the three buffers of each with room for two samples more than ROOM."""
    (folder / "words").write_bytes(data.tobytes())
    (folder / "bursts").write_text("".join(" ".join(map(str, burst)) + "\n" for burst in bursts))
    files = [folder / name for name in ("words", "bursts", "result")]
    lines = device.output("fifo.py", built, kernel, *files).splitlines()
    assert len(lines) == len(bursts)
    result = np.frombuffer((folder / "result").read_bytes(), "<i2")
    at = 0
    for burst, line in zip(bursts, lines, strict=True):
        room = burst[3]
        yield burst, [int(word) for word in line.split()], result[at : at + 3 * (room + 2)].reshape(3, room + 2)
        at += 3 * (room + 2)
    assert at == result.size


def expected(filled: int, room: int, samples: np.ndarray) -> np.ndarray:
    buffers = np.full((3, room + 2), 0x1234, np.int16)
    buffers[:, filled : filled + len(samples)] = samples.T
    return buffers


# --- IIS3DWB


def words(count: int, others: float, chance: np.random.Generator) -> np.ndarray:
    """FIFO words, a share of them from other sensors, values over the whole range with the extremes in it."""
    found = np.zeros(count, WORD)
    sensor = np.where(chance.random(count) < others, chance.choice([0, 1, 3, STAMP, 0x1F], count), ACCELEROMETER)
    found["tag"] = sensor << 3 | chance.integers(0, 8, count)
    found["axes"] = chance.integers(-32768, 32768, (count, 3))
    found["axes"][::7] = chance.choice(EXTREMES, found["axes"][::7].shape)
    return found


def test_fifo(device: Target, built: Path, tmp_path: Path) -> None:
    """Whole and mixed bursts, appended and from the start, with room for all, for some and for none."""
    chance = np.random.default_rng(3)
    data = np.concatenate([words(600, 0.0, chance), words(600, 0.2, chance), words(40, 1.0, chance)])
    # (first word, words, samples already there, room)
    cases = [(0, 512, 0, 512), (0, 512, 88, 600), (0, 100, 0, 60), (0, 5, 3, 3), (0, 0, 0, 8), (1200, 40, 0, 40)]
    cases += [(600, n, 2, 200) for n in range(0, 250, 7)]
    cases += [(first, 33, first % 5, 40) for first in range(560, 640)]
    bursts = [[first, count, filled, room, 5, -1, 77, 9, 0, 0, 0] for first, count, filled, room in cases]
    for burst, state, buffers in run(device, built, tmp_path, "unpack", data, bursts):
        first, count, filled, room = burst[:4]
        taken = data[first : first + count]
        mine = taken["tag"] >> 3 == ACCELEROMETER
        used = count
        if mine.sum() >= room - filled:
            # Looking stops at the word that fills the last place.
            used = int(np.searchsorted(np.cumsum(mine), room - filled)) + 1 if room > filled else 0
        samples = taken["axes"][:used][mine[:used]]
        stamps = int((taken["tag"][:used] >> 3 == STAMP).sum())
        skipped = used - len(samples) - stamps
        assert state[:4] == [filled + len(samples), room, 5 + skipped, used]
        assert state[6] == stamps
        np.testing.assert_array_equal(buffers, expected(filled, room, samples))


@pytest.mark.parametrize("begin", [0, 2**30 - 2000, 2**32 - 3000])
def test_stamps_count_what_the_chip_made(device: Target, built: Path, tmp_path: Path, begin: int) -> None:
    """A stamp of 96 counts for every 32 samples, through both wraps; 1000 samples and their stamps fall out."""
    made = 4096
    rows = []
    for sample in range(made):
        if sample % 32 == 0:
            stamp = (begin + 3 * sample) % 2**32
            rows.append((STAMP << 3, (stamp & 0xFFFF, stamp >> 16, 0)))
        rows.append((ACCELEROMETER << 3, (sample % 30_000, 0, 0)))
    data = np.zeros(len(rows), WORD)
    data["tag"] = [tag for tag, _axes in rows]
    data["axes"] = np.array([axes for _tag, axes in rows], np.uint16).view(np.int16).reshape(-1, 3)
    kept = np.concatenate([data[:1500], data[1500 + 1031 :]])  # 1031 words: 1000 samples and 31 stamps, give or take
    got = int((kept["tag"] >> 3 == ACCELEROMETER).sum())
    (_burst, state, _buffers), *_none = run(
        device, built, tmp_path, "unpack", kept, [[0, len(kept), 0, 4096, 0, 0, 0, 0, 0, 0, 0]]
    )
    _filled, _room, _skipped, _used, last, since, stamps, ticks, samples = state
    assert stamps == int((kept["tag"] >> 3 == STAMP).sum())
    assert last == (begin + 3 * (made - 32)) % 2**30
    assert (since, ticks) == (32, 3 * (made - 32))
    assert ticks // 3 - samples == made - got


# --- plain 16 bits


@pytest.mark.parametrize("big", [0, 1])
@pytest.mark.parametrize("shift", [0, 1, 2, 4])
def test_sixteen_bits(device: Target, built: Path, tmp_path: Path, big: int, shift: int) -> None:
    chance = np.random.default_rng(4)
    values = chance.integers(-32768, 32768, (300, 3))
    values[::5] = chance.choice(EXTREMES, values[::5].shape)
    data = values.astype(">i2" if big else "<i2")
    cases = [(0, 300, 0, 300), (0, 0, 3, 8), (7, 32, 5, 40), (299, 1, 0, 1)] + [(n, n, 1, 2 * n) for n in range(1, 40)]
    bursts = [[first, count, filled, room, big, shift] for first, count, filled, room in cases]
    for burst, state, buffers in run(device, built, tmp_path, "unpack16", data, bursts):
        first, count, filled, room = burst[:4]
        assert state == [filled + count, room, big, shift]
        np.testing.assert_array_equal(buffers, expected(filled, room, values[first : first + count] >> shift))


# --- ADXL355


@pytest.mark.parametrize("shift", [4, 5, 8])
def test_twenty_bits(device: Target, built: Path, tmp_path: Path, shift: int) -> None:
    chance = np.random.default_rng(5)
    values = chance.integers(-(2**19), 2**19, (200, 3))
    values[::5] = chance.choice([-(2**19), 2**19 - 1, -1, 0, 15, -16], values[::5].shape)
    words = (values & 0xFFFFF) << 4 | np.array((1, 0, 0))
    data = words.astype(">u4").view(np.uint8).reshape(-1, 4)[:, 1:].copy()
    # A sample out of step at 60, one that was not there at 100.
    data.reshape(-1, 9)[60, 2] &= 0xFE
    data.reshape(-1, 9)[60, 5] |= 1
    data.reshape(-1, 9)[100, 8] |= 2
    cases = [
        (0, 60, 0, 60),
        (0, 80, 4, 90),
        (61, 39, 0, 39),
        (61, 50, 0, 64),
        (60, 5, 0, 8),
        (100, 1, 2, 3),
        (0, 0, 0, 1),
    ]
    cases += [(101 + n, n, 3, 99) for n in range(40)]
    bursts = [[first, count, filled, room, -1, shift] for first, count, filled, room in cases]
    for burst, state, buffers in run(device, built, tmp_path, "unpack20", data, bursts):
        first, count, filled, room = burst[:4]
        bad = [at - first for at in (60, 100) if first <= at < first + count]
        good = min([count, *bad])
        assert state == [filled + good, room, good, shift]
        np.testing.assert_array_equal(buffers, expected(filled, room, values[first : first + good] >> shift))
