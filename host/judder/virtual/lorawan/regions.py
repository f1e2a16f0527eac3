"""Channel plans of the regions, as RP002-1.0.4 has them, without FSK and LR-FHSS.

Written from the Regional Parameters for the air's side alone; the node has tables of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from judder.errors import InputError

DWELL_US = 400_000


@dataclass(frozen=True)
class DataRate:
    """LoRa modulation of a data rate number."""

    sf: int
    bandwidth_hz: int

    def __str__(self) -> str:
        return f"SF{self.sf}BW{self.bandwidth_hz // 1000}"


@dataclass(frozen=True)
class Channel:
    """An uplink channel and the data rates it may be used with. down_hz: of window 1, 0 where the plan says it."""

    frequency_hz: int
    min_dr: int
    max_dr: int
    down_hz: int = 0


@dataclass(frozen=True)
class Band:
    """A sub-band with the share of any hour that one transmitter may use."""

    low_hz: int
    high_hz: int
    duty: float


@dataclass(frozen=True)
class Plan:
    """One region. fixed: channels are numbered by the plan (US915, AU915), not told by the network.

    up, down: data rates by number. sizes_up, sizes_down: longest application payload N with empty FOpts, by data rate;
    sizes_dwell: uplink ones while the dwell time is limited. tx_param: TxParamSetupReq is supported. power_steps:
    highest TXPower index, each 2 dB below max_eirp_dbm. extra_hz: channels the network here adds with a CFList.
    """

    name: str
    fixed: bool
    up: Mapping[int, DataRate]
    down: Mapping[int, DataRate]
    channels: Sequence[Channel]
    join_drs: Sequence[int]
    rx2_hz: int
    rx2_dr: int
    max_rx1_offset: int
    max_eirp_dbm: int
    power_steps: int
    low_hz: int
    high_hz: int
    sizes_up: Mapping[int, int]
    sizes_down: Mapping[int, int]
    sizes_dwell: Mapping[int, int] = field(default_factory=dict)
    bands: Sequence[Band] = ()
    dwell_up: bool = False
    dwell_down: bool = False
    tx_param: bool = False
    extra_hz: Sequence[int] = ()

    def band(self, frequency_hz: int) -> Band | None:
        """The sub-band with a duty cycle that a frequency lies in."""
        return next((band for band in self.bands if band.low_hz <= frequency_hz <= band.high_hz), None)

    def in_range(self, frequency_hz: int) -> bool:
        """Whether the region has this frequency at all."""
        return self.low_hz <= frequency_hz <= self.high_hz

    def up_dr(self, sf: int, bandwidth_hz: int) -> int | None:
        """Number of an uplink data rate."""
        wanted = DataRate(sf, bandwidth_hz)
        return next((number for number, rate in self.up.items() if rate == wanted), None)

    def max_payload_up(self, dr: int, dwell: bool) -> int:
        """N: bytes of FRMPayload and FOpts together."""
        return (self.sizes_dwell if dwell else self.sizes_up)[dr]

    def can_hear(self, frequency_hz: int) -> bool:
        """Whether a device takes this as a downlink frequency; fixed plans have a part of the band for them."""
        return 923_300_000 <= frequency_hz <= 927_500_000 if self.fixed else self.in_range(frequency_hz)

    def rx1_hz(self, index: int, channel: Channel) -> int:
        """Frequency of window 1 after an uplink on channel `index`."""
        if self.fixed:
            return 923_300_000 + 600_000 * (index % 8)
        return channel.down_hz or channel.frequency_hz

    def rx1_dr(self, dr: int, offset: int, dwell_down: bool) -> int | None:
        """Data rate of window 1; None where it is not a LoRa one that all agree on."""
        return _RX1[self.name.partition("-")[0]](dr, offset, dwell_down)


def _rx1_eu(dr: int, offset: int, _dwell: bool) -> int | None:
    return max(0, dr - offset)


def _rx1_us(dr: int, offset: int, _dwell: bool) -> int | None:
    return min(13, max(8, (14 if dr == 4 else 10 + dr) - offset))


def _rx1_au(dr: int, offset: int, _dwell: bool) -> int | None:
    return min(13, max(8, 8 + dr - offset))


def _rx1_as(dr: int, offset: int, dwell: bool) -> int | None:
    raised = dr + offset - 5 if offset > 5 else dr - offset
    found = min(7, max(2 if dwell else 0, raised))
    return found if found <= 6 else None  # 7 is FSK


def _rx1_in(dr: int, offset: int, _dwell: bool) -> int | None:
    # RP002 table: DR4 + 2, DR5 + 1 stay at DR5 (6 is not there). DR5 + 2: ChirpStack takes 5, LoRaMac-node 7 (FSK).
    if (dr, offset) == (5, 7):
        return None
    return min(5, dr + offset - 5) if offset > 5 else max(0, dr - offset)


_RX1 = {"EU868": _rx1_eu, "US915": _rx1_us, "AU915": _rx1_au, "AS923": _rx1_as, "IN865": _rx1_in}


def _narrow(first: int, *sfs: int) -> dict[int, DataRate]:
    return {first + place: DataRate(sf, 125_000) for place, sf in enumerate(sfs)}


def _wide(first: int, *sfs: int) -> dict[int, DataRate]:
    return {first + place: DataRate(sf, 500_000) for place, sf in enumerate(sfs)}


def _sizes(first: int, *values: int) -> dict[int, int]:
    return {first + place: value for place, value in enumerate(values)}


def _megahertz(*values: float) -> tuple[int, ...]:
    return tuple(round(value * 1e6) for value in values)


_SF12_TO_7 = _narrow(0, 12, 11, 10, 9, 8, 7)
_EU_RATES = {**_SF12_TO_7, 6: DataRate(7, 250_000)}
_SIZES_51 = _sizes(0, 51, 51, 51, 115, 242, 242, 242)
_SIZES_DWELL = _sizes(0, 0, 0, 11, 53, 125, 242, 242)
_WIDE_DOWN = _wide(8, 12, 11, 10, 9, 8, 7)
_WIDE_SIZES = _sizes(8, 53, 129, 242, 242, 242, 242)

EU868 = Plan(
    name="EU868",
    fixed=False,
    up=_EU_RATES,
    down=_EU_RATES,
    channels=[Channel(hz, 0, 5) for hz in _megahertz(868.1, 868.3, 868.5)],
    join_drs=range(6),
    rx2_hz=869_525_000,
    rx2_dr=0,
    max_rx1_offset=5,
    max_eirp_dbm=16,
    power_steps=7,
    low_hz=863_000_000,
    high_hz=870_000_000,
    sizes_up=_SIZES_51,
    sizes_down=_SIZES_51,
    # ETSI EN 300 220-2 V3.2.1 annex B, as LoRaWAN networks use it (868.0-868.6 is band M, 869.4-869.65 band P).
    bands=[
        Band(863_000_000, 864_999_999, 0.001),
        Band(865_000_000, 867_999_999, 0.01),
        Band(868_000_000, 868_600_000, 0.01),
        Band(868_700_000, 869_200_000, 0.001),
        Band(869_400_000, 869_650_000, 0.1),
        Band(869_700_000, 870_000_000, 0.01),
    ],
    extra_hz=_megahertz(867.1, 867.3, 867.5, 867.7, 867.9),
)

US915 = Plan(
    name="US915",
    fixed=True,
    up={**_narrow(0, 10, 9, 8, 7), 4: DataRate(8, 500_000)},
    down=_WIDE_DOWN,
    channels=[
        *(Channel(902_300_000 + 200_000 * n, 0, 3) for n in range(64)),
        *(Channel(903_000_000 + 1_600_000 * n, 4, 4) for n in range(8)),
    ],
    join_drs=(0, 4),
    rx2_hz=923_300_000,
    rx2_dr=8,
    max_rx1_offset=3,
    max_eirp_dbm=30,
    power_steps=14,
    low_hz=902_000_000,
    high_hz=928_000_000,
    sizes_up=_sizes(0, 11, 53, 125, 242, 242),
    sizes_down=_WIDE_SIZES,
    sizes_dwell=_sizes(0, 11, 53, 125, 242, 242),
    dwell_up=True,  # FCC 15.247: always, whatever the network says
)

AU915 = Plan(
    name="AU915",
    fixed=True,
    up={**_SF12_TO_7, 6: DataRate(8, 500_000)},
    down=_WIDE_DOWN,
    channels=[
        *(Channel(915_200_000 + 200_000 * n, 0, 5) for n in range(64)),
        *(Channel(915_900_000 + 1_600_000 * n, 6, 6) for n in range(8)),
    ],
    join_drs=(2, 6),
    rx2_hz=923_300_000,
    rx2_dr=8,
    max_rx1_offset=5,
    max_eirp_dbm=30,
    power_steps=14,
    low_hz=915_000_000,
    high_hz=928_000_000,
    sizes_up=_SIZES_51,
    sizes_down=_WIDE_SIZES,
    sizes_dwell=_SIZES_DWELL,
    dwell_up=True,
    tx_param=True,
)


def _as923(name: str, offset_hz: int, low_mhz: int, high_mhz: int) -> Plan:
    return Plan(
        name=name,
        fixed=False,
        up=_EU_RATES,
        down=_EU_RATES,
        channels=[Channel(hz + offset_hz, 0, 5) for hz in _megahertz(923.2, 923.4)],
        join_drs=range(2, 6),
        rx2_hz=923_200_000 + offset_hz,
        rx2_dr=2,
        max_rx1_offset=7,
        max_eirp_dbm=16,
        power_steps=7,
        low_hz=low_mhz * 1_000_000,
        high_hz=high_mhz * 1_000_000,
        sizes_up=_sizes(0, 51, 51, 115, 115, 242, 242, 242),
        sizes_down=_sizes(0, 51, 51, 51, 115, 242, 242, 242),  # DR2: what devices before RP002-1.0.1 take too
        sizes_dwell=_SIZES_DWELL,
        bands=[Band(low_mhz * 1_000_000, high_mhz * 1_000_000, 0.01)],
        dwell_up=True,
        dwell_down=True,
        tx_param=True,
        extra_hz=[hz + offset_hz for hz in _megahertz(923.6, 923.8, 924.0, 924.2, 924.4)],
    )


IN865 = replace(
    EU868,
    name="IN865",
    up=_SF12_TO_7,
    down=_SF12_TO_7,
    channels=[Channel(hz, 0, 5) for hz in _megahertz(865.0625, 865.4025, 865.985)],
    rx2_hz=866_550_000,
    rx2_dr=2,
    max_rx1_offset=7,
    max_eirp_dbm=30,
    power_steps=10,
    low_hz=865_000_000,
    high_hz=867_000_000,
    sizes_up=_sizes(0, 51, 51, 51, 115, 242, 242),
    sizes_down=_sizes(0, 51, 51, 51, 115, 242, 242),
    bands=(),
    extra_hz=_megahertz(865.6, 866.185, 866.385, 866.785, 866.985),
)

PLANS: Mapping[str, Plan] = {
    plan.name: plan
    for plan in (
        EU868,
        US915,
        AU915,
        _as923("AS923-1", 0, 915, 928),
        _as923("AS923-2", -1_800_000, 920, 923),
        _as923("AS923-3", -6_600_000, 915, 921),
        _as923("AS923-4", -5_900_000, 917, 920),
        IN865,
    )
}


def find(name: str) -> Plan:
    """The plan of a region; "AS923" is AS923-1, case does not matter. Raises InputError."""
    wanted = name.upper()
    plan = PLANS.get("AS923-1" if wanted == "AS923" else wanted)
    if plan is None:
        raise InputError(f"there is no region '{name}'; there are {', '.join(PLANS)}")
    return plan
