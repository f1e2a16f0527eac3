"""What happened in an air, node by node: joins, uplinks, data rates, air time, downlinks. For reports and progress.

It looks at frames from outside, so it works with our network server and with somebody else's behind a forwarder.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from judder.virtual.lorawan import frames
from judder.virtual.lorawan.air import Emission
from judder.virtual.lorawan.frames import DataFrame, FrameError
from judder.virtual.lorawan.gateway import Gateway, Uplink
from judder.virtual.lorawan.medium import Air
from judder.virtual.lorawan.regions import DataRate
from judder.virtual.lorawan.station import Station

OnLine = Callable[[dict[str, Any]], None]


@dataclass
class Account:
    """One node. joins: sessions it has used. uplinks: frames with a counter of their own. transmissions: join-requests
    and repetitions too; rates: these by data rate. heard: uplinks that a gateway received. acknowledged: downlinks that
    carried an ACK.
    """

    name: str
    join_requests: int = 0
    joins: int = 0
    transmissions: int = 0
    uplinks: int = 0
    heard: int = 0
    downlinks: int = 0
    acknowledged: int = 0
    airtime_us: int = 0
    rates: dict[str, int] = field(default_factory=dict)
    best_snr_db: float | None = None
    _counter: tuple[int, int] | None = field(default=None, repr=False)
    _arrived: bool = field(default=False, repr=False)
    _delivered: Emission | None = field(default=None, repr=False)

    @property
    def lost(self) -> int:
        """Uplinks no gateway received in any of their transmissions."""
        return self.uplinks - self.heard

    def to_dict(self) -> dict[str, Any]:
        """For JSON; air time in seconds."""
        return {
            "node": self.name,
            "joins": self.joins,
            "join_requests": self.join_requests,
            "uplinks": self.uplinks,
            "lost": self.lost,
            "transmissions": self.transmissions,
            "downlinks": self.downlinks,
            "acknowledged": self.acknowledged,
            "airtime_s": round(self.airtime_us / 1e6, 3),
            "data_rates": self.rates,
            "snr_db": None if self.best_snr_db is None else round(self.best_snr_db, 1),
        }


class Ledger:
    """accounts: by station name, of stations that are nodes. on_line: told each event as a dict with "event", "time_s"
    and "node", holding the air's lock. Make it after the gateways and whatever they forward to.
    """

    def __init__(self, air: Air, gateways: Sequence[Gateway], on_line: OnLine = lambda _line: None) -> None:
        self.accounts: dict[str, Account] = {}
        self._on_line = on_line
        self._copies: list[Uplink] = []
        for gateway in gateways:
            self._tap(gateway)
        air.on_emission.append(self._ended)
        air.on_heard.append(self._heard)

    def add(self, name: str) -> Account:
        """A node, so that it is in the report even if it never says anything."""
        return self.accounts.setdefault(name, Account(name))

    def _tap(self, gateway: Gateway) -> None:
        onward = gateway.forward

        def forward(uplink: Uplink) -> None:
            if not uplink.damaged:
                self._copies.append(uplink)
            onward(uplink)

        gateway.forward = forward

    def _ended(self, emission: Emission) -> None:
        station = emission.sender
        # Gateways are told of an emission before us, so these are its copies.
        copies, self._copies = self._copies, []
        if not isinstance(station, Station) or station.clock is None:
            return
        account = self.add(station.name)
        tuning = emission.tuning
        rate = str(DataRate(tuning.sf, tuning.bandwidth_hz))
        account.transmissions += 1
        account.airtime_us += emission.end_us - emission.start_us
        account.rates[rate] = account.rates.get(rate, 0) + 1
        head = {"time_s": round(emission.end_us / 1e6, 3), "node": station.name}
        line: dict[str, Any] = {
            "event": "uplink",
            **head,
            "data_rate": rate,
            "frequency_mhz": tuning.frequency_hz / 1e6,
            "bytes": len(emission.payload),
            "airtime_ms": round((emission.end_us - emission.start_us) / 1000, 1),
            "gateways": len(copies),
        }
        if copies:
            best = max(copies, key=lambda copy: copy.snr_db)
            line |= {"rssi_dbm": round(best.rssi_dbm), "snr_db": round(best.snr_db, 1)}
            if account.best_snr_db is None or best.snr_db > account.best_snr_db:
                account.best_snr_db = best.snr_db
        self._on_line(line | self._read_up(account, emission.payload, bool(copies), head))

    def _read_up(self, account: Account, phy: bytes, arrived: bool, head: dict[str, Any]) -> dict[str, Any]:
        try:
            if frames.message_type(phy) == frames.JOIN_REQUEST:
                account.join_requests += 1
                return {"event": "join-request"}
            frame = DataFrame.parse(phy)
        except FrameError:
            return {"event": "unknown"}
        if account.join_requests and (account._counter is None or account._counter[0] != frame.dev_addr):
            # Whose a join-accept is can only be told from what its node does next.
            account.joins += 1
            self._on_line({"event": "join", **head, "dev_addr": f"{frame.dev_addr:08x}"})
        counter = frame.dev_addr, frame.fcnt
        repeated = counter == account._counter
        if not repeated:
            account._counter, account._arrived = counter, False
            account.uplinks += 1
        if arrived and not account._arrived:
            account._arrived = True
            account.heard += 1
        line: dict[str, Any] = {"f_cnt": frame.fcnt, "confirmed": frame.confirmed}
        if frame.port is not None:
            line["f_port"] = frame.port
        return line | ({"repeated": True} if repeated else {})

    def _heard(self, station: Station, emission: Emission) -> None:
        account = self.accounts.get(station.name)
        if account is None or account._delivered is emission:
            return
        account._delivered = emission
        line = {
            "event": "downlink",
            "time_s": round(emission.end_us / 1e6, 3),
            "node": station.name,
            "data_rate": str(DataRate(emission.tuning.sf, emission.tuning.bandwidth_hz)),
            "frequency_mhz": emission.tuning.frequency_hz / 1e6,
            "bytes": len(emission.payload),
        }
        try:
            frame = DataFrame.parse(emission.payload)
        except FrameError:
            return
        if account._counter is None or frame.dev_addr != account._counter[0]:
            return  # another node's: everybody in range hears it
        account.downlinks += 1
        account.acknowledged += frame.ack
        self._on_line(line | {"f_cnt": frame.fcnt, "ack": frame.ack})
