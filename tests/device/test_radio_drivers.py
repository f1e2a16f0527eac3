"""Radio drivers on both word sizes: a window allocates nothing, and numbers are those of exact arithmetic."""

from pathlib import Path

from tests.device.target import Target

SILENT, HEARD, DAMAGED = 3, 2, 4


def test_a_window_allocates_nothing(device: Target, built: Path) -> None:
    lines = device.output("radio.py", built).splitlines()
    # SX1262: -161 / 2 dBm and -29 / 4 dB as the port says. SX1276: -157 + 64 - 29 / 4, section 5.5.5.
    for name, dbm in (("SX1262", -81), ("SX1276", -101)):
        rows = [line.split()[3:] for line in lines if line.startswith(name + " on fake ")]
        found, left = rows[:3], rows[3]
        # Strength stays from the frame before where nothing was heard.
        assert found[0][:3] == [str(SILENT), str(SILENT), "0"]
        assert found[1] == [str(HEARD), str(HEARD), "33", str(dbm if name == "SX1276" else -80), "-29"]
        assert found[2][:3] == [str(DAMAGED), str(DAMAGED), "0"]
        assert left == ["left", "0"]
    assert lines[8] == f"ended by hand {SILENT}"
    assert lines[9] == "MemoryError"


def test_numbers(device: Target, built: Path) -> None:
    lines = device.output("radio.py", built).splitlines()[-3:]
    frequencies = (865_062_500, 868_100_000, 1_020_000_000)
    assert lines[0] == str([round(hz * 2**25 / 32_000_000) for hz in frequencies])
    assert lines[1] == str([round(hz * 2**19 / 32_000_000) for hz in frequencies])
    # Semtech's calculator: 9.019 s, 71.9 ms; 46.3 ms / 4.
    assert lines[2] == str([9_019_392, 71_936, 11_584])
