"""Who the node is, and all it knows of its network: keys, counters, and the parameters in force."""

import binascii

from node.link.lorawan import REFUSED, LorawanError
from node.link.lorawan.channels import Plan
from node.link.lorawan.duty import Budget, JoinLimit

ANSWER_BYTES = 32  # sixteen DlChannelAns; answers past it are left out (L2 1.0.4 section 5)
LAST_NONCE = 0xFFFF
LAST_COUNTER = 0xFFFFFFFE  # of FCntUp; the number after it says that there is none left
NONE = -1

_JOIN_DELAY_S = 5

# MaxEIRP of TXParamSetupReq in dBm (L2 1.0.4 table 48).
_EIRP_DBM = b"\x08\x0a\x0c\x0d\x0e\x10\x12\x14\x15\x18\x1a\x1b\x1d\x1e\x21\x24"


class Identity:
    """Who the node is, and what its owner chose. See the package for the attributes."""

    def __init__(self, join_eui, dev_eui, app_key, dev_addr, nwk_s_key, app_s_key):
        self.join_eui = join_eui
        self.dev_eui = dev_eui
        self.app_key = app_key
        self.dev_addr = dev_addr
        self.nwk_s_key = nwk_s_key
        self.app_s_key = app_s_key
        self.otaa = app_key is not None
        self.adr = True
        self.data_rate = 0
        self.sub_band = 0
        self.max_eirp_dbm = 0
        self.antenna_gain_db = 2
        self.clock_error_ms = 20
        self.clock_ppm = 0
        self.rx1_delay_s = 1
        self.rx2_data_rate = 15
        self.rx2_hz = 0

    def tags(self, region) -> tuple:
        """(of the keys, of the settings a session is built on): whose a blob is, and whether it still fits."""
        parts = (self.join_eui, self.dev_eui, self.app_key)
        setup = (region.name, self.sub_band)
        if not self.otaa:
            parts = (self.dev_addr, self.nwk_s_key, self.app_s_key)
            setup += (self.rx1_delay_s, self.rx2_data_rate, self.rx2_hz)
        return _crc(b"".join(parts)), _crc(repr(setup).encode())


def _crc(data: bytes) -> int:
    return binascii.crc32(data) & 0xFFFFFFFF


def otaa(dev_eui: bytes, join_eui: bytes, app_key: bytes) -> Identity:
    """Over the air: 8, 8 and 16 bytes, EUIs as they are printed. LorawanError, reason "identity"."""
    _check((("DevEUI", dev_eui, 8), ("JoinEUI", join_eui, 8), ("AppKey", app_key, 16)))
    return Identity(bytes(join_eui), bytes(dev_eui), bytes(app_key), None, None, None)


def abp(dev_addr: bytes, nwk_s_key: bytes, app_s_key: bytes) -> Identity:
    """By personalisation: 4, 16 and 16 bytes, the address as it is printed. LorawanError, reason "identity"."""
    _check((("DevAddr", dev_addr, 4), ("NwkSKey", nwk_s_key, 16), ("AppSKey", app_s_key, 16)))
    return Identity(None, None, None, bytes(dev_addr), bytes(nwk_s_key), bytes(app_s_key))


def _check(parts) -> None:
    for name, value, size in parts:
        if len(value) != size:
            raise LorawanError("identity", "%s has %d bytes, not %d: set it again" % (name, len(value), size))
        if name[-3:] == "Key" and not any(value):
            raise LorawanError("identity", "%s is all zero: set it" % name)


class Session:
    """Fields as attributes. fcnt_down, join_nonce: of the last one taken, NONE before. fcnt_reserved, nonce_reserved:
    the first numbers flash does not cover. eirp: index of TxParamSetupReq, NONE for the region's."""

    def __init__(self, region, identity):
        self.region = region
        self.identity = identity
        self.plan = Plan(region, identity.sub_band)
        self.budget = Budget(region)
        self.joining = JoinLimit()
        self.dev_nonce = self.nonce_reserved = 0
        self.join_nonce = NONE
        self.joins = self.join_failures = self.uplinks = self.downs = 0
        self.refused = [0] * len(REFUSED)
        self.joined = False
        self.nwk_s_key = self.app_s_key = bytes(16)
        self.start(bytes(4), 0)
        if not identity.otaa:
            self.joined = True
            self.start(identity.dev_addr, identity.data_rate)
            self.nwk_s_key = identity.nwk_s_key
            self.app_s_key = identity.app_s_key
            self.rx1_delay_s = identity.rx1_delay_s
            if identity.rx2_data_rate != 15:
                self.rx2_data_rate = identity.rx2_data_rate
            self.rx2_hz = identity.rx2_hz or region.rx2_hz
            if not (region.rate(region.down, self.rx2_data_rate) and region.usable(self.rx2_hz)):
                raise LorawanError("identity", "%s has no RX2 like that: set data rate and frequency" % region.name)

    def start(self, dev_addr: bytes, data_rate: int) -> None:
        """Defaults of a new session; keys and what a join accept says come on top."""
        region = self.region
        self.dev_addr = dev_addr
        self.fcnt_up = self.fcnt_reserved = 0
        self.fcnt_down = NONE
        self.power = 0
        self.nb_trans = 1
        self.rx1_delay_s = 1
        self.rx1_offset = 0
        self.rx2_data_rate = region.rx2_data_rate
        self.rx2_hz = region.rx2_hz
        self.max_duty = 0
        self.eirp = NONE
        self.dwell = region.dwell
        self.adr_count = 0
        self.floor = 0
        self.answers = bytearray()
        self.answered = 0  # bytes of answers that went out before
        self.ack_due = self.more_due = False
        self.plan.reset()
        self.settle_rate(data_rate)

    def settle_rate(self, data_rate: int) -> None:
        """Use this data rate; without ADR that of the settings, full power and no repetitions (L2 1.0.4 4.3.1.1)."""
        region, identity = self.region, self.identity
        if not identity.adr:
            data_rate, self.power, self.nb_trans = identity.data_rate, 0, 1
        lowest = region.lowest(self.dwell)
        self.data_rate = max(data_rate, lowest) if region.rate(region.up, data_rate) else lowest

    def unheard(self) -> bool:
        """An uplink went without downlink: ADR back-off (L2 1.0.4 section 4.3.1.1). True: time to join again.

        At 96 uplinks full power; each 32 more one data rate down; at the floor NbTrans 1 and the default channels.
        Without ADR the node's settings stay, only the channels come back.
        """
        count = self.adr_count
        if count >= 0xFF00:
            self.adr_count = count - 0x8000
        if count < 96 or count % 32:
            return False
        if self.identity.adr:
            if count == 96:
                self.power = 0
                return False
            if self.data_rate > self.region.lowest(self.dwell):
                self.data_rate -= 1
                self.usable_channels()
                return False
        self.floor = min(self.floor + 1, 254)
        if self.floor == 1:
            self.nb_trans = 1
            self.plan.enable_defaults()
        # Two more spans of 32 at the defaults, then a join request in every second one.
        return self.floor > 2 and self.floor % 2 == 1

    def accept(self, keys: tuple, got: tuple, data_rate: int) -> None:
        """A new session. keys: NwkSKey, AppSKey. got: of frames.join_accept. data_rate: to start with."""
        join_nonce, _net_id, dev_addr, settings, delay, cf_list = got
        region = self.region
        self.start(dev_addr, data_rate)
        self.nwk_s_key, self.app_s_key = keys
        self.join_nonce = join_nonce
        # What the region does not have stays as it is there: better heard in one window than not joined at all.
        if settings >> 4 & 7 <= region.offsets:
            self.rx1_offset = settings >> 4 & 7
        if region.rate(region.down, settings & 0x0F):
            self.rx2_data_rate = settings & 0x0F
        self.rx1_delay_s = delay & 0x0F or 1
        if cf_list:
            self.plan.take_cf_list(cf_list)
            self.usable_channels()
        self.joined = True
        self.joining.reset()
        self.joins += 1

    def agreed(self) -> tuple:
        """What both ends have to know of channels and windows, and the node only by a command: to compare."""
        plan = self.plan
        channels = () if self.region.fixed else (tuple(plan.up), tuple(plan.down), bytes(plan.rates))
        windows = (self.rx1_delay_s, self.rx1_offset, self.rx2_data_rate, self.rx2_hz)
        return bytes(plan.mask), channels, windows, self.dwell, self.eirp, self.max_duty

    def window(self, second: bool, joining: bool, data_rate: int, channel: int) -> tuple:
        """(data rate, frequency in Hz, delay in s) of a window after an uplink; data rate None: it cannot be opened."""
        region, plan = self.region, self.plan
        delay_s = _JOIN_DELAY_S if joining else self.rx1_delay_s
        if not second:
            if not joining:
                return region.rx1(data_rate, self.rx1_offset, self.dwell), plan.down_hz(channel), delay_s
            # Before a session nothing of what a network asked for counts.
            frequency_hz = plan.down_hz(channel) if region.fixed else plan.up_hz(channel)
            return region.rx1(data_rate, 0, region.dwell), frequency_hz, delay_s
        if joining:
            return region.rx2_data_rate, region.rx2_hz, delay_s + 1
        return self.rx2_data_rate, self.rx2_hz, delay_s + 1

    def power_dbm(self, power: int, bandwidth_hz: int) -> int:
        """Conducted power of an uplink at a TXPower: EIRP less antenna gain."""
        region, identity = self.region, self.identity
        eirp_dbm = region.eirp_dbm if self.eirp == NONE else _EIRP_DBM[self.eirp]
        if identity.max_eirp_dbm:
            eirp_dbm = min(eirp_dbm, identity.max_eirp_dbm)
        power_dbm = eirp_dbm - 2 * power - identity.antenna_gain_db
        if region.fcc:
            # Over 500 kHz, and with fewer than 50 channels to hop on (RP002 section 2.5.3).
            most_dbm = 26 if bandwidth_hz == 500000 else 30 if self.plan.count(self.plan.mask, 0) >= 50 else 21
            power_dbm = min(power_dbm, most_dbm)
        return power_dbm

    def usable_channels(self) -> None:
        """No data rate is left without a channel."""
        plan = self.plan
        if not plan.count(plan.mask, self.data_rate):
            plan.enable_defaults()
            if not plan.count(plan.mask, self.data_rate):
                self.data_rate = self.region.lowest(self.dwell)
