"""The demonstration as a person starts it: exit code, files, what it says."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from judder.virtual import demo, scenario

JUDDER = [sys.executable, "-m", "judder.cli.main"]


def run(*arguments: str, timeout_s: float = 280) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*JUDDER, *arguments], capture_output=True, text=True, timeout=timeout_s, check=False)


@pytest.mark.slow
def test_machine_fails_and_recovers(tmp_path: Path) -> None:
    done = run("demo", "--output", str(tmp_path), "--pace", "1000000", "--json")
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    report = rows[-1]
    assert report["event"] == "report"
    assert [alarm["alarm_level"] for alarm in report["alarms"]] == ["warning", "none"]
    assert report["flash"]["bytes_written"] > 1_500_000
    assert all(check["ok"] for check in report["provision"]["self_test"])
    # Every reading stands in the file, in order, once.
    kept = [json.loads(line) for line in (tmp_path / "readings.ndjson").read_text().splitlines()]
    sequences = [row["sequence"] for row in kept if row["kind"] == "reading"]
    assert sequences == list(range(len(sequences)))
    assert len(sequences) == report["readings"] >= 30
    assert (tmp_path / "run.png").read_bytes().startswith(b"\x89PNG")
    key_file = Path(report["provision"]["key_file"])
    key = json.loads(key_file.read_text())["node_key"]
    assert len(key) == 64
    # The key is on the node and in its file, and nothing said it aloud.
    assert bytes.fromhex(key) in (tmp_path / "flash.bin").read_bytes()
    assert key not in done.stdout + done.stderr


@pytest.mark.slow
def test_real_bearings_agree_with_the_recordings(tmp_path: Path, bearings: Path) -> None:
    done = run("demo", "--recording", str(bearings), "--output", str(tmp_path), "--pace", "40.5", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    found = {(row["recording"], row["axis"]): row for row in report["comparisons"]}
    assert len(found) == 7  # two channels, three, two again
    # recordings.json was computed with numpy in float64, independently of the node and of compare.py.
    published = json.loads((bearings / "recordings.json").read_text())
    for name in ("normal", "outer-race"):
        for axis, rms_g, peak_g in zip("xyz", published[name]["rms_g"], published[name]["peak_g"], strict=False):
            row = found[name, axis]
            assert row["blocks"] == 12
            # Half a sensor step of 0.488 mg and rounding to 1 mg on air; plus how far block means lie from the mean.
            assert abs(row["rms_mg"] - 1000 * rms_g) <= 0.744 + row["wander_mg"]
            assert abs(row["peak_mg"] - 1000 * peak_g) <= 0.988 + row["wander_mg"]
            assert row["wander_mg"] < 6
    assert [alarm["alarm_level"] for alarm in report["alarms"]] == ["danger", "none"]


@pytest.mark.slow
def test_over_lorawan(tmp_path: Path) -> None:
    done = run("demo", "--link", "lorawan", "--output", str(tmp_path), "--pace", "1000000", "--json")
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [alarm["alarm_level"] for alarm in rows[-1]["alarms"]] == ["warning", "none"]
    assert rows[-1]["readings"] >= 10
    # The command sent down was acknowledged, and the HELLO it asked for says that the node joined once.
    hello = [row for row in rows if row.get("kind") == "hello"][-1]
    assert (hello["link"], hello["joins"]) == ("lorawan", 1)
    assert hello["downlinks"] >= 1
    entry = json.loads(Path(rows[-1]["provision"]["key_file"]).read_text())
    key = entry["lorawan"]["app_key"]
    assert len(key) == 32
    assert bytes.fromhex(key) in (tmp_path / "flash.bin").read_bytes()
    assert key not in done.stdout + done.stderr
    assert rows[-1]["provision"]["lorawan"]["dev_eui"] == entry["node_id"]


def test_demonstration_fails_when_the_alarm_does_not_come(tmp_path: Path) -> None:
    quiet = scenario.synthetic()
    never = scenario.Scenario(
        quiet.title,
        [scenario.Piece("healthy", 4.0, quiet.pieces[0].source)],
        {**quiet.settings, "interval_s": 1},
        expects_alarm=True,
    )
    with pytest.raises(demo.DemoFailed, match="no alarm arrived"):
        demo.run(never, tmp_path)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--recording", "nowhere.npy", "--rate", "12000"], 7, "nowhere.npy"),
        (["--recording", "."], 7, "recordings.json"),
        (["--board", "esp32-generic"], 7, "needs a virtual one"),
        (["--board", "esp33"], 1, "esp33"),
        (["--link", "lorawan", "--board", "virtual-esp32s3"], 7, "no LoRa radio"),
        (["--link", "lorawan", "--region", "EU999"], 7, "EU868"),
    ],
)
def test_what_cannot_be_shown_is_said_in_one_line(
    tmp_path: Path, arguments: list[str], code: int, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run("demo", *arguments)
    assert done.returncode == code
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
