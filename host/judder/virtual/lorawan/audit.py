"""Keeps account of every frame the devices of a network send, and of everything that is against the rules.

It stands beside the network server and sees what no server could: frames that no gateway heard, their true power and
times, and which downlinks a device's radio did deliver. So it knows what a device must know.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from judder.virtual.lorawan import audit_join, audit_radio
from judder.virtual.lorawan.air import Emission
from judder.virtual.lorawan.audit_data import Life
from judder.virtual.lorawan.audit_join import Joining
from judder.virtual.lorawan.audit_radio import Radio
from judder.virtual.lorawan.device import Device, Session
from judder.virtual.lorawan.downlink import Cut
from judder.virtual.lorawan.frames import JOIN_REQUEST, DataFrame, FrameError, JoinRequest, message_type
from judder.virtual.lorawan.medium import Air
from judder.virtual.lorawan.regions import Plan
from judder.virtual.lorawan.station import Station


@dataclass(frozen=True)
class Violation:
    """time_us: of the air. device: its name, or the station's where it is not known. rule: short, for comparison."""

    time_us: int
    device: str
    rule: str
    detail: str

    def __str__(self) -> str:
        return f"{self.time_us / 1e6:.3f} s {self.device}: {self.rule}: {self.detail}"


@dataclass
class _Sent:
    """A valid downlink on its way. commands: MAC bytes in it; nonce: for a join-accept, the request it answers."""

    device: Device
    session: Session
    fcnt: int = 0
    confirmed: bool = False
    commands: bytes = b""
    nonce: int | None = None


@dataclass
class _Record:
    """What is kept of one device."""

    device: Device
    joining: Joining = field(default_factory=Joining)
    station: Station | None = None
    power_ons: int = 0
    life: Life | None = None  # of the session it must be in
    old: list[Life] = field(default_factory=list)


class Audit:
    """violations: everything found, in order. Stations without a board's clock (gateways, attackers) are not judged.

    confirmed_tries: how often a confirmed uplink may be sent altogether where NbTrans is less; L2 1.0.4 says NbTrans.
    """

    def __init__(self, air: Air, plan: Plan, confirmed_tries: int = 1) -> None:
        self.violations: list[Violation] = []
        self.confirmed_tries = confirmed_tries
        self._plan = plan
        self._records: dict[bytes, _Record] = {}
        self._radios: dict[Station, Radio] = {}
        self._sent: dict[bytes, _Sent] = {}
        self._begun: dict[Emission, int] = {}  # the sender's power_ons then
        air.on_start.append(self._began)
        air.on_emission.append(self._ended)
        air.on_heard.append(self._heard)

    def add(self, device: Device) -> None:
        """A device to watch."""
        self._records[device.dev_eui] = _Record(device)
        if device.session is not None:
            self._records[device.dev_eui].life = Life(self._plan, device.session, self.confirmed_tries)

    # --- told by the server

    def sent_accept(self, device: Device, session: Session, phy: bytes, dev_nonce: int) -> None:
        """A valid join-accept goes out."""
        self._sent[phy] = _Sent(device, session, nonce=dev_nonce)

    def sent_data(self, device: Device, session: Session, phy: bytes, piece: Cut) -> None:
        """A valid data downlink goes out."""
        frame = piece.frame
        self._sent[phy] = _Sent(device, session, frame.fcnt, frame.confirmed, piece.commands)

    # --- told by the air

    def _heard(self, station: Station, emission: Emission) -> None:
        sent = self._sent.get(emission.payload)
        if sent is None:
            return
        record = self._records[sent.device.dev_eui]
        if record.station is not station:
            return
        radio = self._radios[station]
        if sent.nonce is not None:
            if sent.nonce == record.joining.last_nonce and record.joining.pending:
                record.joining.done()
                record.old = [record.life] if record.life is not None else []
                record.life = Life(self._plan, sent.session, self.confirmed_tries)
                radio.answered(emission.end_us)
        elif record.life is not None and record.life.session is sent.session:
            taken = record.life.took(sent.fcnt, sent.confirmed, sent.commands)
            if taken:
                radio.answered(emission.end_us)

    def _began(self, emission: Emission) -> None:
        station = emission.sender
        if isinstance(station, Station) and station.clock is not None:
            self._begun[emission] = station.power_ons

    def _ended(self, emission: Emission) -> None:
        station = emission.sender
        if not isinstance(station, Station) or station.clock is None:
            return
        radio = self._radios.setdefault(station, Radio(self._plan))
        self._forgive(station, radio)
        name, found = self._judge(station, radio, emission)
        if self._begun.pop(emission, station.power_ons) != station.power_ons:
            # Power went while it was sending: there were no windows, and what it said may come again.
            radio.closed_us = 0
            for record in self._records.values():
                if record.station is station:
                    record.power_ons = -1
        self.violations += [Violation(emission.end_us, name, rule, detail) for rule, detail in found]

    def _forgive(self, station: Station, radio: Radio) -> None:
        """A device that has lost its power knows nothing of answers it owed and windows it had."""
        for record in self._records.values():
            if record.station is station and record.power_ons != station.power_ons:
                record.power_ons = station.power_ons
                radio.closed_us = 0
                if record.life is not None:
                    record.life.forgive()

    def _judge(self, station: Station, radio: Radio, emission: Emission) -> tuple[str, list[tuple[str, str]]]:
        phy = emission.payload
        try:
            if message_type(phy) == JOIN_REQUEST:
                return self._join(station, radio, emission, JoinRequest.parse(phy))
            return self._data(station, radio, emission, DataFrame.parse(phy))
        except FrameError as error:
            return station.name, [("frame", f"{error}: {phy.hex()}")]

    def _join(
        self, station: Station, radio: Radio, emission: Emission, request: JoinRequest
    ) -> tuple[str, list[tuple[str, str]]]:
        record = self._records.get(request.dev_eui)
        if record is None:
            return station.name, [("identity", f"join-request of unknown DevEUI {request.dev_eui.hex()}")]
        record.station, record.power_ons = station, station.power_ons
        found = audit_join.check(record.joining, record.device, request, emission, self._plan)
        eirp_dbm = self._plan.max_eirp_dbm
        if record.life is not None:  # joins again: what the network allowed it is still in force
            eirp_dbm = max(eirp_dbm, record.life.settings.max_eirp_dbm)
        found += audit_radio.check(radio, station, emission, audit_radio.JOIN_DELAY_S, join_eirp_dbm=eirp_dbm)
        return record.device.name, found

    def _data(
        self, station: Station, radio: Radio, emission: Emission, frame: DataFrame
    ) -> tuple[str, list[tuple[str, str]]]:
        for record in self._of(station):
            for life in [record.life, *record.old]:
                fcnt = None if life is None else life.counter_of(frame)
                if life is None or fcnt is None:
                    continue
                record.station, record.power_ons = station, station.power_ons
                found = [("old session", "the join-accept was delivered")] if life is not record.life else []
                settings = life.settings
                found += life.check(frame, fcnt, emission)
                found += audit_radio.check(radio, station, emission, settings.rx1_delay_s, settings, frame.adr)
                return record.device.name, found
        return station.name, [("mic", f"no session of ours has signed {emission.payload.hex()}")]

    def _of(self, station: Station) -> Iterable[_Record]:
        """Records, those known to be this station's first."""
        return sorted(self._records.values(), key=lambda record: record.station is not station)


def describe(violations: Iterable[Violation]) -> str:
    """One line each, for an assertion."""
    return "\n".join(str(violation) for violation in violations)
