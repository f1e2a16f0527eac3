"""The firmware as slow as on an ESP32: its kernels and loops charge the virtual board's clock.

The virtual clock moves by sleeps and transfers only, so that on a virtual board signal processing takes no time and no
FIFO ever runs over meanwhile. What a user of a chip gets is only seen with the time charged.
"""

from __future__ import annotations

import functools
import shutil
import tempfile
from pathlib import Path

from tests.device.budget import per_unit
from tests.device.kernel_table import KERNELS, READING_SAMPLES, RECORD_SAMPLES

from judder.device import assets

# What a collection takes on a heap of 220 KB: 1.1 ms on a nearly empty one, hence a guess with room.
GC_US = 10_000
_SLOW = Path(__file__).parent / "fakes" / "slow.py"


@functools.cache
def instructions() -> dict[str, object]:
    """Instructions on rv32imc, of a sample of one axis or of a word of a FIFO, by the static count."""
    with tempfile.TemporaryDirectory() as folder:
        each = {kernel.name: per_unit(kernel, Path(folder)) for kernel in KERNELS}
    return {
        "STATS": each["sum, squares, peak"] + each["peak, peak-to-peak"],
        "MOMENTS": each["kurtosis and skewness"],
        "ENVELOPE": 3 * each["biquad (the envelope has three)"]
        + each["envelope: squares"]
        + each["envelope: smoothing"] / 4,
        "DECIMATE": {
            1: each["no decimation"],
            2: each["decimation by 2"],
            4: each["decimation by 4"],
            8: each["decimation by 8"],
        },
        # Of a point of the record.
        "RECORD": (each["velocity of a record"] * RECORD_SAMPLES + each["lines of a record"] * 1220) / READING_SAMPLES,
        "UNPACK": each["FIFO words of the IIS3DWB"],
        "UNPACK16": each["samples of 16 bits"],
        "UNPACK20": each["samples of the ADXL355"],
    }


def tree(folder: Path, cpu_mhz: int = 160, gc_us: int = GC_US) -> Path:
    """A copy of the firmware that charges its time, for images.build."""
    shutil.copytree(assets.firmware(), folder)
    costs = {**instructions(), "CPU_MHZ": cpu_mhz, "GC_US": gc_us}
    (folder / "node" / "slow_costs.py").write_text("".join(f"{name} = {value!r}\n" for name, value in costs.items()))
    shutil.copy(_SLOW, folder / "node" / "slow.py")
    main = folder / "main.py"
    text = main.read_text()
    assert "        app.main()" in text
    main.write_text(text.replace("        app.main()", "        from node import slow\n\n        app.main()"))
    return folder
