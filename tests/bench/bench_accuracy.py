#!/usr/bin/env python3
"""How right the node's numbers are: the firmware's kernels in MicroPython against numpy and scipy in float64.

    python tests/bench/bench_accuracy.py            prints the tables
    python tests/bench/bench_accuracy.py --write    also writes docs/accuracy.md and docs/band.png

Exits with 1 when a tolerance is broken, or when the 32-bit MicroPython is missing in CI.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "host"), str(ROOT / "firmware")]

import numpy as np  # noqa: E402
from tests.device import test_envelope, test_moments, vibration  # noqa: E402
from tests.device.budget import per_unit  # noqa: E402
from tests.device.cases import answers, counts  # noqa: E402
from tests.device.kernel_table import KERNELS  # noqa: E402
from tests.device.target import Target, target  # noqa: E402
from tests.device.test_velocity import butterworth  # noqa: E402
from tests.device.vibration import Job, run, samples_for_records, sine  # noqa: E402

PAGE = ROOT / "docs" / "accuracy.md"
PICTURE = ROOT / "docs" / "band.png"

SINES_HZ = (10.0, 10.5, 12.5, 25.0, 80.0, 250.0, 500.0, 900.0, 1000.0)
NOISE_RECORDS = 16
CURVE_HZ = tuple(float(hz) for hz in np.geomspace(1, 6000, 140))


@dataclass
class Bench:
    """Where kernels run, what was said, what was broken."""

    device: Target
    built: Path
    folder: Path
    faults: list[str] = field(default_factory=list)

    def run(self, jobs: list[Job]) -> list[Job]:
        run(self.device, self.built, self.folder, jobs)
        return jobs

    def limit(self, what: str, value: float, most: float) -> None:
        if abs(value) > most:
            self.faults.append(f"{what}: {value:.3g}, at most {most:g}")


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    return ["| " + " | ".join(line) + " |" for line in (head, ["---"] * len(head), *rows)]


def worst(errors: np.ndarray) -> float:
    return float(errors.flat[np.abs(errors).argmax()])


def sines(bench: Bench) -> list[str]:
    jobs, keys = [], []
    for name, rate_hz, scale_ug in vibration.SENSORS:
        n = samples_for_records(rate_hz)
        for rms in (20, 200, 20000):
            for hz in SINES_HZ:
                axes = [sine(rate_hz, n, hz, rms, phase) for phase in (0.2, 1.3, 2.4)]
                axes[2] += min(1e6 / scale_ug, 30000) if rms < 20000 else 3000
                jobs.append(Job(np.stack(axes, 1), rate_hz, scale_ug))
                keys.append((name, rms, hz, vibration.velocity_of_sine(hz, rms, scale_ug)))
    found: dict[tuple[str, int], list[str]] = {}
    for (name, rms, hz, expected), job in zip(keys, bench.run(jobs), strict=True):
        error = 100 * worst(job.results[-1].velocity_mm_s / expected - 1)
        bench.limit(f"velocity of a sine, {name}, {rms} counts, {hz:g} Hz, %", error, 5 if hz > 900 else 2)
        found.setdefault((name, rms), []).append(f"{error:+.2f}")
    head = ["sensor, RMS", *(f"{hz:g} Hz" for hz in SINES_HZ)]
    return table(head, [[f"{name}, {rms} counts", *row] for (name, rms), row in found.items()])


def noise(bench: Bench) -> list[str]:
    jobs, keys = [], []
    for name, rate_hz, scale_ug in vibration.SENSORS:
        n = samples_for_records(rate_hz, NOISE_RECORDS)
        for rms in (20.0, 5000.0):
            for label, low, high in (
                ("10-1000 Hz", 10, 1000),
                ("20-900 Hz", 20, 900),
                ("white, 0 Hz to half the rate", 0, rate_hz),
            ):
                axes = [vibration.noise(rate_hz, n, low, high, rms, seed) for seed in (1, 2, 3)]
                jobs.append(Job(np.stack(axes, 1), rate_hz, scale_ug))
                keys.append((name, rms, label, [vibration.velocity(axis, rate_hz, scale_ug) for axis in axes]))
    rows: dict[tuple[str, float], list[str]] = {}
    for (name, rms, label, expected), job in zip(keys, bench.run(jobs), strict=True):
        power = np.mean([result.velocity_mm_s**2 for result in job.results], axis=0)
        # All three axes in one, so that chance counts less.
        error = 100 * (np.sqrt(power.sum() / np.square(expected).sum()) - 1)
        if "white" not in label:
            bench.limit(f"velocity of noise of {label}, {name}, {rms:g} counts, %", error, 2)
        rows.setdefault((name, rms), []).append(f"{error:+.2f}")
    head = ["sensor, RMS", "10-1000 Hz", "20-900 Hz", "white, ideal edges as reference"]
    return table(head, [[f"{name}, {rms:g} counts", *row] for (name, rms), row in rows.items()])


def lines(bench: Bench) -> list[str]:
    rows = []
    for name, rate_hz, scale_ug in vibration.SENSORS:
        n = samples_for_records(rate_hz)
        jobs, keys = [], []
        for hz in np.linspace(15, 950, 60):
            unit = vibration.velocity_of_sine(hz, 1, scale_ug)
            # 2 mm/s, or what the sensor can give at that frequency.
            rms = min(2 / unit, 20000.0)
            three = np.stack([sine(rate_hz, n, hz, rms, phase) for phase in (0, 1, 2)], 1)
            jobs.append(Job(three, rate_hz, scale_ug))
            keys.append((hz, rms * unit))
        apart, off = [], []
        for (hz, mm_s), job in zip(keys, bench.run(jobs), strict=True):
            result = job.results[-1]
            for axis in result.lines:
                # What is more than the last digit on the air can hide.
                apart.append(max(0, abs(axis[0][0] - hz) - 0.05) / result.resolution_hz)
                off.append(100 * max(0, abs(axis[0][1] - mm_s) - 0.005) / mm_s)
        bench.limit(f"frequency of a line, {name}, bins", max(apart), 0.1)
        bench.limit(f"velocity of a line, {name}, %", max(off), 2)
        rows.append([name, f"{jobs[0].results[-1].resolution_hz:.3f} Hz", f"{max(apart):.3f}", f"{max(off):.2f} %"])
    return table(["sensor", "bin", "frequency off by at most, bins", "velocity off by at most"], rows)


def slow(bench: Bench) -> list[str]:
    hertz = (2.0, 2.4, 3.0, 4.2, 6.0, 9.0, 10.0, 25.0)
    rows = []
    for name, rate_hz, scale_ug in vibration.SENSORS:
        n = samples_for_records(rate_hz)
        jobs = [
            Job(np.stack([sine(rate_hz, n, hz, 3000, phase) for phase in (0, 1, 2)], 1), rate_hz, scale_ug, slow=True)
            for hz in hertz
        ]
        row = []
        for hz, job in zip(hertz, bench.run(jobs), strict=True):
            error = 100 * worst(job.results[-1].velocity_mm_s / vibration.velocity_of_sine(hz, 3000, scale_ug) - 1)
            if hz >= 2.4:
                bench.limit(f"velocity of a slow machine, {name}, {hz:g} Hz, %", error, 5 if hz < 10 else 2)
            row.append(f"{error:+.2f}")
        rows.append([name, f"{jobs[0].results[-1].band_hz[0]:.1f} Hz", *row])
    return table(["sensor", "band from", *(f"{hz:g} Hz" for hz in hertz)], rows)


def others(bench: Bench) -> list[str]:
    rows = []
    _name, rate_hz, scale_ug = vibration.SENSORS[0]
    n = samples_for_records(rate_hz)

    def on_x(signal: np.ndarray) -> Job:
        return Job(np.stack([signal, np.zeros(n), np.zeros(n)], 1), rate_hz, scale_ug)

    one_g = on_x(sine(rate_hz, n, 100, 1e6 / scale_ug))
    weak = 1 / vibration.velocity_of_sine(15, 1, scale_ug)
    beside = on_x(sine(rate_hz, n, 15, weak) + sine(rate_hz, n, 1300, 10e6 / scale_ug, 1))
    bench.run([one_g, beside])
    value = float(one_g.results[-1].velocity_mm_s[0])
    bench.limit("1 g RMS at 100 Hz, mm/s", value - 15.608, 0.02)
    rows.append(["1 g RMS at 100 Hz", "15.608 mm/s", f"{value:.3f} mm/s"])
    value = float(beside.results[-1].velocity_mm_s[0])
    bench.limit("1 mm/s beside 10 g at 1.3 kHz", value - 1, 0.02)
    rows.append(["1 mm/s at 15 Hz beside 10 g RMS at 1.3 kHz", "1 mm/s", f"{value:.3f} mm/s"])

    rows.append(exact(bench))
    cases = [case for case in test_moments.accuracy_cases() if 1.5 <= test_moments.reference(case.block)[0] <= 30]
    off, skew = 0.0, 0.0
    for case, (_valid, kurtosis_c, skewness_c) in zip(
        cases, answers(bench.device, "moments.py", bench.built, cases, bench.folder), strict=True
    ):
        kurtosis, skewness = test_moments.reference(case.block)
        off = max(off, 100 * abs(kurtosis_c / 100 - kurtosis) / kurtosis)
        skew = max(skew, abs(skewness_c / 100 - skewness) / max(1, abs(skewness)))
    bench.limit("kurtosis, %", off, 0.5)
    bench.limit("skewness, %", 100 * skew, 0.5)
    rows.append([f"kurtosis 1.5 to 30, {len(cases)} blocks from 20 counts RMS up", "numpy float64", f"{off:.2f} % off"])
    rows.append(["skewness of the same", "numpy float64", f"{skew:.4f} off, or of itself above 1"])
    for rate in test_envelope.RATES:
        rms, peak = envelope(bench, rate)
        bench.limit(f"envelope RMS at {rate} Hz, %", rms, 3)
        bench.limit(f"envelope peak at {rate} Hz, %", peak, 3)
        rows.append(
            [
                f"envelope at {rate} Hz, modulated noise and tones",
                "scipy Hilbert",
                f"RMS {rms:.2f} %, peak {peak:.2f} %",
            ]
        )
    return table(["what", "reference", "found"], rows)


def exact(bench: Bench) -> list[str]:
    """Sums, RMS and peaks, which have no tolerance."""
    cases = test_moments.accuracy_cases()
    wrong = 0
    for case, found in zip(cases, answers(bench.device, "kernels.py", bench.built, cases, bench.folder), strict=True):
        _total, squares, _peak, mean, rms_x16, about, _raw, span = found[:8]
        wide = case.block.astype(np.int64)
        # RMS comes in 1/16 count, rounded to the nearest.
        rms = abs(rms_x16 - 16 * np.std(wide.astype(float))) <= 0.5 + 1e-6
        right = (squares, span, about) == ((wide * wide).sum(), np.ptp(wide), np.abs(wide - mean).max()) and rms
        wrong += not right
    bench.limit("blocks with a sum of squares, RMS or peak that is not exact", wrong, 0)
    return [
        f"sum of squares, RMS to 1/16 count, peak, peak-to-peak: {len(cases)} blocks",
        "numpy int64",
        f"{wrong} differ",
    ]


def envelope(bench: Bench, rate: int) -> tuple[float, float]:
    """Largest errors in % of RMS and of peak."""
    chance = np.random.default_rng(rate)
    lead, length = int(test_envelope.SETTLED_S * rate) // 8 * 8, 4096
    streams = []
    for name, carrier in test_envelope.noises(rate, lead + length, chance).items():
        in_band = test_envelope.band_pass(carrier, rate).std()
        for rms in (20, 400, 3000):
            streams.append(test_envelope.Stream(name, rate, counts(carrier * rms / in_band), (lead, length)))
    rms_off = peak_off = 0.0
    found = test_envelope.run(bench.device, bench.built, streams, bench.folder)
    for stream, (_lead, block) in zip(streams, found, strict=True):
        square = test_envelope.hilbert_square(stream.samples.astype(float), rate)
        rms = np.sqrt(square[lead:].mean())
        peak = np.sqrt(test_envelope.smoothed(square, rate)[-len(block.points) :].max())
        rms_off = max(rms_off, 100 * abs(block.rms / rms - 1))
        peak_off = max(peak_off, 100 * abs(block.peak / peak - 1))
    return rms_off, peak_off


def curve(bench: Bench, slow_band: bool, sensor: tuple[str, float, int]) -> np.ndarray:
    """What of a sine's velocity is read, by CURVE_HZ."""
    _name, rate_hz, scale_ug = sensor
    n = samples_for_records(rate_hz)
    jobs = []
    for hz in CURVE_HZ:
        three = np.stack([sine(rate_hz, n, hz, 10000, phase) for phase in (0, 1, 2)], 1)
        jobs.append(Job(three, rate_hz, scale_ug, slow=slow_band))
    bench.run(jobs)
    true = [vibration.velocity_of_sine(hz, 10000, scale_ug) for hz in CURVE_HZ]
    return np.array([job.results[-1].velocity_mm_s.max() for job in jobs]) / np.array(true)


def outside(bench: Bench) -> list[str]:
    """Attenuation beside the reference filter's."""
    hertz = (2, 5, 7, 8, 9, 1010, 1050, 1260, 2000, 5000)
    rows: list[list[str]] = [["reference: Butterworth, third order", *(f"{butterworth(hz):.4f}" for hz in hertz)]]
    for name, rate_hz, scale_ug in vibration.SENSORS:
        n = samples_for_records(rate_hz)
        jobs = [
            Job(np.stack([sine(rate_hz, n, hz, 10000, phase) for phase in (0, 1, 2)], 1), rate_hz, scale_ug)
            for hz in hertz
            if hz < rate_hz / 2
        ]
        row = []
        for hz, job in zip(hertz, bench.run(jobs), strict=False):
            true = vibration.velocity_of_sine(hz, 10000, scale_ug)
            read = float(job.results[-1].velocity_mm_s.max())
            # From a bin outside the band on; nearer the node is flat where the filter is already 1 dB down.
            if hz <= 9 or hz >= 1010:
                bench.limit(f"passed at {hz} Hz, {name}", max(0.0, read - 0.01) / true, butterworth(hz))
            row.append(f"{read / true:.4f}")
        rows.append([name, *row, *["-"] * (len(hertz) - len(row))])
    return table(["read of a sine's velocity", *(f"{hz} Hz" for hz in hertz)], rows)


PARTS: tuple[tuple[str, str, Callable[[Bench], list[str]]], ...] = (
    (
        "Velocity RMS of sines",
        """Error in %, the worst of three axes; one of them carries gravity besides.
Tolerance: 2 % from 10 to 900 Hz, 5 % at 1000 Hz.""",
        sines,
    ),
    (
        "Velocity RMS of noise",
        f"""Error in % over {NOISE_RECORDS} records, against one float64 transform of all samples with ideal edges at
10 and 1000 Hz. Tolerance: 2 % for noise that lies in the band. White noise has most of its velocity right above 10 Hz,
so its reading depends on the edge: it is 3 to 7 % over that of an ideal one; a third-order Butterworth filter 3 dB down
at 7.9 Hz would be 15 % over.""",
        noise,
    ),
    (
        "Outside the band",
        """What is read of a sine's true velocity, 1 being all of it. The reference is the filter of a vibration
severity meter (after ISO 2954: third-order Butterworth each side, here 3 dB down a third of an octave outside the band;
the standard itself was not at hand). Within a bin of 10 Hz the node is flat where that filter already begins to fall.
The floor above 1 kHz is the arithmetic's: some thousandths of a strong tone outside the band.""",
        outside,
    ),
    (
        "Slow machines",
        """Band from 2 Hz, for machines of up to 600 r/min. Error in %. The record is about a second long, so 2 Hz is
barely above what it can tell; the reading says where its band really begins, and nothing is promised below that.
Tolerance: 5 % from 2.4 Hz, 2 % from 10 Hz.""",
        slow,
    ),
    ("Lines", "Sixty lines of 15 to 950 Hz, wherever they fall between bins. Tolerance: 0.1 bin and 2 %.", lines),
    ("The rest", "Tolerances: kurtosis and skewness 0.5 %, envelope 3 %, sums and peaks none.", others),
)

HEAD = """# How right the numbers are

Made by `tests/bench/bench_accuracy.py --write`; `make bench` prints it again and a test holds it against this page.

The firmware's own kernels run in MicroPython on samples rounded and clipped as a sensor does it, at rates that are not
the nominal ones. References are numpy and scipy in float64, or arithmetic. A sensor's own errors (gain, noise,
mounting) come on top. Velocity goes out in steps of 0.01 mm/s; errors here are of the number before that rounding, and
a line's beyond it.

Sensors: 26.7 kHz (IIS3DWB, 16 g, decimated by 8), 3.2 kHz (ADXL345, 16 g), 4 kHz (ADXL355, 2 g, 16 bits).
"""

FIGURE = """## The band as a curve

![What is read of a sine's velocity, by frequency](band.png)
"""


def displacement(bench: Bench) -> str:
    """What the page says of a metric that is not there, with its price."""
    cost, chain = (
        per_unit(next(kernel for kernel in KERNELS if kernel.name.startswith(name)), bench.folder)
        for name in ("(displacement", "velocity chain")
    )
    return f"""## Displacement

Not among the metrics. From the spectrum of velocity it would take one more weight a bin, {cost:.1f} instructions for
each sample of the sensor beside the {chain:.0f} of the whole velocity chain (`make bench`), and band edges and lowest
bins of its own to be as right as velocity. A line's displacement needs none of that: it is the line's velocity over
2 pi times its frequency, and a reading carries both for the strongest line, a spectrum for eight.
"""


def build(bench: Bench) -> str:
    """The page."""
    parts = [HEAD]
    for title, text, make in PARTS:
        parts.append("\n".join([f"## {title}", "", text, "", *make(bench)]) + "\n")
        if make is outside:
            parts.append(FIGURE)
    parts.append(displacement(bench))
    return "\n".join(parts)


def picture(bench: Bench) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(9, 4.5), layout="constrained")
    hertz = np.array(CURVE_HZ)
    reference = np.array([butterworth(hz) for hz in CURVE_HZ])
    axes.fill_between(hertz, 1e-5, np.maximum(reference, 1e-5), color="0.9", label="reference filter (after ISO 2954)")
    for slow_band, style in ((False, "-"), (True, "--")):
        for sensor, colour in zip(vibration.SENSORS[:2], ("tab:blue", "tab:orange"), strict=True):
            read = curve(bench, slow_band, sensor)
            read[hertz >= sensor[1] / 2] = np.nan
            label = f"{sensor[0]}, band from {2 if slow_band else 10} Hz"
            axes.plot(hertz, np.maximum(read, 1e-5), style, color=colour, linewidth=1.4, label=label)
    axes.set(xscale="log", yscale="log", xlim=(1, 6000), ylim=(1e-4, 2))
    axes.set(xlabel="frequency, Hz", ylabel="read / true velocity")
    axes.grid(which="both", alpha=0.25)
    axes.legend(loc="lower center", fontsize=8)
    # No version or date in the file: it is kept under version control.
    figure.savefig(PICTURE, dpi=110, metadata={"Software": None})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write docs/accuracy.md and docs/band.png")
    write = parser.parse_args().write
    device, why = target(32)
    faults = []
    if device is None:
        print(f"32-bit MicroPython not measured: {why}")
        if os.environ.get("CI"):
            faults.append("32-bit MicroPython missing")
        device, why = target(64)
    if device is None:
        print(f"BROKEN: no MicroPython: {why}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="judder-bench-") as name:
        folder = Path(name)
        bench = Bench(device, device.build(folder / "built"), folder)
        page = build(bench)
        print(page)
        print(f"Measured in the {device.bits}-bit MicroPython.")
        if write:
            PAGE.write_text(page)
            picture(bench)
    faults += bench.faults
    for fault in faults:
        print(f"TOLERANCE BROKEN: {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
