"""Every kernel with a loop over samples: what it may cost, and its like in C. A new one goes here.

Instructions are counted in the loops of the code mpy-cross makes (budget.py) and multiplied by how often each loop
turns for one sample, point or transform. tests/device/test_budget.py holds the budgets and that no kernel is missing;
tests/bench/bench_kernels.py prints the table. What is timed against bytecode is listed in programs/ratio.py.
"""

from dataclasses import dataclass

# What a reading is made of: three axes of blocks of so many samples. At this rate eight blocks fill a record of as many
# decimated samples, from which velocity and lines are made.
READING_SAMPLES = 4096
READING_RATE_HZ = 26667
RECORD_BLOCKS = 8
RECORD_SAMPLES = RECORD_BLOCKS * READING_SAMPLES

STATS = "node/dsp/stats.py"
MOMENTS = "node/dsp/moments.py"
ENVELOPE = "node/dsp/envelope.py"
DECIMATE = "node/dsp/decimate.py"
FFT = "node/dsp/fft.py"
SPECTRUM = "node/dsp/spectrum.py"
UNPACK = "node/sensors/unpack.py"
UNPACK16 = "node/sensors/unpack16.py"
UNPACK20 = "node/sensors/unpack20.py"


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

    must: instructions per unit on rv32imc at most; None where nothing was agreed. xtensa_must: times that (or times its
    own rv32 count) at most. c: function of tests/bench/c/kernels.c whose main loop does c_units in a turn; c_must:
    times its instructions at most. reading: units in one axis of a block of a reading. stream: a record needs it of
    every block, not of one.
    """

    name: str
    parts: tuple[Part, ...]
    must: float | None = None
    unit: str = "sample"
    xtensa_must: float = 1.2
    c: str | None = None
    c_units: float = 1
    c_must: float | None = None
    reading: float = 0
    stream: bool = False


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
    bins = 990 * READING_SAMPLES * RECORD_BLOCKS / READING_RATE_HZ
    return (
        Part(SPECTRUM, "_survey", (READING_SAMPLES / 8 * per, READING_SAMPLES / 4 * per, 0)),
        Part(SPECTRUM, "_load", (0, points / 4 * per, points / 4 * per)),
        *fft_parts(points, RECORD_SAMPLES, first=False),
        Part(FFT, "_split", (0, points / 2 * per)),
        Part(SPECTRUM, "_ceiling", (bins * per, 0)),
        Part(SPECTRUM, "_power", (bins * per,)),
        Part(SPECTRUM, "_total", (bins * per,)),
    )


EIGHTH = (Part(DECIMATE, "_eighth", (1 / 8,)),)
# Of the bins 24 are kept as peaks; insertion moves a few of them.
PEAKS = (Part(SPECTRUM, "_peaks", (0, 0, 1)),)

KERNELS = (
    # Budgets: rows 1, 4, 6 and 7 of the project's reference, DESIGN section 7.
    Kernel(
        "sum, squares, peak", (Part(STATS, "_fused", (1 / 8, 0)),), 31, c="fused", c_must=2.6, reading=READING_SAMPLES
    ),
    # Two comparisons and little else: Xtensa needs five instructions for each where RISC-V needs four.
    Kernel(
        "peak, peak-to-peak",
        (Part(STATS, "_peak_about", (1 / 8, 0, 1 / 8, 0)),),
        xtensa_must=1.25,
        c="peak_about",
        reading=READING_SAMPLES,
    ),
    Kernel(
        "kurtosis and skewness",
        (Part(MOMENTS, "_sums", (1 / 8, 0)),),
        32,
        c="moments",
        c_must=2.5,
        reading=READING_SAMPLES,
    ),
    # Three biquads in one pass: three times 64.
    Kernel(
        "envelope: three biquads",
        (Part(ENVELOPE, "_band", (1,)),),
        3 * 64,
        c="band",
        c_must=3.4,
        reading=READING_SAMPLES,
    ),
    # At 26.7 kHz squares go in groups of four; smoothing is per group.
    Kernel(
        "envelope: squares",
        (Part(ENVELOPE, "_square", (1 / 4, 0, 1 / 4)),),
        c="square",
        c_units=4,
        reading=READING_SAMPLES,
    ),
    Kernel(
        "envelope: smoothing", (Part(ENVELOPE, "_smooth", (1,)),), unit="point", c="smooth", reading=READING_SAMPLES / 4
    ),
    Kernel("decimation by 8", EIGHTH, c="half", c_units=8, reading=READING_SAMPLES, stream=True),
    Kernel("decimation by 4", (Part(DECIMATE, "_quarter", (1 / 4,)),)),
    Kernel("decimation by 2", (Part(DECIMATE, "_half", (1 / 2,)),)),
    Kernel("no decimation", (Part(DECIMATE, "_copy", (1 / 4,)),)),
    # In step with the record: a sample's share of it.
    Kernel("velocity of a record", velocity_parts(), xtensa_must=1.4, reading=READING_SAMPLES),
    # 75 was for a chain in the time domain that gives velocity and nothing else. The spectrum costs 10 more, leaves out
    # what is not in the band exactly, and is the one that lines and bands are taken from.
    Kernel("velocity chain (75: velocity alone)", (*EIGHTH, *velocity_parts()), 85, xtensa_must=1.4),
    Kernel("lines of a record", PEAKS, unit="bin", reading=990 * READING_SAMPLES / READING_RATE_HZ),
    Kernel("FFT 1024", fft_parts(1024), 500_000, "transform", 1.4, c="fft", c_units=1 / 5120, c_must=3.0),
    Kernel("FFT 4096", fft_parts(4096), 2_300_000, "transform", 1.4, c="fft", c_units=1 / 24576, c_must=3.0),
    Kernel(
        "FIFO words of the IIS3DWB",
        (Part(UNPACK, "_unpack", (1,)),),
        unit="3 axes",
        reading=READING_SAMPLES / 3,
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
