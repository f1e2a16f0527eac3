"""Which channels of a region a network uses, and gateways that listen on them."""

from __future__ import annotations

from judder.errors import InputError
from judder.virtual.lorawan import frames
from judder.virtual.lorawan.gateway import Gateway
from judder.virtual.lorawan.medium import Air
from judder.virtual.lorawan.regions import Plan

DEFAULT_SUB_BAND = 2  # where The Things Network and most others are


def sub_band_channels(sub_band: int) -> list[int]:
    """Channel numbers of a sub-band of US915 or AU915, 1 to 8: eight narrow ones and a wide one."""
    if not 1 <= sub_band <= 8:
        raise InputError(f"sub-band {sub_band}: there are 1 to 8")
    first = 8 * (sub_band - 1)
    return [*range(first, first + 8), 63 + sub_band]


def channel_numbers(plan: Plan, sub_band: int = DEFAULT_SUB_BAND) -> list[int]:
    """Numbers of the channels a network of this region has, after its CFList."""
    if plan.fixed:
        return sub_band_channels(sub_band)
    return list(range(len(plan.channels) + len(plan.extra_hz)))


def cf_list(plan: Plan, sub_band: int = DEFAULT_SUB_BAND) -> bytes:
    """The CFList that tells a device about them."""
    if plan.fixed:
        return frames.cf_list_masks(sub_band_channels(sub_band))
    return frames.cf_list_frequencies(plan.extra_hz)


def make_gateway(
    air: Air, eui: bytes, plan: Plan, sub_band: int = DEFAULT_SUB_BAND, *, gain_dbi: float = 3.0
) -> Gateway:
    """A gateway with eight channels of the network: US915 and AU915 have a ninth one of 500 kHz.

    Elsewhere the ninth is 250 kHz wide at SF7, on the second default channel, where the region has that data rate.
    """
    if plan.fixed:
        *narrow, wide = sub_band_channels(sub_band)
        channel = plan.channels[wide]
        frequencies = [plan.channels[number].frequency_hz for number in narrow]
        return Gateway(air, eui, plan, frequencies, (channel.frequency_hz, plan.up[channel.min_dr]), gain_dbi=gain_dbi)
    frequencies = [channel.frequency_hz for channel in plan.channels] + list(plan.extra_hz)
    ninth = (plan.channels[1].frequency_hz, plan.up[6]) if 6 in plan.up else None
    return Gateway(air, eui, plan, frequencies[:8], ninth, gain_dbi=gain_dbi)
