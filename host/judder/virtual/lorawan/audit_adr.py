"""ADR as a device has to do it (L2 1.0.4 section 4.3.1.1): the rate it was told, and backing off when nobody answers.

After 64 uplinks without a downlink it asks for one (ADRACKReq); after 96 it sends with full power; then it lowers its
data rate by one every 32; at the lowest it switches its default channels on. Implementations differ by one uplink in
counting and in whether the first step is spent when the power is full already: both are taken.
"""

from __future__ import annotations

from dataclasses import dataclass

from judder.virtual.lorawan.mirror import Mirror

Found = list[tuple[str, str]]

LIMIT, DELAY = 64, 32
_DIFFERENCE_DB = 1.0
_WEAK_DBM = 14.0  # below this a radio is not at its own limit


@dataclass
class Backoff:
    """silent: uplinks since the last downlink that was delivered. dr, power: when it was last in touch."""

    silent: int = 0
    dr: int | None = None
    power: int = 0
    unsure: bool = False  # the device lost its count

    def answered(self, settings: Mirror) -> None:
        """A downlink was delivered, and obeyed."""
        self.silent, self.unsure = 0, False
        self.dr, self.power = (None if self.dr is None else settings.dr), settings.power

    def check(self, settings: Mirror, adr: bool, asks: bool, dr: int, eirp_dbm: float) -> Found:
        """Judge a new uplink, sent at `dr`; settings are brought in line with what it may do now."""
        silent, started = self.silent, self.dr
        self.silent += 1
        if not adr:
            self.dr = dr
            return [("ADRACKReq", "without ADR")] if asks else []
        if started is None or self.unsure:
            self.dr, self.power = dr, settings.power
            return []
        lowest = lowest_dr(settings)
        must = max(0, (silent - 1 - LIMIT) // DELAY) if silent > LIMIT + DELAY else 0
        may = max(0, (silent + 1 - LIMIT) // DELAY)
        highest = max(min(lowest, started), started - max(0, must - 1))
        least = max(min(lowest, started), started - may)
        found: Found = []
        if may:
            settings.power = 0
        if may > started - lowest:
            settings.mask |= set(range(len(settings.plan.channels)))
        if not least <= dr <= highest:
            expected = f"DR{highest}" if least == highest else f"DR{least} to DR{highest}"
            found.append(("data rate", f"DR{dr} after {silent} uplinks without an answer, {expected} expected"))
            self.dr = dr + max(0, must - 1)  # say so once
        weak_dbm = settings.max_eirp_dbm - 2 * self.power
        if must and self.power and weak_dbm <= _WEAK_DBM and eirp_dbm < weak_dbm + _DIFFERENCE_DB:
            found.append(("ADR back-off", f"still {eirp_dbm:.1f} dBm after {silent} uplinks without an answer"))
        nothing_left = dr <= lowest and not settings.power and settings.mask >= set(range(len(settings.plan.channels)))
        if silent >= LIMIT and not asks and not nothing_left:
            found.append(("ADRACKReq", f"missing after {silent} uplinks without an answer"))
        if asks and silent < LIMIT - 1:
            found.append(("ADRACKReq", f"after only {silent} uplinks without an answer"))
        return found


def lowest_dr(settings: Mirror) -> int:
    """Slowest data rate that carries anything."""
    sizes = settings.plan.sizes_dwell if settings.dwell_up else settings.plan.sizes_up
    return min(dr for dr in settings.plan.up if sizes[dr] > 0)
