"""The node's own MAC (firmware/node/link/lorawan) on the air, with no radio driver and no MicroPython in between."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from device_double import APP_KEY, JOIN_EUI, eui

from judder.virtual.clock import BoardClock
from judder.virtual.lorawan.air import Emission, Tuning
from judder.virtual.lorawan.airtime import airtime_us
from judder.virtual.lorawan.medium import Air
from node.link.lorawan import IDLE, RECEIVE, SAVE, TRANSMIT, WAIT, regions, session
from node.link.lorawan.mac import Mac

RADIO_DBM = (-9, 22)


class Aes:
    """What the MAC is given."""

    def __init__(self, key: bytes) -> None:
        self._cipher = Cipher(algorithms.AES(bytes(key)), modes.ECB())

    def encrypt(self, block: bytes) -> bytes:
        return self._cipher.encryptor().update(bytes(block))


class MacOnAir:
    """say() and run() move the clock as far as the MAC asks. identity: attributes of its Identity to change.

    before: called with each action, before it is carried out; power_cut() forgets all but flash, sleep() all but RTC
    memory and flash.
    """

    def __init__(self, air: Air, region: str, number: int = 1, identity: Any = None, **settings: Any) -> None:
        self.air = air
        self.number = number
        self.clock = BoardClock("virtual")
        self.station = air.station(f"node-{number}", self.clock, gain_dbi=2.0)
        self.random = random.Random(number)
        self.region = regions.find(region.lower())
        self.identity = identity or session.otaa(eui(number), JOIN_EUI, APP_KEY)
        for name, value in settings.items():
            setattr(self.identity, name, value)
        self.stored: bytes | None = None
        self.awake: bytes | None = None
        self.writes = 0
        self.heard: list[tuple[int, bytes]] = []
        self.before: Callable[[tuple[Any, ...]], None] = lambda _action: None
        self._end_us = 0
        self.boot()

    # --- life

    @property
    def now_ms(self) -> int:
        return self.clock.now_us // 1000

    def boot(self) -> None:
        self.mac = Mac(
            self.region, self.identity, Aes, self.random.randbytes, self.now_ms, stored=self.stored, awake=self.awake
        )

    def sleep(self, seconds: float) -> None:
        """Deep sleep: the session goes through RTC memory. What waits to be repeated is given up, as the link does."""
        self.mac.cancel()
        self.awake = self.mac.state(self.now_ms)
        assert len(self.awake) <= 256
        self.clock.observe(self.clock.now_us + round(seconds * 1e6))
        self.boot()

    def power_cut(self) -> None:
        self.awake = None
        self.clock.become("off")
        self.clock.power_on()
        self.clock.pass_over(300_000)
        self.clock.become("going")
        self.boot()

    # --- work

    def say(self, payload: bytes, port: int = 2, confirmed: bool = False, limit_s: float = 4000.0) -> bool | None:
        self.mac.send(self.now_ms, port, payload, confirmed)
        self.run(limit_s)
        outcome: bool | None = self.mac.outcome()
        return outcome

    def run(self, limit_s: float = 4000.0) -> None:
        """Until there is nothing to do any more, or for so long."""
        until_us = self.clock.now_us + round(limit_s * 1e6)
        while self.clock.now_us < until_us:
            self.heard += [(port, bytes(data)) for port, data, _fcnt in self.mac.downlinks]
            self.mac.downlinks.clear()
            action = self.mac.next(self.now_ms)
            self.before(action)
            if action[0] == IDLE:
                return
            if action[0] == SAVE:
                self.stored = bytes(action[1])
                self.writes += 1
                self.mac.saved(self.now_ms)
            elif action[0] == WAIT:
                self.clock.observe(min(until_us, max(action[1] * 1000, self.clock.now_us + 1000)))
            elif action[0] == TRANSMIT:
                self._transmit(*action[1:])
            elif action[0] == RECEIVE:
                self._receive(*action[1:])

    def _transmit(self, frame: Any, frequency_hz: int, sf: int, bandwidth_hz: int, power_dbm: int) -> None:
        self.awake = self.mac.state(self.now_ms)
        start_us = self.clock.now_us
        self._end_us = start_us + airtime_us(len(frame), sf, bandwidth_hz)
        tuning = Tuning(frequency_hz, sf, bandwidth_hz)
        dbm = min(max(power_dbm, RADIO_DBM[0]), RADIO_DBM[1])
        self.air.transmit(Emission(self.station, start_us, self._end_us, tuning, dbm, bytes(frame)))
        self.clock.observe(self._end_us)
        self.mac.sent(self.now_ms)

    def _receive(self, delay_us: int, frequency_hz: int, sf: int, bandwidth_hz: int, symbols: int) -> None:
        tuning = Tuning(frequency_hz, sf, bandwidth_hz, inverted_iq=True)
        opened_us = max(self.clock.now_us, self._end_us + delay_us)
        self.clock.observe(opened_us + symbols * tuning.symbol_us)
        locked = self.air.locked(self.station, tuning, opened_us, symbols, self.clock.now_us)
        if locked is not None:
            self.clock.observe(locked.end_us)
        found = self.air.heard(self.station, tuning, opened_us, symbols, self.clock.now_us)
        if found is None or found.damaged:
            self.mac.silent(self.now_ms)
        else:
            snr_qdb = round(min(max(found.snr_db, -32), 31) * 4)
            self.mac.heard(self.now_ms, found.emission.payload, round(found.rssi_dbm), snr_qdb)
