"""Every kernel with a loop over samples: what it may cost, and its like in C. A new one goes here.

Instructions are counted in the loops of the code mpy-cross makes (budget.py) and multiplied by how often each loop
turns for one sample, point or transform. tests/device/test_budget.py holds the budgets, on rv32imc, on Xtensa and
against gcc, and that no kernel is missing; tests/bench/bench_kernels.py prints the table. What is timed against
bytecode is listed in programs/ratio.py.
"""

from dataclasses import dataclass
from pathlib import Path

# What a reading is made of: three axes of blocks of so many samples. At this rate eight blocks fill a record of as many
# decimated samples, from which velocity and lines are made.
READING_SAMPLES = 4096
READING_RATE_HZ = 26667
RECORD_BLOCKS = 8
RECORD_SAMPLES = RECORD_BLOCKS * READING_SAMPLES
# Of a record's spectrum, 10 to 1000 Hz.
BINS = 990 * RECORD_SAMPLES / READING_RATE_HZ

STATS = "node/dsp/stats.py"
MOMENTS = "node/dsp/moments.py"
ENVELOPE = "node/dsp/envelope.py"
DECIMATE = "node/dsp/decimate.py"
FFT = "node/dsp/fft.py"
SPECTRUM = "node/dsp/spectrum.py"
UNPACK = "node/sensors/unpack.py"
UNPACK16 = "node/sensors/unpack16.py"
UNPACK20 = "node/sensors/unpack20.py"
# No kernels of the node (an absolute path stays what it is).
ALONE = str(Path(__file__).with_name("programs") / "alone.py")


@dataclass(frozen=True)
class Part:
    """A viper function. turns: of each of its loops for one unit, in the order they close (inner before outer).

    0 for tails and slow paths.
    """

    module: str
    function: str
    turns: tuple[float, ...]


@dataclass(frozen=True)
class Kernel:
    """parts: the functions that do it. unit: what the counts are for.

    must: instructions per unit on rv32imc at most; None where nothing was agreed. xtensa_must: times the count on
    rv32imc at most. c: functions of tests/bench/c/kernels.c and how often the main loop of each turns for one unit.
    c_must: times the instructions of those at most. block: units in one axis of a block that is worked on whole.
    stream: every block of a record needs it, not only the last. record: units in one axis of a record.
    """

    name: str
    parts: tuple[Part, ...]
    must: float | None = None
    unit: str = "sample"
    xtensa_must: float = 1.2
    c: tuple[tuple[str, float], ...] = ()
    c_must: float | None = None
    block: float = 0
    stream: bool = False
    record: float = 0


def fft_parts(points: int, share: float = 1, first: bool = True) -> tuple[Part, ...]:
    """A complex transform of so many points, divided by `share`; without its first two stages if so asked."""
    stages = points.bit_length() - 3
    apart = 4 << stages % 2
    passes = [apart << 2 * i for i in range(stages // 2)]
    fours = Part(FFT, "_fours", (len(passes) * points / 4 / share, sum(passes) / share, len(passes) / share))
    parts = (Part(FFT, "_twos", (points / 2 / share, 4 / share)), fours) if stages % 2 else (fours,)
    return (Part(FFT, "_first", (points / 4 / share,)), *parts) if first else parts


def velocity_parts() -> tuple[Part, ...]:
    """From the record of decimated samples to velocity, per sample of the sensor; bins of 10 to 1000 Hz."""
    per = 1 / RECORD_SAMPLES
    points = READING_SAMPLES // 2
    return (
        Part(SPECTRUM, "_survey", (READING_SAMPLES / 8 * per, READING_SAMPLES / 4 * per, 0)),
        Part(SPECTRUM, "_load", (0, points / 4 * per, points / 4 * per)),
        *fft_parts(points, RECORD_SAMPLES, first=False),
        Part(FFT, "_split", (0, points / 2 * per)),
        Part(SPECTRUM, "_ceiling", (BINS * per, 0)),
        Part(SPECTRUM, "_power", (BINS * per,)),
        Part(SPECTRUM, "_total", (BINS * per,)),
    )


EIGHTH = (Part(DECIMATE, "_eighth", (1 / 8,)),)
# Of the bins 24 are kept as peaks; insertion moves a few of them.
PEAKS = (Part(SPECTRUM, "_peaks", (0, 0, 1)),)

# musts: rows 1 and 3 to 7 of the project's reference, DESIGN section 7. An FFT, and what is mostly one, may be 1.4
# times as long on Xtensa.
KERNELS = (
    Kernel(
        "sum, squares, peak",
        (Part(STATS, "_fused", (1 / 8, 0)),),
        31,
        c=(("fused", 1),),
        c_must=2.6,
        block=READING_SAMPLES,
        stream=True,
    ),
    # Four squares of -32768 are 2**32 and would read 0, so such a block, clipped anyway, is summed again one by one.
    Kernel("the same with a -32768 in the block", (Part(STATS, "_fused", (1 / 8, 1)),)),
    # The budget for RMS is for it alone. The node always wants peak and mean as well, so it has no such kernel.
    Kernel(
        "(squares alone: not in the node)",
        (Part(ALONE, "squares", (1 / 8,)),),
        16,
        c=(("squares", 1),),
        c_must=1.8,
    ),
    Kernel(
        "peak, peak-to-peak",
        (Part(STATS, "_peak_about", (1 / 8, 0, 1 / 8, 0)),),
        c=(("peak_about", 1),),
        block=READING_SAMPLES,
        stream=True,
    ),
    Kernel(
        "kurtosis and skewness",
        (Part(MOMENTS, "_sums", (1 / 8, 0)),),
        32,
        c=(("moments", 1),),
        c_must=2.5,
        block=READING_SAMPLES,
    ),
    # The envelope's band: three in one pass.
    Kernel(
        "biquad (the envelope has three)",
        (Part(ENVELOPE, "_band", (1 / 3,)),),
        64,
        c=(("band", 1 / 3),),
        c_must=3.4,
        block=3 * READING_SAMPLES,
    ),
    # At 26.7 kHz squares go in groups of four; smoothing is per group.
    Kernel(
        "envelope: squares",
        (Part(ENVELOPE, "_square", (1 / 4, 0, 1 / 4)),),
        c=(("square", 1 / 4),),
        block=READING_SAMPLES,
    ),
    Kernel(
        "envelope: smoothing",
        (Part(ENVELOPE, "_smooth", (1,)),),
        unit="point",
        c=(("smooth", 1),),
        block=READING_SAMPLES / 4,
    ),
    Kernel("decimation by 8", EIGHTH, c=(("eighth", 1 / 8),), block=READING_SAMPLES, stream=True),
    Kernel("decimation by 4", (Part(DECIMATE, "_quarter", (1 / 4,)),)),
    Kernel("decimation by 2", (Part(DECIMATE, "_half", (1 / 2,)),)),
    Kernel("no decimation", (Part(DECIMATE, "_copy", (1 / 4,)),)),
    # A sample's share of it.
    Kernel("velocity of a record", velocity_parts(), xtensa_must=1.4, record=RECORD_SAMPLES),
    # The budget was for a chain in the time domain that gives velocity and nothing else. This one leaves out what is
    # not in the band, and lines and bands come of the same spectrum. A reading of a node that sleeps is one record; so
    # it is with a fast sensor, whose FIFO runs over while a spectrum is made (firmware/README.md).
    Kernel("velocity chain, record by record", (*EIGHTH, *velocity_parts()), 75),
    # Where nothing is lost meanwhile records overlap by half: two spectra for every sample. That is for sensors too
    # slow to be decimated by 8, so nothing was agreed; the count is as if.
    Kernel("velocity chain, records overlapping", (*EIGHTH, *velocity_parts(), *velocity_parts()), xtensa_must=1.4),
    Kernel(
        "(displacement as well: not in the node)",
        (Part(ALONE, "displacement", (BINS / RECORD_SAMPLES,)),),
    ),
    Kernel("lines of a record", PEAKS, unit="bin", record=BINS),
    # In C the FFT most would write, which the limit was agreed on, then this one's own algorithm. There a compiler has
    # registers for the thirty numbers that are alive in a butterfly of four points, and viper has two.
    Kernel("FFT 1024", fft_parts(1024), 500_000, "transform", 1.4, c=(("fft_plain", 5120),), c_must=3.0),
    Kernel("FFT 4096", fft_parts(4096), 2_300_000, "transform", 1.4, c=(("fft_plain", 24576),), c_must=3.0),
    Kernel(
        "FFT 4096, radix 4 in C too",
        fft_parts(4096),
        2_300_000,
        "transform",
        1.4,
        c=(("fft_first", 1024), ("fft_fours", 5120)),
    ),
    Kernel(
        "FIFO words of the IIS3DWB",
        (Part(UNPACK, "_unpack", (1,)),),
        unit="3 axes",
        block=READING_SAMPLES / 3,
        stream=True,
    ),
    Kernel("samples of 16 bits", (Part(UNPACK16, "_unpack", (1,)),), unit="3 axes"),
    Kernel("samples of the ADXL355", (Part(UNPACK20, "_unpack", (1,)),), unit="3 axes"),
)

# Viper functions whose loops turn a few times a block or once at the start, whatever the length of the block.
ONCE_A_BLOCK = {
    (STATS, "root"),
    (MOMENTS, "_finish"),
    (MOMENTS, "_normal"),
    (ENVELOPE, "_clear"),
    (ENVELOPE, "_take"),
    (ENVELOPE, "_keep"),
    (ENVELOPE, "_scale"),
    (FFT, "_table"),
    (SPECTRUM, "_weights"),
    (SPECTRUM, "root"),
    (SPECTRUM, "muldiv"),
}
