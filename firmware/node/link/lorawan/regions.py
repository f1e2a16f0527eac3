"""Regional parameters as tables: EU868, US915, AU915, AS923-1..4, IN865 (RP002-1.0.4; where revisions or other stacks
differ, the note beside the number says which was taken).

    region = find("eu868")
"""

from node.link.lorawan import LorawanError

# Data rates: high nibble the bandwidth in units of 125 kHz, low nibble SF; 0 is not LoRa, or reserved.
_125 = b"\x1c\x1b\x1a\x19\x18\x17"
_LORA_250 = _125 + b"\x27"
_DOWN_500 = bytes(8) + b"\x4c\x4b\x4a\x49\x48\x47"
# Longest application payload N without FOpts, by data rate.
_N_LONG = b"\x33\x33\x33\x73\xf2\xf2\xf2"
_N_DWELL = b"\x00\x00\x0b\x35\x7d\xf2\xf2"
_N_500 = bytes(8) + b"\x35\x81\xf2\xf2\xf2\xf2"

# Dwell time flags, as in TxParamSetupReq moved down by four bits.
DWELL_UP = 1
DWELL_DOWN = 2

# Channels of the fixed plans: 64 of 125 kHz, then 8 of 500 kHz.
FIXED_125 = 64
FIXED = 72
# And of the dynamic ones.
DYNAMIC = 16


class Region:
    """What differs between regions. Frequencies in Hz, data rates as numbers of the region."""

    def __init__(self, name, up, down, defaults, span, rx2, eirp_dbm, powers, join):
        self.name = name
        self.up = up
        self.down = down
        # Dynamic plans: the default channels. Fixed plans: the first channel of 125 kHz and of 500 kHz.
        self.defaults = defaults
        self.low_hz, self.high_hz = span  # where channels and windows may be
        self.rx2_hz, self.rx2_data_rate = rx2
        self.eirp_dbm = eirp_dbm
        self.powers = powers  # highest TXPower, steps of 2 dB
        self.join = join  # data rates of join requests; fixed plans: of 125 and of 500 kHz channels
        self.fixed = False
        self.channels = DYNAMIC
        self.n_up = self.n_dwell = self.n_down = _N_LONG
        # RX1: base + data rate - offset, within these.
        self.base = self.rx1_low = 0
        self.rx1_high = 6
        self.offsets = 5
        self.dwell = 0  # at the start
        self.tx_param = False
        # (from Hz, to Hz, milliseconds on the air in an hour), see duty.py.
        self.bands = ()
        self.fcc = False

    def rate(self, table: bytes, number: int):
        """(SF, bandwidth in Hz) of a data rate in `up` or `down`, None where it is no LoRa or not defined."""
        code = table[number] if number < len(table) else 0
        return (code & 0x0F, (code >> 4) * 125000) if code else None

    def lowest(self, dwell: int) -> int:
        """Lowest uplink data rate: under a dwell time of 400 ms nothing fits below DR2."""
        return 2 if dwell & DWELL_UP and self.tx_param else 0

    def longest(self, data_rate: int, dwell: int) -> int:
        """Longest application payload of an uplink, FOpts not counted."""
        return (self.n_dwell if dwell & DWELL_UP else self.n_up)[data_rate]

    def rx1(self, data_rate: int, offset: int, dwell: int):
        """Data rate of the first window, None where this node has no such modulation."""
        if offset > 5:  # AS923 and IN865: faster than the uplink
            number = data_rate + offset - 5
            if self.rx1_high == 5:
                # IN865: no DR6. Offset 7 from DR5 is DR7 (LoRaMac-node, RadioLib) or DR5 (ChirpStack): not used.
                number = 7 if number == 7 else min(number, 5)
            else:
                number = min(number, 7)
        else:
            number = min(max(self.base + data_rate - offset, self.rx1_low), self.rx1_high)
        if dwell & DWELL_DOWN:
            number = max(number, 2)
        return number if self.rate(self.down, number) else None

    def usable(self, frequency_hz: int) -> bool:
        """A window may be at this frequency."""
        return self.low_hz <= frequency_hz <= self.high_hz

    def band(self, frequency_hz: int):
        """Index of the duty-cycle band of an uplink, None where there is none."""
        for i in range(len(self.bands)):
            if self.bands[i][0] <= frequency_hz <= self.bands[i][1]:
                return i
        return None


def _eu868() -> Region:
    # ETSI EN 300 220-2 annex B bands as LoRaWAN stacks use them: 0.1, 1, 1, 0.1, 10 and 1 %.
    region = Region(
        "eu868",
        _LORA_250,
        _LORA_250,
        (868100000, 868300000, 868500000),
        (863000000, 870000000),
        (869525000, 0),
        16,
        7,
        b"\0\1\2\3\4\5",
    )
    region.bands = (
        (863000000, 864999999, 3600),
        (865000000, 867999999, 36000),
        (868000000, 868600000, 36000),
        (868700000, 869200000, 3600),
        (869400000, 869650000, 360000),
        (869700000, 870000000, 36000),
    )
    return region


def _as923(group: int) -> Region:
    # RP002 section 2.10: the groups differ by an offset and by their span.
    offset_hz = (0, -1800000, -6600000, -5900000)[group]
    span = ((915000000, 928000000), (920000000, 923000000), (915000000, 921000000), (917000000, 920000000))[group]
    region = Region(
        "as923-%d" % (group + 1),
        _LORA_250,
        _LORA_250,
        (923200000 + offset_hz, 923400000 + offset_hz),
        span,
        (923200000 + offset_hz, 2),
        16,
        7,
        b"\2\3\4\5",
    )
    # DR2 carried 51 bytes before RP002-1.0.1.
    region.n_up = region.n_down = b"\x33\x33\x73\x73\xf2\xf2\xf2"
    region.n_dwell = _N_DWELL
    region.offsets = 7
    region.dwell = DWELL_UP | DWELL_DOWN
    region.tx_param = True
    region.bands = ((span[0], span[1], 36000),)
    return region


def _in865() -> Region:
    region = Region(
        "in865",
        _125,
        _125,
        (865062500, 865402500, 865985000),
        (865000000, 867000000),
        (866550000, 2),
        30,
        10,
        b"\0\1\2\3\4\5",
    )
    region.rx1_high = 5
    region.offsets = 7
    return region


def _fixed(name, up, first_hz, first_500_hz, join, base) -> Region:
    region = Region(name, up, _DOWN_500, (first_hz, first_500_hz), (923300000, 927500000), (923300000, 8), 30, 14, join)
    region.fixed = True
    region.channels = FIXED
    region.n_down = _N_500
    region.base = base
    region.rx1_low = 8
    region.rx1_high = 13
    return region


def _us915() -> Region:
    region = _fixed("us915", b"\x1a\x19\x18\x17\x48", 902300000, 903000000, b"\0\4", 10)
    region.n_up = region.n_dwell = b"\x0b\x35\x7d\xf2\xf2"
    region.offsets = 3
    region.fcc = True
    return region


def _au915() -> Region:
    region = _fixed("au915", _125 + b"\x48", 915200000, 915900000, b"\2\6", 8)
    region.n_dwell = _N_DWELL
    region.dwell = DWELL_UP
    region.tx_param = True
    return region


NAMES = ("eu868", "us915", "au915", "as923-1", "as923-2", "as923-3", "as923-4", "in865")


def find(name: str) -> Region:
    """The region of that name. LorawanError, reason "region", where there is none."""
    if name not in NAMES:
        raise LorawanError("region", "no LoRaWAN region %s: one of %s" % (name, ", ".join(NAMES)))
    if name[:5] == "as923":
        return _as923(int(name[6:]) - 1)
    return {"eu868": _eu868, "us915": _us915, "au915": _au915, "in865": _in865}[name]()
