"""What a virtual node lives through: a machine that is well, breaks and is mended; or recordings of real ones."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from judder.device.profile import Value
from judder.errors import InputError
from judder.virtual import machines, signal
from judder.virtual.recording import Recording
from judder.virtual.signal import Source

_BLOCK_MULTIPLE = 8
_BLOCK_LOW, _BLOCK_HIGH = 256, 4096


@dataclass(frozen=True)
class Piece:
    """One stretch of a scenario. recording: set where the signal is one, for comparison; x, y, z in g."""

    name: str
    duration_s: float
    source: Source
    recording: Recording | None = None


@dataclass(frozen=True)
class Scenario:
    """Pieces in order, the settings that suit them, and what is expected: an alarm that comes and goes, or nothing."""

    title: str
    pieces: Sequence[Piece]
    settings: dict[str, Value] = field(default_factory=dict)
    expects_alarm: bool = False

    @property
    def source(self) -> Source:
        """The whole, as one signal; silent (standstill) afterwards."""
        return signal.Sequence([(piece.duration_s, piece.source) for piece in self.pieces])

    @property
    def duration_s(self) -> float:
        return sum(piece.duration_s for piece in self.pieces)

    @property
    def rate_hz(self) -> float | None:
        """Sample clock the sensor runs at, None for its own."""
        return self.source.rate_hz

    def piece_at(self, time_s: float) -> Piece:
        """The piece that plays at a time; the last one afterwards."""
        for piece in self.pieces:
            if time_s < piece.duration_s:
                return piece
            time_s -= piece.duration_s
        return self.pieces[-1]


def synthetic(*, seed: int = 1) -> Scenario:
    """A motor with a little imbalance, then a bearing with an outer-race defect, then mended."""
    return Scenario(
        title="synthetic motor: healthy, outer-race defect, mended",
        pieces=(
            Piece("healthy", 24.0, machines.imbalance(seed=seed)),
            Piece("faulty", 20.0, machines.bearing_fault(seed=seed + 1)),
            Piece("mended", 20.0, machines.imbalance(seed=seed + 2)),
        ),
        settings={
            "interval_s": 2,
            "acceleration_rms_warning_mg": 250,
            "acceleration_rms_danger_mg": 1000,
        },
        expects_alarm=True,
    )


def recorded(path: Path, rate_hz: float | None = None, scale_g: float | None = None) -> Scenario:
    """A folder with recordings.json (its `normal`, then `outer-race`, then `normal`), or one NPY, CSV or WAV file.

    Each plays once from its first sample. Raises InputError.
    """
    return _folder(path) if path.is_dir() else recorded_file(path, rate_hz, scale_g)


def recorded_file(path: Path, rate_hz: float | None = None, scale_g: float | None = None) -> Scenario:
    """One NPY, CSV or WAV file, once from its first sample. Raises InputError."""
    recording = Recording.load(path, rate_hz, scale_g, loop=True)
    return Scenario(
        title=f"recording {path.name}",
        pieces=(_once(path.stem, recording),),
        settings={"interval_s": 0, "block_samples": whole_blocks(recording.count)},
    )


def whole_blocks(samples: int) -> int:
    """Largest block size a node takes that divides a recording of `samples` evenly; else the largest there is.

    Raises InputError for a recording shorter than the smallest block.
    """
    if samples < _BLOCK_LOW:
        raise InputError(f"the recording has {samples} samples; a block needs {_BLOCK_LOW}: record longer")
    for size in range(min(_BLOCK_HIGH, samples) // _BLOCK_MULTIPLE * _BLOCK_MULTIPLE, _BLOCK_LOW - 1, -_BLOCK_MULTIPLE):
        if samples % size == 0:
            return size
    return min(_BLOCK_HIGH, samples) // _BLOCK_MULTIPLE * _BLOCK_MULTIPLE


def _folder(folder: Path) -> Scenario:
    index = folder / "recordings.json"
    try:
        entries = json.loads(index.read_text(encoding="utf-8"))
        wanted = [(name, entries[name]) for name in ("normal", "outer-race")]
        loaded = {
            name: Recording.load(folder / entry["file"], float(entry["fs_hz"]), float(entry["scale_g"]), loop=True)
            for name, entry in wanted
        }
    except OSError as error:
        raise InputError(
            f"{folder}: no recordings.json ({error.strerror}); name one NPY, CSV or WAV file with --rate and --scale"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{index}: cannot be used ({error!r}); it needs normal and outer-race") from error
    normal, faulty = loaded["normal"], loaded["outer-race"]
    # The geometric mean of the two worst axes: as many times above the one as below the other.
    limit_mg = round(1000 * math.sqrt(_worst_rms_g(normal) * _worst_rms_g(faulty)))
    channels = max(normal.channels, faulty.channels)
    return Scenario(
        title=f"recordings of {folder.name}: normal, then outer-race",
        pieces=(
            _once("normal", normal, channels),
            _once("outer-race", faulty, channels),
            _once("normal again", normal, channels),
        ),
        settings={
            "interval_s": 0,
            "block_samples": whole_blocks(math.gcd(normal.count, faulty.count)),
            "acceleration_rms_warning_mg": limit_mg,
            "acceleration_rms_danger_mg": 2 * limit_mg,
        },
        expects_alarm=True,
    )


def _once(name: str, recording: Recording, channels: int = 0) -> Piece:
    """channels: of the sensor, where one of its recordings has fewer."""
    source = _Resting(recording) if recording.channels < channels else recording
    return Piece(name, recording.duration_s, source, recording)


class _Resting:
    """A recording with the sensor's noise where it has no channel: an axis that gave values and then is silent would be
    a broken one."""

    def __init__(self, recording: Recording) -> None:
        self.rate_hz = recording.rate_hz
        self.ended = recording.ended
        self._recording = recording
        self._noise = machines.standstill(gravity_g=(0.0, 0.0, 0.0))

    def samples(self, t0_s: float, n: int, rate_hz: float) -> np.ndarray:
        out = self._recording.samples(t0_s, n, rate_hz).copy()
        missing = slice(self._recording.channels, None)
        out[:, missing] = self._noise.samples(t0_s, n, rate_hz)[:, missing]
        return out


def _worst_rms_g(recording: Recording) -> float:
    return float(recording.values_g.std(axis=0).max())
