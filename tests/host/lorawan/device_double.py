"""A TEST DOUBLE of a class-A device: enough to exercise air, gateways and network server. Not firmware.

It shares frames, crypto and the command mirror with the network side, so agreement between the two proves nothing
about LoRaWAN; the published vectors do (test_network_frames). What it does wrong on purpose is set in `sins`.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from typing import Any

from judder.virtual.clock import BoardClock
from judder.virtual.lorawan import commands as mac
from judder.virtual.lorawan import crypto, frames
from judder.virtual.lorawan.air import Emission, Tuning
from judder.virtual.lorawan.airtime import airtime_us
from judder.virtual.lorawan.audit_adr import lowest_dr
from judder.virtual.lorawan.frames import DataFrame, FrameError, JoinAccept
from judder.virtual.lorawan.medium import Air
from judder.virtual.lorawan.mirror import Answer, Mirror
from judder.virtual.lorawan.regions import Plan

APP_KEY = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
JOIN_EUI = bytes.fromhex("70b3d57ed0000001")
_EARLY_US = 5_000


def eui(number: int) -> bytes:
    return (0x0102030405060000 + number).to_bytes(8, "big")


class DeviceDouble:
    """sleep(), join() and send() run on the device's own virtual clock. sins: names of rules to break."""

    def __init__(
        self, air: Air, plan: Plan, number: int = 1, *, dr: int | None = None, power_dbm: float = 14.0
    ) -> None:
        self.air, self.plan, self.number = air, plan, number
        self.clock = BoardClock("virtual")
        self.station = air.station(f"node-{number}", self.clock)
        self.random = random.Random(number)
        self.settings = Mirror(plan)
        self.start_dr = dr
        self.dr = plan.join_drs[0] if dr is None else dr
        self.max_power_dbm = power_dbm
        self.adr = True
        self.sins: set[str] = set()
        self.dev_nonce = -1
        self.address: int | None = None
        self.nwk_s_key = self.app_s_key = b""
        self.fcnt_up = 0
        self.fcnt_down = -1
        self.answers: list[Answer] = []
        self.sticky: list[Answer] = []
        self.questions: list[int] = []
        self.ack = False
        self.silent = 0
        self.downlinks: list[tuple[int | None, bytes]] = []
        self.network_answers: list[mac.Command] = []
        self.battery = 255
        self.snr_db = 0.0

    # --- time and radio

    @property
    def now_us(self) -> int:
        return self.clock.now_us

    def sleep(self, seconds: float) -> None:
        self.clock.observe(self.now_us + round(seconds * 1e6))

    def power_dbm(self) -> float:
        limit = self.settings.max_eirp_dbm - 2 * self.settings.power
        return self.max_power_dbm if "power" in self.sins else min(self.max_power_dbm, limit)

    def transmit(self, phy: bytes, frequency_hz: int, dr: int) -> int:
        """Returns the end, in us of the device's clock."""
        rate = self.plan.up[dr]
        tuning = Tuning(frequency_hz, rate.sf, rate.bandwidth_hz)
        end_us = self.now_us + airtime_us(len(phy), rate.sf, rate.bandwidth_hz)
        self.air.transmit(Emission(self.station, self.now_us, end_us, tuning, self.power_dbm(), phy))
        self.clock.observe(end_us)
        return end_us

    def listen(self, at_us: int, frequency_hz: int, dr: int) -> bytes | None:
        """One receive window that should open at at_us."""
        rate = self.plan.down[dr]
        tuning = Tuning(frequency_hz, rate.sf, rate.bandwidth_hz, inverted_iq=True)
        opened_us = at_us - _EARLY_US
        symbols = 8 + -(-2 * _EARLY_US // tuning.symbol_us)
        self.clock.observe(opened_us + symbols * tuning.symbol_us)
        locked = self.air.locked(self.station, tuning, opened_us, symbols, self.now_us)
        if locked is not None:
            self.clock.observe(locked.end_us)
        found = self.air.heard(self.station, tuning, opened_us, symbols, self.now_us)
        if found is None or found.damaged:
            return None
        self.snr_db = found.snr_db
        return found.emission.payload

    def windows(self, end_us: int, number: int, dr: int, delay_s: int, take: Callable[[bytes], bool]) -> bool:
        """Both windows; True when something was taken."""
        channel = self.settings.channels[number]
        rx1_dr = self.plan.rx1_dr(dr, self.settings.rx1_offset, self.settings.dwell_down)
        slots = [(0, self.plan.rx1_hz(number, channel), rx1_dr), (1, self.settings.rx2_hz, self.settings.rx2_dr)]
        for later_s, frequency_hz, window_dr in slots:
            if window_dr is None:
                continue
            phy = self.listen(end_us + (delay_s + later_s) * 1_000_000, frequency_hz, window_dr)
            if phy is not None and take(phy):
                return True
        return False

    def channel(self, dr: int) -> int:
        channels = self.settings.channels
        fit = [n for n in sorted(self.settings.mask) if channels[n].min_dr <= dr <= channels[n].max_dr]
        return self.random.choice(fit)

    # --- joining

    def join(self, attempts: int = 5, pause_s: float = 30.0) -> bool:
        for _ in range(attempts):
            if self.join_once():
                return True
            self.sleep(pause_s)
        return False

    def join_once(self, nonce: int | None = None, number: int | None = None, dr: int | None = None) -> bool:
        self.dev_nonce = self.dev_nonce + 1 if nonce is None else nonce
        self.settings = Mirror(self.plan)
        dr = self.random.choice(self.plan.join_drs) if dr is None else dr
        if self.start_dr is not None and self.start_dr in self.plan.join_drs:
            dr = self.start_dr
        number = self.channel(dr) if number is None else number
        key = bytes(16) if "join mic" in self.sins else APP_KEY
        phy = frames.build_join_request(key, JOIN_EUI, eui(self.number), self.dev_nonce)
        end_us = self.transmit(phy, self.settings.channels[number].frequency_hz, dr)
        return self.windows(end_us, number, dr, 5, lambda phy: self._accept(phy, dr))

    def _accept(self, phy: bytes, dr: int) -> bool:
        try:
            accept = JoinAccept.parse(phy, APP_KEY)
        except FrameError:
            return False
        self.settings.joined(accept.dl_settings, accept.rx_delay, accept.cf_list)
        self.nwk_s_key, self.app_s_key = crypto.session_keys(APP_KEY, accept.join_nonce, accept.net_id, self.dev_nonce)
        self.address = accept.dev_addr
        self.fcnt_up, self.fcnt_down, self.silent = 0, -1, 0
        self.answers, self.sticky, self.ack = [], [], False
        self.dr = dr if self.start_dr is None else self.start_dr
        if not self.settings.usable(self.dr):
            self.dr = max(dr for dr in self.plan.up if self.settings.usable(dr) and dr < 4)
        return True

    # --- data

    def send(
        self,
        payload: bytes = b"",
        port: int | None = 2,
        confirmed: bool = False,
        tries: int | None = None,
        **fields: Any,
    ) -> bool:
        """One message with its repetitions. True: something came back (for a confirmed one: its acknowledgement)."""
        self._back_off()
        options = self._options()
        if len(options) > frames.MAX_FOPTS:
            port, payload, options = 0, options, b""
        ask = self.adr and self.silent >= 64 and "no ADRACKReq" not in self.sins
        head = {"adr": self.adr, "adr_ack_req": ask, "ack": self.ack} | fields
        assert self.address is not None
        frame = DataFrame(
            frames.CONFIRMED_UP if confirmed else frames.UP,
            head.pop("dev_addr", self.address),
            head.pop("fcnt", self.fcnt_up),
            fopts=head.pop("fopts", options),
            port=port,
            payload=payload,
            **head,
        )
        key = bytes(16) if "mic" in self.sins else self.nwk_s_key
        phy = frame.build(key, self.app_s_key)
        self.ack = False
        taken = False
        acked = [False]
        for turn in range(self.settings.nb_trans if tries is None else tries):
            if turn:
                self.sleep(1 + 2 * self.random.random())
            number = self.channel(self.dr)
            end_us = self.transmit(phy, self.settings.channels[number].frequency_hz, self.dr)
            if "deaf" in self.sins:
                self.sleep(self.settings.rx1_delay_s + 1.1)
                continue
            taken |= self.windows(
                end_us, number, self.dr, self.settings.rx1_delay_s, lambda phy: self._take(phy, acked)
            )
            if acked[0] or (taken and not confirmed):
                break
        self.fcnt_up += 1
        if not taken:
            self.silent += 1
        return acked[0] if confirmed else taken

    def _options(self) -> bytes:
        out = b""
        for answer in self.sticky + self.answers:
            if "no answer" in self.sins:
                continue
            payload = answer.payload
            if answer.cid == mac.DEV_STATUS:
                payload = bytes((self.battery, round(max(-32, min(31, self.snr_db))) & 0x3F))
            if "wrong answer" in self.sins:
                payload = bytes(byte ^ 1 for byte in payload)
            out += bytes((answer.cid,)) + payload
        self.sticky += [answer for answer in self.answers if answer.sticky and "not sticky" not in self.sins]
        self.answers = []
        out += bytes(self.questions)
        self.questions = []
        return out

    def _take(self, phy: bytes, acked: list[bool]) -> bool:
        try:
            frame = DataFrame.parse(phy)
        except FrameError:
            return False
        if frame.dev_addr != self.address or frame.direction != crypto.DOWN:
            return False
        fcnt = max(self.fcnt_down, 0) & ~0xFFFF | frame.fcnt
        if fcnt <= self.fcnt_down or not frame.is_authentic(self.nwk_s_key, fcnt):
            return False
        self.fcnt_down, self.silent = fcnt, 0
        plain = frame.plain(self.nwk_s_key, self.app_s_key, fcnt)
        commands = plain if frame.port == 0 else frame.fopts
        self.network_answers += [c for c in mac.split(commands, mac.DOWN_BYTES)[0] if c[0] in mac.ASKED_BY_DEVICE]
        before = self.settings.dr
        self.settings.dr = self.dr
        self.sticky = []
        self.answers = self.settings.process(commands, self.adr)
        if "disobeys" not in self.sins:
            self.dr = self.settings.dr
        else:
            self.settings.dr = before
        self.ack = frame.confirmed and "no ack" not in self.sins
        acked[0] = acked[0] or frame.ack
        if frame.port:
            self.downlinks.append((frame.port, plain))
        return True

    def _back_off(self) -> None:
        if not self.adr or self.silent < 96 or "no back-off" in self.sins or self.silent % 32:
            return
        if self.settings.power:
            self.settings.power = 0
        elif self.dr > lowest_dr(self.settings):
            self.dr -= 1
        else:
            self.settings.mask |= set(range(len(self.plan.channels)))


def run_all(scripts: Sequence[tuple[DeviceDouble, Callable[[DeviceDouble], None]]], timeout_s: float = 60.0) -> None:
    """Each device in a thread of its own, to the end of its script; errors of scripts are raised here."""
    errors: list[BaseException] = []

    def body(device: DeviceDouble, script: Callable[[DeviceDouble], None]) -> None:
        try:
            script(device)
        except BaseException as error:
            errors.append(error)
        finally:
            device.clock.become("off")

    threads = [threading.Thread(target=body, args=pair, daemon=True) for pair in scripts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout_s)
        assert not thread.is_alive(), "a device does not end"
    if errors:
        raise errors[0]
