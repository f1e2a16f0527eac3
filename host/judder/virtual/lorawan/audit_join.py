"""Rules of joining: nonces that only grow, the channels and rates of a join, and how much of it is too much."""

from __future__ import annotations

from dataclasses import dataclass, field

from judder.virtual.lorawan.air import Emission
from judder.virtual.lorawan.device import Device
from judder.virtual.lorawan.frames import JoinRequest
from judder.virtual.lorawan.regions import Plan

Found = list[tuple[str, str]]

_HOUR_US = 3_600_000_000
# Air time of join-requests since the first that was not answered: in hour 1, in the next 10 h, then per 24 h
# (LoRaWAN L2 1.0.3 section 7, "retransmissions back-off"; TR007).
_FIRST_US, _NEXT_US, _DAILY_US = 36_000_000, 36_000_000, 8_700_000


@dataclass
class Joining:
    """Join-requests of a device. pending: one was sent and no accept has been delivered since."""

    last_nonce: int = -1
    pending: bool = False
    spent: list[tuple[int, int]] = field(default_factory=list)  # start, air time, since the last success

    def done(self) -> None:
        """An accept was delivered."""
        self.pending = False
        self.spent = []

    def over_budget(self) -> str:
        """What is exceeded by the newest request; empty if nothing."""
        first_us, now_us = self.spent[0][0], self.spent[-1][0]
        since_us = now_us - first_us
        if since_us < _HOUR_US:
            from_us, limit_us, name = first_us, _FIRST_US, "first hour"
        elif since_us < 11 * _HOUR_US:
            from_us, limit_us, name = first_us + _HOUR_US, _NEXT_US, "hours 2 to 11"
        else:
            days = (since_us - 11 * _HOUR_US) // (24 * _HOUR_US)
            from_us, limit_us, name = first_us + (11 + 24 * days) * _HOUR_US, _DAILY_US, "24 hours"
        used_us = sum(airtime_us for start_us, airtime_us in self.spent if start_us >= from_us)
        return f"{used_us / 1e6:.1f} s in the {name}, {limit_us / 1e6:g} s allowed" if used_us > limit_us else ""


def check(joining: Joining, device: Device, request: JoinRequest, emission: Emission, plan: Plan) -> Found:
    """Judge one join-request and take it into account."""
    found: Found = []
    if not device.app_key or not request.is_authentic(device.app_key):
        found.append(("mic", "join-request not signed with the device's AppKey"))
    if request.join_eui != device.join_eui:
        found.append(("identity", f"JoinEUI {request.join_eui.hex()} is not the device's"))
    if request.dev_nonce <= joining.last_nonce:
        found.append(("DevNonce", f"{request.dev_nonce} after {joining.last_nonce}"))
    joining.last_nonce = max(joining.last_nonce, request.dev_nonce)
    joining.pending = True
    joining.spent.append((emission.start_us, emission.end_us - emission.start_us))
    if over := joining.over_budget():
        found.append(("join back-off", over))
    tuning = emission.tuning
    dr = plan.up_dr(tuning.sf, tuning.bandwidth_hz)
    near = [channel for channel in plan.channels if abs(channel.frequency_hz - tuning.frequency_hz) < 200]
    if dr is None or dr not in plan.join_drs:
        found.append(("join data rate", f"SF{tuning.sf} at {tuning.bandwidth_hz // 1000} kHz"))
    elif not any(channel.min_dr <= dr <= channel.max_dr for channel in near):
        found.append(("join channel", f"{tuning.frequency_hz / 1e6:.4f} MHz with DR{dr}"))
    return found
