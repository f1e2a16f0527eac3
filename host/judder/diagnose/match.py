"""Lines of an envelope spectrum against what each defect of a bearing would show.

A defect is believed to show when, among the lines (each 12 dB above the noise around it, see envelope.py),
- its own rate is there, within 2 % of where it rolls without slip, and moves the squared envelope by 5 % or more
  (sampling a clipped or square wave beats, at 1 to 3 %, at rates that mean nothing), and
- at the slip that line tells, a second witness is: a harmonic (2 to 4), or for the inner race and the rolling elements
  a sideband at the distance their load changes with (shaft speed, cage speed). For the cage two harmonics: the lowest
  frequencies of an envelope are crowded by belts, load and process.
Lines at multiples of shaft speed are no witnesses: misalignment, gears and rubbing put them there.

Two unrelated lines of noise at one slip are the way to err. In Gaussian noise some four hundred bins lie where a rate
may be and a few dozen where its second witness may be: 4e2 x exp(-16) x 4e1 x exp(-16), below 1e-9; the harmonics of
real machines are what the margin is for. tests/host/test_diagnose_false_alarms.py counts both.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from judder.diagnose.bearing import Bearing
from judder.diagnose.lines import Line, near, strongest, without

SLIP = 0.02
HARMONICS = 4
OWN_DEPTH = 0.05
SECOND_DEPTH = 0.1  # of the first fault's
# Two Hann lines are told apart from this many bins on.
APART_BINS = 2.0

OUTER, INNER, ELEMENT, CAGE = "outer race", "inner race", "rolling element", "cage"


@dataclass(frozen=True)
class Fault:
    """name; label: of its rate; per_turn: times shaft speed. side, side_label: distance of sidebands, none for 0."""

    name: str
    label: str
    per_turn: float
    side: float = 0.0
    side_label: str = ""
    harmonics_needed: int = 1


@dataclass(frozen=True)
class Evidence:
    """A line where a fault puts one. label: such as "2 x BPFO" or "BPFI - shaft". expected_hz: at the nominal rate for
    the fundamental and harmonics, at the carrier found for sidebands."""

    label: str
    expected_hz: float
    line: Line

    @property
    def text(self) -> str:
        off = 100 * (self.line.hz / self.expected_hz - 1)
        return (
            f"{self.label}: expected {self.expected_hz:.1f} Hz, found {self.line.hz:.1f} Hz ({off:+.1f} %), "
            f"{self.line.db:.0f} dB above the noise floor, depth {100 * self.line.depth:.0f} %"
        )

    def to_dict(self) -> dict[str, object]:
        return {
            "label": self.label,
            "expected_hz": round(self.expected_hz, 2),
            "hz": round(self.line.hz, 2),
            "above_floor_db": round(self.line.db, 1),
            "depth": round(self.line.depth, 4),
        }


@dataclass(frozen=True)
class Finding:
    """Lines that fit one fault at one slip. enough: by the rules above; otherwise they are only worth telling.

    depth: of the line at the fault's own rate, 0 where there is none. alternatives: faults that the very same line
    would do for, at another slip.
    """

    fault: str
    slip: float
    enough: bool
    evidence: tuple[Evidence, ...]
    depth: float = 0.0
    alternatives: tuple[str, ...] = ()

    @property
    def own(self) -> Line | None:
        """The line at the fault's own rate."""
        return self.evidence[0].line if self.depth else None

    @property
    def weight(self) -> float:
        """How much speaks for it: decibels of all its lines."""
        return sum(item.line.db for item in self.evidence)

    def to_dict(self) -> dict[str, object]:
        return {
            "fault": self.fault,
            "slip_percent": round(100 * self.slip, 2),
            "enough": self.enough,
            "alternatives": list(self.alternatives),
            "evidence": [item.to_dict() for item in self.evidence],
        }


def faults(bearing: Bearing) -> tuple[Fault, ...]:
    """What can be wrong with it, and how that shows."""
    return (
        Fault(OUTER, "BPFO", bearing.bpfo),
        Fault(INNER, "BPFI", bearing.bpfi, 1.0, "shaft"),
        Fault(ELEMENT, "2 x BSF", bearing.bsf2, bearing.ftf, "FTF"),
        Fault(CAGE, "FTF", bearing.ftf, harmonics_needed=2),
    )


def unresolved(bearing: Bearing, shaft_hz: float, resolution_hz: float) -> dict[str, float]:
    """Faults whose rate a spectrum of this resolution cannot tell from a harmonic of the shaft, or from no rate at all.

    Name -> seconds of waveform that would do.
    """
    out = {}
    for fault in faults(bearing):
        gap_hz = abs(fault.per_turn - round(fault.per_turn)) * shaft_hz
        if gap_hz < APART_BINS * resolution_hz:
            out[fault.name] = APART_BINS / gap_hz if gap_hz else math.inf
    return out


def search(
    lines: Sequence[Line], bearing: Bearing, shaft_hz: float, resolution_hz: float, skip: Iterable[str] = ()
) -> list[Finding]:
    """Faults with enough evidence first, the deepest first; then those with some. lines: without the shaft's own.

    A second fault may not use lines that the first one explains (harmonics of one race can lie within the slip of the
    other's: 3 x BPFO and 2 x BPFI of a 6205 are 0.7 % apart), and its own line must have a tenth of the first's depth,
    since squaring mixes strong lines into weak ones everywhere. The cage is named only where its line is the deepest:
    it turns the elements in and out of the load, so its speed shows with every other defect.
    """
    open_faults = [fault for fault in faults(bearing) if fault.name not in set(skip)]
    found: list[Finding] = []
    left = list(lines)
    while True:
        fits = [_fit(fault, left, shaft_hz, resolution_hz) for fault in open_faults]
        best = _best([fit for fit in fits if fit.enough])
        if best is None or (found and (best.fault == CAGE or best.depth < SECOND_DEPTH * found[0].depth)):
            break
        found.append(best)
        open_faults = [fault for fault in open_faults if fault.name not in (best.fault, *best.alternatives)]
        left = without(left, _family(best, bearing, shaft_hz, left), resolution_hz)
        if best.fault == CAGE:
            break
    rest = [
        replace(_fit(fault, left, shaft_hz, resolution_hz), enough=False)
        for fault in open_faults
        if not (found and fault.name == CAGE)
    ]
    return found + sorted((finding for finding in rest if finding.evidence), key=lambda finding: -finding.weight)


def _best(fits: Sequence[Finding]) -> Finding | None:
    """The one with the deepest line of its own; of several that claim that line, the one with the most witnesses."""
    deepest = max(fits, key=lambda fit: fit.depth, default=None)
    if deepest is None:
        return None
    same = sorted((fit for fit in fits if fit.own is deepest.own), key=lambda fit: (-len(fit.evidence), abs(fit.slip)))
    return replace(same[0], alternatives=tuple(fit.fault for fit in same[1:]))


def _fit(fault: Fault, lines: Sequence[Line], shaft_hz: float, resolution_hz: float) -> Finding:
    """The slip at which the lines fit this fault best."""
    nothing = Finding(fault.name, 0.0, False, ())
    rate_hz = fault.per_turn * shaft_hz
    fits = [nothing]
    for harmonic in range(1, HARMONICS + 1):
        nominal = harmonic * rate_hz
        reach = max(SLIP * nominal, 0.5 * resolution_hz)
        for line in lines:
            if abs(line.hz - nominal) <= reach:
                fits.append(_family_at(line.hz / nominal - 1, fault, lines, shaft_hz, resolution_hz))
    return max(fits, key=lambda finding: (finding.enough, finding.weight))


def _family_at(slip: float, fault: Fault, lines: Sequence[Line], shaft_hz: float, resolution_hz: float) -> Finding:
    rate_hz = fault.per_turn * shaft_hz
    carriers: list[tuple[str, Line]] = []
    evidence: list[Evidence] = []
    depth, harmonics = 0.0, 0
    for harmonic in range(1, HARMONICS + 1):
        line = near(lines, harmonic * rate_hz * (1 + slip), resolution_hz)
        if line is None or any(line is seen for _label, seen in carriers):
            continue
        label = fault.label if harmonic == 1 else _times(harmonic, fault.label)
        carriers.append((label, line))
        evidence.append(Evidence(label, harmonic * rate_hz, line))
        if harmonic == 1:
            depth = line.depth
        else:
            harmonics += 1
    sidebands = list(_sidebands(fault, carriers, lines, shaft_hz, resolution_hz))
    enough = depth >= OWN_DEPTH and (harmonics >= fault.harmonics_needed or bool(sidebands))
    return Finding(fault.name, slip, enough, (*evidence, *sidebands), depth)


def _times(harmonic: int, label: str) -> str:
    return f"{2 * harmonic} x BSF" if label == "2 x BSF" else f"{harmonic} x {label}"


def _sidebands(
    fault: Fault, carriers: Sequence[tuple[str, Line]], lines: Sequence[Line], shaft_hz: float, resolution_hz: float
) -> Iterator[Evidence]:
    """One distance either side of each carrier."""
    distance = fault.side * shaft_hz
    if distance < APART_BINS * resolution_hz:
        return
    for label, carrier in carriers:
        for sign, word in ((-1, "-"), (1, "+")):
            expected = carrier.hz + sign * distance
            # The distance slips too, by no more than the rates themselves.
            reach = max(resolution_hz, SLIP * distance if fault.side != 1 else 0.0)
            line = strongest(lines, expected - reach, expected + reach)
            if line is not None and not any(line is other for _label, other in carriers):
                yield Evidence(f"{label} {word} {fault.side_label}", expected, line)


def _family(finding: Finding, bearing: Bearing, shaft_hz: float, lines: Sequence[Line]) -> Iterator[float]:
    """Where a fault found may have put lines: all its harmonics, each with sidebands of shaft and cage."""
    per_turn = next(fault.per_turn for fault in faults(bearing) if fault.name == finding.fault)
    rate_hz = per_turn * shaft_hz * (1 + finding.slip)
    top_hz = max((line.hz for line in lines), default=0.0)
    for harmonic in range(1, int(top_hz / rate_hz) + 3):
        for shaft in range(-3, 4):
            for cage in (-1, 0, 1):
                yield harmonic * rate_hz + shaft * shaft_hz + cage * bearing.ftf * shaft_hz
