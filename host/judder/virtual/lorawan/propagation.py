"""What becomes of a signal on its way: path loss, noise, what a modem still understands, who drowns whom."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping

from judder.virtual.lorawan.air import Tuning

# Names of sender and receiver -> dB between their antenna connectors, without antenna gains.
PathLoss = Callable[[str, str], float]

THERMAL_DBM_HZ = -174.0  # kT at 290 K

# Lowest SNR a frame is demodulated at (SX1276 data sheet table 13; SF5 and SF6: SX1261/2 data sheet table 6-1).
REQUIRED_SNR_DB: Mapping[int, float] = {
    5: -2.5, 6: -5.0, 7: -7.5, 8: -10.0, 9: -12.5, 10: -15.0, 11: -17.5, 12: -20.0,
}  # fmt: skip

# How much stronger than another signal a frame must be, in dB: by its own SF (row) and the other's (column), 7 to 12.
# Goursaud and Gorce, "Dedicated networks for IoT: PHY/MAC state of the art and challenges", EAI Endorsed Trans. IoT
# 2015, table of co-channel rejection; the diagonal is the capture effect.
_ISOLATION_DB = (
    (6, -16, -18, -19, -19, -20),
    (-24, 6, -20, -22, -22, -22),
    (-27, -27, 6, -23, -25, -25),
    (-30, -30, -30, 6, -26, -28),
    (-33, -33, -33, -33, 6, -29),
    (-36, -36, -36, -36, -36, 6),
)
CAPTURE_DB = 6.0


def noise_floor_dbm(bandwidth_hz: int, noise_figure_db: float) -> float:
    """Thermal noise in the bandwidth plus what the receiver adds."""
    return THERMAL_DBM_HZ + 10 * math.log10(bandwidth_hz) + noise_figure_db


def overlap(one: Tuning, other: Tuning) -> bool:
    """Whether two signals share any part of the spectrum."""
    return 2 * abs(one.frequency_hz - other.frequency_hz) < one.bandwidth_hz + other.bandwidth_hz


def understands(receiver: Tuning, signal: Tuning) -> bool:
    """Whether a modem tuned so can read a signal: all the same, frequency within a quarter of the bandwidth."""
    same = (receiver.sf, receiver.bandwidth_hz, receiver.inverted_iq, receiver.sync_word)
    near = 4 * abs(receiver.frequency_hz - signal.frequency_hz) <= receiver.bandwidth_hz
    return near and same == (signal.sf, signal.bandwidth_hz, signal.inverted_iq, signal.sync_word)


def protection_db(wanted: Tuning, other: Tuning) -> float:
    """How much stronger than `other` the wanted signal must be at the receiver, spectra overlapping.

    Chirps of one slope and direction (bandwidth^2 / 2^SF, IQ) are alike to a correlator: capture. All others are
    taken as quasi-orthogonal by their spreading factors; the same spreading factor the other way round as the next.
    """
    alike = wanted.inverted_iq == other.inverted_iq
    alike &= wanted.bandwidth_hz**2 << other.sf == other.bandwidth_hz**2 << wanted.sf
    if alike:
        return CAPTURE_DB
    row, column = _row(wanted.sf), _row(other.sf)
    if row == column:
        column += 1 if column < 5 else -1
    return _ISOLATION_DB[row][column]


def _row(sf: int) -> int:
    return min(max(sf, 7), 12) - 7


def fixed(loss_db: float) -> PathLoss:
    """The same between any two."""
    return lambda _sender, _receiver: loss_db


def matrix(losses_db: Mapping[tuple[str, str], float], default_db: float = 200.0) -> PathLoss:
    """Per pair, the same both ways; default_db (out of range) for pairs that are not named."""

    def loss(sender: str, receiver: str) -> float:
        found = losses_db.get((sender, receiver))
        return losses_db.get((receiver, sender), default_db) if found is None else found

    return loss


def log_distance(
    positions_m: Mapping[str, tuple[float, float]], *, exponent: float = 3.76, seed: int = 1, shadowing_db: float = 6.0
) -> PathLoss:
    """Path loss that grows with distance, and buildings in the way: log-normal shadowing, one value per pair.

    7.7 + 10 * exponent * log10(metres) dB, the urban model of Magrin, Centenaro and Vangelista, "Performance
    evaluation of LoRa networks in a smart city scenario", IEEE ICC 2017.
    """

    def loss(sender: str, receiver: str) -> float:
        (x0, y0), (x1, y1) = positions_m[sender], positions_m[receiver]
        distance_m = max(1.0, math.hypot(x1 - x0, y1 - y0))
        pair = "/".join(sorted((sender, receiver)))
        shadow = random.Random(f"{seed}/{pair}").gauss(0.0, shadowing_db)
        return 7.7 + 10 * exponent * math.log10(distance_m) + shadow

    return loss
