"""Power cuts at every flash operation of a workload, replayed one by one.

A workload runs once on a healthy flash, which records every erase and program. Then, for each operation, the image is
rebuilt as it may look when power fails there: operation dropped, torn in several ways, or complete but not returned.
Code under test starts on that image as after a reset, and what it finds is judged. Its own recovery is recorded and cut
again: double cuts.

Rules are those of NOR flash: programming only clears bits, erasing sets a whole sector. A cut program leaves some bytes
or some bits of a byte done; a cut erase leaves part of the sector, or any mixture of old, set and (because chips
programme before they erase) cleared bits.

What else a workload does, and what must be known of it at a cut, it notes with mark(): a frame put on the air, what
RTC memory holds. With at_marks power fails at each of these moments too, not only in flash operations.

Devices are never reused across a cut. One that has had its run is dead: late calls to it change nothing and return
-EIO instead of raising, because what calls late is a clean-up nobody would see fail; they are counted.
"""

import errno
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

SECTOR_BYTES = 4096


class Flash:
    """NOR flash in memory, shaped as node/hal/partition.py, recording what is done to it."""

    def __init__(self, image: bytes) -> None:
        self.image = bytearray(image)
        self.size = len(image)
        # ("erase", sector), ("program", offset, data) and ("mark", value), in order.
        self.events: list[tuple[Any, ...]] = []
        # Bits asked to go from 0 to 1 without an erase: always a fault of the code under test.
        self.overprogrammed = 0
        self.late_calls = 0
        self._alive = True

    def read(self, offset: int, length: int) -> bytearray:
        if not 0 <= offset <= offset + length <= self.size:
            raise OSError(errno.EINVAL, "read outside the partition")
        return self.image[offset : offset + length]

    def erase(self, sector: int) -> int | None:
        if not self._alive:
            self.late_calls += 1
            return -errno.EIO
        if not 0 <= sector < self.size // SECTOR_BYTES:
            raise OSError(errno.EINVAL, "erase outside the partition")
        self.events.append(("erase", sector))
        self.image[sector * SECTOR_BYTES : (sector + 1) * SECTOR_BYTES] = b"\xff" * SECTOR_BYTES
        return None

    def program(self, offset: int, data: bytes) -> int | None:
        if not self._alive:
            self.late_calls += 1
            return -errno.EIO
        if not 0 <= offset <= offset + len(data) <= self.size:
            raise OSError(errno.EINVAL, "program outside the partition")
        self.events.append(("program", offset, bytes(data)))
        for index, byte in enumerate(data):
            old = self.image[offset + index]
            self.overprogrammed += (byte & ~old).bit_count()
            self.image[offset + index] = old & byte
        return None

    def mark(self, value: Any) -> None:
        """Note a moment of the workload: the cut is told which marks lie before it."""
        self.events.append(("mark", value))

    def kill(self) -> None:
        self._alive = False


class PowerCut(BaseException):
    """Power is gone. No Exception: no handler of the code under test may take it for a fault it can live with."""


class Fragile(Flash):
    """Flash for a run that is cut while it goes on: operation number `fuse` from now, 0 the next one, is left torn in
    one of the ways there are and raises PowerCut. Where it lies goes on with Fragile(old.image, ...).
    """

    def __init__(self, image: bytes, chance: random.Random) -> None:
        super().__init__(image)
        self._chance = chance
        self.fuse: int | None = None

    def erase(self, sector: int) -> int | None:
        self._burn(("erase", sector))
        return super().erase(sector)

    def program(self, offset: int, data: bytes) -> int | None:
        self._burn(("program", offset, bytes(data)))
        return super().program(offset, data)

    def _burn(self, event: tuple[Any, ...]) -> None:
        if self.fuse is None or not self._alive:
            return
        self.fuse -= 1
        if self.fuse < 0:
            start, states = _outcomes(self.image, event, self._chance, False)
            _how, state = self._chance.choice(states)
            self.image[start : start + len(state)] = state
            self.kill()
            raise PowerCut


@dataclass(frozen=True)
class Cut:
    """Flash as a power cut left it. marks: what the workload had noted by then. where: for messages. at_mark: between
    two operations on flash."""

    image: bytes
    marks: tuple[Any, ...]
    where: str
    at_mark: bool = False


@dataclass
class Report:
    """Outcome of a survey: number of cuts, of double cuts among them, and the failures in words."""

    cuts: int = 0
    double_cuts: int = 0
    failures: list[str] = field(default_factory=list)


Workload = Callable[[Flash], Any]


def record(image: bytes, workload: Workload) -> tuple[Flash, Any]:
    """Run a workload on healthy flash; the flash, now dead, and what the workload returned."""
    flash = Flash(image)
    result = workload(flash)
    flash.kill()
    return flash, result


def cuts(
    image: bytes, events: list[tuple[Any, ...]], thorough: bool = True, seed: int = 1, at_marks: bool = False
) -> Iterator[Cut]:
    """Every cut of a recorded run that began on `image`; fewer ways of tearing when not thorough."""
    chance = random.Random(seed)
    now = bytearray(image)
    marks: list[Any] = []
    for number, event in enumerate(events):
        if event[0] == "mark":
            marks.append(event[1])
            if at_marks:
                yield Cut(bytes(now), tuple(marks), f"after mark {len(marks)}", True)
            continue
        start, states = _outcomes(now, event, chance, thorough)
        for how, state in states:
            torn = bytearray(now)
            torn[start : start + len(state)] = state
            yield Cut(bytes(torn), tuple(marks), f"operation {number} ({event[0]} at {start:#x}) {how}")
        complete = states[-1][1]
        now[start : start + len(complete)] = complete
    # Power fails when all is done, too.
    yield Cut(bytes(now), tuple(marks), "after the run")


def survey(
    image: bytes,
    workload: Workload,
    recover: Callable[[Flash, Cut], Any],
    judge: Callable[[Flash, Cut, Any], None] | None = None,
    *,
    thorough: bool = True,
    at_marks: bool = False,
    every: int = 1,
    judge_every: int = 1,
    enough: Callable[[str], bool] | None = None,
) -> Report:
    """Cut `workload` everywhere, run `recover` on each image, and judge the recovery's own cuts with `judge`, those of
    each judge_every-th recovery. every: only each so many-th cut, for a run that has not the time for all. enough: the
    survey is over with the first failure of which it says yes.

    recover(flash, cut) is the start after a reset: it asserts on what it finds and may write; what it returns goes to
    judge(flash, cut_of_the_recovery, returned). An AssertionError or OSError in either is a failure, and any
    over-programming.
    """
    report = Report()
    healthy, _ = record(image, workload)
    if healthy.overprogrammed:
        report.failures.append(f"the run itself programs {healthy.overprogrammed} bits without an erase")
    for number, cut in enumerate(cuts(image, healthy.events, thorough, at_marks=at_marks)):
        if enough is not None and report.failures and enough(report.failures[-1]):
            break
        if number % every:
            continue
        report.cuts += 1
        flash = Flash(cut.image)
        try:
            found = recover(flash, cut)
            assert not flash.overprogrammed, f"{flash.overprogrammed} bits programmed without an erase"
        except (AssertionError, OSError) as error:
            report.failures.append(f"{cut.where}: {error}")
            continue
        flash.kill()
        if judge is None or (report.cuts - report.double_cuts) % judge_every:
            continue
        for again in cuts(cut.image, flash.events, thorough=False, at_marks=at_marks):
            report.cuts += 1
            report.double_cuts += 1
            try:
                judge(Flash(again.image), again, found)
            except (AssertionError, OSError) as error:
                report.failures.append(f"{cut.where}, then {again.where}: {error}")
    assert healthy.late_calls == 0
    return report


def _outcomes(
    now: bytearray, event: tuple[Any, ...], chance: random.Random, thorough: bool
) -> tuple[int, list[tuple[str, bytes]]]:
    """Start offset, and the states the bytes from there may be left in: first untouched, last complete."""
    if event[0] == "erase":
        start = event[1] * SECTOR_BYTES
        return start, _erase_outcomes(bytes(now[start : start + SECTOR_BYTES]), chance, thorough)
    start, data = event[1], event[2]
    old = bytes(now[start : start + len(data)])
    return start, _program_outcomes(old, bytes(a & b for a, b in zip(old, data, strict=True)), chance, thorough)


def _erase_outcomes(old: bytes, chance: random.Random, thorough: bool) -> list[tuple[str, bytes]]:
    blank = b"\xff" * len(old)
    states = [("dropped", old)]
    # The head of a sector is where records live, so the border moves through it finely.
    borders = (1, 2, 4, 8, 12, 13, 16, 32, 64, 256, len(old) // 2, len(old) - 1) if thorough else (4, 12, len(old) // 2)
    for border in borders:
        states.append((f"torn: first {border} bytes erased", blank[:border] + old[border:]))
        states.append((f"torn: all but the first {border} bytes erased", old[:border] + blank[border:]))
    states.append(("torn: programmed before the erase", bytes(len(old))))
    for _ in range(8 if thorough else 2):
        noise = chance.randbytes(len(old))
        states.append(("torn: some bits set", bytes(a | b for a, b in zip(old, noise, strict=True))))
        states.append(("torn: some bits cleared", bytes(a & b for a, b in zip(old, noise, strict=True))))
    states.append(("complete", blank))
    return states


def _program_outcomes(old: bytes, new: bytes, chance: random.Random, thorough: bool) -> list[tuple[str, bytes]]:
    states = [("dropped", old)]
    step = 1 if thorough else max(1, len(new) // 8)
    for done in range(step, len(new), step):
        states.append((f"torn: {done} bytes of {len(new)}", new[:done] + old[done:]))
        for mask in (0x0F, 0xF0, 0x55):
            half = old[done] & (new[done] | mask)
            states.append((f"torn: {done} bytes and half a byte", new[:done] + bytes([half]) + old[done + 1 :]))
    for _ in range(16 if thorough else 2):
        # A page is programmed in parallel: any bits may be late.
        late = chance.randbytes(len(new))
        states.append(("torn: bits anywhere", bytes(a & (b | c) for a, b, c in zip(old, new, late, strict=True))))
    for _ in range((16 if thorough else 2) if new else 0):
        at, bit = chance.randrange(len(new)), 1 << chance.randrange(8)
        states.append(("torn: one bit late", new[:at] + bytes([new[at] | (old[at] & bit)]) + new[at + 1 :]))
    states.append(("complete", new))
    return states
