"""LoRaWAN as a modem does it: data rates, duty cycle, session and counters. No frames and no keys: what would be in
them goes through judder.virtual.modems.network.

Back-off of joining: LoRaWAN 1.0.4 section 7. Simplified: the duty cycle is of one band, the one of the join channels.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from judder.virtual.lorawan import regions
from judder.virtual.lorawan.airtime import airtime_us
from judder.virtual.lorawan.regions import DataRate
from judder.virtual.modems.network import Answer, Clock, Identity, Network, Session, Uplink

# Share of the time a device may send where a plan knows of bands (ETSI EN 300 220 and others, the join channels).
_DUTY_CYCLE = 0.01
_JOIN_REQUEST_BYTES = 23
_OVERHEAD_BYTES = 13  # MHDR, FHDR, FPort, MIC
_HOUR_US = 3600 * 1_000_000


class Restricted(Exception):
    """Not yet: duty cycle, or the back-off of joining. wait_ms: how long."""

    def __init__(self, wait_ms: int) -> None:
        super().__init__(wait_ms)
        self.wait_ms = wait_ms


class NotPossible(Exception):
    """The data rate is none of the region's, or carries nothing."""


class Station:
    """The radio half of a modem. Settings are attributes; `reset` is what a restart forgets.

    session None: not joined. data_rate: in force, `start_data_rate`: the setting. mac_bytes: FOpts that are due.
    busy: a frame is under way, or one of its windows. free_us: until then the duty cycle allows nothing. burst_us: so
    much of it may be used in one go; 0: after each frame the whole of its pause.
    """

    def __init__(self, network: Network, clock: Clock) -> None:
        self.network = network
        self._clock = clock
        self.region = "eu868"
        self.start_data_rate = 0
        self.adr = True
        self.duty_cycle = True
        self.burst_us = 0
        self.join_duty_cycle = True
        self.channels: tuple[int, ...] = ()
        self.reset()

    def reset(self) -> None:
        """Session, counters and air-time are forgotten."""
        self.session: Session | None = None
        self.data_rate = self.start_data_rate
        self.counter = 0
        self.mac_bytes = 0
        self.busy = False
        self.free_us = -self.burst_us
        self._join_free_us = 0

    def limit(self) -> int:
        """Longest application payload now; 0 when the answers of the MAC leave no room for any."""
        return max(0, self._longest(self.data_rate) - self.mac_bytes)

    def valid(self, data_rate: int) -> bool:
        """Whether an uplink may be set to it."""
        return self._longest(data_rate) > 0

    def modulation(self, data_rate: int) -> DataRate:
        """Spreading factor and bandwidth. Raises NotPossible."""
        if not self.valid(data_rate):
            raise NotPossible
        return regions.find(self.region).up[data_rate]

    def set_data_rate(self, data_rate: int) -> None:
        """As a command does."""
        self.start_data_rate = self.data_rate = data_rate

    def join(self, identity: Identity, done: Callable[[Session | None], None]) -> None:
        """Send a join request; done(session or None) when the result is there. Raises Restricted, NotPossible."""
        now_us = self._clock.now_us
        self._check(max(self.free_us, self._join_free_us if self.join_duty_cycle else 0))
        self.data_rate = self.start_data_rate
        rates = regions.find(self.region).join_drs
        data_rate = self.data_rate if self.data_rate in rates else rates[0]
        air_us = self._air_us(_JOIN_REQUEST_BYTES, data_rate)
        self.session = None
        # 1 % in the first hour, 0.1 % in the next ten, 0.01 % afterwards.
        share = 0.01 if now_us < _HOUR_US else 0.001 if now_us < 11 * _HOUR_US else 0.0001
        self._join_free_us = now_us + round(air_us / share)

        def over(session: Session | None) -> None:
            self.busy = False
            self.session = session
            self.counter = self.mac_bytes = 0
            done(session)

        self._spend(air_us)
        self.network.join(identity, data_rate, air_us, self._clock, over)

    def uplink(self, port: int | None, payload: bytes, confirmed: bool, done: Callable[[Answer], None]) -> None:
        """Send a frame that fits; done(answer) when its windows are over. Raises Restricted, NotPossible."""
        assert self.session is not None
        self._check(self.free_us if self.duty_cycle else 0)
        air_us = self._air_us(_OVERHEAD_BYTES + self.mac_bytes + len(payload), self.data_rate)
        parts = (self.data_rate, self.counter, self.adr, self.mac_bytes, self.region, self.channels)

        def over(answer: Answer) -> None:
            self.busy = False
            self.mac_bytes = answer.mac_bytes
            if answer.data_rate is not None and self.adr:
                self.data_rate = answer.data_rate
            done(answer)

        self.counter += 1
        self._spend(air_us)
        self.network.uplink(self.session, Uplink(port, payload, confirmed, *parts), air_us, self._clock, over)

    # --- inside

    def _longest(self, data_rate: int) -> int:
        plan = regions.find(self.region)
        return (plan.sizes_dwell if plan.dwell_up else plan.sizes_up).get(data_rate, 0)

    def _air_us(self, length: int, data_rate: int) -> int:
        rate = self.modulation(data_rate)
        return airtime_us(length, rate.sf, rate.bandwidth_hz)

    def _check(self, free_us: int) -> None:
        now_us = self._clock.now_us
        if now_us < free_us:
            raise Restricted(math.ceil((free_us - now_us) / 1000))

    def _spend(self, air_us: int) -> None:
        self.busy = True
        if regions.find(self.region).bands:
            now_us = self._clock.now_us
            self.free_us = max(self.free_us, now_us - self.burst_us) + round(air_us / _DUTY_CYCLE)
