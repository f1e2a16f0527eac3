"""judder replay and judder sim: the real firmware over recordings and as a fleet, and inputs that cannot be used."""

import json
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from judder.decode import decode
from judder.decode.records import Reading
from judder.flow import Uplink
from judder.ingest.broker import Broker
from judder.ingest.mqtt import Subscriber

JUDDER = [sys.executable, "-m", "judder.cli.main"]
RATE_HZ = 3200


def run(*arguments: str, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*JUDDER, *arguments], capture_output=True, text=True, timeout=timeout_s, check=False)


@pytest.fixture
def recording(tmp_path: Path) -> tuple[Path, np.ndarray]:
    """Two channels of int16 at 1 mg per count: a sine and noise, 3 blocks of 3200."""
    t = np.arange(3 * 3200) / RATE_HZ
    noise = np.random.default_rng(7).normal(0, 90, len(t))
    data = np.stack((1000 * np.sin(2 * np.pi * 50 * t), noise), 1).round().astype(np.int16)
    path = tmp_path / "machine.npy"
    np.save(path, data)
    return path, data


def test_numbers_are_numpys(recording: tuple[Path, np.ndarray]) -> None:
    path, data = recording
    done = run("replay", str(path), "--rate", str(RATE_HZ), "--scale", "0.001", "--all", "--json")
    assert done.returncode == 0, done.stderr
    *blocks, summary = (json.loads(line) for line in done.stdout.splitlines())
    assert len(blocks) == summary["blocks"] == 3
    assert summary["block_samples"] == 3200
    for index, block in enumerate(blocks):
        part = data[index * 3200 : (index + 1) * 3200].astype(float)
        for channel, axis in enumerate("xy"):
            # Half a step of 0.488 mg plus half a mg on air; a whole step for the peak (see virtual/compare.py).
            assert abs(block["channels"][axis]["rms_mg"] - part[:, channel].std()) <= 0.75
            peak = np.abs(part[:, channel] - part[:, channel].mean()).max()
            assert abs(block["channels"][axis]["peak_mg"] - peak) <= 1.0
        silent = block["channels"]["z"]
        assert (silent["rms_mg"], silent["peak_mg"]) == (0, 0)
        assert abs(block["fs_hz"] / RATE_HZ - 1) < 1e-3
        assert (block["lost"], block["clipped"], block["zone"], block["alarm"]) == (0, False, None, "none")
    assert summary["lost"] == 0
    assert [block["index"] for block in blocks] == [block["sequence"] for block in blocks] == [0, 1, 2]


def test_full_scale_of_2_g_clips_what_16_g_does_not(tmp_path: Path) -> None:
    t = np.arange(4096) / RATE_HZ
    path = tmp_path / "loud.csv"
    np.savetxt(path, 3 * np.sin(2 * np.pi * 40 * t), delimiter=",")
    clipped = {}
    for range_g in ("2", "16"):
        done = run("replay", str(path), "--rate", str(RATE_HZ), "--range", range_g, "--json")
        assert done.returncode == 0, done.stderr
        clipped[range_g] = json.loads(done.stdout)["clipped"]
    assert clipped == {"2": True, "16": False}


def test_wav_knows_its_rate(tmp_path: Path) -> None:
    path = tmp_path / "machine.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes((np.sin(np.arange(8000) / 10) * 1000).astype("<i2").tobytes())
    done = run("replay", str(path), "--scale", "0.001")
    assert done.returncode == 0, done.stderr
    assert "measured rate 800" in done.stdout or "measured rate 799" in done.stdout


def save(path: Path, data: np.ndarray) -> Path:
    np.save(path, data)
    return path


@pytest.mark.parametrize(
    ("make", "arguments", "words"),
    [
        (lambda p: save(p / "a.npy", np.array([[1.0], [np.nan]] * 400)), ["--rate", "100"], "not numbers"),
        (lambda p: save(p / "a.npy", np.empty((400, 0))), ["--rate", "100"], "channel"),
        (lambda p: save(p / "a.npy", np.zeros((400, 1))), [], "--rate"),
        (lambda p: save(p / "a.npy", np.zeros((400, 1))), ["--rate", "0"], "rate"),
        (lambda p: save(p / "a.npy", np.zeros((400, 1))), ["--rate", "-5"], "rate"),
        (lambda p: save(p / "a.npy", np.zeros((400, 1))), ["--rate", "nan"], "rate"),
        (lambda p: save(p / "a.npy", np.zeros((400, 1))), ["--rate", "100", "--scale", "0"], "scale"),
        (lambda p: save(p / "a.npy", np.zeros((100, 1))), ["--rate", "100"], "256"),
        (lambda p: save(p / "a.npy", np.zeros((400, 1))), ["--rate", "100", "--block", "300"], "multiple of 8"),
        (lambda p: p / "none.wav", [], "none.wav"),
    ],
)
def test_recording_that_cannot_be_used(tmp_path: Path, make: object, arguments: list[str], words: str) -> None:
    done = run("replay", str(make(tmp_path)), *arguments)  # type: ignore[operator]
    assert done.returncode == 7, (done.returncode, done.stdout, done.stderr)
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_fleet_on_stdout(tmp_path: Path) -> None:  # noqa: ARG001
    done = run("sim", "--nodes", "3", "--scenario", "mixed", "--minutes", "3", "--json")
    assert done.returncode == 0, done.stderr
    *messages, report = (json.loads(line) for line in done.stdout.splitlines())
    assert report["nodes"] == 3
    assert report["bad_frames"] == 0
    by_node: dict[str, list[int]] = {}
    for message in messages:
        if message["kind"] == "reading":
            by_node.setdefault(message["node"], []).append(message["sequence"])
    assert len(by_node) == 3
    for sequences in by_node.values():
        assert sequences == list(range(len(sequences)))
        assert len(sequences) >= 3
    # Node 2 of the mixed fleet is the failing one: its alarm comes over deep sleep.
    assert any(message["kind"] == "alarm" for message in messages)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--scenario", "earthquake"], 7, "bearing"),
        (["--to", "http://x"], 7, "mqtt://"),
        (["--to", "mqtt://x:99999"], 7, "mqtt://"),
        (["--to", "mqtt://127.0.0.1:1"], 3, "is it running"),
        (["--nodes", "0"], 1, "nodes"),
    ],
)
def test_wrong_options(arguments: list[str], code: int, words: str) -> None:
    done = run("sim", *arguments)
    assert done.returncode == code
    assert words in done.stderr


def test_fleet_on_a_broker() -> None:
    with Broker() as broker, Subscriber(broker.host, broker.port) as subscriber:
        target = f"mqtt://{broker.host}:{broker.port}"
        done = run("sim", "--nodes", "2", "--scenario", "healthy", "--minutes", "0.5", "--pace", "20", "--to", target)
        assert done.returncode == 0, done.stderr
        nodes = set()
        while (event := subscriber.get(0.5)) is not None:
            if isinstance(event, Uplink) and isinstance(decode(event.payload), Reading):
                nodes.add(event.node)
    assert len(nodes) == 2
