"""A/B records against every power cut, and proof that the test would notice records that are not safe."""

import random
import struct
from collections.abc import Callable
from typing import Any

import pytest
from tests.powercut import Cut, Flash, Report, survey

from judder_core import record
from node.store.records import MAX_PAYLOAD_BYTES, SECTOR_BYTES, Records

BLANK = b"\xff" * (2 * SECTOR_BYTES)
SAVES = (b"first record, provisioned", b"second, a little longer than the first", b"third", b"4")
RECOVERED = b"saved after the cut"


def saves(make: Callable[[Flash], Any]) -> Callable[[Flash], None]:
    """Workload: save each record in turn, noting before each what is being saved and after each that it returned."""

    def workload(flash: Flash) -> None:
        records = make(flash)
        for payload in SAVES:
            flash.mark(("saving", payload))
            records.save(payload)
            flash.mark(("saved", payload))

    return workload


def allowed(cut: Cut, before: bytes | None) -> set[bytes | None]:
    """What load() may give: the last record whose save returned, or the one being saved. before: there at the start."""
    done = [payload for what, payload in cut.marks if what == "saved"]
    started = [payload for what, payload in cut.marks if what == "saving"]
    expected: set[bytes | None] = {done[-1] if done else before}
    if len(started) > len(done):
        expected.add(started[-1])
    return expected


def survey_saves(make: Callable[[Flash], Any], image: bytes = BLANK, before: bytes | None = None) -> Report:
    def recover(flash: Flash, cut: Cut) -> Any:
        found = make(flash).load()
        assert found in allowed(cut, before), f"found {found!r}, allowed {allowed(cut, before)!r}"
        make(flash).save(RECOVERED)
        assert make(flash).load() == RECOVERED
        return found

    def judge(flash: Flash, cut: Cut, found: Any) -> None:
        # What was found stays until the new record is there: nothing flips between two starts.
        now = make(flash).load()
        assert now in (found, RECOVERED), f"found {found!r} at the first start, {now!r} at the second"
        if cut.where == "after the run":
            assert now == RECOVERED

    return survey(image, saves(make), recover, judge)


# Its generation is the last but one before the wrap, which then happens within the run.
OLD = record.frame(0xFFFFFFFE, b"old").ljust(SECTOR_BYTES, b"\xff") + BLANK[:SECTOR_BYTES]


@pytest.mark.parametrize(
    ("image", "before"),
    [
        pytest.param(BLANK, None, id="blank"),
        pytest.param(bytes(2 * SECTOR_BYTES), None, id="all zero"),
        pytest.param(random.Random(7).randbytes(2 * SECTOR_BYTES), None, id="never erased"),
        pytest.param(OLD, b"old", id="generation wraps"),
    ],
)
def test_every_power_cut(image: bytes, before: bytes | None) -> None:
    """No cut, single or double, loses the record before it, invents one or goes back to an older one."""
    report = survey_saves(Records, image, before)
    assert report.failures == []
    assert report.cuts - report.double_cuts > 500
    assert report.double_cuts > 10_000


def test_every_power_cut_of_a_wipe() -> None:
    """A record being wiped is there or gone; an older one never comes back."""

    def workload(flash: Flash) -> None:
        Records(flash).save(b"older")
        Records(flash).save(b"newer")
        flash.mark("wiping")
        Records(flash).wipe()
        flash.mark("wiped")

    def recover(flash: Flash, cut: Cut) -> None:
        found = Records(flash).load()
        if "wiped" in cut.marks:
            assert found is None
        elif "wiping" in cut.marks:
            assert found in (b"newer", None), f"found {found!r}"

    report = survey(BLANK, workload, recover)
    assert report.failures == []


# Sabotaged records: each leaves out one thing Records does, and each has to be caught.


class WritesTheNewerSlot(Records):
    """Rewrites the record in force instead of the other one."""

    def save(self, payload: bytes) -> None:
        found = self._newest()
        slot, generation = (0, 0) if found is None else (found[0], record.following(found[1]))
        self._flash.erase(slot)
        self._flash.program(slot * SECTOR_BYTES, record.frame(generation, payload))


class ChecksNoCrc(Records):
    """Believes any header whose length is plausible."""

    def _newest(self) -> "tuple[int, int, bytes] | None":
        best = None
        for slot in (0, 1):
            sector = bytes(self._flash.read(slot * SECTOR_BYTES, SECTOR_BYTES))
            generation, length, _crc = struct.unpack("<III", sector[: record.HEADER_BYTES])
            if length > MAX_PAYLOAD_BYTES or (best and not record.is_newer(generation, best[1])):
                continue
            best = (slot, generation, sector[record.HEADER_BYTES : record.HEADER_BYTES + length])
        return best


class HeaderFirst(Records):
    """A header with a CRC of its own is written before the payload, which nothing covers."""

    def save(self, payload: bytes) -> None:
        found = self._newest()
        slot, generation = (0, 0) if found is None else (1 - found[0], record.following(found[1]))
        header = record.frame(generation, struct.pack("<I", len(payload)))
        self._flash.erase(slot)
        self._flash.program(slot * SECTOR_BYTES, header)
        self._flash.program(slot * SECTOR_BYTES + len(header), payload)

    def _newest(self) -> "tuple[int, int, bytes] | None":
        found = super()._newest()
        if found is None:
            return None
        start = found[0] * SECTOR_BYTES + record.HEADER_BYTES + 4
        length = struct.unpack("<I", found[2])[0]
        return found[0], found[1], bytes(self._flash.read(start, length))


class NeverErases(Records):
    """Programs over what is there."""

    def save(self, payload: bytes) -> None:
        found = self._newest()
        slot, generation = (0, 0) if found is None else (1 - found[0], record.following(found[1]))
        self._flash.program(slot * SECTOR_BYTES, record.frame(generation, payload))


class WipesTheNewerFirst(Records):
    """Leaves the older record alone in flash for a moment."""

    def wipe(self) -> None:
        found = self._newest()
        newer = 0 if found is None else found[0]
        self._flash.erase(newer)
        self._flash.erase(1 - newer)


@pytest.mark.parametrize("sabotaged", [WritesTheNewerSlot, ChecksNoCrc, HeaderFirst, NeverErases])
def test_sabotage_is_noticed(sabotaged: type[Records]) -> None:
    assert survey_saves(sabotaged).failures


def test_sabotaged_wipe_is_noticed() -> None:
    def workload(flash: Flash) -> None:
        Records(flash).save(b"older")
        Records(flash).save(b"newer")
        flash.mark("wiping")
        WipesTheNewerFirst(flash).wipe()

    def recover(flash: Flash, cut: Cut) -> None:
        if "wiping" in cut.marks:
            assert Records(flash).load() in (b"newer", None)

    assert survey(BLANK, workload, recover).failures


class StuckBit(Flash):
    """Flash in which one bit of the second record's payload no longer programs."""

    def program(self, offset: int, data: bytes) -> int | None:
        result = super().program(offset, data)
        if offset == SECTOR_BYTES:
            self.image[offset + record.HEADER_BYTES] |= 0x01
        return result


class DoesNotReadBack(Records):
    """Trusts that programming worked."""

    def save(self, payload: bytes) -> None:
        found = self._newest()
        slot, generation = (0, 0) if found is None else (1 - found[0], record.following(found[1]))
        self._flash.erase(slot)
        self._flash.program(slot * SECTOR_BYTES, record.frame(generation, payload))


@pytest.mark.parametrize(("kind", "notices"), [(Records, True), (DoesNotReadBack, False)])
def test_worn_flash_is_reported(kind: type[Records], notices: bool) -> None:
    """A bit that does not programme raises OSError and the record before it stays; unread, it would go unseen."""
    flash = StuckBit(BLANK)
    records = kind(flash)
    records.save(b"good")
    raised = False
    try:
        records.save(b"lost")
    except OSError as error:
        raised = True
        assert "sector 1" in str(error)
    assert raised == notices
    assert Records(flash).load() == b"good"


def test_load_and_generation() -> None:
    flash = Flash(BLANK)
    records = Records(flash)
    assert records.load() is None and records.generation is None
    records.save(b"a")
    assert records.generation == 0
    records.save(b"b")
    again = Records(flash)
    assert again.load() == b"b" and again.generation == 1
    again.wipe()
    assert Records(flash).load() is None
    assert bytes(flash.image) == BLANK


def test_records_elsewhere_in_the_partition() -> None:
    """Boot records live in sectors 2 and 3: their writer leaves 0 and 1 alone."""
    flash = Flash(BLANK * 2)
    Records(flash).save(b"settings")
    Records(flash, first=2).save(b"boot")
    assert Records(flash).load() == b"settings"
    assert Records(flash, first=2).load() == b"boot"
    assert {event[1] for event in flash.events if event[0] == "erase"} == {0, 2}


def test_longest_payload_and_one_more() -> None:
    flash = Flash(BLANK)
    longest = bytes(MAX_PAYLOAD_BYTES)
    Records(flash).save(longest)
    assert Records(flash).load() == longest
    for wrong in (longest + b"x", b""):
        with pytest.raises(ValueError, match="1 to 4084"):
            Records(flash).save(wrong)
    assert Records(flash).load() == longest


def test_ones_zeros_ones_is_no_record() -> None:
    """Two torn erases leave ones, four zero bytes, ones: a CRC-32 of all ones there is right, and still no record."""
    fake = b"\xff" * 4 + bytes(4) + b"\xff" * (SECTOR_BYTES - 8)
    assert Records(Flash(fake * 2)).load() is None
    flash = Flash(fake + BLANK[:SECTOR_BYTES])
    Records(flash).save(b"real")
    assert Records(flash).load() == b"real"


def test_a_dead_device_answers_quietly() -> None:
    """What calls late, after a cut, gets an error code back and changes nothing."""
    flash = Flash(BLANK)
    flash.kill()
    assert flash.program(0, b"\0") == flash.erase(0) == -5
    assert flash.late_calls == 2 and bytes(flash.image) == BLANK
