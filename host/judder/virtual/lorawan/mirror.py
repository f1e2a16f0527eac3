"""What a device of L2 1.0.4 makes of what the network tells it: its settings, and the answers it owes.

The network keeps one per session as what it believes, the audit one as what must be.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

from judder.virtual.lorawan import commands as mac
from judder.virtual.lorawan.commands import Command
from judder.virtual.lorawan.regions import Channel, Plan

_KEEP = 15
_MAX_CHANNELS = 16


@dataclass(frozen=True)
class Answer:
    """What has to come back. care: bits of the payload that are certain; never: a payload that would be wrong."""

    cid: int
    payload: bytes
    care: bytes
    never: bytes | None = None

    @property
    def sticky(self) -> bool:
        return self.cid in mac.STICKY

    def fits(self, command: Command) -> bool:
        """Whether this is that answer."""
        cid, payload = command
        pairs = zip(payload, self.payload, self.care, strict=False)
        right = all(got & care == wanted & care for got, wanted, care in pairs)
        return cid == self.cid and right and payload != self.never

    def __str__(self) -> str:
        return f"{mac.NAMES[self.cid]}Ans {self.payload.hex()}".rstrip()


def _exactly(cid: int, *payload: int) -> Answer:
    return Answer(cid, bytes(payload), b"\xff" * len(payload))


@dataclass
class Mirror:
    """Settings of one session. mask: channels that are on; power: TXPower index; duty: exponent of DutyCycleReq."""

    plan: Plan
    channels: dict[int, Channel] = field(default_factory=dict)
    mask: set[int] = field(default_factory=set)
    dr: int = 0
    power: int = 0
    nb_trans: int = 1
    rx1_offset: int = 0
    rx2_dr: int = 0
    rx2_hz: int = 0
    rx1_delay_s: int = 1
    duty: int = 0
    dwell_up: bool = False
    dwell_down: bool = False
    max_eirp_dbm: int = 0

    def __post_init__(self) -> None:
        plan = self.plan
        self.channels = dict(enumerate(plan.channels))
        self.mask = set(self.channels)
        self.rx2_dr, self.rx2_hz = plan.rx2_dr, plan.rx2_hz
        self.dwell_up, self.dwell_down = plan.dwell_up, plan.dwell_down
        self.max_eirp_dbm = plan.max_eirp_dbm

    def copy(self) -> Mirror:
        """One to try things on."""
        return copy.deepcopy(self)

    def joined(self, dl_settings: int, rx_delay: int, cf_list: bytes) -> None:
        """A join-accept was taken."""
        self.rx1_offset, self.rx2_dr = dl_settings >> 4 & 7, dl_settings & 0x0F
        self.rx1_delay_s = (rx_delay & 0x0F) or 1
        if not cf_list:
            return
        if cf_list[15] == 0 and not self.plan.fixed:
            for place in range(5):
                frequency_hz = int.from_bytes(cf_list[3 * place : 3 * place + 3], "little") * 100
                if frequency_hz and self.plan.in_range(frequency_hz):
                    number = len(self.plan.channels) + place
                    self.channels[number] = Channel(frequency_hz, 0, 5)
                    self.mask.add(number)
        elif cf_list[15] == 1 and self.plan.fixed:
            bits = int.from_bytes(cf_list[:10], "little")
            self.mask = {number for number in self.channels if bits >> number & 1}

    def usable(self, dr: int) -> bool:
        """Whether a channel that is on takes this data rate, and it carries anything."""
        if dr not in self.plan.up or not self.max_payload_up(dr):
            return False
        return any(self.channels[number].min_dr <= dr <= self.channels[number].max_dr for number in self.mask)

    def hears(self, dr: int, offset: int) -> bool:
        """Whether window 1 has a LoRa data rate: a device refuses what would leave it without."""
        return dr not in self.plan.up or self.plan.rx1_dr(dr, offset, self.dwell_down) is not None

    def max_payload_up(self, dr: int) -> int:
        """N with the dwell time as it is set."""
        return self.plan.max_payload_up(dr, self.dwell_up)

    # --- commands

    def process(self, data: bytes, adr: bool = True) -> list[Answer]:
        """MAC commands of one downlink, obeyed; the answers owed, in order. adr: of the device's uplinks."""
        commands, _rest = mac.split(data, mac.DOWN_BYTES)
        answers: list[Answer] = []
        at = 0
        while at < len(commands):
            cid = commands[at][0]
            if cid == mac.LINK_ADR:
                end = at
                while end < len(commands) and commands[end][0] == mac.LINK_ADR:
                    end += 1
                answers += [self._link_adr([payload for _cid, payload in commands[at:end]], adr)] * (end - at)
                at = end
                continue
            answer = self._one(cid, commands[at][1])
            answers += [] if answer is None else [answer]
            at += 1
        return answers

    def _one(self, cid: int, payload: bytes) -> Answer | None:
        if cid == mac.DUTY_CYCLE:
            self.duty = payload[0] & 0x0F
            return _exactly(cid)
        if cid == mac.DEV_STATUS:
            return Answer(cid, b"\0\0", b"\0\xc0")  # the margin has 6 bits
        if cid == mac.RX_TIMING_SETUP:
            self.rx1_delay_s = (payload[0] & 0x0F) or 1
            return _exactly(cid)
        if cid == mac.RX_PARAM_SETUP:
            return self._rx_param_setup(payload)
        if cid == mac.TX_PARAM_SETUP and self.plan.tx_param:
            self.dwell_down, self.dwell_up = bool(payload[0] & 0x20), bool(payload[0] & 0x10)
            self.max_eirp_dbm = mac.MAX_EIRP_DBM[payload[0] & 0x0F]
            while not self.max_payload_up(self.dr):
                self.dr += 1
            return _exactly(cid)
        # Fixed plans drop the two below without an answer (RP002-1.0.4 sections 2.5.3 and 2.8.3).
        if cid == mac.NEW_CHANNEL and not self.plan.fixed:
            return self._new_channel(payload)
        if cid == mac.DL_CHANNEL and not self.plan.fixed:
            return self._dl_channel(payload)
        return None

    def _link_adr(self, block: list[bytes], adr: bool) -> Answer:
        mask = set(self.mask)
        mask_right = True
        for payload in block:
            bits, control = int.from_bytes(payload[1:3], "little"), payload[3] >> 4 & 7
            mask_right &= self._apply_mask(mask, bits, control)
        dr, power, nb_trans = block[-1][0] >> 4, block[-1][0] & 0x0F, block[-1][3] & 0x0F
        mask_right &= bool(mask) and mask <= set(self.channels)
        trial = self.copy()
        trial.mask = mask & set(self.channels)
        wanted = self.dr if dr == _KEEP else dr
        if (
            self.plan.name == "US915" and wanted < 4
        ):  # hopping needs two at least: FCC 15.247; LoRaMac-node refuses less
            mask_right &= len([number for number in mask if number < 64]) >= 2
        dr_right = (trial.usable(wanted) or (dr == _KEEP and not mask_right)) and self.hears(wanted, self.rx1_offset)
        power_right = power in (_KEEP, *range(self.plan.power_steps + 1))
        status = mask_right | dr_right << 1 | power_right << 2
        if status == 7:
            self.mask = mask
            self.dr = self.dr if dr == _KEEP else dr
            self.power = self.power if power == _KEEP else power
            self.nb_trans = nb_trans or self.nb_trans
        # Which bit says that a mask without a channel for the data rate is wrong is left open, and so is what a device
        # without ADR thinks of data rate and power.
        care = 0x07 if mask_right and adr else 0x01
        return Answer(mac.LINK_ADR, bytes((status,)), bytes((care,)), None if status == 7 else b"\x07")

    def _apply_mask(self, mask: set[int], bits: int, control: int) -> bool:
        """False: this ChMaskCntl does not exist, or names channels that do not."""
        if not self.plan.fixed:
            if control == 6:
                mask.clear()
                mask.update(self.channels)
                return True
            if control:
                return False
            mask.clear()
            mask.update(number for number in range(16) if bits >> number & 1)
            return mask <= set(self.channels)
        narrow, wide = set(range(64)), {64 + number for number in range(8) if bits >> number & 1}
        if control <= 3:
            group = range(16 * control, 16 * control + 16)
            mask.difference_update(group)
            mask.update(number for number in group if bits >> number - group.start & 1)
            return True
        if control == 5:  # a bank: 8 narrow channels and the wide one among them
            mask.clear()
            for bank in range(8):
                if bits >> bank & 1:
                    mask.update((*range(8 * bank, 8 * bank + 8), 64 + bank))
            return True
        mask.difference_update(range(64, 72))
        mask.update(wide)
        if control == 6:
            mask.update(narrow)
        elif control == 7:
            mask.difference_update(narrow)
        return True

    def _rx_param_setup(self, payload: bytes) -> Answer:
        offset, dr = payload[0] >> 4 & 7, payload[0] & 0x0F
        frequency_hz = int.from_bytes(payload[1:4], "little") * 100
        channel_right = self.plan.can_hear(frequency_hz)
        offset_right = offset <= self.plan.max_rx1_offset and self.hears(self.dr, offset)
        status = channel_right | (dr in self.plan.down) << 1 | offset_right << 2
        if status == 7:
            self.rx1_offset, self.rx2_dr, self.rx2_hz = offset, dr, frequency_hz
        return _exactly(mac.RX_PARAM_SETUP, status)

    def _new_channel(self, payload: bytes) -> Answer:
        number, frequency_hz = payload[0], int.from_bytes(payload[1:4], "little") * 100
        min_dr, max_dr = payload[4] & 0x0F, payload[4] >> 4
        if number < len(self.plan.channels) or number >= _MAX_CHANNELS:
            # Refused; which of the two bits says so is left open.
            return Answer(mac.NEW_CHANNEL, b"\0", b"\0", never=b"\x03")
        if frequency_hz == 0:
            self.channels.pop(number, None)
            self.mask.discard(number)
            return _exactly(mac.NEW_CHANNEL, 3)
        frequency_right = self.plan.in_range(frequency_hz)
        rates_right = min_dr <= max_dr and {min_dr, max_dr} <= set(self.plan.up)
        if frequency_right and rates_right:
            self.channels[number] = Channel(frequency_hz, min_dr, max_dr)
            self.mask.add(number)
        return _exactly(mac.NEW_CHANNEL, frequency_right | rates_right << 1)

    def _dl_channel(self, payload: bytes) -> Answer:
        number, frequency_hz = payload[0], int.from_bytes(payload[1:4], "little") * 100
        frequency_right, there = self.plan.in_range(frequency_hz), number in self.channels
        if frequency_right and there:
            old = self.channels[number]
            self.channels[number] = Channel(old.frequency_hz, old.min_dr, old.max_dr, frequency_hz)
        return _exactly(mac.DL_CHANNEL, frequency_right | there << 1)
