"""What a waveform says about a bearing: "consistent with", the evidence, or nothing. Never "is"."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from judder.diagnose import match, shaft
from judder.diagnose.bearing import Bearing
from judder.diagnose.lines import without
from judder.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from judder.diagnose.envelope import Spectrum

NOTHING = "nothing found"
# Flat tops are cut strokes, and their edges beat with the sample clock. A few cut strokes do no harm.
_MOST_SATURATED = 0.01
_SHOWN = 6  # lines of evidence per finding; harmonics come first
_LONGEST_SAMPLES = 1 << 24


@dataclass(frozen=True)
class Diagnosis:
    """verdict: words. findings: faults with enough evidence, weightiest first. hints: evidence that is not enough.

    shaft_hz: speed used; shaft_found: by its lines, near the one given. notes: what limits this answer.
    spectrum: the envelope spectrum looked at, for drawing.
    """

    verdict: str
    findings: tuple[match.Finding, ...]
    hints: tuple[match.Finding, ...]
    bearing: Bearing
    given_rpm: float
    shaft_hz: float
    shaft_found: bool
    duration_s: float
    notes: tuple[str, ...]
    spectrum: Spectrum

    @property
    def fault(self) -> str | None:
        """Name of the weightiest fault: "outer race", "inner race", "rolling element", "cage"; None if none."""
        return self.findings[0].fault if self.findings else None

    def to_dict(self) -> dict[str, Any]:
        """For JSON, without the spectrum."""
        return {
            "verdict": self.verdict,
            "fault": self.fault,
            "findings": [finding.to_dict() for finding in self.findings],
            "hints": [finding.to_dict() for finding in self.hints],
            "bearing": self.bearing.to_dict(),
            "given_rpm": self.given_rpm,
            "shaft_hz": round(self.shaft_hz, 4),
            "shaft_found": self.shaft_found,
            "envelope_band_hz": [round(edge, 1) for edge in self.spectrum.band_hz],
            "resolution_hz": round(self.spectrum.resolution_hz, 4),
            "duration_s": round(self.duration_s, 4),
            "notes": list(self.notes),
        }

    def lines(self) -> list[str]:
        """As text: the verdict, then the evidence; what was not enough only where nothing else is to be said."""
        out = [self.verdict]
        for finding in self.findings:
            out += [f"  {item.text}" for item in finding.evidence[:_SHOWN]]
            if len(finding.evidence) > _SHOWN:
                out.append(f"  and {len(finding.evidence) - _SHOWN} more sidebands")
        for hint in () if self.findings else self.hints:
            seen = ", ".join(f"{item.label} ({item.line.db:.0f} dB)" for item in hint.evidence)
            out.append(f"  not enough for the {hint.fault}: only {seen}")
        return out + [f"  note: {note}" for note in self.notes]


def diagnose(
    samples: Sequence[float] | npt.NDArray[Any],
    rate_hz: float,
    rpm: float,
    bearing: Bearing,
    band_hz: tuple[float, float] | None = None,
) -> Diagnosis:
    """Look for defects of a bearing in one axis of a waveform, in any unit, gap-free, at constant speed.

    rpm: shaft speed, within 1 %. band_hz: for the envelope, default see judder.diagnose.envelope.
    Raises InputError for a waveform, rate or speed that cannot be used. Needs numpy.
    """
    import numpy as np

    from judder.diagnose.envelope import LONGEST_TURNS, envelope_spectrum, plain_spectrum

    values = _checked(samples, rate_hz, rpm)
    given_hz = rpm / 60
    top_hz = (match.HARMONICS * max(bearing.bpfi, bearing.bsf2) + 2) * given_hz
    spectrum = envelope_spectrum(values, rate_hz, given_hz, band_hz, top_hz)
    if spectrum.hz[-1] < (1 + match.SLIP) * bearing.bpfi * given_hz:
        raise InputError(
            f"at {rpm:g} r/min the inner race is struck at {bearing.bpfi * given_hz:.0f} Hz; an envelope of "
            f"{spectrum.band_hz[0]:g}-{spectrum.band_hz[1]:g} Hz does not show that: record faster"
        )
    plain = plain_spectrum(values, rate_hz, given_hz, (shaft.HARMONICS + 2) * given_hz)
    found = spectrum.lines()
    shaft_lines = plain.lines(least=1e-3 * plain.band_rms)
    shaft_hz, shaft_found = shaft.refine(
        given_hz, ((shaft_lines, plain.resolution_hz), (found, spectrum.resolution_hz))
    )
    notes = []
    blurred = match.unresolved(bearing, shaft_hz, spectrum.resolution_hz)
    own = without(found, shaft.harmonics(shaft_hz, float(spectrum.hz[-1])), spectrum.resolution_hz)
    all_findings = match.search(own, bearing, shaft_hz, spectrum.resolution_hz, skip=blurred)
    stuck = _saturated(values)
    findings = () if stuck > _MOST_SATURATED else tuple(finding for finding in all_findings if finding.enough)
    hints = tuple(finding for finding in all_findings if not finding.enough)
    duration_s = len(values) / rate_hz
    verdict = _verdict(findings, blurred)
    if not spectrum.band_rms:
        notes.append(f"silent between {spectrum.band_hz[0]:g} and {spectrum.band_hz[1]:g} Hz")
    if blurred:
        longest = max(blurred.values())
        if len(blurred) == len(match.faults(bearing)):
            verdict = f"cannot say: {duration_s:.2g} s at {rpm:g} r/min is too short"
        rest = f"takes {longest:.2g} s of waveform" if longest * shaft_hz <= LONGEST_TURNS else "is beyond this method"
        notes.append(f"{', '.join(blurred)}: telling the rate from a harmonic of the shaft {rest}")
    if stuck > _MOST_SATURATED:
        verdict = f"cannot say: {100 * stuck:.0f} % of the samples are stuck at the ends of the range"
    if not shaft_found:
        notes.append(f"no line at shaft speed within {100 * shaft.REACH:g} % of {rpm:g} r/min; taken as given")
    assert isinstance(values, np.ndarray)
    return Diagnosis(verdict, findings, hints, bearing, rpm, shaft_hz, shaft_found, duration_s, tuple(notes), spectrum)


def _verdict(findings: Sequence[match.Finding], blurred: Iterable[str]) -> str:
    if not findings:
        return "; not looked for: ".join(filter(None, (NOTHING, ", ".join(blurred))))
    named = [" or ".join(map(_named, (finding.fault, *finding.alternatives))) for finding in findings]
    return "consistent with " + ", and with ".join(named)


def _named(fault: str) -> str:
    article = "an" if fault[0] in "aeiou" else "a"
    return f"{article} {fault.replace(' ', '-')} defect"


def _saturated(values: npt.NDArray[np.float64]) -> float:
    """Share of samples in flat tops: three or more in a row at the largest or the smallest value there is."""
    import numpy as np

    if values.min() == values.max():
        return 0.0  # silent, not saturated
    share = 0
    for end in (values.min(), values.max()):
        at_end = np.concatenate(([False], values == end, [False]))
        edges = np.flatnonzero(at_end[1:] != at_end[:-1])
        lengths = edges[1::2] - edges[::2]
        share += int(lengths[lengths >= 3].sum())
    return share / len(values)


def _checked(samples: Sequence[float] | npt.NDArray[Any], rate_hz: float, rpm: float) -> npt.NDArray[np.float64]:
    import numpy as np

    values = np.asarray(samples, dtype=np.float64)
    if values.ndim != 1:
        raise InputError(f"a waveform is one axis of samples, not {values.ndim} dimensions")
    if not 256 <= len(values) <= _LONGEST_SAMPLES:
        raise InputError(f"a waveform of {len(values)} samples: 256 to {_LONGEST_SAMPLES} can be looked at")
    if not np.isfinite(values).all():
        raise InputError("the waveform has samples that are not numbers; cut them out")
    if not (math.isfinite(rate_hz) and rate_hz > 0):
        raise InputError(f"sample rate {rate_hz:g} Hz: must be above 0")
    if not (math.isfinite(rpm) and 0 < rpm / 60 < rate_hz / 4):
        raise InputError(f"{rpm:g} r/min: the shaft speed must be above 0 and far below the sample rate")
    return values
