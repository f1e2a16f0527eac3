"""The FIFO kernel on both word sizes: what numpy makes of the same bytes is what has to be in the buffers."""

from pathlib import Path

import numpy as np
from tests.device.target import Target

# IIS3DWB datasheet, FIFO_DATA_OUT_TAG: sensor in bits 7-3 (2 accelerometer, 3 temperature, 4 time stamp), counter in
# bits 2-1, parity in bit 0.
WORD = np.dtype([("tag", "u1"), ("axes", "<i2", 3)])
ACCELEROMETER = 2


def words(count: int, others: float, chance: np.random.Generator) -> np.ndarray:
    """FIFO words, a share of them from other sensors, values over the whole range with the extremes in it."""
    found = np.zeros(count, WORD)
    sensor = np.where(chance.random(count) < others, chance.choice([0, 1, 3, 4, 0x1F], count), ACCELEROMETER)
    found["tag"] = sensor << 3 | chance.integers(0, 8, count)
    found["axes"] = chance.integers(-32768, 32768, (count, 3))
    found["axes"][::7] = chance.choice([-32768, 32767, -1, 0, 255, -256], found["axes"][::7].shape)
    return found


def test_fifo(device: Target, built: Path, tmp_path: Path) -> None:
    """Whole and mixed bursts, appended and from the start, with room for all, for some and for none."""
    chance = np.random.default_rng(3)
    data = np.concatenate([words(600, 0.0, chance), words(600, 0.2, chance), words(40, 1.0, chance)])
    # (first word, words, samples already there, room)
    bursts = [(0, 512, 0, 512), (0, 512, 88, 600), (0, 100, 0, 60), (0, 5, 3, 3), (0, 0, 0, 8), (1200, 40, 0, 40)]
    bursts += [(600, n, 2, 200) for n in range(0, 250, 7)]
    bursts += [(first, 33, first % 5, 40) for first in range(560, 640)]

    (tmp_path / "words").write_bytes(data.tobytes())
    (tmp_path / "bursts").write_text("".join(" ".join(map(str, burst)) + "\n" for burst in bursts))
    states = device.output("fifo.py", built, tmp_path / "words", tmp_path / "bursts", tmp_path / "result").splitlines()
    result = np.frombuffer((tmp_path / "result").read_bytes(), "<i2")
    assert len(states) == len(bursts)

    at = 0
    for (first, count, filled, room), line in zip(bursts, states, strict=True):
        buffers = result[at : at + 3 * (room + 2)].reshape(3, room + 2)
        at += buffers.size
        burst = data[first : first + count]
        mine = burst["tag"] >> 3 == ACCELEROMETER
        used = count
        if mine.sum() >= room - filled:
            # Looking stops at the word that fills the last place.
            used = int(np.searchsorted(np.cumsum(mine), room - filled)) + 1 if room > filled else 0
        samples = burst["axes"][:used][mine[:used]]
        skipped = used - len(samples)
        assert [int(word) for word in line.split()] == [filled + len(samples), room, 5 + skipped, used]
        expected = np.full((3, room + 2), 0x1234, np.int16)
        expected[:, filled : filled + len(samples)] = samples.T
        np.testing.assert_array_equal(buffers, expected)
    assert at == result.size
