"""Run the real firmware over a signal in virtual time, messages over the console, and collect what it reports."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from judder.decode import decode
from judder.decode.records import Alarm, Hello, Reading, Record, Spectrum
from judder.device import boards, images
from judder.device.boards import Board
from judder.device.profile import Value
from judder.errors import DecodeError, DeviceError, InputError, Timeout
from judder.ingest.console import ConsoleReader
from judder.virtual import factory, micropython32
from judder.virtual.board import VirtualBoard
from judder.virtual.clock import VIRTUAL
from judder.virtual.last_words import LastWords
from judder.virtual.scenario import Scenario
from judder.virtual.wiring import Wiring
from judder_core import settings

# Real seconds without a message before the node counts as stuck; so many for a block's own length on top. A block takes
# some tens of milliseconds, and much longer from a slow sensor, whose FIFO is looked at all the while.
_SILENCE_S = 30.0

# Below, a block of 4096 samples outlasts everybody's patience; above, the virtual sensor's FIFO cannot be emptied as
# fast as it fills.
LOWEST_HZ, HIGHEST_HZ = 10.0, 131072.0
# A node gives no velocity of a slower sensor (node.dsp.velocity).
VELOCITY_FROM_HZ = 100.0

_COMPLAINT = "judder: sensor fault: "

OnRecord = Callable[[Record, float], None]

# Settings of a replay whatever a profile says: every block of the recording, one after the other, spectrum and all.
CONSECUTIVE: Mapping[str, Value] = {
    "mode": settings.check("mode", "continuous"),
    "interval_s": 0,
    "spectrum": settings.check("spectrum", "on"),
    "vibration_sensor": settings.check("vibration_sensor", "board"),
    "temperature_sensor": settings.check("temperature_sensor", "board"),
    # A block may be long where the recording is slow.
    "watchdog_s": 3600,
}


@dataclass
class Run:
    """What came of it. messages: as they came, with the board's time in seconds. values: settings in force.

    complaints: what the node said about its sensors, each once.
    """

    scenario: Scenario
    block: int
    messages: list[tuple[float, Record]] = field(default_factory=list)
    samples_lost: int = 0
    bad_frames: int = 0
    values: Mapping[str, Value] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)

    @property
    def readings(self) -> list[Reading]:
        return [record for _time, record in self.messages if isinstance(record, Reading)]

    @property
    def alarms(self) -> list[Alarm]:
        return [record for _time, record in self.messages if isinstance(record, Alarm)]

    @property
    def spectra(self) -> list[Spectrum]:
        return [record for _time, record in self.messages if isinstance(record, Spectrum)]

    @property
    def hello(self) -> Hello | None:
        return next((record for _time, record in self.messages if isinstance(record, Hello)), None)


def replay(
    scenario: Scenario,
    *,
    board: Board | None = None,
    values: Mapping[str, Value] | None = None,
    micropython: str | Sequence[str] | None = None,
    word: int = 64,
    on_record: OnRecord | None = None,
    made: images.Images | None = None,
) -> Run:
    """Boot a provisioned node, let it measure the scenario once, stop.

    values: settings by name over those of the scenario; the link is the console in any case. micropython: another PC
    build than the default. word: 32 for the word size of an ESP32 (see judder.virtual.micropython32). made: images
    built before. on_record: called with each message and the board's time.
    Raises InputError (no whole block in the signal, a rate outside LOWEST_HZ to HIGHEST_HZ), DeviceError, Timeout (the
    node fell silent), SettingsError.
    """
    if scenario.rate_hz is not None and not LOWEST_HZ <= scenario.rate_hz <= HIGHEST_HZ:
        raise InputError(
            f"sample rate {scenario.rate_hz:g} Hz: a replay takes {LOWEST_HZ:g} to {HIGHEST_HZ:g} Hz; is --rate right? "
            "Else resample the recording"
        )
    board = boards.load(boards.DEFAULT) if board is None else board
    if word == 32:
        micropython = micropython32.find()
        board = replace(board, mpy_arch=micropython32.ARCH)
    everything: dict[str, Value] = {"mode": 1, "interval_s": 0, **scenario.settings, **(values or {})}
    everything |= {"link": 0, "node_id": factory.eui64(factory.mac_address(0))}
    block = int(everything.get("block_samples", 4096))
    run = Run(scenario, block, values={**settings.defaults(), **everything})
    expected = _blocks(scenario, block)
    with tempfile.TemporaryDirectory(prefix="judder-replay-") as folder:
        flash = factory.make_flash(Path(folder) / "flash.bin", board, made or images.build(board), everything)
        wiring = Wiring.for_board(board, scenario.source, rate_hz=scenario.rate_hz)
        if wiring.vibration is not None:
            # Blocks of a recording are consecutive, whatever comes between two of them.
            wiring.vibration.waits = scenario.rate_hz is not None
        virtual = VirtualBoard(
            flash,
            chip=board.chip.name,
            flash_size=board.flash_bytes,
            mac=factory.mac_address(0),
            wiring=wiring,
            clock=VIRTUAL,
            micropython=micropython,
        )
        _collect(virtual, run, expected, on_record)
        if wiring.vibration is not None:
            run.samples_lost = wiring.vibration.samples_lost
    return run


def _blocks(scenario: Scenario, block: int) -> int | None:
    """Whole blocks in a recording; None where the signal is a function of time."""
    if scenario.rate_hz is None:
        return None
    count = int(round(scenario.duration_s * scenario.rate_hz) // block)
    if not count:
        raise InputError(f"the recording is shorter than a block of {block} samples; choose a smaller --block")
    return count


def _collect(virtual: VirtualBoard, run: Run, expected: int | None, on_record: OnRecord | None) -> None:
    reader = ConsoleReader(on_text=lambda text: _note(run, text))
    changed = threading.Condition()
    pending = bytearray()

    def hear(data: bytes) -> None:
        with changed:
            pending.extend(data)
            changed.notify()

    silence_s = _SILENCE_S + run.block / (run.scenario.rate_hz or LOWEST_HZ)
    words = LastWords(virtual)
    virtual.console(hear)
    with virtual:
        last = time.monotonic()
        while True:
            with changed:
                if not pending:
                    changed.wait(0.5)
                data = bytes(pending)
                pending.clear()
            now_s = virtual.now_us / 1e6
            for _node, payload in reader.feed(data):
                last = time.monotonic()
                try:
                    record = decode(payload)
                except DecodeError:
                    run.bad_frames += 1
                    continue
                if _is_after(record, expected):
                    return
                run.messages.append((now_s, record))
                if on_record is not None:
                    on_record(record, now_s)
            if expected is None and now_s > run.scenario.duration_s:
                return
            if time.monotonic() - last > silence_s:
                raise Timeout(f"no message from the node for {silence_s:.0f} s; its console says: '{words}'")
            if virtual.state == "off":
                raise DeviceError("the virtual board lost its power during the run")


def _note(run: Run, text: str) -> None:
    complaint = text.strip().removeprefix(_COMPLAINT)
    if complaint != text.strip() and complaint not in run.complaints:
        run.complaints.append(complaint)


def _is_after(record: Record, expected: int | None) -> bool:
    """Belongs to a block after the recording: all that was to be said of the recording has been."""
    if expected is None or not isinstance(record, (Reading, Alarm, Spectrum)) or record.sequence is None:
        return False
    return record.sequence >= expected
