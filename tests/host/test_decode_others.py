"""What is not ours on our port, what is spelled otherwise than the contract says, and errors that travel."""

import os
import pickle
import random
import subprocess
import sys
from pathlib import Path

import cbor2
import pytest

from judder import decode, decode_batch, explain
from judder.errors import DecodeError
from judder_core import schema

ROOT = Path(__file__).parents[2]
RANDOM = 3_000_000 if os.environ.get("JUDDER_FULL") else 60_000

# Examples their makers publish.
OTHERS = {
    "Cayenne LPP, two temperatures": "03670110056700ff",
    "The Things Stack's page on Cayenne LPP": "00732 7bf006700de".replace(" ", ""),
    "Milesight EM320-TH": "01755c03673401046865",
    "Milesight EM300-DI, with history": "01755c0367340104686520ce9e74466310015d020000010000",
    "Milesight AM100, device information": "ff01abff086128a5294269ff090140ff0a0142ff0f00ff18007b",
    "Elsys ERS CO2": "0100e202290400270506060308070d62",
    "Ruuvi, data format 5": "0512fc5394c37c0004fffc040cac364200cdcbb8334c884f",
    "text": b"temperature=21.5".hex(),
    "JSON": b'{"t":21.5}'.hex(),
    "zeros": "00" * 12,
    "ones": "ff" * 12,
}
# CBOR as other devices send it.
OTHERS |= {
    name: cbor2.dumps(value).hex()
    for name, value in {
        "a map with text keys": {"t": 21.5, "h": 40},
        "a map with integer keys": {1: 215, 2: 40},
        "SenML-CBOR (RFC 8428 section 6)": [{-2: "urn:dev:mac:0024befffe804ff1", 0: "t", 2: 21.5}],
        "a list of floats": [21.5, 40.25],
        "a list that begins with a negative number": [-5, 3, 7],
        "a list that begins with a large number": [1_764_000_000, 215, 40],
        "a tagged time": cbor2.CBORTag(1, 1_764_000_000),
        "a number": 21,
    }.items()
}


@pytest.mark.parametrize("payload", OTHERS.values(), ids=OTHERS)
def test_other_vendors_payloads_are_refused_with_a_reason(payload: str) -> None:
    frame = bytes.fromhex(payload)
    with pytest.raises(DecodeError) as caught:
        decode(frame)
    assert caught.value.reason and caught.value.hex
    assert explain(frame)[-1].path == "error"
    good = bytes.fromhex("86011828f619019f0700")
    table, errors = decode_batch([good, frame, good] * 40)
    assert [error.row for error in errors] == list(range(1, 120, 3))
    assert table.column("temperature_c").null_count == 40


def test_random_bytes_are_next_to_never_taken_for_a_message() -> None:
    """And those that are are short messages of kinds that do not exist yet: `unknown`, with their bytes."""
    rng = random.Random(77)
    taken: dict[str, int] = {}
    for _ in range(RANDOM):
        try:
            kind = decode(rng.randbytes(rng.randint(2, 51))).kind
        except DecodeError:
            continue
        taken[kind] = taken.get(kind, 0) + 1
    print(f"of {RANDOM} random payloads of 2 to 51 bytes {taken} taken")
    assert sum(taken.values()) <= RANDOM // 10_000
    assert sum(taken.values()) - taken.get("unknown", 0) <= RANDOM // 200_000


# RFC 8949 section 4.2.1 has one spelling for [1, 0, 300, -5] after which nothing follows; these say the same otherwise.
SPELLINGS = {
    "a longer head of the array": "9804010019012c24",
    "a longer kind": "8418010019012c24",
    "a longer state": "8401180019012c24",
    "a longer velocity": "8401001a0000012c24",
    "the longest velocity": "8401001b000000000000012c24",
    "a longer negative": "84010019012c3804",
    "no length": "9f010019012c24ff",
    "a float that is whole": "840100f95cb024",
    "a bignum (tag 2)": "840100c242012c24",
    "a tag in front of all": "d9d9f784010019012c24",
    "false for 0": "8401f419012c24",
    "undefined for null": "840100f719012c",
    "null in two bytes": "840100f81619012c",
}


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_other_spellings_are_refused(spelling: str) -> None:
    assert decode(bytes.fromhex("84010019012c24")).to_dict()["velocity_rms_worst_mm_s"] == 3.0
    frame = bytes.fromhex(spelling)
    with pytest.raises(DecodeError):
        decode(frame)
    assert [error.row for error in decode_batch([frame] * 100)[1]] == list(range(100))


@pytest.mark.parametrize("frame", [cbor2.dumps([1, 0]), cbor2.dumps([1, 0, *[1] * 30]), cbor2.dumps([9, 1])])
def test_every_truncation_and_every_byte_more_is_refused(frame: bytes) -> None:
    for wrong in (*(frame[:cut] for cut in range(len(frame))), *(frame + bytes([byte]) for byte in range(256))):
        with pytest.raises(DecodeError):
            decode(wrong)


def test_errors_go_from_process_to_process() -> None:
    """Workers of a pool or a cluster hand them on: with everything that is known of them."""
    with pytest.raises(DecodeError) as caught:
        decode(bytes.fromhex("8401190fff19012c24"))
    there = pickle.loads(pickle.dumps(caught.value))
    assert type(there) is DecodeError and str(there) == str(caught.value)
    assert (there.reason, there.offset, there.hex) == (caught.value.reason, caught.value.offset, caught.value.hex)
    (first, *_rest) = pickle.loads(pickle.dumps(decode_batch([b"", b"\x82"])[1]))
    assert (first.row, first.error.offset) == (0, 0)


TYPED = """
from judder import Tracker, decode, decode_batch, encode_command, records
from judder.flow import Uplink

def velocity(payload: bytes) -> float | None:
    match decode(payload):
        case records.Reading() as reading:
            return reading.velocity_rms_mm_s.x
        case records.Alarm() as alarm:
            return alarm.value
        case records.Unknown() as unknown:
            print(unknown.payload.hex())
    return None

frame: bytes = encode_command(1, reboot=True)
words: tuple[str, ...] = Tracker().feed(Uplink("", frame, 0.0, "mqtt"), decode(frame)).problems
row: int = decode_batch([frame])[1][0].row
"""


def test_users_of_mypy_get_types(tmp_path: Path) -> None:
    """py.typed, seen from outside; and a mistake is found."""
    good, wrong = tmp_path / "good.py", tmp_path / "wrong.py"
    good.write_text(TYPED)
    wrong.write_text("from judder import records\n\nprint(records.Reading.of().temprature_c)\n")
    run = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir", str(ROOT / ".mypy_cache")]
    found = subprocess.run([*run, str(good), str(wrong)], capture_output=True, text=True, cwd=tmp_path)
    assert found.stdout.splitlines()[0].endswith(
        'has no attribute "temprature_c"; maybe "temperature_c"?  [attr-defined]'
    )
    assert found.stdout.splitlines()[1].startswith("Found 1 error in 1 file (checked 2"), found.stdout


def test_kinds_and_ports_of_ours_are_what_the_contract_says() -> None:
    assert [decode(cbor2.dumps([kind, 0])).kind for kind in (0, 1, 2)] == ["hello", "reading", "alarm"]
    assert explain(cbor2.dumps([1, 0]))[1].meaning == f"1: reading, LoRaWAN port {1 + schema.FPORT_OFFSET}"
