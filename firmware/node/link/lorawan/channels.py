"""Channel plans: which channels exist, which are on, which comes next. Dynamic (16, frequencies from the network) and
fixed (64 of 125 kHz, 8 of 500 kHz).

All enabled channels take their turn, at random, before one is used again (RP002-1.0.4 section 2.3).
"""

from node.link.lorawan.regions import FIXED, FIXED_125

UNIT_HZ = 100  # of frequencies in commands


def below(random, limit: int) -> int:
    """Random integer of 0..limit - 1. random: n -> n random bytes."""
    draw = random(2)
    return (draw[0] << 8 | draw[1]) * limit >> 16


class Plan:
    """mask, used: one bit a channel, on and not yet used in this round; bytearrays.

    Dynamic plans: up, down: frequencies in units of 100 Hz, 0 for none and for "same as up". rates: range of data
    rates a channel is for, highest in the high nibble.
    """

    def __init__(self, region, sub_band: int = 0):
        self._region = region
        self._sub_band = sub_band if region.fixed else 0
        self.mask = bytearray(region.channels // 8)
        self.used = bytearray(region.channels // 8)
        self.banks = 0  # of the fixed plans, already tried in this round of joining
        if not region.fixed:
            self.up = [0] * region.channels
            self.down = [0] * region.channels
            self.rates = bytearray(region.channels)
        self.reset()

    def reset(self) -> None:
        """As before a join: the default channels, all on."""
        region = self._region
        for i in range(len(self.mask)):
            self.mask[i] = self.used[i] = 0
        if not region.fixed:
            for i in range(region.channels):
                self.up[i] = self.down[i] = self.rates[i] = 0
            for i in range(len(region.defaults)):
                self.define(i, region.defaults[i] // UNIT_HZ, 0x50)
        self.enable_defaults()

    def enable_defaults(self) -> None:
        """Switch on what ADR falls back to: the default channels; fixed plans: all, or those of the sub-band."""
        for i in range(len(self._region.defaults) if not self._region.fixed else FIXED):
            if not self._sub_band or self._bank(i) == self._sub_band - 1:
                self._set(self.mask, i, True)

    def define(self, channel: int, up: int, rates: int) -> None:
        """Create, change or, with up = 0, remove a channel of a dynamic plan. A new one is on."""
        self.up[channel] = up
        self.down[channel] = 0
        self.rates[channel] = rates
        self._set(self.mask, channel, up != 0)
        self._set(self.used, channel, False)

    # --- what a channel is

    def up_hz(self, channel: int) -> int:
        region = self._region
        if not region.fixed:
            return self.up[channel] * UNIT_HZ
        if channel < FIXED_125:
            return region.defaults[0] + channel * 200000
        return region.defaults[1] + (channel - FIXED_125) * 1600000

    def down_hz(self, channel: int) -> int:
        """Frequency of the first window after an uplink on this channel."""
        if self._region.fixed:
            return 923300000 + channel % 8 * 600000
        return (self.down[channel] or self.up[channel]) * UNIT_HZ

    def carries(self, channel: int, data_rate: int) -> bool:
        """Whether uplinks of this data rate may go there."""
        region = self._region
        if region.fixed:
            rate = region.rate(region.up, data_rate)
            return rate is not None and (rate[1] == 500000) == (channel >= FIXED_125)
        return bool(self.up[channel]) and (self.rates[channel] & 0x0F) <= data_rate <= (self.rates[channel] >> 4)

    def count(self, mask, data_rate: int) -> int:
        """How many of these channels carry a data rate. Of a fixed plan all of 125 kHz carry DR0."""
        count = 0
        for channel in range(self._region.channels):
            count += self._on(mask, channel) and self.carries(channel, data_rate)
        return count

    # --- what the network says

    def masked(self, mask: bytearray, control: int, bits: int) -> bool:
        """Apply ChMask and ChMaskCntl of one LinkADRReq to a mask (RP002, each region's table). False: not allowed."""
        if not self._region.fixed:
            if control == 6:
                bits = 0
                for channel in range(16):
                    if self.up[channel]:
                        bits |= 1 << channel
            elif control:
                return False
            mask[0] = bits & 0xFF
            mask[1] = bits >> 8
            for channel in range(16):
                if self._on(mask, channel) and not self.up[channel]:
                    return False
            return True
        if control < 4:
            mask[2 * control] = bits & 0xFF
            mask[2 * control + 1] = bits >> 8
            return True
        mask[8] = bits & 0xFF
        if control > 4:
            for bank in range(8):
                on = bits >> bank & 1 if control == 5 else control == 6
                mask[bank] = 0xFF if on else 0
        return True

    def lawful(self, mask, data_rate: int) -> bool:
        """Whether a mask leaves something to send on; FCC 15.247 wants at least two channels of 125 kHz to hop on."""
        return any(mask) and not (self._region.fcc and data_rate < 4 and self.count(mask, 0) < 2)

    def take_cf_list(self, cf_list: bytes) -> None:
        """CFList of a join accept; one that is not for this kind of plan, or leaves no channel, is ignored."""
        kind = cf_list[15]
        if self._region.fixed:
            if kind == 1 and any(cf_list[:9]):
                self.mask[:] = cf_list[:9]
        elif kind == 0:
            first = len(self._region.defaults)
            for i in range(5):
                up = cf_list[3 * i] | cf_list[3 * i + 1] << 8 | cf_list[3 * i + 2] << 16
                if self.allowed(up):
                    self.define(first + i, up, 0x50)

    def allowed(self, up: int) -> bool:
        """Whether a dynamic channel may be at this frequency, in units of 100 Hz."""
        hz = up * UNIT_HZ
        return self._region.usable(hz) and (not self._region.bands or self._region.band(hz) is not None)

    # --- which one is next

    def pick(self, mask, data_rate: int, random, wait_ms):
        """(channel, 0); (None, ms to wait until one is free); (None, None) when no channel carries this data rate.

        wait_ms: frequency in Hz -> how long its duty cycle forbids it.
        """
        free = fresh = 0
        soonest = None
        for channel in range(self._region.channels):
            if self._on(mask, channel) and self.carries(channel, data_rate):
                wait = wait_ms(self.up_hz(channel))
                if wait <= 0:
                    free += 1
                    fresh += not self._on(self.used, channel)
                elif soonest is None or wait < soonest:
                    soonest = wait
        if not free:
            return None, soonest
        again = not fresh
        left = below(random, fresh or free)
        for channel in range(self._region.channels):
            if self._on(mask, channel) and self.carries(channel, data_rate) and wait_ms(self.up_hz(channel)) <= 0:
                if again:
                    self._set(self.used, channel, False)
                if not self._on(self.used, channel):
                    if not left:
                        chosen = channel
                    left -= 1
        self._set(self.used, chosen, True)
        return chosen, 0

    def join_mask(self, attempt: int, random) -> bytearray:
        """Channels for one join request. Fixed plans: a bank of 125 kHz not tried in this round, the ninth time one of
        500 kHz (TR007-1.1 section 4.2)."""
        mask = bytearray(len(self.mask))
        if not self._region.fixed:
            for i in range(len(self._region.defaults)):
                self._set(mask, i, True)
        elif attempt % 9 == 8:
            mask[8] = 1 << self._sub_band - 1 if self._sub_band else 0xFF
        elif self._sub_band:
            mask[self._sub_band - 1] = 0xFF
        else:
            if self.banks == 0xFF:
                self.banks = 0
            bank = below(random, 8)
            while self.banks >> bank & 1:
                bank = (bank + 1) % 8
            self.banks |= 1 << bank
            mask[bank] = 0xFF
        return mask

    def join_data_rate(self, attempt: int, first: int) -> int:
        """Of one join request: from the first downwards, then from the top; fixed plans by channel width."""
        rates = self._region.join
        if self._region.fixed:
            return rates[attempt % 9 == 8]
        return rates[(min(max(first, rates[0]), rates[-1]) - rates[0] - attempt) % len(rates)]

    def _bank(self, channel: int) -> int:
        return channel // 8 if channel < FIXED_125 else channel - FIXED_125

    def _on(self, mask, channel: int) -> int:
        return mask[channel >> 3] >> (channel & 7) & 1

    def _set(self, mask, channel: int, on: bool) -> None:
        if on:
            mask[channel >> 3] |= 1 << (channel & 7)
        else:
            mask[channel >> 3] &= ~(1 << (channel & 7)) & 0xFF
