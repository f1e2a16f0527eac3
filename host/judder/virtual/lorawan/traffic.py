"""Data uplinks at the network server: counters, MAC commands, ADR, and what is sent back."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from judder.virtual.lorawan import adr, downlink, events
from judder.virtual.lorawan import commands as mac
from judder.virtual.lorawan.audit import Audit
from judder.virtual.lorawan.commands import Command
from judder.virtual.lorawan.device import Device, Heard, Item, Session
from judder.virtual.lorawan.downlink import Answer, Cut
from judder.virtual.lorawan.events import Application, Event
from judder.virtual.lorawan.frames import DataFrame
from judder.virtual.lorawan.gateway import Gateway, Uplink
from judder.virtual.lorawan.propagation import REQUIRED_SNR_DB
from judder.virtual.lorawan.regions import Plan

_MAX_TRIES = 8  # of a MAC request that is not answered
_MAX_REFUSALS = 3  # of LinkADRReq, before it is left alone

# Bits of an answer that mean "all accepted".
_ACCEPTED = {mac.LINK_ADR: 7, mac.RX_PARAM_SETUP: 7, mac.NEW_CHANNEL: 3, mac.DL_CHANNEL: 3}


@dataclass
class Policy:
    """channels: numbers devices are to use, None: theirs. adr: the network changes rates. gps_us: GPS time at zero."""

    plan: Plan
    channels: Sequence[int] | None
    adr: bool = True
    margin_db: float = 10.0
    gps_us: int = 0


@dataclass
class Traffic:
    """handle() takes one uplink with all its copies. refused: counts by reason."""

    policy: Policy
    application: Application
    emit: Callable[[Event], None]
    audit: Audit
    refused: Counter[str] = field(default_factory=Counter)

    def handle(self, frame: DataFrame, devices: Sequence[Device], copies: Sequence[Uplink]) -> None:
        """devices: those with its DevAddr. copies: one per gateway, the best first."""
        found = self._authenticate(frame, devices)
        if found is None:
            self.refused["mic" if devices else "address"] += 1
            return
        device, session, fcnt = found
        if fcnt < session.fcnt_up:
            self.refused["replay"] += 1
            return
        if session is device.offered:
            device.session, device.offered = session, None
        best = copies[0]
        session.adr = frame.adr
        plain = frame.plain(session.nwk_s_key, session.app_s_key, fcnt)
        commands, _rest = mac.split(plain if frame.port == 0 else frame.fopts, mac.UP_BYTES)
        if fcnt > session.fcnt_up:
            session.fcnt_up = fcnt
            self._count(device, session, fcnt, copies)
            self._acknowledged(device, session, frame, best.time_us)
            self._answered(device, session, commands, best.time_us)
            if frame.port:
                self._deliver(device, session, frame, fcnt, plain, copies)
            self._ask(session)
        replies = [reply for cid, _ in commands if (reply := self._reply(cid, copies)) is not None]
        self._respond(device, session, copies, Answer(frame.confirmed, frame.adr_ack_req, replies))

    # --- what came

    def _authenticate(self, frame: DataFrame, devices: Sequence[Device]) -> tuple[Device, Session, int] | None:
        for device in devices:
            for session in (device.offered, device.session):
                if session is None or session.dev_addr != frame.dev_addr:
                    continue
                low = max(session.fcnt_up, 0) & ~0xFFFF | frame.fcnt
                for fcnt in (low, low + 0x10000):
                    if frame.is_authentic(session.nwk_s_key, fcnt):
                        return device, session, fcnt
        return None

    def _count(self, device: Device, session: Session, fcnt: int, copies: Sequence[Uplink]) -> None:
        best = copies[0]
        device.uplinks += 1
        device.last_snr_db = best.snr_db
        device.rates[str(best.rate)] = device.rates.get(str(best.rate), 0) + 1
        dr = self.policy.plan.up_dr(best.rate.sf, best.rate.bandwidth_hz)
        if dr is not None and dr != session.settings.dr:
            session.settings.dr = dr  # it starts so, or has lowered it
            session.history.clear()
        session.history.append(Heard(fcnt, best.snr_db))

    def _acknowledged(self, device: Device, session: Session, frame: DataFrame, at_us: int) -> None:
        item = session.awaiting_ack
        if item is None:
            return
        session.awaiting_ack = None
        if not frame.ack and item.attempts > 1:
            item.attempts -= 1
            device.queue.appendleft(item)
            return
        self._tell("ack", device, at_us, events.ack(item, session.awaiting_fcnt, frame.ack))

    def _deliver(
        self, device: Device, session: Session, frame: DataFrame, fcnt: int, plain: bytes, copies: Sequence[Uplink]
    ) -> None:
        self.emit(
            self.application.up(
                device,
                copies,
                copies[0].time_us,
                devAddr=f"{session.dev_addr:08x}",
                adr=frame.adr,
                dr=session.settings.dr,
                fCnt=fcnt,
                fPort=frame.port,
                confirmed=frame.confirmed,
                data=base64.b64encode(plain).decode(),
            )
        )

    def _answered(self, device: Device, session: Session, commands: Sequence[Command], at_us: int) -> None:
        """Take over what the device says it has done; what it has not answered is sent again."""
        waiting = session.unanswered
        if not waiting:
            return
        came = False
        for cid, payload in commands:
            place = next((n for n, request in enumerate(waiting) if request[0] == cid), None)
            if place is None or cid in mac.ASKED_BY_DEVICE:
                continue  # a question, or said again because it cannot know that we have heard it
            came = True
            end = place + 1
            while cid == mac.LINK_ADR and end < len(waiting) and waiting[end][0] == cid:
                end += 1
            block = waiting[place:end]
            del waiting[place:end]
            if cid == mac.DEV_STATUS:
                self._status(device, payload, at_us)
            elif payload[:1] == bytes((_ACCEPTED[cid],)) if cid in _ACCEPTED else True:
                before = session.settings.dr, session.settings.power
                session.settings.process(mac.join(block))
                if before != (session.settings.dr, session.settings.power):
                    session.history.clear()
            elif cid == mac.LINK_ADR:
                session.adr_refusals += 1
        session.tries = 0 if came else session.tries + 1
        if waiting and session.tries < _MAX_TRIES:
            session.to_send[:0] = waiting
        session.unanswered = []

    def _status(self, device: Device, payload: bytes, at_us: int) -> None:
        battery, margin = payload
        body: dict[str, Any] = {"margin": (margin & 0x3F ^ 0x20) - 0x20}
        if battery == 0:
            body["externalPowerSource"] = True
        elif battery == 255:
            body["batteryLevelUnavailable"] = True
        else:
            body["batteryLevel"] = round(battery / 2.54, 2)
        self._tell("status", device, at_us, body)

    # --- what goes back

    def _reply(self, cid: int, copies: Sequence[Uplink]) -> Command | None:
        best = copies[0]
        if cid == mac.LINK_CHECK:
            margin_db = round(best.snr_db - REQUIRED_SNR_DB[best.rate.sf])
            return mac.link_check_answer(min(max(margin_db, 0), 254), len(copies))
        if cid == mac.DEVICE_TIME:
            return mac.device_time_answer(self.policy.gps_us + best.time_us)
        return None

    def _ask(self, session: Session) -> None:
        """A LinkADRReq block if rate, power, repetitions or channels are not what they should be."""
        settings, policy = session.settings, self.policy
        if session.adr_refusals >= _MAX_REFUSALS or any(cid == mac.LINK_ADR for cid, _ in session.to_send):
            return
        wanted = settings.mask if policy.channels is None else set(policy.channels) & set(settings.channels)
        dr, power, nb_trans = now = settings.dr, settings.power, settings.nb_trans
        if policy.adr and session.adr:
            dr, power, nb_trans = adr.advise(policy.plan, *now, session.history, policy.margin_db)
        if (dr, power, nb_trans) == now and settings.mask == wanted:
            return
        if not session.adr:
            dr = power = 15  # its own business
        session.to_send += mac.mask_commands(sorted(wanted), policy.plan.fixed, dr, power, nb_trans)

    def _respond(self, device: Device, session: Session, copies: Sequence[Uplink], answer: Answer) -> None:
        at_us = copies[0].time_us
        gateways = [copy.gateway for copy in copies]
        choice = downlink.windows(session.settings, copies[0], session.settings.rx1_delay_s)
        if device.injected:
            number, phy = device.injected.popleft()
            for window in choice:
                if window.number == number:
                    downlink.send(phy, window, gateways)
            return
        self._drop_too_long(device, max([window.size for window in choice], default=0), at_us)
        if device.commands:
            answer.raw = device.commands.pop(0)
        if not answer.is_due(device, session):
            return
        reasons: list[str] = []
        for window in choice:
            piece = downlink.cut(answer, device, session, window)
            if len(piece.commands) > window.size:
                reasons.append("SIZE")
                continue
            phy = piece.frame.build(session.nwk_s_key, session.app_s_key)
            gateway, refusals = downlink.send(phy, window, gateways)
            reasons += refusals
            if gateway is not None:
                self._book(device, session, piece, phy, gateway, at_us)
                return
        self.refused["downlink"] += 1
        device.commands[:0] = [answer.raw] if answer.raw else []
        body = {"level": "ERROR", "code": "DOWNLINK_GATEWAY", "description": f"no window could be used: {reasons}"}
        self._tell("log", device, at_us, body)

    def _drop_too_long(self, device: Device, size: int, at_us: int) -> None:
        while device.queue and len(device.queue[0].payload) > size:
            item = device.queue.popleft()
            text = f"{len(item.payload)} bytes do not fit into {size}"
            body = {"level": "ERROR", "code": "DOWNLINK_PAYLOAD_SIZE", "description": text}
            self._tell("log", device, at_us, body | {"context": {"queueItemId": item.id}})

    def _book(self, device: Device, session: Session, piece: Cut, phy: bytes, gateway: Gateway, at_us: int) -> None:
        """It goes out: take it from the queues."""
        self.audit.sent_data(device, session, phy, piece)
        session.fcnt_down += 1
        device.downlinks += 1
        device.sent.append(phy)
        del session.to_send[: len(piece.requests)]
        trial = session.settings.copy()
        session.unanswered = [one for one in piece.requests if trial.process(mac.join([one])) or one[0] == mac.LINK_ADR]
        body: dict[str, Any] = {"gatewayId": gateway.eui.hex(), "fCntDown": piece.frame.fcnt}
        if piece.item is not None:
            device.queue.popleft()
            body["queueItemId"] = piece.item.id
            if piece.item.confirmed:
                session.awaiting_ack, session.awaiting_fcnt = piece.item, piece.frame.fcnt
        self._tell("txack", device, at_us, body)

    def _tell(self, kind: str, device: Device, at_us: int, body: dict[str, Any]) -> None:
        self.emit(self.application.make(kind, device, at_us, **body))


def undelivered(device: Device) -> list[Item]:
    """What is still to be sent to a device or not acknowledged by it."""
    waiting = device.session.awaiting_ack if device.session else None
    return ([waiting] if waiting else []) + list(device.queue)
