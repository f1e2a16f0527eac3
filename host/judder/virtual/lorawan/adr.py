"""The network's side of ADR, as Semtech recommends it ("LoRaWAN - simple rate adaptation recommended algorithm", 2016).

Margin = best SNR of the last 20 uplinks - SNR the data rate needs - installation margin. Each 3 dB of it is a step:
first a higher data rate, then less power; a negative one is more power. Data rates are never lowered from here: a
device that is not heard lowers its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from judder.virtual.lorawan.device import ADR_HISTORY, Heard
from judder.virtual.lorawan.propagation import REQUIRED_SNR_DB
from judder.virtual.lorawan.regions import Plan

STEP_DB = 3.0

# Transmissions of each uplink, by share of uplinks lost (row) and how many there are now (column 1, 2, 3): those of
# ChirpStack's default algorithm.
_LOSS_STEPS = (0.05, 0.10, 0.30)
_TRANSMISSIONS = ((1, 1, 2), (1, 2, 3), (2, 3, 3), (3, 3, 3))


def highest_dr(plan: Plan) -> int:
    """The fastest 125 kHz data rate."""
    return max(number for number, rate in plan.up.items() if rate.bandwidth_hz == 125_000)


def loss(history: Sequence[Heard]) -> float:
    """Share of the uplinks between the first and the last of the history that did not come."""
    if len(history) < 2:
        return 0.0
    sent = history[-1].fcnt - history[0].fcnt + 1
    return 1 - len(history) / sent


def transmissions(history: Sequence[Heard], now: int) -> int:
    """NbTrans for the loss seen."""
    row = sum(loss(history) >= step for step in _LOSS_STEPS)
    return _TRANSMISSIONS[row][min(max(now, 1), 3) - 1]


def advise(
    plan: Plan, dr: int, power: int, nb_trans: int, history: Sequence[Heard], margin_db: float
) -> tuple[int, int, int]:
    """Data rate, TXPower index and NbTrans to ask for; what there is until the history is full."""
    if len(history) < ADR_HISTORY:
        return dr, power, nb_trans
    nb_trans = transmissions(history, nb_trans)
    top = highest_dr(plan)
    if dr > top:
        return dr, power, nb_trans  # a 250 or 500 kHz rate somebody chose on purpose
    best_db = max(heard.snr_db for heard in history)
    steps = int((best_db - REQUIRED_SNR_DB[plan.up[dr].sf] - margin_db) / STEP_DB)
    while steps > 0 and dr < top:
        dr += 1
        steps -= 1
    while steps > 0 and power < plan.power_steps:
        power += 1
        steps -= 1
    while steps < 0 and power > 0:
        power -= 1
        steps += 1
    return dr, power, nb_trans
