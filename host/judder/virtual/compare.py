"""What a node reported of a recording, held against float64 arithmetic on the recording itself.

Tolerances, and where they come from:
- the sensor rounds each sample to its step q (0.488 mg at +-16 g, IIS3DWB data sheet table 2): by at most q / 2, hence
  an RMS or a peak about the mean by at most q / 2 as well (the mean itself moves far less);
- the node removes the mean of each block rounded to a count before it takes the peak: q / 2 more for the peak;
- on air RMS and peak are whole mg: 0.5 mg more.
Together q / 2 + 0.5 = 0.75 mg for RMS and q + 0.5 = 1.0 mg for peak, block by block.

A whole recording's RMS and peak are about its one mean; the blocks' are about their own. The RMS of all blocks together
lies below the whole's by the variance of the block means, a peak differs by at most the largest distance of a block
mean from the whole mean: that wander is computed from the recording and added to the tolerance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from judder.decode.records import Axes, Reading
from judder.virtual.scenario import Piece

STEP_MG = 0.488
RMS_TOLERANCE_MG = STEP_MG / 2 + 0.5
PEAK_TOLERANCE_MG = STEP_MG + 0.5
_AXES = ("x", "y", "z")
_Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """One axis of one piece: the largest error of any block, and the blocks together against the whole recording.

    blocks: how many were compared. whole_*: None unless the blocks cover whole turns of the recording.
    """

    recording: str
    axis: str
    blocks: int
    rms_error_mg: float
    peak_error_mg: float
    rms_mg: float
    peak_mg: float
    whole_rms_mg: float | None
    whole_peak_mg: float | None
    wander_mg: float

    @property
    def agrees(self) -> bool:
        """Every block within its tolerance, and the whole within that and the wander of the block means."""
        if self.rms_error_mg > RMS_TOLERANCE_MG or self.peak_error_mg > PEAK_TOLERANCE_MG:
            return False
        if self.whole_rms_mg is None or self.whole_peak_mg is None:
            return True
        return (
            abs(self.rms_mg - self.whole_rms_mg) <= RMS_TOLERANCE_MG + self.wander_mg
            and abs(self.peak_mg - self.whole_peak_mg) <= PEAK_TOLERANCE_MG + self.wander_mg
        )

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return {**asdict(self), "agrees": self.agrees}


def compare(pieces: Sequence[Piece], readings: Sequence[Reading], block: int) -> list[Comparison]:
    """Readings of consecutive blocks, sequence 0 being the first samples of the first piece, against the recordings.

    Blocks that lie across two pieces are left out, and so are pieces that are no recording.
    """
    out: list[Comparison] = []
    start = 0
    for piece in pieces:
        recording = piece.recording
        if recording is None or recording.rate_hz is None:
            return out
        end = start + round(piece.duration_s * recording.rate_hz)
        taken = [
            reading
            for reading in readings
            if reading.sequence is not None
            and start <= reading.sequence * block
            and (reading.sequence + 1) * block <= end
        ]
        looped_mg = [
            1000 * recording.values_g[(np.arange(block) + (reading.sequence or 0) * block - start) % recording.count]
            for reading in taken
        ]
        whole_turns = bool(taken) and (len(taken) * block) % recording.count == 0
        for index, axis in enumerate(_AXES[: recording.channels]):
            columns = [samples[:, index] for samples in looped_mg]
            whole = 1000 * recording.values_g[:, index] if whole_turns else None
            found = _axis(piece.name, axis, taken, columns, whole)
            if found is not None:
                out.append(found)
        start = end
    return out


def _axis(
    name: str, axis: str, readings: Sequence[Reading], blocks_mg: Sequence[_Array], whole_mg: _Array | None
) -> Comparison | None:
    rms = np.array([_value(reading.acceleration_rms_mg, axis) for reading in readings])
    peak = np.array([_value(reading.acceleration_peak_mg, axis) for reading in readings])
    if not len(rms) or np.isnan(rms).any() or np.isnan(peak).any():
        return None
    means = np.array([block.mean() for block in blocks_mg])
    true_rms = np.array([block.std() for block in blocks_mg])
    true_peak = np.array([np.abs(block - block.mean()).max() for block in blocks_mg])
    return Comparison(
        recording=name,
        axis=axis,
        blocks=len(rms),
        rms_error_mg=float(np.abs(rms - true_rms).max()),
        peak_error_mg=float(np.abs(peak - true_peak).max()),
        rms_mg=float(np.sqrt(np.mean(rms**2))),
        peak_mg=float(peak.max()),
        whole_rms_mg=None if whole_mg is None else float(whole_mg.std()),
        whole_peak_mg=None if whole_mg is None else float(np.abs(whole_mg - whole_mg.mean()).max()),
        wander_mg=float(np.abs(means - means.mean()).max()),
    )


def _value(axes: Axes, axis: str) -> float:
    value = getattr(axes, axis)
    return float("nan") if value is None else float(value)
