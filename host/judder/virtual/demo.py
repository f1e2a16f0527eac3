"""The main job with no hardware: build, flash, provision, measure, deliver, decode, check.

A virtual board takes the place of the hardware. Everything else is the real thing: esptool, mpremote, MicroPython, the
firmware, the decoder, and an MQTT broker; or LoRaWAN on an air of this computer. The board's clock is virtual: at the
bench it keeps step with ours, and at the machine minutes pass in seconds.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from judder.decode import decode
from judder.decode.records import Ack, Alarm, Capture, Hello, Reading, Record
from judder.device import boards, images
from judder.device.boards import Board
from judder.device.events import OnEvent, ignore
from judder.device.flash import FlashReport, flash
from judder.device.profile import Value
from judder.device.provision import ProvisionReport, provision
from judder.errors import DecodeError, InputError, JudderError
from judder.flow import Observation, Uplink
from judder.sink.ndjson import NdjsonOptions, NdjsonSink
from judder.virtual import demo_network, factory
from judder.virtual.board import VirtualBoard
from judder.virtual.clock import VIRTUAL
from judder.virtual.compare import Comparison, compare
from judder.virtual.demo_network import Network
from judder.virtual.last_words import LastWords
from judder.virtual.scenario import Scenario
from judder_core import codec, schema

_SILENCE_S = 30.0  # real seconds without a message before the run is given up
_ANSWER_S = 60.0  # for an answer
_AXIS_X = 1

OnRecord = Callable[[Record, float], None]
OnStep = Callable[[str], None]


class DemoFailed(JudderError):
    """A step ended and its result is not what it has to be."""


@dataclass
class Outcome:
    """All that came of it. messages: (board time in s, record), as they arrived; waveform: fragments of one capture,
    none where the network does not carry one; network: lines about it.
    """

    scenario: Scenario
    block: int
    images: images.Images
    flashed: FlashReport
    provisioned: ProvisionReport
    way: str
    messages: list[tuple[float, Record]] = field(default_factory=list)
    waveform: list[Capture] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)
    bad_frames: int = 0
    board_seconds: float = 0.0
    acked: bool = False
    network: list[str] = field(default_factory=list)

    @property
    def readings(self) -> list[Reading]:
        return [record for _time, record in self.messages if isinstance(record, Reading)]

    @property
    def alarms(self) -> list[Alarm]:
        return [record for _time, record in self.messages if isinstance(record, Alarm)]


def run(
    scenario: Scenario,
    folder: Path,
    *,
    board: Board | None = None,
    pace: float | None = None,
    on_step: OnStep = lambda _title: None,
    on_event: OnEvent = ignore,
    on_record: OnRecord = lambda _record, _time: None,
    broker_kind: str | None = None,
    link: str = "mqtt",
    region: str = "EU868",
) -> Outcome:
    """Run the whole chain; files go to `folder` (flash.bin, images/, readings.ndjson).

    pace: at most so many seconds of the machine per second of yours. Raises DemoFailed and the errors of each step.
    """
    network = demo_network.make(link, broker_kind, region)
    board = boards.load(network.board) if board is None else board
    if not board.micropython.synthetic:
        raise InputError(f"board {board.name} is a real one; the demonstration needs a virtual one: {network.board}")
    if scenario.rate_hz is not None and not network.captures:
        raise InputError("a recording is compared block by block, too much for LoRaWAN: take --link mqtt with it")
    if link == "lorawan" and board.radio is None:
        raise InputError(f"board {board.name} has no LoRa radio: take {network.board}")
    folder.mkdir(parents=True, exist_ok=True)
    on_step(f"build the firmware for {board.name}")
    made = images.build(board, output=folder / "images")
    with network:
        flash_file = folder / "flash.bin"
        flash_file.unlink(missing_ok=True)
        # Another node every time: a fresh MAC, hence a fresh identity on the broker.
        mac = factory.mac_address(int.from_bytes(os.urandom(3), "big"))
        wanted: dict[str, Value] = {"label": "demonstration", "mode": 1, **scenario.settings, **network.settings()}
        # Its time keeps step with ours and still does not run while this computer is busy elsewhere: a self-test
        # measures the sample rate, and must not find the computer slow.
        with VirtualBoard(
            flash_file, chip=board.chip.name, flash_size=board.flash_bytes, mac=mac, clock=VIRTUAL, pace=1.0
        ) as bench:
            on_step(f"flash the virtual board at {bench.port} with esptool")
            flashed = flash(bench.port, board, images=made, on_event=on_event)
            on_step("provision it through mpremote: identity, fresh key, settings, self-test")
            provisioned = provision(bench.port, wanted, keys=folder / "keys", on_event=on_event)
        on_step(f"run it at the machine: {scenario.title}; {network.title}")
        outcome = Outcome(scenario, int(wanted.get("block_samples", 4096)), made, flashed, provisioned, network.title)
        _measure(outcome, flash_file, board, mac, network, pace, folder, on_record)
        on_step("check what arrived")
        _check(outcome, network.captures)
        outcome.network = network.report()
    return outcome


def _measure(
    outcome: Outcome,
    flash_file: Path,
    board: Board,
    mac: bytes,
    network: Network,
    pace: float | None,
    folder: Path,
    on_record: OnRecord,
) -> None:
    scenario = outcome.scenario
    wiring = network.wiring(board, scenario.source, scenario.rate_hz)
    log = folder / "readings.ndjson"
    log.unlink(missing_ok=True)
    node = outcome.provisioned.node
    key_file = outcome.provisioned.key_file
    assert key_file is not None
    virtual = VirtualBoard(
        flash_file,
        chip=board.chip.name,
        flash_size=board.flash_bytes,
        mac=mac,
        wiring=wiring,
        clock=VIRTUAL,
        pace=pace,
    )
    network.attach(virtual, wiring, node, Path(key_file))
    with NdjsonSink(NdjsonOptions(path=log)) as sink, virtual:
        words = LastWords(virtual)
        last = time.monotonic()
        asked: float | None = None
        asked_board_s = 0.0
        while True:
            got = network.get(0.2)
            now_s = virtual.now_us / 1e6
            if got is not None:
                payload, received_at = got
                last = time.monotonic()
                try:
                    record = decode(payload)
                except DecodeError:
                    outcome.bad_frames += 1
                    continue
                tags = {"board_s": f"{now_s:.3f}"}
                uplink = Uplink(node, payload, round(received_at, 3), "demo", tags=tags)
                sink.write([Observation(uplink, record)])
                _take(outcome, record, now_s, on_record)
            if asked is None and now_s > scenario.duration_s and _all_in(outcome):
                network.send(_request("capture" if network.captures else "hello"))
                asked, asked_board_s = time.monotonic(), now_s
            done = _complete(outcome.waveform) if network.captures else _answered(outcome)
            # By both clocks: a computer busy with other work is slow, and a node by its own clock is not.
            late = asked is not None and time.monotonic() - asked > _ANSWER_S and now_s - asked_board_s > _ANSWER_S
            if asked is not None and (done or late):
                break
            if time.monotonic() - last > _SILENCE_S:
                raise DemoFailed(
                    f"no message from the node for {_SILENCE_S:g} s ({len(outcome.messages)} before that); "
                    f"its console says: '{words}'"
                )
        outcome.board_seconds = virtual.now_us / 1e6


def _take(outcome: Outcome, record: Record, now_s: float, on_record: OnRecord) -> None:
    if isinstance(record, Capture):
        outcome.waveform.append(record)
        return
    if isinstance(record, Ack):
        outcome.acked = True
        return
    outcome.messages.append((now_s, record))
    on_record(record, now_s)


def _all_in(outcome: Outcome) -> bool:
    """Every block of a recording has been reported; of an endless signal time alone decides."""
    scenario = outcome.scenario
    if scenario.rate_hz is None:
        return True
    blocks = int(round(scenario.duration_s * scenario.rate_hz) // outcome.block)
    return any(reading.sequence is not None and reading.sequence >= blocks - 1 for reading in outcome.readings)


def _request(name: str) -> bytes:
    request = schema.REQUESTS.index(name) | (_AXIS_X << 8 if name == "capture" else 0)
    return codec.encode(schema.COMMAND, [1, schema.COMMAND_ACTIONS.index("request"), request])


def _answered(outcome: Outcome) -> bool:
    """The HELLO of the start, and the one asked for."""
    return outcome.acked and sum(isinstance(record, Hello) for _time, record in outcome.messages) >= 2


def _complete(fragments: list[Capture]) -> bool:
    return bool(fragments) and len({part.index for part in fragments}) == fragments[0].count


def _check(outcome: Outcome, captures: bool) -> None:
    """Raises DemoFailed for the first thing that is not as it has to be."""
    if outcome.bad_frames:
        raise DemoFailed(f"{outcome.bad_frames} messages did not decode")
    got = [reading.sequence for reading in outcome.readings]
    if got != list(range(len(got))) or not got:
        raise DemoFailed(f"readings are missing, doubled or out of order: sequences {got}")
    if not captures and not _answered(outcome):
        raise DemoFailed("the node did not answer the command it was sent")
    if captures and not _complete(outcome.waveform):
        raise DemoFailed("the node did not deliver the waveform it was asked for")
    if outcome.scenario.expects_alarm:
        levels = [alarm.alarm_level for alarm in outcome.alarms]
        if not any(level != "none" for level in levels):
            raise DemoFailed("the machine became faulty and no alarm arrived")
        if levels[-1] != "none":
            raise DemoFailed("the machine was mended and the alarm did not clear")
    outcome.comparisons = compare(outcome.scenario.pieces, outcome.readings, outcome.block)
    wrong = [row for row in outcome.comparisons if not row.agrees]
    if wrong:
        row = wrong[0]
        raise DemoFailed(
            f"{row.recording}, axis {row.axis}: the node's numbers do not agree with the recording: RMS off by up to "
            f"{row.rms_error_mg:.2f} mg, peak by {row.peak_error_mg:.2f} mg"
        )
