"""Recordings as a source: NPY, CSV or WAV files, samples x channels, delivered sample by sample.

Nothing is interpolated. At the recording's own rate sample n of the chip is sample n of the file; at another rate the
nearest sample is held.
"""

from __future__ import annotations

import csv
import math
import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from judder.errors import InputError

Array = npt.NDArray[np.float64]

LOWEST_HZ, HIGHEST_HZ = 1.0, 1_000_000.0
# Beyond any accelerometer: a scale that makes more of the data is a scale for other units.
_HIGHEST_G = 100_000.0
AXES = 3
_FLAT_SAMPLES, _FLAT_RUNS, _FLAT_STEPS = 3, 2, 4


class Recording:
    """Samples of a file as acceleration. loop: begin again at the end; otherwise silence follows.

    Attributes: rate_hz, count (samples), channels (in the file), values_g (count, 3), saturated (count): samples at the
    end of the file's integers on some axis, so cut off when they were recorded, whatever the node's own range is.
    """

    def __init__(
        self,
        values_g: Array,
        rate_hz: float,
        *,
        loop: bool = False,
        channels: int = AXES,
        saturated: npt.NDArray[np.bool_] | None = None,
    ) -> None:
        self.values_g = values_g
        self.saturated = np.zeros(len(values_g), np.bool_) if saturated is None else saturated
        self.rate_hz: float | None = rate_hz
        self.channels = channels
        self.loop = loop
        self._rate_hz = rate_hz

    @property
    def count(self) -> int:
        """Number of samples."""
        return len(self.values_g)

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.count / self._rate_hz

    def samples(self, t0_s: float, n: int, rate_hz: float) -> Array:
        """Acceleration in g, shape (n, 3), at t0_s, t0_s + 1 / rate_hz, ..."""
        if rate_hz == self._rate_hz:
            index = round(t0_s * rate_hz) + np.arange(n)
        else:
            index = np.rint((t0_s + np.arange(n) / rate_hz) * self._rate_hz).astype(np.int64)
        if self.loop:
            return self.values_g[index % self.count]
        out = np.zeros((n, AXES))
        inside = (index >= 0) & (index < self.count)
        out[inside] = self.values_g[index[inside]]
        return out

    def flat_tops(self) -> list[tuple[int, float]]:
        """(axis, g) where the largest or smallest value comes several times in a row and begins with a jump: the mark
        of a signal that was cut off, or of a square wave.
        """
        return [
            (axis, float(end_g))
            for axis in range(min(self.channels, AXES))
            for end_g in (self.values_g[:, axis].max(), self.values_g[:, axis].min())
            if _is_flat(self.values_g[:, axis], end_g)
        ]

    def ended(self, t_s: float) -> bool:
        """True once the last sample is past; never for a loop."""
        return not self.loop and round(t_s * self._rate_hz) >= self.count

    @classmethod
    def load(
        cls,
        path: str | Path,
        rate_hz: float | None = None,
        scale_g: float | None = None,
        channels: Sequence[int] | None = None,
        *,
        loop: bool = False,
    ) -> Recording:
        """Read a file. scale_g: g per count (default: the file holds g, and no integers). channels: which columns are
        x, y, z, counted from 0 (default: the first three); axes beyond them are silent. rate_hz: needed unless the file
        is a WAV.

        Raises InputError, one line saying what to do, for files that cannot be read, are empty, hold no numbers or NaN,
        and for rates, scales and channels that make no sense.
        """
        path = Path(path)
        data, own_rate_hz, largest = _read(path)
        rate = _checked_rate(path, rate_hz, own_rate_hz)
        scale = 1.0 if scale_g is None else scale_g
        if not (math.isfinite(scale) and scale > 0):
            raise InputError(f"scale {scale:g} g per count: must be above zero")
        values = _checked_samples(path, data)
        if scale_g is None and data.dtype.kind in "iu":
            raise InputError(f"{path}: holds counts, not g: give --scale in g per count")
        chosen = _checked_channels(path, channels, values.shape[1])
        values_g = np.zeros((len(values), AXES))
        for axis, channel in enumerate(chosen):
            values_g[:, axis] = values[:, channel] * scale
        if np.abs(values_g).max() > _HIGHEST_G:
            raise InputError(f"{path}: peaks at {np.abs(values_g).max():.3g} g, give --scale in g per count")
        beyond = math.inf if largest is None else largest
        saturated: npt.NDArray[np.bool_] = np.any(np.abs(values[:, chosen]) >= beyond, axis=1)
        return cls(values_g, rate, loop=loop, channels=values.shape[1], saturated=saturated)


def _is_flat(values_g: Array, end_g: float) -> bool:
    steps = np.abs(np.diff(values_g))
    if not steps.any():
        return False
    edges = np.flatnonzero(np.diff(np.concatenate(([False], values_g == end_g, [False])).astype(np.int8)))
    starts, stops = edges[::2], edges[1::2]
    inside = (stops - starts >= _FLAT_SAMPLES) & (starts > 0)
    # A slow signal keeps its top too, but leaves it by the smallest step there is.
    jumps = steps[starts[inside] - 1] > _FLAT_STEPS * steps[steps > 0].min()
    return int(np.count_nonzero(jumps)) >= _FLAT_RUNS


def _read(path: Path) -> tuple[npt.NDArray[np.generic], float | None, int | None]:
    """The file's numbers, its sample rate if it says so, and the largest number it could hold if that is an integer."""
    readers = {".npy": _read_npy, ".csv": _read_csv, ".txt": _read_csv, ".wav": _read_wav}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InputError(f"{path}: give a recording as .npy, .csv or .wav")
    try:
        return reader(path)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}; check the path") from error
    except (ValueError, EOFError, wave.Error) as error:
        raise InputError(f"{path}: is no readable {path.suffix[1:].upper()} file ({error})") from error


def _read_npy(path: Path) -> tuple[npt.NDArray[np.generic], None, int | None]:
    data = np.load(path, allow_pickle=False)
    if not isinstance(data, np.ndarray):
        raise ValueError("an archive of several arrays")
    return data, None, int(np.iinfo(data.dtype).max) if data.dtype.kind == "i" else None


def _read_csv(path: Path) -> tuple[npt.NDArray[np.generic], None, None]:
    text = path.read_text(encoding="utf-8-sig")
    if not text.strip():
        return np.empty((0, 1)), None, None
    sample = text[:4096]
    separator = next((mark for mark in (";", "\t", ",") if mark in sample), None)
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    rows = [line.split() for line in lines] if separator is None else list(csv.reader(lines, delimiter=separator))
    if rows and not _is_number(rows[0][0]):
        rows = rows[1:]  # column titles
    if any(len(row) != len(rows[0]) for row in rows):
        raise ValueError("rows of different lengths")
    return np.array([[float(cell) for cell in row] for row in rows]), None, None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _read_wav(path: Path) -> tuple[npt.NDArray[np.generic], float, int]:
    with wave.open(str(path), "rb") as file:
        width, channels, rate = file.getsampwidth(), file.getnchannels(), file.getframerate()
        raw = file.readframes(file.getnframes())
    if width == 3:
        # 24 bits: put each sample into the upper three bytes of an int32, then shift the sign down.
        padded = np.zeros((len(raw) // 3, 4), np.uint8)
        padded[:, 1:] = np.frombuffer(raw, np.uint8).reshape(-1, 3)
        values = padded.view("<i4")[:, 0] >> 8
    elif width in (2, 4):
        values = np.frombuffer(raw, f"<i{width}")
    else:
        raise ValueError(f"{8 * width} bits a sample; save it with 16 bits")
    return values.reshape(-1, channels), float(rate), (1 << 8 * width - 1) - 1


def _checked_rate(path: Path, given_hz: float | None, own_hz: float | None) -> float:
    rate = given_hz if given_hz is not None else own_hz
    if rate is None:
        raise InputError(f"{path}: give the sample rate with --rate HZ, the file does not say it")
    if not (math.isfinite(rate) and LOWEST_HZ <= rate <= HIGHEST_HZ):
        raise InputError(f"sample rate {rate:g} Hz: must be from {LOWEST_HZ:g} to {HIGHEST_HZ:g}; give --rate in Hz")
    if own_hz is not None and abs(rate - own_hz) > 0.01 * own_hz:
        raise InputError(f"{path}: was recorded at {own_hz:g} Hz, not {rate:g}; leave out --rate")
    return float(rate)


def _checked_samples(path: Path, data: npt.NDArray[np.generic]) -> Array:
    if data.ndim == 1:
        data = data[:, None]
    if data.ndim != 2:
        raise InputError(f"{path}: has {data.ndim} dimensions; save it as samples x channels")
    if data.shape[1] == 0:
        raise InputError(f"{path}: has no channels; save it as samples x channels")
    if data.shape[0] == 0:
        raise InputError(f"{path}: is empty; record at least one sample")
    if data.shape[1] > 64 and data.shape[1] > data.shape[0]:
        raise InputError(f"{path}: has {data.shape[0]} samples of {data.shape[1]} channels; transpose it")
    if data.dtype.kind not in "iuf":
        raise InputError(f"{path}: holds {data.dtype}, not numbers; save integers or floats")
    values = data.astype(np.float64)
    bad = int((~np.isfinite(values)).sum())
    if bad:
        row = int(np.argwhere(~np.isfinite(values))[0][0])
        raise InputError(f"{path}: {bad} samples are not numbers, the first in row {row}; cut them out or fill them")
    return values


def _checked_channels(path: Path, channels: Sequence[int] | None, there: int) -> list[int]:
    if channels is None:
        return list(range(min(there, AXES)))
    if not channels or len(channels) > AXES:
        raise InputError(f"{len(channels)} channels chosen: choose one to three, for x, y and z")
    for channel in channels:
        if not 0 <= channel < there:
            raise InputError(f"{path}: has no channel {channel}; there are 0 to {there - 1}")
    return list(channels)
