"""One downlink: what goes into it, in which window, from which gateway."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from judder.virtual.lorawan import commands as mac
from judder.virtual.lorawan import frames
from judder.virtual.lorawan.commands import Command
from judder.virtual.lorawan.device import Device, Item, Session
from judder.virtual.lorawan.frames import DataFrame
from judder.virtual.lorawan.gateway import OK, Downlink, Gateway, Uplink
from judder.virtual.lorawan.mirror import Mirror
from judder.virtual.lorawan.regions import DataRate

JOIN_DELAY_S = 5
# EU868's window 2 is in a sub-band with 500 mW e.r.p. (ETSI EN 300 220-2 band P).
_STRONG_HZ, _STRONG_DBM = range(869_400_000, 869_650_000), 29.0


@dataclass(frozen=True)
class Window:
    """When, where and how a device listens. number: 1 or 2; size: longest application payload."""

    number: int
    time_us: int
    frequency_hz: int
    rate: DataRate
    size: int
    power_dbm: float


def channel_of(settings: Mirror, frequency_hz: int, dr: int) -> int | None:
    """Number of the channel an uplink came on; of several on one frequency one that is on."""
    for number, channel in sorted(settings.channels.items(), key=lambda pair: pair[0] not in settings.mask):
        if abs(channel.frequency_hz - frequency_hz) < 200 and channel.min_dr <= dr <= channel.max_dr:
            return number
    return None


def windows(settings: Mirror, uplink: Uplink, delay_s: int) -> list[Window]:
    """The windows after an uplink, those the settings make sense of. delay_s: of the first."""
    plan = settings.plan
    found: list[Window] = []
    dr = plan.up_dr(uplink.rate.sf, uplink.rate.bandwidth_hz)
    number = None if dr is None else channel_of(settings, uplink.frequency_hz, dr)
    if dr is not None and number is not None:
        rx1_dr = plan.rx1_dr(dr, settings.rx1_offset, settings.dwell_down)
        if rx1_dr is not None and rx1_dr in plan.down:
            frequency_hz = plan.rx1_hz(number, settings.channels[number])
            found.append(_window(settings, 1, uplink.time_us + delay_s * 1_000_000, frequency_hz, rx1_dr))
    if settings.rx2_dr in plan.down:
        opens_us = uplink.time_us + (delay_s + 1) * 1_000_000
        found.append(_window(settings, 2, opens_us, settings.rx2_hz, settings.rx2_dr))
    return found


def _window(settings: Mirror, number: int, time_us: int, frequency_hz: int, dr: int) -> Window:
    plan = settings.plan
    strong = plan.name == "EU868" and frequency_hz in _STRONG_HZ
    power_dbm = _STRONG_DBM if strong else float(plan.max_eirp_dbm)
    sizes = plan.sizes_dwell if settings.dwell_down and not plan.fixed else plan.sizes_down
    return Window(number, time_us, frequency_hz, plan.down[dr], sizes[dr], power_dbm)


def send(phy: bytes, window: Window, gateways: Sequence[Gateway]) -> tuple[Gateway | None, list[str]]:
    """Have the first gateway that can send it do so; None and the reasons when none can."""
    reasons: list[str] = []
    for gateway in gateways:
        power_dbm = window.power_dbm - gateway.station.gain_dbi
        downlink = Downlink(phy, window.time_us, window.frequency_hz, window.rate, power_dbm)
        reason = gateway.send(downlink) if gateway.within_duty(downlink) else "DUTY_CYCLE"
        if reason == OK:
            return gateway, reasons
        reasons.append(reason)
    return None, reasons


@dataclass
class Answer:
    """What a downlink for a data uplink carries, before it is cut to a window."""

    ack: bool = False
    wanted: bool = False  # the device asks for any downlink (ADRACKReq)
    replies: Sequence[Command] = ()  # to LinkCheckReq and DeviceTimeReq
    raw: bytes = b""  # MAC commands as a scenario wants them

    def is_due(self, device: Device, session: Session) -> bool:
        """Whether there is a reason to send anything."""
        return bool(self.ack or self.wanted or self.replies or self.raw or session.to_send or device.queue)


@dataclass(frozen=True)
class Cut:
    """A frame that fits a window: what was taken from the queues into it."""

    frame: DataFrame
    item: Item | None
    requests: list[Command]
    commands: bytes


def cut(answer: Answer, device: Device, session: Session, window: Window) -> Cut:
    """Fill a frame: MAC commands first, in FOpts or alone on port 0, then one item of the application if it fits."""
    replies = mac.join(answer.replies) + answer.raw
    requests = list(session.to_send)
    while requests and len(replies) + len(mac.join(requests)) > window.size:
        requests = _without_last(requests)
    options = replies + mac.join(requests)
    alone = len(options) > frames.MAX_FOPTS
    item = None
    if not alone and device.queue and len(device.queue[0].payload) + len(options) <= window.size:
        item = device.queue[0]
    left = len(device.queue) - (item is not None)
    port, payload = (0, options) if alone else (None, b"")
    if item is not None:
        port, payload = item.port, item.payload
    frame = DataFrame(
        frames.CONFIRMED_DOWN if item is not None and item.confirmed else frames.DOWN,
        session.dev_addr,
        session.fcnt_down,
        adr=session.adr,
        ack=answer.ack,
        pending=left > 0 or len(requests) < len(session.to_send),
        fopts=b"" if alone else options,
        port=port,
        payload=payload,
    )
    return Cut(frame, item, requests, options)


def _without_last(requests: list[Command]) -> list[Command]:
    """One command less; a LinkADRReq block goes as a whole."""
    shorter = requests[:-1]
    if requests[-1][0] == mac.LINK_ADR:
        while shorter and shorter[-1][0] == mac.LINK_ADR:
            shorter.pop()
    return shorter
