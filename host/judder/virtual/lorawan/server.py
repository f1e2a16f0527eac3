"""A small LoRaWAN 1.0.4 network server for class A, on the time of the air. For tests and simulations.

    server = NetworkServer(air, regions.find("EU868"), gateways, on_event=print)
    server.add("pump 3", dev_eui, join_eui, app_key)
    server.enqueue(dev_eui, port=17, payload=b"...", confirmed=True)
    ...
    assert server.violations == []

It joins as strictly as The Things Stack (a DevNonce has to be higher than all before), and its audit keeps account of
everything that devices do against the rules.
"""

from __future__ import annotations

import base64
import binascii
import random
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from judder.errors import InputError
from judder.virtual.lorawan import downlink, frames, network_plan
from judder.virtual.lorawan.audit import Audit, Violation
from judder.virtual.lorawan.commands import Command
from judder.virtual.lorawan.crypto import UP, session_keys
from judder.virtual.lorawan.device import Device, Item, Session
from judder.virtual.lorawan.events import Application, Event
from judder.virtual.lorawan.frames import DataFrame, FrameError, JoinAccept, JoinRequest
from judder.virtual.lorawan.gateway import Gateway, Uplink
from judder.virtual.lorawan.medium import Air
from judder.virtual.lorawan.mirror import Mirror
from judder.virtual.lorawan.regions import Plan
from judder.virtual.lorawan.traffic import Policy, Traffic

NET_ID = 0  # 0 and 1 are anybody's, for experiments
DEDUPLICATE_US = 200_000  # how long copies of an uplink from other gateways are waited for
_GPS_EPOCH = datetime(1980, 1, 6, tzinfo=UTC)
_LEAP_S = 18  # GPS time is ahead of UTC by so much since 2017
START = datetime(2026, 1, 1, tzinfo=UTC)


class NetworkServer:
    """sub_band: of US915 and AU915. cf_list: whether join-accepts carry the network's channels. adr: whether the
    network changes rates, with margin_db to spare. rx1_delay_s, rx1_offset, rx2_dr: what join-accepts say.
    start: UTC at the air's time zero.

    on_event: told everything an application is told, as ChirpStack v4 says it; events: all of them. It is called on
    the time of the air with its lock held: it may use this server; it must not start, stop or reset a board.
    refused: frames that were not taken, by reason.
    """

    def __init__(
        self,
        air: Air,
        plan: Plan,
        gateways: Sequence[Gateway],
        *,
        sub_band: int = network_plan.DEFAULT_SUB_BAND,
        cf_list: bool = True,
        adr: bool = True,
        margin_db: float = 10.0,
        rx1_delay_s: int = 1,
        rx1_offset: int = 0,
        rx2_dr: int | None = None,
        seed: int = 1,
        start: datetime = START,
        on_event: Callable[[Event], None] | None = None,
    ) -> None:
        self.air = air
        self.plan = plan
        self.gateways = tuple(gateways)
        self.devices: dict[bytes, Device] = {}
        self.events: list[Event] = []
        self.audit = Audit(air, plan)
        self.on_event = on_event
        self._cf_list = network_plan.cf_list(plan, sub_band) if cf_list else b""
        self._rx1_delay_s = rx1_delay_s
        self._dl_settings = rx1_offset << 4 | (plan.rx2_dr if rx2_dr is None else rx2_dr)
        self._random = random.Random(seed)
        self._copies: dict[bytes, list[Uplink]] = {}
        self._application = Application(start, region=plan.name.lower().replace("-1", ""))
        gps_us = round((start - _GPS_EPOCH).total_seconds() + _LEAP_S) * 1_000_000
        self.policy = Policy(plan, network_plan.channel_numbers(plan, sub_band), adr, margin_db, gps_us)
        self.traffic = Traffic(self.policy, self._application, self._emit, self.audit)
        self.refused = self.traffic.refused
        for gateway in gateways:
            gateway.forward = self.receive

    @property
    def violations(self) -> list[Violation]:
        """Everything devices did against the rules."""
        return self.audit.violations

    # --- devices

    def add(self, name: str, dev_eui: bytes, join_eui: bytes, app_key: bytes) -> Device:
        """A device that joins. 8, 8 and 16 bytes. Raises InputError for other lengths or a DevEUI that is there."""
        if (len(dev_eui), len(join_eui), len(app_key)) != (8, 8, 16):
            raise InputError(f"{name}: DevEUI and JoinEUI have 8 bytes, AppKey 16")
        return self._add(Device(name, dev_eui, join_eui, app_key))

    def add_abp(self, name: str, dev_eui: bytes, dev_addr: int, nwk_s_key: bytes, app_s_key: bytes) -> Device:
        """A device with a session of its own, on the region's settings. Raises InputError as add()."""
        if (len(dev_eui), len(nwk_s_key), len(app_s_key)) != (8, 16, 16):
            raise InputError(f"{name}: DevEUI has 8 bytes, session keys 16")
        device = Device(name, dev_eui, session=Session(dev_addr, nwk_s_key, app_s_key, Mirror(self.plan)))
        return self._add(device)

    def _add(self, device: Device) -> Device:
        with self.air.lock:
            if device.dev_eui in self.devices:
                raise InputError(f"{device.name}: DevEUI {device.dev_eui.hex()} is there already")
            self.devices[device.dev_eui] = device
            self.audit.add(device)
            return device

    # --- for an application

    def enqueue(self, dev_eui: bytes, port: int, payload: bytes, confirmed: bool = False, attempts: int = 1) -> str:
        """Send after the next uplink; returns the item's id. attempts: of a confirmed one. Raises InputError."""
        if not 1 <= port <= 223:
            raise InputError(f"port {port}: from 1 to 223")
        with self.air.lock:
            device = self._known(dev_eui)
            item = Item(str(uuid.UUID(int=self._random.getrandbits(128))), port, bytes(payload), confirmed, attempts)
            device.queue.append(item)
            return item.id

    def command(self, body: Mapping[str, Any]) -> str:
        """enqueue() by ChirpStack's JSON: devEui, fPort, data (base64), confirmed. Raises InputError."""
        try:
            dev_eui, payload = bytes.fromhex(body["devEui"]), base64.b64decode(body["data"], validate=True)
            port, confirmed = int(body["fPort"]), bool(body.get("confirmed", False))
        except (KeyError, TypeError, ValueError, binascii.Error) as error:
            raise InputError(f"downlink command {dict(body)}: needs devEui, fPort and data ({error!r})") from error
        return self.enqueue(dev_eui, port, payload, confirmed)

    # --- for the network, and for scenarios

    def request(self, dev_eui: bytes, *commands: Command) -> None:
        """MAC commands with the next downlink, again until they are answered. Raises InputError before a join."""
        with self.air.lock:
            self._session(dev_eui).to_send.extend(commands)

    def send_raw(self, dev_eui: bytes, commands: bytes) -> None:
        """MAC bytes as they are (unknown, cut off, senseless) with the next downlink, once."""
        with self.air.lock:
            self._known(dev_eui).commands.append(commands)

    def inject(self, dev_eui: bytes, phy: bytes, window: int = 1) -> None:
        """Put this PHYPayload into a window after the next uplink, instead of what would be sent."""
        with self.air.lock:
            self._known(dev_eui).injected.append((window, phy))

    def build(self, dev_eui: bytes, *, fcnt: int | None = None, kind: int = frames.DOWN, **fields: Any) -> bytes:
        """A downlink under a device's keys that counts nowhere. fcnt: default the next. fields: of DataFrame."""
        with self.air.lock:
            session = self._session(dev_eui)
            counter = session.fcnt_down if fcnt is None else fcnt
            frame = DataFrame(kind, session.dev_addr, counter, **fields)
            return frame.build(session.nwk_s_key, session.app_s_key)

    def _known(self, dev_eui: bytes) -> Device:
        device = self.devices.get(dev_eui)
        if device is None:
            raise InputError(f"there is no device {dev_eui.hex()}")
        return device

    def _session(self, dev_eui: bytes) -> Session:
        device = self._known(dev_eui)
        session = device.offered or device.session
        if session is None:
            raise InputError(f"{device.name} has not joined yet")
        return session

    # --- uplinks

    def receive(self, uplink: Uplink) -> None:
        """A gateway has heard something."""
        if uplink.damaged:
            return
        copies = self._copies.get(uplink.payload)
        if copies is not None:
            copies.append(uplink)
            return
        self._copies[uplink.payload] = [uplink]
        self.air.timeline.at(uplink.time_us + DEDUPLICATE_US, lambda: self._complete(uplink.payload))

    def _complete(self, phy: bytes) -> None:
        copies = sorted(self._copies.pop(phy), key=lambda copy: -copy.snr_db)
        try:
            if frames.message_type(phy) == frames.JOIN_REQUEST:
                self._join(JoinRequest.parse(phy), copies)
                return
            frame = DataFrame.parse(phy)
        except FrameError:
            self.refused["frame"] += 1
            return
        if frame.direction != UP:
            self.refused["frame"] += 1
            return
        devices = [device for device in self.devices.values() if _has_address(device, frame.dev_addr)]
        self.traffic.handle(frame, devices, copies)

    def _join(self, request: JoinRequest, copies: Sequence[Uplink]) -> None:
        device = self.devices.get(request.dev_eui)
        if device is None or not device.app_key or request.join_eui != device.join_eui:
            self.refused["identity"] += 1
            return
        if not request.is_authentic(device.app_key):
            self.refused["mic"] += 1
            self._log(device, copies[0].time_us, "UPLINK_MIC", "join-request")
            return
        if request.dev_nonce <= device.last_dev_nonce:
            self.refused["nonce"] += 1
            text = f"DevNonce {request.dev_nonce} is not higher than {device.last_dev_nonce}"
            self._log(device, copies[0].time_us, "OTAA", text)
            return
        device.last_dev_nonce = request.dev_nonce
        device.join_nonce += 1
        address = NET_ID << 25 | self._random.getrandbits(25)
        accept = JoinAccept(device.join_nonce, NET_ID, address, self._dl_settings, self._rx1_delay_s, self._cf_list)
        settings = Mirror(self.plan)
        choice = downlink.windows(settings, copies[0], downlink.JOIN_DELAY_S)
        settings.joined(accept.dl_settings, accept.rx_delay, accept.cf_list)
        keys = session_keys(device.app_key, accept.join_nonce, NET_ID, request.dev_nonce)
        session = Session(address, *keys, settings)
        phy = accept.build(device.app_key)
        reasons: list[str] = []
        for window in choice:
            gateway, refusals = downlink.send(phy, window, [copy.gateway for copy in copies])
            reasons += refusals
            if gateway is not None:
                break
        else:
            self.refused["downlink"] += 1
            self._log(device, copies[0].time_us, "DOWNLINK_GATEWAY", f"no window could be used: {reasons}")
            return
        device.offered = session
        device.joins += 1
        self.audit.sent_accept(device, session, phy, request.dev_nonce)
        self._emit(self._application.make("join", device, copies[0].time_us, devAddr=f"{address:08x}"))

    def _log(self, device: Device, at_us: int, code: str, text: str) -> None:
        body = {"level": "ERROR", "code": code, "description": text}
        self._emit(self._application.make("log", device, at_us, **body))

    def _emit(self, event: Event) -> None:
        self.events.append(event)
        if self.on_event is not None:
            self.on_event(event)


def _has_address(device: Device, dev_addr: int) -> bool:
    return any(session is not None and session.dev_addr == dev_addr for session in (device.offered, device.session))
