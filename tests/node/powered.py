"""A node's LoRaWAN link whose power can go at any moment: the real link, MAC and records, on flash that is recorded.

Everything that happens is noted on the flash's record: what RTC memory holds, what is in the air, what the other end
knows. A cut starts a new one from that.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chips import Time
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from other_end import OtherEnd
from tests.powercut import SECTOR_BYTES, Flash

from node.link.lorawan import airtime, regions
from node.link.lorawan.link import Lorawan
from node.link.lorawan.mac import Mac
from node.link.radio import HEARD, SENT, SILENT
from node.store.records import Records

BLANK = b"\xff" * (2 * SECTOR_BYTES)
CONFIRM_NONE = 0


class Aes:
    """What the MAC is given."""

    def __init__(self, key: bytes) -> None:
        self.encrypt = Cipher(algorithms.AES(bytes(key)), modes.ECB()).encryptor().update


@dataclass(frozen=True)
class Sent:
    """A frame on the air. life: how often the node had started before. number: DevNonce or FCntUp."""

    life: int
    of: bytes  # DevAddr, nothing for a join request
    number: int
    frame: bytes


@dataclass(frozen=True)
class Moment:
    """What is known when power goes. newest: RTC memory is newer than flash. sent: how many frames have begun."""

    rtc: bytes | None
    newest: bool
    sent: int
    other: OtherEnd
    now_ms: int


class Clock(Time):
    """time and uptime of a node."""

    def uptime_ms(self) -> int:
        return self.now_us // 1000


class Node:
    """identity: () -> Identity. log: what it has sent in its lives. kind: of link, mac: of MAC (to be sabotaged).

    It is the link's vault, and its radio.
    """

    POWER_DBM = (-9, 22)

    def __init__(
        self,
        flash: Flash,
        region: str,
        identity: Callable[[], Any],
        other: OtherEnd,
        *,
        rtc: bytes | None = None,
        log: tuple[Sent, ...] = (),
        now_ms: int = 500,
    ) -> None:
        self.flash, self.region, self.identity, self.other = flash, region, identity, other
        self.rtc = rtc
        self.newest = False
        self.log = list(log)
        self.life = log[-1].life + 1 if log else 0
        self.time = Clock(now_ms * 1000)
        self.saves = 0
        self.downlinks: list[bytes] = []
        self.frame: bytes = b""
        self.rssi_dbm, self.snr_qdb, self.ended_us = -80, 28, 0
        self._ends_us: int | None = None
        self._result = SENT
        self._staged: tuple[int, int, int, int] = (0, 0, 0, 0)
        self.boot()

    def boot(self) -> None:
        """Power on, or wake."""
        self.mac = self.make_mac(
            regions.find(self.region),
            self.identity(),
            Aes,
            random.Random(self.life).randbytes,
            self.time.uptime_ms(),
            Records(self.flash).load(),
            self.rtc,
        )
        self.link = self.make_link()
        self.note()

    def make_mac(self, *arguments: Any) -> Any:
        return Mac(*arguments)

    def make_link(self) -> Any:
        return Lorawan(self.mac, self, self.time, self.time, self, self.keep, lambda: None, CONFIRM_NONE)

    def note(self) -> None:
        """This moment is one at which power may go."""
        self.flash.mark(Moment(self.rtc, self.newest, len(self.log), self.other.copied(), self.time.uptime_ms()))

    # --- what the link keeps

    def save(self, blob: bytes) -> None:
        self.saves += 1
        self.newest = False
        Records(self.flash).save(blob)
        self.note()

    def keep(self, blob: bytes) -> None:
        self.rtc, self.newest = bytes(blob), True
        self.note()

    # --- radio

    def start(self) -> None:
        """Nothing to set up."""

    def sleep(self) -> None:
        """No state."""

    def transmit(self, frame: Any, frequency_hz: int, sf: int, bandwidth_hz: int, _power_dbm: int) -> None:
        phy = bytes(frame)
        joining = phy[0] == 0
        number = int.from_bytes(phy[17:19] if joining else phy[6:8], "little")
        self.log.append(Sent(self.life, b"" if joining else phy[1:5], number, phy))
        self._ends_us = self.time.now_us + airtime.time_on_air_us(sf, bandwidth_hz, len(phy))
        self._result = SENT
        # It begins: if power goes now nobody hears all of it, and yet its number is used.
        self.note()
        self.other.up(phy, frequency_hz, sf, bandwidth_hz)
        self.note()

    def stage(self, frequency_hz: int, sf: int, bandwidth_hz: int, symbols: int) -> None:
        self._staged = frequency_hz, sf, bandwidth_hz, symbols

    def listen(self, at_us: int) -> None:
        self.time.now_us += max(0, self.time.ticks_diff(at_us, self.time.ticks_us()))
        frequency_hz, sf, bandwidth_hz, symbols = self._staged
        delay_us = self.time.ticks_diff(at_us, self.ended_us)
        heard = self.other.down(delay_us, frequency_hz, sf, bandwidth_hz)
        self.frame, self._result = heard or b"", HEARD if heard else SILENT
        long_us = airtime.symbol_us(sf, bandwidth_hz) * symbols
        if heard:
            long_us = airtime.time_on_air_us(sf, bandwidth_hz, len(heard), 0)
        self._ends_us = self.time.now_us + long_us
        self.note()

    def poll(self) -> int | None:
        if self._ends_us is None or self.time.now_us < self._ends_us:
            return None
        if self._result == SENT:
            self.ended_us = self._ends_us % self.time.PERIOD
        self._ends_us = None
        return self._result

    # --- a life

    def step(self) -> None:
        self.link.step(1000)

    def join(self, limit_s: int = 40_000) -> bool:
        """Until it has a session; join requests have long pauses."""
        return self._until(self.link.ready, limit_s)

    def deliver(self, message: bytes, confirmed: bool) -> bool:
        """One message, tried until it is there, three times at most."""
        for _ in range(3):
            if not self.join():
                return False
            outcome = self.link.send(message, confirmed)
            if outcome is None:
                assert self._until(lambda: self.link.outcome() is not None, 4000), "no outcome"
                outcome = self.link.outcome()
            self._until(lambda: not self.link.busy(), 60)
            self.downlinks += self.link.poll()
            self.note()
            if outcome:
                return True
        return False

    def nap(self, seconds: int = 60) -> None:
        """Deep sleep: memory is gone but for RTC memory."""
        self.link.close()
        self.keep(self.link.session())
        self.time.sleep_ms(1000 * seconds)
        self.life += 1
        self.boot()

    def _until(self, done: Callable[[], bool], limit_s: int) -> bool:
        end_us = self.time.now_us + limit_s * 1_000_000
        while not done():
            if self.time.now_us > end_us:
                return False
            pause_ms = self.link.pause_ms()
            if pause_ms > 1000 and not self.link.busy():
                self.time.sleep_ms(pause_ms)
            self.step()
        return True
