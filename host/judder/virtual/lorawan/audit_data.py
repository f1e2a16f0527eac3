"""Rules of data frames within one session: counters, answers to MAC commands, channels, rates, sizes, ADR back-off."""

from __future__ import annotations

from dataclasses import dataclass, field

from judder.virtual.lorawan import commands as mac
from judder.virtual.lorawan import frames
from judder.virtual.lorawan.air import Emission
from judder.virtual.lorawan.audit_adr import Backoff
from judder.virtual.lorawan.commands import Command
from judder.virtual.lorawan.device import Session
from judder.virtual.lorawan.downlink import channel_of
from judder.virtual.lorawan.frames import DataFrame
from judder.virtual.lorawan.mirror import Answer, Mirror
from judder.virtual.lorawan.regions import Plan

Found = list[tuple[str, str]]

_TEST_PORT = 224


@dataclass
class Life:
    """A session as its device must see it. settings: with every delivered command obeyed."""

    plan: Plan
    session: Session
    confirmed_tries: int
    settings: Mirror = field(init=False)
    fcnt: int = -1
    payload: bytes = b""  # of the frame with that counter
    times: int = 0  # it was sent
    frames: int = 0
    last_down: int = -1
    ack_due: bool = False
    due: list[Answer] = field(default_factory=list)
    sticky: list[Answer] = field(default_factory=list)
    adr: bool = False
    backoff: Backoff = field(default_factory=Backoff)
    forgiven: bool = False

    def __post_init__(self) -> None:
        self._longest = 0  # N of the frame at hand
        self.settings = self.session.settings.copy()

    def forgive(self) -> None:
        """Its device has lost its memory."""
        self.ack_due, self.due, self.sticky = False, [], []
        self.forgiven = self.backoff.unsure = True
        self.settings.power = 0  # it may have lost the last LinkADRReq; its channels it must still know

    def counter_of(self, frame: DataFrame) -> int | None:
        """The 32-bit counter under which this session has signed the frame."""
        if frame.dev_addr != self.session.dev_addr:
            return None
        high = max(self.fcnt, 0) & ~0xFFFF
        for fcnt in (high | frame.fcnt, (high | frame.fcnt) + 0x10000, (high | frame.fcnt) - 0x10000):
            if fcnt >= 0 and frame.is_authentic(self.session.nwk_s_key, fcnt):
                return fcnt
        return None

    def took(self, fcnt: int, confirmed: bool, commands: bytes) -> bool:
        """A valid downlink was delivered by its radio; False when it has to be ignored as a replay."""
        if fcnt <= self.last_down:
            return False
        self.last_down = fcnt
        self.sticky = []
        self.ack_due = confirmed
        self.due = self.settings.process(commands, self.adr)
        self.backoff.answered(self.settings)
        return True

    # --- one uplink

    def check(self, frame: DataFrame, fcnt: int, emission: Emission) -> Found:
        """Judge a frame and take it into account."""
        found = self._frame(frame)
        if fcnt < self.fcnt:
            return [*found, ("FCntUp", f"{fcnt} after {self.fcnt}")]
        again = fcnt == self.fcnt
        if again:
            found += self._repetition(frame)
        else:
            tuning = emission.tuning
            dr = self.plan.up_dr(tuning.sf, tuning.bandwidth_hz)
            self._longest = 0 if dr is None else self.settings.max_payload_up(dr)
            found += self._answers(frame, fcnt)
            self.fcnt, self.payload, self.times = fcnt, frame.payload, 1
            self.frames += 1
            self.adr = frame.adr
        found += self._modulation(frame, emission, again)
        self.forgiven = False
        return found

    def _frame(self, frame: DataFrame) -> Found:
        found: Found = []
        if frame.kind not in (frames.UP, frames.CONFIRMED_UP):
            found.append(("frame", f"MType {frame.kind} from a device"))
        if frame.port == 0 and frame.fopts:
            found.append(("frame", "MAC commands on port 0 and in FOpts"))
        if frame.port is not None and frame.port > _TEST_PORT:
            found.append(("port", f"{frame.port}"))
        if frame.port == 0 and not frame.payload:
            found.append(("frame", "port 0 without MAC commands"))
        return found

    def _repetition(self, frame: DataFrame) -> Found:
        self.times += 1
        if frame.payload != self.payload:
            return [("FCntUp", f"{self.fcnt} with another payload")]
        allowed = self.settings.nb_trans
        if frame.confirmed:
            allowed = max(allowed, self.confirmed_tries)
        if self.times > allowed:
            return [("NbTrans", f"sent {self.times} times, {allowed} allowed")]
        return []

    def _answers(self, frame: DataFrame, fcnt: int) -> Found:
        found: Found = []
        if frame.ack != self.ack_due and not self.forgiven:
            found.append(("ACK", "missing" if self.ack_due else "nothing to acknowledge"))
        self.ack_due = False
        data = frame.fopts
        if frame.port == 0:
            data = frame.plain(self.session.nwk_s_key, self.session.app_s_key, fcnt)
        commands, rest = mac.split(data, mac.UP_BYTES)
        if rest:
            found.append(("MAC answer", f"unknown or cut off: {rest.hex()}"))
        if self.forgiven:
            self.sticky = self.due = []
            return found
        answers = [one for one in commands if not (one[0] in mac.ASKED_BY_DEVICE and not one[1])]
        for wanted in self.sticky:
            answers = self._take_again(wanted, answers, found, frame)
        for wanted in self._that_fit(answers):
            answers = self._take(wanted, answers, found, "")
        found += [("MAC answer", f"nobody asked for {mac.NAMES[cid]}Ans {payload.hex()}") for cid, payload in answers]
        self.sticky += [answer for answer in self.due if answer.sticky]
        self.due = []
        return found

    def _that_fit(self, answers: list[Command]) -> list[Answer]:
        """What is due; a device need not keep more answers than FOpts holds, and leaves the last ones out."""
        given = 0
        size = 0
        for wanted in self.due:
            if given >= len(answers) or answers[given][0] != wanted.cid:
                break
            given += 1
            size += 1 + len(wanted.payload)
        full = given < len(self.due) and size + 1 + len(self.due[given].payload) > frames.MAX_FOPTS
        return self.due[:given] if full else self.due

    def _take(self, wanted: Answer, answers: list[Command], found: Found, how: str) -> list[Command]:
        """The first answer to the same request, off the list; a note if there is none or it is wrong."""
        for place, answer in enumerate(answers):
            if answer[0] == wanted.cid:
                if not wanted.fits(answer):
                    found.append(("MAC answer", f"{wanted} {how}expected, got {answer[1].hex()}"))
                return answers[:place] + answers[place + 1 :]
        found.append(("MAC answer", f"{wanted} {how}expected, got none"))
        return answers

    def _take_again(self, wanted: Answer, answers: list[Command], found: Found, frame: DataFrame) -> list[Command]:
        """An answer that went out before may be left out of a frame that has no room for it."""
        missing: Found = []
        answers = self._take(wanted, answers, missing, "again ")
        needed = 1 + len(wanted.payload)
        size = len(frame.payload) + len(frame.fopts) + needed
        if frame.port != 0 and (len(frame.fopts) + needed > frames.MAX_FOPTS or size > self._longest):
            missing = [one for one in missing if not one[1].endswith("got none")]
        found += missing
        return answers

    # --- rates, channels, sizes

    def _modulation(self, frame: DataFrame, emission: Emission, again: bool) -> Found:
        settings, tuning = self.settings, emission.tuning
        dr = self.plan.up_dr(tuning.sf, tuning.bandwidth_hz)
        if dr is None:
            return [("data rate", f"SF{tuning.sf} at {tuning.bandwidth_hz // 1000} kHz is none of {self.plan.name}")]
        found: Found = []
        if again and dr > settings.dr:
            found.append(("data rate", f"DR{dr} for a repetition, DR{settings.dr} before"))
        if not again:
            eirp_dbm = emission.power_dbm + getattr(emission.sender, "gain_dbi", 0.0)
            found += self.backoff.check(settings, frame.adr, frame.adr_ack_req, dr, eirp_dbm)
        settings.dr = dr
        size = len(frame.payload) + len(frame.fopts)
        if size > settings.max_payload_up(dr):
            found.append(("size", f"{size} bytes at DR{dr}, {settings.max_payload_up(dr)} allowed"))
        number = channel_of(settings, tuning.frequency_hz, dr)
        if number is None:
            found.append(("channel", f"{tuning.frequency_hz / 1e6:.4f} MHz with DR{dr} is not in the plan"))
        elif number not in settings.mask:
            found.append(("mask", f"channel {number} is off"))
        return found
